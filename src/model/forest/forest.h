#pragma once

// A forest of decision trees, as stored in a package: compact, position-independent, and walked
// without being unpacked. This is the reference implementation of prediction; forest/kernel.h is
// the fast one, which gives the same bits, and forest/shapley.h explains.
//
//   TRY(Forest forest, Forest::create(parts, feature_count));
//   double margin = 0.0;
//   forest.predict(row, {&margin, 1});
//
// Stored form: the nodes of a tree in breadth-first order with siblings side by side, so that the
// k-th inner node of a tree has its children at 1 + 2k and 2 + 2k. load() checks exactly that,
// which proves a tree to be a tree.
//
// Thread safety: immutable after creation.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/forest/parts.h"

namespace cromford::model {

class ByteReader;
class ByteWriter;

// Features of one predictor, depth of one tree (edges from root to leaf).
constexpr uint32_t kForestFeatureCountMax = 32767;
constexpr uint32_t kTreeDepthMax = 192;

// A node as stored: 16 bytes, little-endian.
struct PackedNode {
  static constexpr uint16_t kLeafFlag = 1;
  static constexpr uint16_t kDefaultLeftFlag = 2;

  float threshold = 0.0F;  // 0 for a leaf
  uint32_t next = 0;     // inner: index of the left child (the right one follows); leaf: its number
  uint16_t feature = 0;  // 0 for a leaf
  uint16_t flags = 0;
  float cover = 0.0F;

  bool is_leaf() const { return (flags & kLeafFlag) != 0; }
  bool default_left() const { return (flags & kDefaultLeftFlag) != 0; }
};
static_assert(sizeof(PackedNode) == 16);

// A tree as stored: views into the forest's bytes. Leaf number k has the values
// values[k * width .. (k + 1) * width).
struct TreeView {
  std::span<const PackedNode> nodes;
  std::span<const float> values;
  uint32_t output = 0;  // of the first value
  uint32_t width = 1;   // values per leaf
  uint32_t depth = 0;
};

class Forest {
 public:
  // Checks the trees: INVALID_ARGUMENT names tree and node. `feature_count` is the length of a row.
  static absl::StatusOr<Forest> create(const ForestParts& parts, uint32_t feature_count);
  // The form stored in a package. load() keeps views of the reader's bytes, which must outlive it.
  static absl::Status encode(const ForestParts& parts, uint32_t feature_count, ByteWriter& out);
  static absl::StatusOr<Forest> load(uint32_t feature_count, ByteReader& in);

  uint32_t output_count() const { return output_count_; }
  uint32_t feature_count() const { return feature_count_; }
  std::span<const double> base() const { return base_; }
  std::span<const TreeView> trees() const { return trees_; }

  // The reference walk: margins of one row (feature_count() values) into output_count() values.
  void predict(std::span<const float> row, std::span<double> margins) const;
  // The leaf number that `row` reaches in `tree`.
  static uint32_t leaf_of(const TreeView& tree, std::span<const float> row);

 private:
  Forest() = default;

  uint32_t output_count_ = 1;
  uint32_t feature_count_ = 0;
  std::span<const double> base_;
  std::vector<TreeView> trees_;
  std::shared_ptr<const std::vector<std::byte>> owned_;  // only of create()
};

}  // namespace cromford::model
