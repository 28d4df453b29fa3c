#include "metric/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "testing/status_matchers.h"

namespace cromford::metric {
namespace {

using cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

const std::vector<double> kLabels = {0, 0, 1, 0, 1, 1};
const std::vector<double> kScores = {.1, .2, .2, .4, .6, .9};

TEST(TablesTest, ReliabilityKeepsTiesTogether) {
  ASSERT_OK_AND_ASSIGN(const auto table,
                       reliability_table({.labels = kLabels, .predictions = kScores}, 3));
  ASSERT_EQ(table.size(), 3U);
  EXPECT_EQ(table[0].row_count, 3U);
  EXPECT_DOUBLE_EQ(table[0].lowest, .1);
  EXPECT_DOUBLE_EQ(table[0].highest, .2);
  EXPECT_NEAR(table[0].mean_prediction, .5 / 3, 1e-12);
  EXPECT_NEAR(table[0].observed, 1.0 / 3, 1e-12);
  EXPECT_LT(table[0].observed_lower, table[0].observed);
  EXPECT_EQ(table[2].row_count, 2U);
}

TEST(TablesTest, ReliabilityOfClassesIsThatOfTheMostProbable) {
  const std::vector<double> labels = {0, 2};
  const std::vector<double> p = {.5, .3, .2, .1, .8, .1};
  ASSERT_OK_AND_ASSIGN(
      const auto table,
      reliability_table(
          {.task = Task::kMulticlass, .labels = labels, .predictions = p, .class_count = 3}, 2));
  ASSERT_EQ(table.size(), 2U);
  EXPECT_EQ(table[0].observed, 1);
  EXPECT_EQ(table[1].observed, 0);
}

TEST(TablesTest, ThresholdsCountByHand) {
  ASSERT_OK_AND_ASSIGN(const auto table,
                       threshold_table({.labels = kLabels, .predictions = kScores}, 6));
  ASSERT_EQ(table.size(), 5U);
  EXPECT_DOUBLE_EQ(table.front().threshold, .1);
  EXPECT_EQ(table.front().recall, 1);
  EXPECT_EQ(table.front().true_negatives, 0);
  EXPECT_DOUBLE_EQ(table.back().threshold, .9);
  const ThresholdRow& middle = table[2];
  EXPECT_DOUBLE_EQ(middle.threshold, .4);
  EXPECT_EQ(middle.true_positives, 2);
  EXPECT_EQ(middle.false_positives, 1);
  EXPECT_EQ(middle.true_negatives, 2);
  EXPECT_EQ(middle.false_negatives, 1);
  EXPECT_NEAR(middle.f1, 2.0 / 3, 1e-12);
}

TEST(TablesTest, BestF1IsTheLowestBestThreshold) {
  ASSERT_OK_AND_ASSIGN(const ThresholdRow best,
                       best_f1({.labels = kLabels, .predictions = kScores}));
  EXPECT_DOUBLE_EQ(best.threshold, .6);
  EXPECT_NEAR(best.f1, 0.8, 1e-12);
}

TEST(TablesTest, ConfusionSumsWeights) {
  const std::vector<double> weights = {1, 2, 1, 1, 1, 3};
  ASSERT_OK_AND_ASSIGN(const auto counts,
                       confusion({.labels = kLabels, .predictions = kScores, .weights = weights}));
  EXPECT_THAT(counts, ElementsAre(ElementsAre(4, 0), ElementsAre(1, 4)));
}

TEST(TablesTest, ErrorsNameWhatIsWrong) {
  const Scored rows{.labels = kLabels, .predictions = kScores};
  Scored values = rows;
  values.task = Task::kRegression;
  EXPECT_THAT(reliability_table(values), StatusIs(kInvalid, HasSubstr("probabilities")));
  EXPECT_THAT(reliability_table(rows, 0), StatusIs(kInvalid, HasSubstr("bin")));
  EXPECT_THAT(threshold_table(values), StatusIs(kInvalid, HasSubstr("binary")));
  EXPECT_THAT(threshold_table(rows, 1), StatusIs(kInvalid, HasSubstr("too few")));
  EXPECT_THAT(best_f1({}), StatusIs(kInvalid, HasSubstr("no rows")));
  EXPECT_THAT(confusion(values), StatusIs(kInvalid, HasSubstr("classes")));
}

}  // namespace
}  // namespace cromford::metric
