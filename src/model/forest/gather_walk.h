#pragma once

// The walks through trees (kernel.h) with AVX-512: eight trees are the lanes of one register, and
// several registers are under way at once, because a gather takes long and the next level of a tree
// waits for it.
//
//   if (gather_walk_runs_here()) {
//     gather_walk({nodes, leaves, depth}, complete_groups, row, found);
//     gather_walk({nodes, roots}, row, found);
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

// A node of a tree of any shape.
struct SparseNode {
  float threshold;
  uint32_t slot;
  uint32_t left;  // Among the nodes of all trees; the right child is the next one. 0 for a leaf.
  uint32_t leaf;  // What is found.
};
struct SparseTrees {
  const SparseNode* nodes;
  std::span<const uint64_t> roots;  // Twice their places among the nodes; at most kQueueMax.
};

// The same for trees whose paths are of any length: a lane that has come to a leaf goes on with the
// next tree, so that short paths do not wait for long ones. `found` gets one leaf of each tree.
constexpr size_t kQueueMax = 256;
void gather_walk(const SparseTrees& trees, const float* row, uint32_t* found);

}  // namespace cromford::model
