#pragma once

// The walk through groups of complete trees (kernel.h) with AVX-512: the eight trees of a group are
// the lanes of one register, and several groups are under way at once, because a gather takes long
// and the next level of a group waits for it.
//
//   if (gather_walk_runs_here()) {
//     gather_walk({nodes, leaves, depth}, groups, row, found);
//   }
//
// The trees end in the same leaves as by the portable walk. Thread safety: pure functions.

#include <cstddef>
#include <cstdint>
#include <span>

#include "model/forest/mask_walk.h"

namespace cromford::model {

// Whether the processor has what gather_walk() is made of.
bool gather_walk_runs_here();

struct CompleteTrees {
  const MaskWalk::Node* nodes;  // Interleaved by groups of eight trees, as in mask_walk.h.
  const uint32_t* leaves;       // What is found.
  uint32_t depth;               // Of all groups.
};
struct CompleteGroup {
  uint64_t first_node;
  uint64_t first_leaf;
};

// At most kGatherGroupsMax groups; `found` gets eight leaves of each, in their order.
constexpr size_t kGatherGroupsMax = 4;
void gather_walk(const CompleteTrees& trees, std::span<const CompleteGroup> groups,
                 const float* row, uint32_t* found);

}  // namespace cromford::model
