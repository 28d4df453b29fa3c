#include "model/forest/kernel.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace cromford::model {
namespace {

constexpr size_t kGroupSize = ForestKernel::kGroupSize;
// A group is padded to complete trees when that makes at most this many leaves of one real leaf.
constexpr size_t kPaddingMax = 8;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Calls f(0) ... f(7) without a loop, so that eight cursors live in registers.
template <typename F>
[[gnu::always_inline]] inline void for_group(F&& f) {
  [&]<size_t... I>(std::index_sequence<I...>) {
    (f(std::integral_constant<size_t, I>{}), ...);
  }(std::make_index_sequence<kGroupSize>{});
}

uint32_t slot_of(const PackedNode& node, std::span<const uint32_t> features) {
  return 2 * features[node.feature] + (node.default_left() ? 1U : 0U);
}

// What stands where complete trees have a node and the real ones have none: a comparison that the
// forest makes anyway.
MaskWalk::Node filler_of(std::span<const TreeView> trees, std::span<const uint32_t> features) {
  for (const TreeView& tree : trees) {
    if (!tree.nodes[0].is_leaf()) {
      return {tree.nodes[0].threshold, slot_of(tree.nodes[0], features)};
    }
  }
  return {0.0F, 0};
}

}  // namespace

ForestKernel::ForestKernel(const Forest& forest, std::span<const uint32_t> features,
                           Instructions instructions)
    : output_count_(forest.output_count()), base_(forest.base().begin(), forest.base().end()) {
  const auto trees = forest.trees();
  for (size_t first = 0; first < trees.size();) {
    size_t end = first + 1;
    while (end < trees.size() && end < first + kGroupSize &&
           trees[end].width == trees[first].width) {
      ++end;
    }
    add_group(trees.subspan(first, end - first), features);
    first = end;
  }
  choose_walks(instructions);
}

void ForestKernel::choose_walks(Instructions instructions) {
  gathers_ = instructions != Instructions::kPortable && gather_walk_runs_here();
  if (instructions != Instructions::kBest || !MaskWalk::runs_here() ||
      !std::ranges::all_of(groups_, &Group::complete)) {
    return;
  }
  std::vector<MaskWalk::Group> groups;
  for (const Group& group : groups_) {
    const size_t inner_count = (size_t{1} << group.depth) - 1;
    groups.push_back(
        {std::span(complete_).subspan(group.first, kGroupSize * inner_count), group.depth});
  }
  masks_ = MaskWalk::create(groups);
}

void ForestKernel::add_group(std::span<const TreeView> trees, std::span<const uint32_t> features) {
  Group group;
  group.tree_count = static_cast<uint32_t>(trees.size());
  group.width = trees[0].width;
  size_t leaf_count = 0;
  for (size_t k = 0; k < trees.size(); ++k) {
    group.depth = std::max(group.depth, trees[k].depth);
    group.output[k] = trees[k].output;
    leaf_count += (trees[k].nodes.size() + 1) / 2;
  }
  group.complete = group.depth <= kCompleteDepthMax &&
                   (kGroupSize << group.depth) <= kPaddingMax * leaf_count + 64;
  if (group.complete) {
    build_complete(trees, group, features);
  } else {
    build_sparse(trees, group, features);
  }
  groups_.push_back(group);
}

// Node i of tree k lies at first_node + 8 i + k, leaf p at first_leaf + 8 p + k. Below a real leaf
// all padding leads to that leaf.
void ForestKernel::build_complete(std::span<const TreeView> trees, Group& group,
                                  std::span<const uint32_t> features) {
  const size_t inner_count = (size_t{1} << group.depth) - 1;
  const size_t first_node = group.first = complete_.size();
  const size_t first_leaf = group.first_leaf = leaves_.size();
  complete_.resize(first_node + kGroupSize * inner_count, filler_of(trees, features));
  leaves_.resize(first_leaf + kGroupSize * (inner_count + 1), 0);
  std::vector<uint32_t> source;  // the real node that each place of the complete tree stands for
  for (size_t k = 0; k < trees.size(); ++k) {
    const TreeView& tree = trees[k];
    const size_t first_value = values_.size();
    if (tree.width > 1) {
      values_.insert(values_.end(), tree.values.begin(), tree.values.end());
    }
    source.assign(2 * inner_count + 1, 0);
    for (size_t i = 0; i < inner_count; ++i) {
      const PackedNode& node = tree.nodes[source[i]];
      if (node.is_leaf()) {
        source[2 * i + 1] = source[2 * i + 2] = source[i];
        continue;
      }
      source[2 * i + 1] = node.next;
      source[2 * i + 2] = node.next + 1;
      complete_[first_node + kGroupSize * i + k] = {node.threshold, slot_of(node, features)};
    }
    for (size_t p = 0; p <= inner_count; ++p) {
      leaves_[first_leaf + kGroupSize * p + k] =
          leaf_of(tree, first_value, tree.nodes[source[inner_count + p]].next);
    }
  }
}

