#include "model/forest/forest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "model/bytes.h"
#include "model/forest/kernel.h"
#include "model/forest/mask_walk.h"
#include "model/forest/random_forest.h"
#include "testing/status_matchers.h"

namespace cromford::model {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TreeParts stump() {
  TreeParts tree;
  tree.nodes.resize(3);
  tree.nodes[0] = {.feature = 1, .threshold = 2.5F, .left = 1, .right = 2, .cover = 10};
  tree.nodes[1].values = {-1.0F};
  tree.nodes[2].values = {1.0F};
  tree.nodes[1].cover = 6;
  tree.nodes[2].cover = 4;
  return tree;
}

ForestParts one_tree(const TreeParts& tree) {
  return {.output_count = 1, .base = {0.5}, .trees = {tree}};
}

double predict(const Forest& forest, std::vector<float> row) {
  double margin = 0.0;
  forest.predict(row, {&margin, 1});
  return margin;
}

TEST(Forest, SplitsLikeXGBoost) {
  ASSERT_OK_AND_ASSIGN(const Forest forest, Forest::create(one_tree(stump()), 2));
  EXPECT_EQ(predict(forest, {0.0F, 2.4F}), -0.5);
  EXPECT_EQ(predict(forest, {0.0F, 2.5F}), 1.5);  // x < threshold is left, equal is right
  EXPECT_EQ(predict(forest, {0.0F, kNan}), 1.5);
  TreeParts tree = stump();
  tree.nodes[0].default_left = true;
  ASSERT_OK_AND_ASSIGN(const Forest left, Forest::create(one_tree(tree), 2));
  EXPECT_EQ(predict(left, {0.0F, kNan}), -0.5);
}

TEST(Forest, AnEmptyForestIsItsBase) {
  ASSERT_OK_AND_ASSIGN(const Forest forest,
                       Forest::create({.output_count = 2, .base = {1.0, 2.0}, .trees = {}}, 0));
  double margins[2];
  forest.predict({}, margins);
  EXPECT_EQ(margins[0], 1.0);
  EXPECT_EQ(margins[1], 2.0);
}

TEST(Forest, RefusesWhatIsNoTree) {
  struct Case {
    std::function<void(TreeParts&)> damage;
    const char* message;
  };
  const std::vector<Case> cases = {
      {[](TreeParts& t) { t.nodes.clear(); }, "no nodes"},
      {[](TreeParts& t) { t.nodes[0].right = 1; }, "two parents"},
      {[](TreeParts& t) { t.nodes[0].right = 0; }, "two parents"},
      {[](TreeParts& t) { t.nodes[0].right = 9; }, "is no node"},
      {[](TreeParts& t) { t.nodes.push_back(t.nodes[1]); }, "cannot be reached"},
      {[](TreeParts& t) { t.nodes[0].feature = 2; }, "feature 2 of 2"},
      {[](TreeParts& t) { t.nodes[0].feature = -7; }, "feature -7"},
      {[](TreeParts& t) { t.nodes[0].threshold = kNan; }, "threshold is not finite"},
      {[](TreeParts& t) { t.nodes[0].values = {1.0F}; }, "inner node has leaf values"},
      {[](TreeParts& t) { t.nodes[1].values = {INFINITY}; }, "leaf value is not finite"},
      {[](TreeParts& t) { t.nodes[1].values = {1.0F, 2.0F}; }, "differ in the number"},
      {[](TreeParts& t) { t.nodes[1].values = t.nodes[2].values = {}; }, "0 values"},
      {[](TreeParts& t) { t.nodes[1].cover = -1.0; }, "cover"},
      {[](TreeParts& t) { t.nodes[1].cover = NAN; }, "cover"},
      {[](TreeParts& t) { t.output = 1; }, "output 1 of 1"},
  };
  for (const Case& c : cases) {
    TreeParts tree = stump();
    c.damage(tree);
    const auto result = Forest::create(one_tree(tree), 2);
    EXPECT_THAT(result.status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
    EXPECT_THAT(result.status(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tree 0")));
  }
}

TEST(Forest, RefusesABaseThatDoesNotFit) {
  ForestParts parts = one_tree(stump());
  parts.base = {};
  EXPECT_THAT(Forest::create(parts, 2).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("0 base values")));
  parts.base = {NAN};
  EXPECT_THAT(Forest::create(parts, 2).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("base value")));
  EXPECT_THAT(Forest::create(parts, 40000).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("limit is 32767")));
}

// A chain of `depth` splits.
TreeParts chain(uint32_t depth) {
  TreeParts tree;
  for (uint32_t d = 0; d < depth; ++d) {
    TreeNode inner{.feature = static_cast<int32_t>(d % 2), .threshold = static_cast<float>(d)};
    inner.left = 2 * d + 1;
    inner.right = 2 * d + 2;
    inner.cover = depth - d + 1;
    tree.nodes.push_back(inner);
    tree.nodes.push_back({.cover = 1, .values = {static_cast<float>(d)}});
  }
  tree.nodes.push_back({.cover = 1, .values = {-1.0F}});
  return tree;
}

TEST(Forest, LimitsTheDepth) {
  EXPECT_OK(Forest::create(one_tree(chain(kTreeDepthMax)), 2).status());
  EXPECT_THAT(Forest::create(one_tree(chain(kTreeDepthMax + 1)), 2).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the limit is 192")));
}

std::vector<double> kernel_margins(
    const Forest& forest, const std::vector<uint32_t>& features,
    const std::vector<std::vector<float>>& rows,
    ForestKernel::Instructions instructions = ForestKernel::Instructions::kBest) {
  const ForestKernel kernel(forest, features, instructions);
  const size_t stride = 2 * rows[0].size();
  std::vector<float> doubled(stride * rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    ForestKernel::lay_out(rows[i], std::span(doubled).subspan(i * stride, stride));
  }
  std::vector<double> margins(rows.size() * forest.output_count());
  kernel.predict(doubled.data(), stride, rows.size(), margins);
  return margins;
}

// The kernel against the reference walk, bit for bit and with all instructions that run here, on
// rows of a pipeline with three more features than the forest reads.
void expect_equal(const ForestParts& parts, uint32_t feature_count, std::mt19937_64& random) {
  ASSERT_OK_AND_ASSIGN(const Forest forest, Forest::create(parts, feature_count));
  std::vector<uint32_t> features;
  for (uint32_t f = 0; f < feature_count; ++f) {
    features.push_back(feature_count + 2 - f);
  }
  std::vector<std::vector<float>> rows;
  for (int i = 0; i < 37; ++i) {
    rows.push_back(random_row(random, feature_count + 3));
  }
  using Instructions = ForestKernel::Instructions;
  constexpr std::array kInstructions = {Instructions::kPortable, Instructions::kGather,
                                        Instructions::kBest};
  std::vector<std::vector<double>> all;
  for (const Instructions instructions : kInstructions) {
    all.push_back(kernel_margins(forest, features, rows, instructions));
  }
  std::vector<double> expected(parts.output_count);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::vector<float> local;
    for (const uint32_t f : features) {
      local.push_back(rows[i][f]);
    }
    forest.predict(local, expected);
    for (size_t n = 0; n < kInstructions.size(); ++n) {
      const std::vector<double> single =
          kernel_margins(forest, features, {rows[i]}, kInstructions[n]);
      for (uint32_t o = 0; o < parts.output_count; ++o) {
        EXPECT_EQ(all[n][i * parts.output_count + o], expected[o]) << n;
        EXPECT_EQ(single[o], expected[o]) << n;
      }
    }
  }
}

TEST(ForestKernel, EqualsTheReferenceWalkBitForBit) {
  std::mt19937_64 random(11);
  for (const uint32_t depth : {0U, 1U, 3U, 6U, 10U, 11U, 14U}) {
    for (const double leaf_chance : {0.0, 0.3}) {
      for (const uint32_t tree_count : {1U, 7U, 8U, 21U}) {
        if (depth > 11 && leaf_chance == 0.0) {
          continue;  // 16,000 leaves each
        }
        const RandomForestOptions options{.tree_count = tree_count,
                                          .feature_count = 6,
                                          .depth_max = depth,
                                          .leaf_chance = leaf_chance};
        expect_equal(random_forest(random, options), 6, random);
      }
    }
  }
}

TEST(ForestKernel, AnyNumberOfThresholds) {
  std::mt19937_64 random(13);
  for (const uint32_t count : {2U, 15U, 16U, 17U, 128U, 254U, 255U, 256U, 1000U}) {
    const ForestParts parts = random_forest(random, {.tree_count = 150,
                                                     .feature_count = 3,
                                                     .depth_max = 6,
                                                     .leaf_chance = 0.0,
                                                     .threshold_count = count});
    expect_equal(parts, 3, random);
  }
  for (const uint32_t feature_count :
       {31U, 32U, 33U, 80U}) {  // Up to 64 slots are compared as one.
    expect_equal(random_forest(random, {.tree_count = 40, .feature_count = feature_count}),
                 feature_count, random);
  }
}

TEST(MaskWalk, TakesWhatFitsIntoBytes) {
  const auto fits = [](size_t count, uint32_t slots, uint32_t depth) {
    std::vector<MaskWalk::Node> nodes;
    for (size_t i = 0; i < count; ++i) {
      nodes.push_back({static_cast<float>(i / slots), static_cast<uint32_t>(i) % slots});
    }
    const MaskWalk::Group group = {.nodes = nodes, .depth = depth};
    return MaskWalk::create({&group, 1}).has_value();
  };
  EXPECT_TRUE(fits(255, 1, 6));
  EXPECT_FALSE(fits(256, 1, 6));
  EXPECT_TRUE(fits(64, 64, 6));
  EXPECT_FALSE(fits(65, 65, 6));
  EXPECT_FALSE(fits(8, 1, 7));
}

TEST(ForestKernel, SeveralOutputsAndVectorLeaves) {
  std::mt19937_64 random(12);
  RandomForestOptions options{.tree_count = 20, .feature_count = 5, .output_count = 3};
  expect_equal(random_forest(random, options), 5, random);
  options.vector_leaves = true;
  ForestParts parts = random_forest(random, options);
  expect_equal(parts, 5, random);
  options.depth_max = 13;
  ForestParts deep = random_forest(random, options);
  expect_equal(deep, 5, random);
  // Both sorts of trees in one forest.
  options = {.tree_count = 5, .feature_count = 5, .output_count = 3};
  const ForestParts scalar = random_forest(random, options);
  parts.trees.insert(parts.trees.begin() + 3, scalar.trees.begin(), scalar.trees.end());
  expect_equal(parts, 5, random);
}

TEST(ForestKernel, InfinitiesAreOrdinaryValues) {
  ASSERT_OK_AND_ASSIGN(const Forest forest, Forest::create(one_tree(stump()), 2));
  const std::vector<uint32_t> features = {0, 1};
  EXPECT_EQ(kernel_margins(forest, features, {{0.0F, INFINITY}})[0], 1.5);
  EXPECT_EQ(kernel_margins(forest, features, {{0.0F, -INFINITY}})[0], -0.5);
}

TEST(ForestKernel, PaddingDoesNotExplode) {
  ForestParts parts = one_tree(chain(10));
  for (int i = 0; i < 99; ++i) {
    parts.trees.push_back(chain(10));
  }
  ASSERT_OK_AND_ASSIGN(const Forest forest, Forest::create(parts, 2));
  const std::vector<uint32_t> features = {0, 1};
  EXPECT_LT(ForestKernel(forest, features).memory_bytes(), 100U * 21 * 16 * 4);
}

// load() is what stands between damaged bytes and the walk.
TEST(Forest, EveryDamagedWordIsRefusedOrHarmless) {
  std::mt19937_64 random(13);
  ByteWriter out;
  ASSERT_OK(Forest::encode(random_forest(random, {.tree_count = 3, .output_count = 2}), 4, out));
  const std::vector<std::byte> good = out.take();
  const std::vector<uint32_t> features = {0, 1, 2, 3};
  const std::vector<std::vector<float>> rows = {random_row(random, 4), random_row(random, 4)};
  size_t accepted = 0;
  for (size_t i = 0; i < good.size(); ++i) {
    for (const auto flip : {std::byte{1}, std::byte{128}, std::byte{255}}) {
      std::vector<std::byte> bytes = good;
      bytes[i] ^= flip;
      ByteReader in(bytes);
      const auto forest = Forest::load(4, in);
      if (forest.ok() && forest->output_count() <= 2) {
        ++accepted;  // a threshold, cover or leaf value
        kernel_margins(*forest, features, rows);
        double margins[2];
        forest->predict(rows[0], margins);
      }
    }
  }
  EXPECT_GT(accepted, 0U);
  for (size_t size = 0; size < good.size(); size += 3) {
    std::vector<std::byte> bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    ByteReader in(bytes);
    EXPECT_FALSE(Forest::load(4, in).ok());
  }
}

}  // namespace
}  // namespace cromford::model
