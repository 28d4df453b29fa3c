#include "app/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "testing/status_matchers.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

base::Json model_version() {
  return {{"model", "late"},
          {"version", 3},
          {"task", "binary"},
          {"metrics", {{"auc", {{"value", 0.71}}}, {"calibration_error", {{"value", 0.01}}}}}};
}

base::Json with_champion(double difference, double standard_error) {
  base::Json model = model_version();
  model["comparison"] = {
      {"champion", "late@2"},
      {"metrics",
       {{"log_loss", {{"difference", difference}, {"standard_error", standard_error}}},
        {"auc", {{"difference", -difference}, {"standard_error", standard_error}}}}}};
  return model;
}

const base::Json kBetter =
    base::Json::array({{{"better_than_champion", {{"metric", "log_loss"}, {"confidence", 0.95}}}}});

TEST(GateTest, RulesThatHoldGiveTheirEvidence) {
  ASSERT_OK_AND_ASSIGN(
      const base::Json evidence,
      judge_gate_rules(
          base::Json::array(
              {{{"metric", "auc"}, {"comparison", ">="}, {"value", 0.65}},
               {{"metric", "calibration_error"}, {"comparison", "<"}, {"value", 0.03}}}),
          model_version(), ""));
  ASSERT_EQ(evidence["rules"].size(), 2U);
  EXPECT_EQ(evidence["rules"][0]["rule"], "auc >= 0.65");
  EXPECT_EQ(evidence["rules"][0]["found"], 0.71);
}

TEST(GateTest, ARefusalNamesEveryRuleThatFailed) {
  EXPECT_THAT(
      judge_gate_rules(
          base::Json::array(
              {{{"metric", "auc"}, {"comparison", ">"}, {"value", 0.8}},
               {{"metric", "calibration_error"}, {"comparison", "<="}, {"value", 0.001}}}),
          model_version(), ""),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("late@3"), HasSubstr("auc > 0.8"), HasSubstr("calibration_error"))));
}

TEST(GateTest, AMetricThatTheModelHasNotIsNamedWithTheNearest) {
  EXPECT_THAT(
      judge_gate_rules(base::Json::array({{{"metric", "acu"}, {"comparison", ">"}, {"value", 0}}}),
                       model_version(), ""),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("acu")));
}

TEST(GateTest, TheChampionMustBeBeatenBeyondChance) {
  EXPECT_OK(judge_gate_rules(kBetter, with_champion(-0.01, 0.004), "late@2"));
  EXPECT_THAT(judge_gate_rules(kBetter, with_champion(-0.01, 0.006), "late@2"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("late@2")));
  EXPECT_THAT(judge_gate_rules(kBetter, with_champion(0.01, 0.001), "late@2"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("better")));
}

TEST(GateTest, GreaterIsBetterWhereTheMetricSaysSo) {
  const base::Json rule =
      base::Json::array({{{"better_than_champion", {{"metric", "auc"}, {"confidence", 0.95}}}}});
  EXPECT_OK(judge_gate_rules(rule, with_champion(-0.01, 0.004), "late@2"));
  EXPECT_FALSE(judge_gate_rules(rule, with_champion(0.01, 0.004), "late@2").ok());
}

TEST(GateTest, WithoutAChampionTheRuleHoldsAndSaysSo) {
  ASSERT_OK_AND_ASSIGN(const base::Json evidence, judge_gate_rules(kBetter, model_version(), ""));
  EXPECT_EQ(evidence["rules"][0]["reason"], "there is no champion to compare with");
}

TEST(GateTest, MissingEvidenceIsNeverAPass) {
  EXPECT_THAT(judge_gate_rules(kBetter, model_version(), "late@2"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("never compared")));
  EXPECT_THAT(judge_gate_rules(kBetter, with_champion(-0.01, 0.001), "late@7"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("with late@2"), HasSubstr("late@7 serves"))));
  base::Json failed = with_champion(-0.01, 0.001);
  failed["comparison"]["error"] = "its classes differ";
  EXPECT_THAT(judge_gate_rules(kBetter, failed, "late@2"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("its classes differ")));
  base::Json unknown = with_champion(0, 0);
  unknown["comparison"]["metrics"].erase("log_loss");
  unknown["comparison"]["unknown"] = {{"log_loss", "9 rows are too few"}};
  EXPECT_THAT(judge_gate_rules(kBetter, unknown, "late@2"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("9 rows are too few")));
}

TEST(GateTest, TheChampionNeedNotBeatItself) {
  EXPECT_OK(judge_gate_rules(kBetter, model_version(), "late@3"));
}

}  // namespace
}  // namespace cromford::app
