#include "app/score_columns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "testing/status_matchers.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Names = std::vector<std::string>;

const model::Contract kContract = {{"pclass", model::InputType::kNumber},
                                   {"sex", model::InputType::kText},
                                   {"age", model::InputType::kNumber}};

absl::StatusOr<Names> check(const Names& names, bool ignore_unknown = false) {
  return check_score_columns(names, {.contract = kContract,
                                     .other = {"survived", "passenger_id"},
                                     .ignore_unknown = ignore_unknown});
}

TEST(ScoreColumnsTest, RowsAsTrainingKnewThemPassInSilence) {
  ASSERT_OK_AND_ASSIGN(const Names warnings,
                       check({"passenger_id", "age", "sex", "pclass", "survived"}));
  EXPECT_THAT(warnings, IsEmpty());
}

TEST(ScoreColumnsTest, RowsOfSomethingElseAreRefused) {
  const auto result = check({"d", "e", "survived"}, true);
  EXPECT_THAT(result,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("none of the columns")));
  EXPECT_THAT(base::remedy(result.status()), HasSubstr("pclass, sex, age"));
}

TEST(ScoreColumnsTest, AnUnknownColumnIsRefusedWithTheNearest) {
  const auto result = check({"pclass", "sexx", "age"});
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("the model has no column 'sexx' (did you mean 'sex'?)")));
  EXPECT_THAT(base::remedy(result.status()), HasSubstr("--unknown ignore"));
  EXPECT_THAT(
      check({"pclass", "x", "y", "z"}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nor 2 more of the input: y, z")));
}

TEST(ScoreColumnsTest, WhatIsAbsentAndWhatIsIgnoredIsSaid) {
  ASSERT_OK_AND_ASSIGN(const Names warnings, check({"pclass", "sexx"}, true));
  EXPECT_THAT(warnings,
              ElementsAre("2 of the model's 3 columns are absent and count as missing: sex, age",
                          "columns that the model does not know: sexx"));
  ASSERT_OK_AND_ASSIGN(const Names one, check({"pclass", "sex"}));
  EXPECT_THAT(one, ElementsAre("1 of the model's 3 columns is absent and counts as missing: age"));
}

}  // namespace
}  // namespace cromford::app
