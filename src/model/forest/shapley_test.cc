#include "model/forest/shapley.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numeric>

#include "model/forest/random_forest.h"
#include "testing/status_matchers.h"

namespace cromford::model {
namespace {

// The value of a coalition: players in `present` follow the row, at the splits of all others both
// children are weighed by their cover.
double coalition_value(const TreeView& tree, size_t index, std::span<const float> row,
                       std::span<const uint32_t> players, uint32_t present, size_t value) {
  const PackedNode& node = tree.nodes[index];
  if (node.is_leaf()) {
    return static_cast<double>(tree.values[size_t{node.next} * tree.width + value]);
  }
  const double left = coalition_value(tree, node.next, row, players, present, value);
  const double right = coalition_value(tree, size_t{node.next} + 1, row, players, present, value);
  if (((present >> players[node.feature]) & 1U) != 0) {
    const float x = row[node.feature];
    return (std::isnan(x) ? node.default_left() : x < node.threshold) ? left : right;
  }
  const double a = static_cast<double>(tree.nodes[node.next].cover);
  const double b = static_cast<double>(tree.nodes[node.next + 1].cover);
  return a + b > 0.0 ? (a * left + b * right) / (a + b) : 0.5 * (left + right);
}

double forest_value(const Forest& forest, std::span<const float> row,
                    std::span<const uint32_t> players, uint32_t present, uint32_t output) {
  double sum = forest.base()[output];
  for (const TreeView& tree : forest.trees()) {
    if (output >= tree.output && output < tree.output + tree.width) {
      sum += coalition_value(tree, 0, row, players, present, output - tree.output);
    }
  }
  return sum;
}

// Shapley's definition, over all coalitions.
std::vector<double> brute_force(const Forest& forest, std::span<const float> row,
                                std::span<const uint32_t> players, uint32_t count,
                                uint32_t output) {
  std::vector<double> values(size_t{1} << count);
  for (uint32_t present = 0; present < values.size(); ++present) {
    values[present] = forest_value(forest, row, players, present, output);
  }
  std::vector<double> phi(count, 0.0);
  for (uint32_t i = 0; i < count; ++i) {
    for (uint32_t present = 0; present < values.size(); ++present) {
      if (((present >> i) & 1U) == 0) {
        const int others = std::popcount(present);
        const double weight = std::tgamma(others + 1.0) * std::tgamma(count - others * 1.0) /
                              std::tgamma(count + 1.0);
        phi[i] += weight * (values[present | (1U << i)] - values[present]);
      }
    }
  }
  return phi;
}

void expect_exact(const ForestParts& parts, uint32_t feature_count,
                  const std::vector<uint32_t>& players, uint32_t player_count,
                  std::mt19937_64& random) {
  ASSERT_OK_AND_ASSIGN(const Forest forest, Forest::create(parts, feature_count));
  const ForestExplainer explainer(forest, players, player_count);
  ShapleyScratch scratch;
  std::vector<double> margins(parts.output_count);
  for (int i = 0; i < 10; ++i) {
    const std::vector<float> row = random_row(random, feature_count);
    forest.predict(row, margins);
    for (uint32_t output = 0; output < parts.output_count; ++output) {
      std::vector<double> phi(player_count, 0.0);
      explainer.add(row, output, 1.0, scratch, phi);
      const std::vector<double> expected = brute_force(forest, row, players, player_count, output);
      for (uint32_t p = 0; p < player_count; ++p) {
        EXPECT_NEAR(phi[p], expected[p], 1e-12);
      }
      const double sum = std::accumulate(phi.begin(), phi.end(), explainer.expected(output));
      EXPECT_NEAR(sum, margins[output], 1e-12);
    }
  }
}

TEST(Shapley, EqualsTheDefinition) {
  std::mt19937_64 random(21);
  for (const uint32_t depth : {0U, 1U, 2U, 3U, 5U, 8U}) {
    for (const double empty : {0.0, 0.3}) {
      const ForestParts parts = random_forest(
          random, {.tree_count = 6, .feature_count = 7, .depth_max = depth, .empty_chance = empty});
      expect_exact(parts, 7, {0, 1, 2, 3, 4, 5, 6}, 7, random);
    }
  }
}

TEST(Shapley, FeaturesOfOneColumnAreOnePlayer) {
  std::mt19937_64 random(22);
  const ForestParts parts =
      random_forest(random, {.tree_count = 8, .feature_count = 9, .depth_max = 6});
  expect_exact(parts, 9, {0, 0, 1, 2, 2, 2, 3, 1, 0}, 5, random);
  expect_exact(parts, 9, {0, 0, 0, 0, 0, 0, 0, 0, 0}, 1, random);
}

TEST(Shapley, SeveralOutputs) {
  std::mt19937_64 random(23);
  RandomForestOptions options{.tree_count = 7, .feature_count = 4, .output_count = 3};
  expect_exact(random_forest(random, options), 4, {0, 1, 2, 3}, 4, random);
  options.vector_leaves = true;
  expect_exact(random_forest(random, options), 4, {0, 1, 2, 3}, 4, random);
}

TEST(Shapley, AdditiveForDeepTreesOfManyPlayers) {
  std::mt19937_64 random(24);
  const RandomForestOptions options{
      .tree_count = 3, .feature_count = 40, .depth_max = 30, .leaf_chance = 0.45};
  ASSERT_OK_AND_ASSIGN(const Forest forest, Forest::create(random_forest(random, options), 40));
  std::vector<uint32_t> players(40);
  std::iota(players.begin(), players.end(), 0);
  const ForestExplainer explainer(forest, players, 40);
  ShapleyScratch scratch;
  for (int i = 0; i < 20; ++i) {
    const std::vector<float> row = random_row(random, 40);
    double margin = 0.0;
    forest.predict(row, {&margin, 1});
    std::vector<double> phi(40, 0.0);
    explainer.add(row, 0, 1.0, scratch, phi);
    EXPECT_NEAR(std::accumulate(phi.begin(), phi.end(), explainer.expected(0)), margin, 1e-9);
  }
}

TEST(Shapley, TheScaleMultiplies) {
  std::mt19937_64 random(25);
  ASSERT_OK_AND_ASSIGN(const Forest forest, Forest::create(random_forest(random, {}), 4));
  const std::vector<uint32_t> players = {0, 1, 2, 3};
  const ForestExplainer explainer(forest, players, 4);
  ShapleyScratch scratch;
  const std::vector<float> row = {0.5F, -0.25F, 1.0F, 0.0F};
  std::vector<double> once(4, 0.0);
  std::vector<double> twice(4, 1.0);
  explainer.add(row, 0, 1.0, scratch, once);
  explainer.add(row, 0, 2.0, scratch, twice);
  for (size_t p = 0; p < 4; ++p) {
    EXPECT_NEAR(twice[p], 1.0 + 2.0 * once[p], 1e-14);
  }
}

TEST(Quadrature, IsExactForPolynomials) {
  for (uint32_t points = 1; points <= 40; ++points) {
    const Quadrature rule = gauss_legendre(points);
    for (uint32_t degree = 0; degree < 2 * points; ++degree) {
      double sum = 0.0;
      for (uint32_t k = 0; k < points; ++k) {
        sum += rule.weights[k] * std::pow(rule.nodes[k], degree);
      }
      EXPECT_NEAR(sum, 1.0 / (degree + 1.0), 1e-14) << points << " points, degree " << degree;
    }
  }
}

}  // namespace
}  // namespace cromford::model
