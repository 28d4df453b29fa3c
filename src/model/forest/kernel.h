#pragma once

// The fast form of a forest, derived from it when a package is loaded: portable scalar code, and
// for processors that have it AVX-512, which finds the same leaves. Small trees are compared as a
// whole (mask_walk.h), larger ones walked in the lanes of a register (gather_walk.h).
//
// Trees are taken in groups of eight that are walked side by side, so that eight independent chains
// of loads are in flight instead of one. A group whose trees are at most kCompleteDepthMax deep is
// padded to complete trees in breadth-first order: 8 bytes per node and no child indices; deeper
// groups, and those that padding would swell, keep child indices. NaN costs nothing: a row is laid
// out twice, once with NaN as +infinity (goes right) and once as -infinity (goes left), and a node
// reads the copy of its default side. Leaves are added in the order of the trees, in double, so
// every result equals Forest::predict bit for bit, for one row and for many.
//
//   const ForestKernel kernel(forest, features);
//   ForestKernel::lay_out(matrix_row, doubled);               // once per row, for all forests
//   kernel.predict(doubled.data(), doubled.size(), 1, margins);
//
// Thread safety: immutable after creation.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/forest/forest.h"
#include "model/forest/gather_walk.h"
#include "model/forest/mask_walk.h"

namespace cromford::model {

class ForestKernel {
 public:
  // What the processor may be asked for; tests compare all with the reference.
  enum class Instructions : uint8_t { kPortable, kGather, kBest };

  static constexpr uint32_t kCompleteDepthMax = 10;
  static constexpr size_t kGroupSize = 8;

  // `features[f]` is the position, in a row of the whole pipeline, of the forest's feature f.
  // Copies what it needs from `forest`.
  ForestKernel(const Forest& forest, std::span<const uint32_t> features,
               Instructions instructions = Instructions::kBest);

  // Writes `row` (n values) as the 2n values that the kernel reads.
  static void lay_out(std::span<const float> row, std::span<float> doubled);

  // Writes the margins of `row_count` laid out rows, each `stride` floats after the other, to
  // `margins`, row-major [row_count x output_count]. Behind `doubled` are at least two floats, even
  // where the rows have no feature: padding reads the first.
  void predict(const float* doubled, size_t stride, size_t row_count,
               std::span<double> margins) const;

  // Bytes of memory held.
  size_t memory_bytes() const;

 private:
  using CompleteNode = MaskWalk::Node;  // its slot is a position in the doubled row
  // A leaf with one value: the bits of that float. Otherwise the place of its values in values_.
  using Leaf = uint32_t;
  struct Group {
    bool complete = true;
    uint32_t tree_count = 0;
    uint32_t width = 1;
    uint32_t depth = 0;
    uint32_t output[kGroupSize] = {};
    size_t first = 0;       // Complete: of the nodes, which are interleaved. Otherwise: of roots_.
    size_t first_leaf = 0;  // Complete.
  };

  void add_group(std::span<const TreeView> trees, std::span<const uint32_t> features);
  void build_complete(std::span<const TreeView> trees, Group& group,
                      std::span<const uint32_t> features);
  void build_sparse(std::span<const TreeView> trees, Group& group,
                    std::span<const uint32_t> features);
  Leaf leaf_of(const TreeView& tree, size_t first_value, uint32_t leaf) const;
  void choose_walks(Instructions instructions);
  // Each adds the leaves of the groups from `first` on to the margins of all rows, and gives the
  // first group after them. Groups come in small numbers, so that their nodes stay in the cache for
  // all rows.
  size_t predict_gathering(size_t first, const float* doubled, size_t stride, size_t row_count,
                           std::span<double> margins) const;
  size_t predict_queue(size_t first, const float* doubled, size_t stride, size_t row_count,
                       std::span<double> margins) const;
  size_t predict_group(size_t first, const float* doubled, size_t stride, size_t row_count,
                       std::span<double> margins) const;
  void predict_by_masks(const float* doubled, size_t stride, size_t row_count,
                        std::span<double> margins) const;
  void walk_complete(const Group& group, const float* row, Leaf* found) const;
  void walk_sparse(const Group& group, const float* row, Leaf* found) const;
  void add(const Group& group, const Leaf* found, double* margins) const;

  uint32_t output_count_ = 1;
  std::vector<double> base_;
  std::vector<Group> groups_;
  std::vector<CompleteNode> complete_;
  std::vector<SparseNode> sparse_;
  std::vector<uint64_t> roots_;  // Of the trees of sparse_, see gather_walk.h.
  std::vector<Leaf> leaves_;
  std::vector<float> values_;  // of leaves with several values
  bool gathers_ = false;
  std::optional<MaskWalk> masks_;  // of all groups
};

}  // namespace cromford::model