void ForestKernel::build_sparse(std::span<const TreeView> trees, Group& group,
                                std::span<const uint32_t> features) {
  group.first = roots_.size();
  for (const TreeView& tree : trees) {
    const size_t first_value = values_.size();
    if (tree.width > 1) {
      values_.insert(values_.end(), tree.values.begin(), tree.values.end());
    }
    const auto root = static_cast<uint32_t>(sparse_.size());
    roots_.push_back(2 * uint64_t{root});
    for (const PackedNode& node : tree.nodes) {
      sparse_.push_back(
          node.is_leaf()
              ? SparseNode{0.0F, 0, 0, leaf_of(tree, first_value, node.next)}
              : SparseNode{node.threshold, slot_of(node, features), root + node.next, 0});
    }
  }
}

ForestKernel::Leaf ForestKernel::leaf_of(const TreeView& tree, size_t first_value,
                                         uint32_t leaf) const {
  return tree.width == 1 ? std::bit_cast<Leaf>(tree.values[leaf])
                         : static_cast<Leaf>(first_value + size_t{leaf} * tree.width);
}

void ForestKernel::lay_out(std::span<const float> row, std::span<float> doubled) {
  for (size_t f = 0; f < row.size(); ++f) {
    const bool missing = std::isnan(row[f]);
    doubled[2 * f] = missing ? kInfinity : row[f];
    doubled[2 * f + 1] = missing ? -kInfinity : row[f];
  }
}

void ForestKernel::walk_complete(const Group& group, const float* row, Leaf* found) const {
  const CompleteNode* nodes = complete_.data() + group.first;
  size_t place[kGroupSize] = {};  // 8 times the index of the node
  for (uint32_t level = 0; level < group.depth; ++level) {
    for_group([&](auto k) {
      const CompleteNode& node = nodes[place[k] + k];
      const size_t right = row[node.slot] < node.threshold ? 0 : kGroupSize;
      place[k] = 2 * place[k] + kGroupSize + right;
    });
  }
  const size_t inner_count = (size_t{1} << group.depth) - 1;
  const Leaf* leaves = leaves_.data() + group.first_leaf;
  for_group([&](auto k) { found[k] = leaves[place[k] - kGroupSize * inner_count + k]; });
}

void ForestKernel::walk_sparse(const Group& group, const float* row, Leaf* found) const {
  const SparseNode* node[kGroupSize];
  for_group([&](auto k) {
    // Lanes without a tree walk along with the first and are never added.
    node[k] = sparse_.data() + roots_[group.first + (k < group.tree_count ? k : 0)] / 2;
  });
  for (bool moving = true; moving;) {
    uint32_t moved = 0;
    for_group([&](auto k) {
      const uint32_t next = node[k]->left + (row[node[k]->slot] < node[k]->threshold ? 0U : 1U);
      moved |= node[k]->left;
      node[k] = node[k]->left == 0 ? node[k] : sparse_.data() + next;
    });
    moving = moved != 0;
  }
  for_group([&](auto k) { found[k] = node[k]->leaf; });
}

void ForestKernel::add(const Group& group, const Leaf* found, double* margins) const {
  if (output_count_ == 1) {
    double sum = margins[0];  // In a register: through memory each addition takes twice as long.
    for (uint32_t k = 0; k < group.tree_count; ++k) {
      sum += static_cast<double>(std::bit_cast<float>(found[k]));
    }
    margins[0] = sum;
    return;
  }
  if (group.width == 1) {
    for (uint32_t k = 0; k < group.tree_count; ++k) {
      margins[group.output[k]] += static_cast<double>(std::bit_cast<float>(found[k]));
    }
    return;
  }
  for (uint32_t k = 0; k < group.tree_count; ++k) {
    for (uint32_t j = 0; j < group.width; ++j) {
      margins[j] += static_cast<double>(values_[found[k] + j]);
    }
  }
}

