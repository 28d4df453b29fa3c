#pragma once

// Forests as plain trees: what a trainer hands over (learn turns XGBoost's trees into these) and
// what tests write down.
//
//   TreeParts tree;                                     // x[0] < 2.5 ? -1 : 1
//   tree.nodes = {{.feature = 0, .threshold = 2.5F, .left = 1, .right = 2, .cover = 10},
//                 {.cover = 6}, {.cover = 4}};
//   tree.nodes[1].values = {-1.0F};
//   tree.nodes[2].values = {1.0F};
//   ForestParts forest{.output_count = 1, .base = {0.0}, .trees = {tree}};
//
// Thread safety: values.

#include <cstdint>
#include <vector>

namespace cromford::model {

constexpr int32_t kLeaf = -1;

// A node of a binary tree. An inner node sends a row to `left` when x[feature] < threshold, in
// float32 (XGBoost's rule), to `right` otherwise, and where x is NaN by `default_left`.
struct TreeNode {
  int32_t feature = kLeaf;  // index into the predictor's own features; kLeaf for a leaf
  float threshold = 0.0F;   // finite
  uint32_t left = 0;
  uint32_t right = 0;
  bool default_left = false;
  double cover = 0.0;  // weight of the training rows that reached it (stored as float32), >= 0
  std::vector<float> values = {};  // leaf: 1 value, or one per output of the forest; finite
};

// Nodes in any order; the root is node 0 and every other node has exactly one parent. Either each
// leaf has one value, which is added to output `output`, or one value for each output of the
// forest (then `output` is 0).
struct TreeParts {
  uint32_t output = 0;
  std::vector<TreeNode> nodes = {};
};

// margin[o] = base[o] + the leaves of the trees in their order, summed in double.
struct ForestParts {
  uint32_t output_count = 1;
  std::vector<double> base = {};  // output_count values
  std::vector<TreeParts> trees = {};
};

}  // namespace cromford::model
