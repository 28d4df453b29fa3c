#include "serve/batch.h"

#include <gtest/gtest.h>

#include "model/row_batch.h"
#include "serve/known_packages.h"
#include "testing/status_matchers.h"

namespace cromford::serve {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> names(const BatchScorer& scorer) {
  std::vector<std::string> result;
  for (const ResultColumn& column : scorer.columns()) {
    result.push_back(column.name);
  }
  return result;
}

TEST(Batch, ScoresClassification) {
  const auto package = late_package();
  ASSERT_OK_AND_ASSIGN(BatchScorer scorer, BatchScorer::create(package, {.explain = 3}));
  EXPECT_THAT(names(scorer), ElementsAre("prediction", "probability_false", "probability_true",
                                         "reason_1", "reason_2", "reason_3"));
  model::RowBuffer rows(package->contract());
  rows.reset(3);
  rows.set_text(0, 0, "ORD");
  rows.set_number(0, 1, 450.0);
  rows.set_number(1, 1, 100.0);
  scorer.score(rows.batch());
  const std::vector<ResultColumn>& out = scorer.columns();
  EXPECT_EQ(out[0].kind, ResultColumn::Kind::kCategory);
  EXPECT_THAT(out[0].categories, ElementsAre("false", "true"));
  EXPECT_THAT(out[0].codes, ElementsAre(1, 0, 1));
  EXPECT_THAT(out[2].numbers,
              ElementsAre(late_probability(450, "ORD"), late_probability(100, ""), 0.5));
  EXPECT_EQ(out[1].numbers[2], 0.5);
  EXPECT_THAT(out[3].texts, ElementsAre("origin=ORD (+1)", "distance=100 (-4)", ""));
  EXPECT_THAT(out[4].texts, ElementsAre("distance=450 (-0.5)", "", ""));
  EXPECT_THAT(out[5].texts, ElementsAre("", "", ""));
}

TEST(Batch, ScoresRegression) {
  const auto package = sum_package();
  ASSERT_OK_AND_ASSIGN(BatchScorer scorer, BatchScorer::create(package));
  EXPECT_THAT(names(scorer), ElementsAre("prediction", "lower", "upper"));
  model::RowBuffer rows(package->contract());
  for (const size_t count : {2U, 0U, 1U}) {
    rows.reset(count);
    for (size_t row = 0; row < count; ++row) {
      rows.set_number(row, 0, static_cast<double>(row));
    }
    scorer.score(rows.batch());
    EXPECT_EQ(scorer.columns()[0].numbers.size(), count);
    EXPECT_EQ(scorer.columns()[2].numbers.size(), count);
  }
  EXPECT_THAT(scorer.columns()[0].numbers, ElementsAre(10.0));
  EXPECT_THAT(scorer.columns()[1].numbers, ElementsAre(9.0));
  EXPECT_THAT(scorer.columns()[2].numbers, ElementsAre(13.0));
}

TEST(Batch, ScoresManyClasses) {
  ASSERT_OK_AND_ASSIGN(BatchScorer scorer, BatchScorer::create(colour_package()));
  EXPECT_THAT(names(scorer), ElementsAre("prediction", "probability_red", "probability_\"green\"",
                                         "probability_blau/grün"));
}

TEST(Batch, WritesValuesOfEveryTypeInReasons) {
  model::PackageParts parts = late_parts();
  parts.pipeline.transforms.emplace_back(model::NumberTransform{.column = 3});
  parts.pipeline.transforms.emplace_back(model::NumberTransform{.column = 4});
  parts.predictors[0].features = {2, 3, 4, 0};
  parts.predictors[0].body = model::LinearParts{.output_count = 1,
                                                .bias = {0.0},
                                                .mean = {0.0, 0.0, 0.0, 500.0},
                                                .impute = {0.0, 0.0, 0.0, 400.0},
                                                .weights = {5.0, 4e-9, 2e-9, 0.01}};
  const auto package = load_known(parts);
  ASSERT_OK_AND_ASSIGN(BatchScorer scorer, BatchScorer::create(package, {.explain = 4}));
  model::RowBuffer rows(package->contract());
  rows.reset(1);
  rows.set_number(0, 2, 1.0);
  rows.set_number(0, 3, 983318400.0);
  rows.set_number(0, 4, 983347200.0);
  scorer.score(rows.batch());
  std::vector<std::string> reasons;
  for (size_t i = 3; i < 7; ++i) {
    reasons.push_back(scorer.columns()[i].texts[0]);
  }
  EXPECT_THAT(reasons, ElementsAre(HasSubstr("weekend=true (+5"), HasSubstr("booked=2001-02-28 (+"),
                                   HasSubstr("departs=2001-02-28T08:00:00Z (+"),
                                   HasSubstr("distance=missing (-1)")));
}

TEST(Batch, LimitsReasons) {
  EXPECT_THAT(BatchScorer::create(late_package(), {.explain = 101}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the limit is 100")));
}

}  // namespace
}  // namespace cromford::serve
