#include "learn/boosting/booster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "model/forest/forest.h"
#include "testing/status_matchers.h"

namespace cromford::learn {
namespace {

using cromford::testing::StatusIs;
using ::testing::HasSubstr;

constexpr size_t kColumns = 5;

struct Rows {
  std::vector<float> values;
  std::vector<double> labels;

  size_t count() const { return labels.size(); }
  BoostingSource source(Objective objective, std::vector<double> base) const {
    return {.row_count = count(),
            .column_count = kColumns,
            .objective = objective,
            .base = std::move(base),
            .labels = labels,
            .fill = [this](size_t first, size_t count, std::span<float> out) {
              std::copy_n(values.begin() + static_cast<ptrdiff_t>(first * kColumns),
                          count * kColumns, out.begin());
            }};
  }
};

// `classes` 0: a value.
Rows make_rows(size_t count, uint32_t classes, uint64_t seed) {
  base::Random random(seed);
  Rows rows;
  for (size_t i = 0; i < count; ++i) {
    double score = 0;
    for (size_t f = 0; f < kColumns; ++f) {
      const double value = random.normal();
      const bool missing = random.uniform() < 0.1;
      rows.values.push_back(missing ? std::numeric_limits<float>::quiet_NaN()
                                    : static_cast<float>(value));
      score += missing ? 0.5 : value * static_cast<double>(f % 3);
    }
    score += random.normal();
    rows.labels.push_back(classes == 0
                              ? 1000 + 50 * score
                              : std::floor(std::clamp(score + classes / 2.0, 0.0, classes - 1.0)));
  }
  return rows;
}

struct Case {
  Objective objective;
  uint32_t classes;
  std::vector<double> base;
};

class BoosterTest : public ::testing::TestWithParam<Case> {};

// The promise of this folder: what XGBoost says of a row, our forest says too.
TEST_P(BoosterTest, OurForestEqualsXgboost) {
  const Case& test = GetParam();
  const Rows train = make_rows(3000, test.classes, 1);
  const Rows valid = make_rows(700, test.classes, 2);
  for (const BoostingConfig& config :
       {BoostingConfig{.learning_rate = 0.2, .depth = 6, .row_share = 0.8, .column_share = 0.7},
        BoostingConfig{.learning_rate = 0.1, .depth = 0, .leaves = 20, .least_gain = 0.5}}) {
    ASSERT_OK_AND_ASSIGN(const auto data,
                         BoostingData::create(train.source(test.objective, test.base)));
    ASSERT_OK_AND_ASSIGN(const auto judged,
                         BoostingData::create_plain(valid.source(test.objective, test.base)));
    BoostOptions options;
    options.round_limit = 40;
    options.valid = judged.get();
    uint32_t round = 0;
    options.loss = [&round](std::span<const double>) { return 1.0 / ++round; };
    ASSERT_OK_AND_ASSIGN(const Boosted boosted, boost(*data, config, options));
    EXPECT_EQ(boosted.rounds, 40U);
    const size_t outputs = test.base.size();
    ASSERT_EQ(boosted.forest.trees.size(), 40 * outputs);
    ASSERT_OK_AND_ASSIGN(const auto forest, model::Forest::create(boosted.forest, kColumns));
    std::vector<double> margins(outputs);
    for (size_t i = 0; i < valid.count(); ++i) {
      forest.predict(std::span(valid.values).subspan(i * kColumns, kColumns), margins);
      for (size_t o = 0; o < outputs; ++o) {
        const double expected = boosted.valid_margins[i * outputs + o];
        ASSERT_NEAR(margins[o], expected, 1e-6 * std::max(1.0, std::abs(expected)));
      }
    }
    double gain = 0;
    for (const double each : boosted.gain) {
      gain += each;
    }
    EXPECT_GT(gain, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Objectives, BoosterTest,
                         ::testing::Values(Case{Objective::kBinary, 2, {0.3}},
                                           Case{Objective::kMulticlass, 4, {0.1, -0.2, 0.3, 0}},
                                           Case{Objective::kSquaredError, 0, {1000}},
                                           Case{Objective::kAbsoluteError, 0, {1000}}));

TEST(BoosterStopTest, KeepsTheBestRoundAndStopsAfterPatience) {
  const Rows train = make_rows(500, 2, 1);
  ASSERT_OK_AND_ASSIGN(const auto data,
                       BoostingData::create(train.source(Objective::kBinary, {0})));
  ASSERT_OK_AND_ASSIGN(const auto judged,
                       BoostingData::create_plain(train.source(Objective::kBinary, {0})));
  BoostOptions options;
  options.valid = judged.get();
  options.patience = 5;
  uint32_t round = 0;
  options.loss = [&round](std::span<const double>) { return std::abs(7.0 - ++round); };
  ASSERT_OK_AND_ASSIGN(const Boosted boosted, boost(*data, {}, options));
  EXPECT_EQ(boosted.rounds, 7U);
  EXPECT_EQ(boosted.rounds_fitted, 12U);
  EXPECT_EQ(boosted.forest.trees.size(), 7U);
}

TEST(BoosterStopTest, StopsWhenAsked) {
  const Rows train = make_rows(500, 2, 1);
  ASSERT_OK_AND_ASSIGN(const auto data,
                       BoostingData::create(train.source(Objective::kBinary, {0})));
  BoostOptions options;
  int asked = 0;
  options.stop = [&asked] { return ++asked > 3; };
  ASSERT_OK_AND_ASSIGN(const Boosted boosted, boost(*data, {}, options));
  EXPECT_TRUE(boosted.stopped);
  EXPECT_EQ(boosted.forest.trees.size(), 3U);
}

TEST(BoosterErrorTest, XgboostsErrorsBecomeStatuses) {
  Rows train = make_rows(50, 2, 1);
  train.labels[7] = 5;
  ASSERT_OK_AND_ASSIGN(const auto data,
                       BoostingData::create(train.source(Objective::kBinary, {0})));
  EXPECT_THAT(boost(*data, {}, {}),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("XGBoost failed")));
}

TEST(BoosterErrorTest, UnknownModelFormsAreErrors) {
  EXPECT_THAT(forest_from_json(R"({"learner": {}})", 1, 1, nullptr),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("unknown form")));
  EXPECT_THAT(forest_from_json(
                  R"({"learner": {"gradient_booster": {"model": {"tree_info": [0], "trees": [{
            "left_children": [0], "right_children": [0], "split_indices": [0],
            "split_conditions": [0.5], "default_left": [0], "sum_hessian": [1],
            "loss_changes": [1]}]}}}})",
                  1, 1, nullptr),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("hang together")));
}

}  // namespace
}  // namespace cromford::learn