void ForestKernel::predict(const float* doubled, size_t stride, size_t row_count,
                           std::span<double> margins) const {
  for (size_t row = 0; row < row_count; ++row) {
    std::ranges::copy(base_, margins.begin() + static_cast<std::ptrdiff_t>(row * output_count_));
  }
  if (masks_.has_value()) {
    predict_by_masks(doubled, stride, row_count, margins);
    return;
  }
  for (size_t first = 0; first < groups_.size();) {
    if (!gathers_) {
      first = predict_group(first, doubled, stride, row_count, margins);
    } else if (groups_[first].complete) {
      first = predict_gathering(first, doubled, stride, row_count, margins);
    } else {
      first = predict_queue(first, doubled, stride, row_count, margins);
    }
  }
}

void ForestKernel::predict_by_masks(const float* doubled, size_t stride, size_t row_count,
                                    std::span<double> margins) const {
  MaskWalk::Ranks ranks{};
  Leaf found[kGroupSize];
  for (size_t row = 0; row < row_count; ++row) {
    masks_->rank(doubled + row * stride, ranks);
    for (size_t g = 0; g < groups_.size(); ++g) {
      masks_->find_leaves(g, ranks, leaves_.data() + groups_[g].first_leaf, found);
      add(groups_[g], found, margins.data() + row * output_count_);
    }
  }
}

size_t ForestKernel::predict_gathering(size_t first, const float* doubled, size_t stride,
                                       size_t row_count, std::span<double> margins) const {
  CompleteGroup at_once[kGatherGroupsMax];
  size_t end = first;
  while (end < groups_.size() && end < first + kGatherGroupsMax && groups_[end].complete &&
         groups_[end].depth == groups_[first].depth) {
    at_once[end - first] = {groups_[end].first, groups_[end].first_leaf};
    ++end;
  }
  static_assert(sizeof(CompleteNode) == sizeof(uint64_t));
  const CompleteTrees trees = {
      .nodes = complete_.data(), .leaves = leaves_.data(), .depth = groups_[first].depth};
  Leaf found[kGroupSize * kGatherGroupsMax];
  for (size_t row = 0; row < row_count; ++row) {
    gather_walk(trees, {at_once, end - first}, doubled + row * stride, found);
    for (size_t g = first; g < end; ++g) {
      add(groups_[g], found + kGroupSize * (g - first), margins.data() + row * output_count_);
    }
  }
  return end;
}

size_t ForestKernel::predict_queue(size_t first, const float* doubled, size_t stride,
                                   size_t row_count, std::span<double> margins) const {
  size_t end = first;
  size_t tree_count = 0;
  while (end < groups_.size() && !groups_[end].complete && tree_count + kGroupSize <= kQueueMax) {
    tree_count += groups_[end++].tree_count;
  }
  const SparseTrees trees = {.nodes = sparse_.data(),
                             .roots = std::span(roots_).subspan(groups_[first].first, tree_count)};
  Leaf found[kQueueMax];
  for (size_t row = 0; row < row_count; ++row) {
    gather_walk(trees, doubled + row * stride, found);
    const Leaf* next = found;
    for (size_t g = first; g < end; ++g) {
      add(groups_[g], next, margins.data() + row * output_count_);
      next += groups_[g].tree_count;
    }
  }
  return end;
}

size_t ForestKernel::predict_group(size_t first, const float* doubled, size_t stride,
                                   size_t row_count, std::span<double> margins) const {
  const Group& group = groups_[first];
  Leaf found[kGroupSize];
  for (size_t row = 0; row < row_count; ++row) {
    const float* x = doubled + row * stride;
    if (group.complete) {
      walk_complete(group, x, found);
    } else {
      walk_sparse(group, x, found);
    }
    add(group, found, margins.data() + row * output_count_);
  }
  return first + 1;
}

size_t ForestKernel::memory_bytes() const {
  return groups_.size() * sizeof(Group) + complete_.size() * sizeof(CompleteNode) +
         sparse_.size() * sizeof(SparseNode) + roots_.size() * sizeof(uint64_t) +
         leaves_.size() * sizeof(Leaf) + values_.size() * sizeof(float) +
         (masks_ ? masks_->memory_bytes() : 0);
}

}  // namespace cromford::model
