#include "model/forest/forest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/status.h"
#include "model/bytes.h"
#include "model/checks.h"

namespace cromford::model {
namespace {

// The head of a tree as stored.
struct TreeHead {
  uint32_t node_count = 0;
  uint32_t output = 0;
  uint32_t width = 0;
  uint32_t depth = 0;
};
static_assert(sizeof(TreeHead) == 16);

// A tree renumbered: breadth-first, siblings side by side.
struct PackedTree {
  TreeHead head;
  std::vector<PackedNode> nodes;
  std::vector<float> values;
};

absl::Status tree_error(size_t tree, std::string_view problem) {
  return base::invalid(fmt::format("tree {} of the forest: {}", tree, problem));
}

// What load() cannot see in the packed form, because packing would hide it.
absl::Status check_inner(const TreeNode& node, const TreeParts& tree, std::vector<bool>& seen) {
  if (!node.values.empty()) {
    return base::invalid("an inner node has leaf values");
  }
  if (node.feature < 0 || std::cmp_greater(node.feature, kForestFeatureCountMax)) {
    return base::invalid(fmt::format("a node reads the feature {}", node.feature));
  }
  for (const uint32_t child : {node.left, node.right}) {
    if (child >= tree.nodes.size() || seen[child]) {
      return base::invalid(
          fmt::format("node {} is no node, or has two parents: this is not a tree", child));
    }
    seen[child] = true;
  }
  return absl::OkStatus();
}

absl::StatusOr<PackedTree> pack(const TreeParts& tree) {
  PackedTree packed;
  packed.head.output = tree.output;
  if (tree.nodes.empty()) {
    return base::invalid("it has no nodes");
  }
  std::vector<bool> seen(tree.nodes.size(), false);
  seen[0] = true;
  std::vector<std::pair<uint32_t, uint32_t>> queue = {{0, 0}};  // node, depth
  uint32_t leaf_count = 0;
  uint32_t inner_count = 0;
  for (size_t i = 0; i < queue.size(); ++i) {
    const auto [index, depth] = queue[i];
    const TreeNode& node = tree.nodes[index];
    PackedNode out;
    out.cover = static_cast<float>(node.cover);
    packed.head.depth = std::max(packed.head.depth, depth);
    if (node.feature == kLeaf) {
      if (leaf_count == 0) {
        packed.head.width = static_cast<uint32_t>(node.values.size());
      } else if (node.values.size() != packed.head.width) {
        return base::invalid("its leaves differ in the number of values");
      }
      packed.values.insert(packed.values.end(), node.values.begin(), node.values.end());
      out.flags = PackedNode::kLeafFlag;
      out.next = leaf_count++;
    } else {
      TRY(check_inner(node, tree, seen));
      out.threshold = node.threshold;
      out.feature = static_cast<uint16_t>(node.feature);
      out.flags = node.default_left ? PackedNode::kDefaultLeftFlag : uint16_t{0};
      out.next = 1 + 2 * inner_count++;
      queue.emplace_back(node.left, depth + 1);
      queue.emplace_back(node.right, depth + 1);
    }
    packed.nodes.push_back(out);
  }
  if (queue.size() != tree.nodes.size()) {
    return base::invalid("some of its nodes cannot be reached from node 0");
  }
  packed.head.node_count = static_cast<uint32_t>(packed.nodes.size());
  return packed;
}

absl::Status check_head(const TreeHead& head, uint32_t output_count) {
  const bool fits = (head.width == 1 && head.output < output_count) ||
                    (head.width == output_count && head.output == 0);
  if (!fits) {
    return base::damaged(fmt::format("leaves with {} values for output {} of {}", head.width,
                                     head.output, output_count),
                         "a leaf has one value, or one for each output");
  }
  if (head.depth > kTreeDepthMax) {
    return base::damaged(
        fmt::format("it is {} levels deep; the limit is {}", head.depth, kTreeDepthMax));
  }
  if (head.node_count % 2 == 0) {
    return base::damaged("a tree has an odd number of nodes");
  }
  return absl::OkStatus();
}

absl::Status check_node(const PackedNode& node, uint32_t inner, uint32_t leaf,
                        uint32_t feature_count) {
  if (!std::isfinite(node.cover) || node.cover < 0.0F) {
    return base::damaged("a cover is negative or not a number");
  }
  if (node.is_leaf()) {
    const bool plain = node.flags == PackedNode::kLeafFlag && node.feature == 0 &&
                       node.threshold == 0.0F && node.next == leaf;
    return plain ? absl::OkStatus() : base::damaged("a leaf is malformed");
  }
  if ((node.flags & ~PackedNode::kDefaultLeftFlag) != 0 || node.next != 1 + 2 * inner) {
    return base::damaged("an inner node is malformed");
  }
  if (node.feature >= feature_count) {
    return base::damaged(
        fmt::format("a node reads the feature {} of {}", node.feature, feature_count));
  }
  if (!std::isfinite(node.threshold)) {
    return base::damaged("a threshold is not finite");
  }
  return absl::OkStatus();
}

// The k-th inner node must have its children at 1 + 2k and 2 + 2k, so every node but the first has
// exactly one parent, which lies before it: a tree, and reading it needs no further checks.
absl::Status check_tree(const TreeHead& head, std::span<const PackedNode> nodes,
                        uint32_t feature_count) {
  uint32_t inner = 0;
  uint32_t leaf = 0;
  std::vector<uint8_t> depths(nodes.size(), 0);
  uint32_t depth = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    TRY(check_node(nodes[i], inner, leaf, feature_count));
    if (nodes[i].is_leaf()) {
      ++leaf;
      continue;
    }
    const size_t left = size_t{1} + 2 * size_t{inner++};
    if (left <= i || left + 1 >= nodes.size() || depths[i] >= kTreeDepthMax) {
      return base::damaged("the nodes do not form a tree");
    }
    depths[left] = depths[left + 1] = static_cast<uint8_t>(depths[i] + 1);
    depth = std::max<uint32_t>(depth, depths[left]);
  }
  if (nodes.size() != size_t{1} + 2 * size_t{inner} || depth != head.depth) {
    return base::damaged("the nodes do not form a tree of the stated size");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Forest::encode(const ForestParts& parts, uint32_t feature_count, ByteWriter& out) {
  if (feature_count > kForestFeatureCountMax) {
    return base::invalid(fmt::format("a forest of {} features; the limit is {}", feature_count,
                                     kForestFeatureCountMax),
                         "train on fewer features");
  }
  if (parts.base.size() != parts.output_count) {
    return base::invalid(fmt::format("the forest has {} base values for {} outputs",
                                     parts.base.size(), parts.output_count));
  }
  std::vector<PackedTree> trees;
  trees.reserve(parts.trees.size());
  for (size_t i = 0; i < parts.trees.size(); ++i) {
    absl::StatusOr<PackedTree> packed = pack(parts.trees[i]);
    if (!packed.ok()) {
      return tree_error(i, base::message(packed.status()));
    }
    trees.push_back(*std::move(packed));
  }
  out.put(parts.output_count);
  out.put(static_cast<uint32_t>(trees.size()));
  out.array<double>(parts.base);
  for (const PackedTree& tree : trees) {
    out.array<TreeHead>({&tree.head, 1});
  }
  for (const PackedTree& tree : trees) {
    out.array<PackedNode>(tree.nodes);
  }
  for (const PackedTree& tree : trees) {
    out.array<float>(tree.values);
  }
  return absl::OkStatus();
}

absl::StatusOr<Forest> Forest::load(uint32_t feature_count, ByteReader& in) {
  Forest forest;
  forest.feature_count_ = feature_count;
  forest.output_count_ = in.get<uint32_t>();
  const uint32_t tree_count = in.count(sizeof(TreeHead) + sizeof(PackedNode));
  forest.base_ = in.array<double>(forest.output_count_);
  const auto heads = in.array<TreeHead>(tree_count);
  if (!in.ok() || forest.output_count_ == 0 || feature_count > kForestFeatureCountMax) {
    return base::damaged("the head of the forest does not fit");
  }
  TRY(check_parameters("a base value of the forest", forest.base_));
  forest.trees_.reserve(tree_count);
  for (size_t i = 0; i < tree_count; ++i) {
    TreeView tree;
    tree.nodes = in.array<PackedNode>(heads[i].node_count);
    absl::Status status = in.ok() ? check_head(heads[i], forest.output_count_)
                                  : base::damaged("its nodes do not fit");
    if (status.ok()) {
      status = check_tree(heads[i], tree.nodes, feature_count);
    }
    if (!status.ok()) {
      return base::annotate(status, fmt::format("tree {} of the forest", i));
    }
    tree.output = heads[i].output;
    tree.width = heads[i].width;
    tree.depth = heads[i].depth;
    forest.trees_.push_back(tree);
  }
  for (size_t i = 0; i < tree_count; ++i) {
    TreeView& tree = forest.trees_[i];
    const size_t leaf_count = (tree.nodes.size() + 1) / 2;
    tree.values = in.array<float>(leaf_count * tree.width);
    if (!in.ok()) {
      return base::damaged(fmt::format("tree {} of the forest: its leaves do not fit", i));
    }
    if (!std::ranges::all_of(tree.values, [](float v) { return std::isfinite(v); })) {
      return base::damaged(fmt::format("tree {} of the forest: a leaf value is not finite", i));
    }
  }
  return forest;
}

absl::StatusOr<Forest> Forest::create(const ForestParts& parts, uint32_t feature_count) {
  ByteWriter out;
  TRY(encode(parts, feature_count, out));
  auto owned = std::make_shared<const std::vector<std::byte>>(out.take());
  ByteReader in(*owned);
  absl::StatusOr<Forest> forest = load(feature_count, in);
  if (!forest.ok()) {
    return as_invalid(forest.status());
  }
  forest->owned_ = std::move(owned);
  return forest;
}

uint32_t Forest::leaf_of(const TreeView& tree, std::span<const float> row) {
  const PackedNode* node = tree.nodes.data();
  while (!node->is_leaf()) {
    const float x = row[node->feature];
    const bool left = std::isnan(x) ? node->default_left() : x < node->threshold;
    node = &tree.nodes[node->next + (left ? 0U : 1U)];
  }
  return node->next;
}

void Forest::predict(std::span<const float> row, std::span<double> margins) const {
  std::ranges::copy(base_, margins.begin());
  for (const TreeView& tree : trees_) {
    const size_t first = size_t{leaf_of(tree, row)} * tree.width;
    for (size_t j = 0; j < tree.width; ++j) {
      margins[tree.output + j] += static_cast<double>(tree.values[first + j]);
    }
  }
}

}  // namespace cromford::model
