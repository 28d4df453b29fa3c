#pragma once

// Random forests and rows for tests and benchmarks: every shape that a trainer may hand over
// (unbalanced trees, repeated features, empty covers, leaves with several values).
//
//   std::mt19937_64 random(7);
//   ForestParts parts = random_forest(random, {.tree_count = 20, .feature_count = 5});
//   std::vector<float> row = random_row(random, 5);
//
// Thread safety: pure functions but for the generator. Test-only.

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "model/forest/parts.h"

namespace cromford::model {

struct RandomForestOptions {
  uint32_t tree_count = 10;
  uint32_t feature_count = 4;
  uint32_t depth_max = 4;
  double leaf_chance = 0.2;  // that a node above depth_max is a leaf
  uint32_t output_count = 1;
  bool vector_leaves = false;
  double empty_chance = 0.0;  // that a node has cover 0
  // Different thresholds per feature, from -1 on. By default few, so that rows meet them exactly.
  uint32_t threshold_count = 9;
};

inline uint32_t add_random_node(std::mt19937_64& random, const RandomForestOptions& options,
                                uint32_t depth, double cover, TreeParts& tree) {
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  std::uniform_real_distribution<float> value(-1.0F, 1.0F);
  const auto index = static_cast<uint32_t>(tree.nodes.size());
  tree.nodes.emplace_back();
  tree.nodes[index].cover = cover;
  if (depth >= options.depth_max || (depth > 0 && unit(random) < options.leaf_chance)) {
    const uint32_t width = options.vector_leaves ? options.output_count : 1;
    for (uint32_t j = 0; j < width; ++j) {
      tree.nodes[index].values.push_back(value(random));
    }
    return index;
  }
  const double share = unit(random) < options.empty_chance ? 0.0 : unit(random);
  tree.nodes[index].feature = static_cast<int32_t>(random() % options.feature_count);
  tree.nodes[index].threshold = 2.0F * static_cast<float>(random() % options.threshold_count) /
                                    static_cast<float>(options.threshold_count - 1) -
                                1.0F;
  tree.nodes[index].default_left = random() % 2 == 0;
  const uint32_t left = add_random_node(random, options, depth + 1, cover * share, tree);
  const uint32_t right = add_random_node(random, options, depth + 1, cover * (1.0 - share), tree);
  tree.nodes[index].left = left;
  tree.nodes[index].right = right;
  return index;
}

inline ForestParts random_forest(std::mt19937_64& random, const RandomForestOptions& options) {
  ForestParts forest;
  forest.output_count = options.output_count;
  for (uint32_t o = 0; o < options.output_count; ++o) {
    forest.base.push_back(0.25 * o - 0.1);
  }
  for (uint32_t t = 0; t < options.tree_count; ++t) {
    TreeParts tree;
    tree.output = options.vector_leaves ? 0 : t % options.output_count;
    add_random_node(random, options, 0, 1000.0, tree);
    forest.trees.push_back(tree);
  }
  return forest;
}

// Values on and between the thresholds, some missing, some extreme.
inline std::vector<float> random_row(std::mt19937_64& random, uint32_t feature_count) {
  std::vector<float> row(feature_count);
  for (float& x : row) {
    switch (random() % 8) {
      case 0:
        x = std::numeric_limits<float>::quiet_NaN();
        break;
      case 1:
        x = random() % 2 == 0 ? 3.4e38F : -3.4e38F;
        break;
      default:
        x = static_cast<float>(static_cast<int>(random() % 17) - 8) / 8.0F;
    }
  }
  return row;
}

}  // namespace cromford::model
