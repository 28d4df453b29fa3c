#pragma once

// The walk through small complete trees (kernel.h) with AVX-512 VBMI: instead of following a path
// node by node, where each comparison waits for the one before it, all nodes of a tree are compared
// at once, 64 bytes to 64 bytes, and the path is read off the mask.
//
// That takes bytes: a value becomes its rank among the thresholds that the forest has for its
// feature, and a node the index of its threshold. x < t holds exactly where the rank of x is at
// most the index of t, so every tree ends in the same leaf as by the portable walk. A forest fits
// when its trees are at most 6 deep, read at most 64 slots of a row, and have at most 255 different
// thresholds for each, as forests trained on histograms do. (Ranks in place of values: Lettich et
// al., "Parallel Traversal of Large Ensembles of Decision Trees", 2019, go half the way.)
//
//   std::optional<MaskWalk> walk = MaskWalk::create(trees);
//   walk->rank(row, ranks);                          // once per row
//   walk->find_leaves(group, ranks, leaves, found);  // of eight trees
//
// Thread safety: immutable after creation.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace cromford::model {

class MaskWalk {
 public:
  static constexpr uint32_t kDepthMax = 6;
  static constexpr size_t kSlotsMax = 64;
  static constexpr size_t kThresholdsMax = 255;

  // A node of a complete tree: it goes left where row[slot] < threshold.
  struct Node {
    float threshold;
    uint32_t slot;
  };
  // Eight complete trees, interleaved: node i of tree k is nodes[8 i + k].
  struct Group {
    std::span<const Node> nodes;
    uint32_t depth;
  };

  // Whether the processor has what the walk is made of.
  static bool runs_here();
  // nullopt where the groups do not fit.
  static std::optional<MaskWalk> create(std::span<const Group> groups);

  using Ranks = std::array<uint8_t, kSlotsMax>;
  // The ranks of the values that the trees read of one row; needs runs_here().
  void rank(const float* row, Ranks& ranks) const;
  // Writes to `found` what the trees of a group end in; leaf p of tree k is leaves[8 p + k]. Needs
  // runs_here().
  void find_leaves(size_t group, const Ranks& ranks, const uint32_t* leaves, uint32_t* found) const;

  size_t memory_bytes() const;

 private:
  // The thresholds of one slot, ascending and filled up with NaN, in blocks of 16; and the last one
  // of each block, by which the block is found.
  struct Scale {
    uint32_t slot;
    uint32_t first_block;
    std::array<float, 16> last;
  };
  struct alignas(64) Tree {
    std::array<uint8_t, 64> scales{};  // Per node: the scale of its slot,
    std::array<uint8_t, 64> limits{};  // and the index of its threshold on it.
  };

  bool add_scale(uint32_t slot, std::vector<float> thresholds);
  Tree tree_of(const Group& group, size_t k) const;

  std::vector<Scale> scales_;
  std::vector<std::array<float, 16>> blocks_;
  std::vector<Tree> trees_;       // Eight per group.
  std::vector<uint32_t> depths_;  // Of the groups.
};

}  // namespace cromford::model
