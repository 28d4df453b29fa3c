#include "app/endpoint_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "testing/status_matchers.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

Deployment deployment(int64_t version, const std::string& strategy = "direct") {
  return {.model = "late",
          .model_version = version,
          .task = "binary",
          .strategy = strategy,
          .percent = 10,
          .at = "2001-02-01T00:00:00Z"};
}

base::Json deployed(int64_t version) {
  return plan_deployment({{"name", "late"}}, deployment(version)).value();
}

TEST(EndpointPlanTest, TheFirstVersionIsTheChampionWhateverTheStrategy) {
  for (const char* strategy : {"direct", "canary", "shadow"}) {
    ASSERT_OK_AND_ASSIGN(const base::Json body,
                         plan_deployment({{"name", "late"}}, deployment(1, strategy)));
    ASSERT_EQ(body["variants"].size(), 1U);
    EXPECT_EQ(body["variants"][0]["role"], "champion");
    EXPECT_EQ(body["variants"][0]["weight"], 100);
  }
}

TEST(EndpointPlanTest, TheLoopsStepsEndInOneChampionAndARollbackToTheOneBefore) {
  base::Json body = deployed(1);
  for (const int64_t share : {0, 5, 50, 100}) {
    ASSERT_OK_AND_ASSIGN(body, plan_loop(body, {.champion = "late@1",
                                                .candidate = "late@2",
                                                .share = share,
                                                .at = "2001-02-02T00:00:00Z"}));
    ASSERT_EQ(body["variants"].size(), 2U);
    EXPECT_EQ(body["variants"][0]["role"], "champion");
    EXPECT_EQ(body["variants"][0]["weight"], 100 - share);
    EXPECT_EQ(body["variants"][1]["role"], share == 0 ? "shadow" : "challenger");
    EXPECT_EQ(body["variants"][1]["weight"], share);
  }
  ASSERT_OK_AND_ASSIGN(const base::Json given_back, plan_loop(body, {.champion = "late@1"}));
  EXPECT_EQ(given_back["variants"], deployed(1)["variants"]);
  ASSERT_OK_AND_ASSIGN(const base::Json promoted, plan_loop(body, {.champion = "late@2"}));
  EXPECT_EQ(promoted["variants"], deployed(2)["variants"]);
  EXPECT_EQ(promoted["history"].back()["action"], "promote");
  ASSERT_OK_AND_ASSIGN(const base::Json again, plan_loop(promoted, {.champion = "late@2"}));
  EXPECT_EQ(again, promoted);
  ASSERT_OK_AND_ASSIGN(const base::Json back, plan_rollback(promoted, "2001-02-03T00:00:00Z"));
  EXPECT_EQ(back["variants"], deployed(1)["variants"]);
}

TEST(EndpointPlanTest, ACanaryTakesItsShareFromTheChampion) {
  ASSERT_OK_AND_ASSIGN(const base::Json body,
                       plan_deployment(deployed(1), deployment(2, "canary")));
  EXPECT_EQ(body["variants"][0]["weight"], 90);
  EXPECT_EQ(body["variants"][1]["weight"], 10);
  EXPECT_EQ(body["variants"][1]["role"], "challenger");
}

TEST(EndpointPlanTest, AShadowAnswersNothingUntilItIsPromoted) {
  ASSERT_OK_AND_ASSIGN(const base::Json shadowed,
                       plan_deployment(deployed(1), deployment(2, "shadow")));
  EXPECT_EQ(shadowed["variants"][0]["weight"], 100);
  EXPECT_EQ(shadowed["variants"][1]["weight"], 0);
  ASSERT_OK_AND_ASSIGN(const base::Json promoted, plan_promotion(shadowed, "t"));
  ASSERT_EQ(promoted["variants"].size(), 1U);
  EXPECT_EQ(promoted["variants"][0]["model_version"], 2);
  EXPECT_EQ(promoted["variants"][0]["weight"], 100);
}

TEST(EndpointPlanTest, RollbackBringsTheVariantsBeforeBack) {
  ASSERT_OK_AND_ASSIGN(const base::Json second, plan_deployment(deployed(1), deployment(2)));
  ASSERT_OK_AND_ASSIGN(const base::Json back, plan_rollback(second, "t"));
  EXPECT_EQ(back["variants"][0]["model_version"], 1);
  EXPECT_THAT(plan_rollback(deployed(1), "t"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("nothing to go back to")));
}

TEST(EndpointPlanTest, ASplitNamesEveryVersionAndSumsToTheWhole) {
  ASSERT_OK_AND_ASSIGN(const base::Json canary,
                       plan_deployment(deployed(1), deployment(2, "canary")));
  ASSERT_OK_AND_ASSIGN(const base::Json split,
                       plan_split(canary, {{"weights", {{"1", 40}, {"2", 60}}}}, "t"));
  EXPECT_EQ(split["variants"][1]["weight"], 60);
  EXPECT_THAT(plan_split(canary, {{"weights", {{"1", 100}}}}, "t"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("late@2")));
  EXPECT_THAT(plan_split(canary, {{"weights", {{"1", 50}, {"2", 49}}}}, "t"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sum to 99")));
  EXPECT_THAT(plan_split(canary, {{"weights", {{"1", 50}, {"2", 50}, {"9", 0}}}}, "t"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not have")));
  EXPECT_THAT(plan_split(canary, {{"weights", {{"1", 101}, {"2", -1}}}}, "t"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("from 0 to 100")));
}

TEST(EndpointPlanTest, ASplitTellsVersionsOfOneNumberApartByTheirModels) {
  Deployment other = deployment(1, "canary");
  other.model = "later";
  ASSERT_OK_AND_ASSIGN(const base::Json canary, plan_deployment(deployed(1), other));
  EXPECT_THAT(plan_split(canary, {{"weights", {{"1", 100}}}}, "t"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("late@1 and later@1")));
  ASSERT_OK_AND_ASSIGN(const base::Json split,
                       plan_split(canary, {{"weights", {{"late@1", 70}, {"later@1", 30}}}}, "t"));
  EXPECT_EQ(split["variants"][0]["weight"], 70);
  EXPECT_EQ(split["variants"][1]["weight"], 30);
}

TEST(EndpointPlanTest, WhatChangesNothingLeavesNothingToTakeBack) {
  ASSERT_OK_AND_ASSIGN(const base::Json second, plan_deployment(deployed(1), deployment(2)));
  ASSERT_OK_AND_ASSIGN(const base::Json again, plan_deployment(second, deployment(2)));
  EXPECT_EQ(again, second);
  ASSERT_OK_AND_ASSIGN(const base::Json back, plan_rollback(again, "t"));
  EXPECT_EQ(back["variants"][0]["model_version"], 1);
}

TEST(EndpointPlanTest, AModelIsReferredToWhileARollbackWouldServeIt) {
  Deployment other = deployment(1);
  other.model = "later";
  ASSERT_OK_AND_ASSIGN(base::Json body, plan_deployment(deployed(1), other));
  EXPECT_TRUE(refers_to_model(body, "late"));
  other.model_version = 2;
  ASSERT_OK_AND_ASSIGN(body, plan_deployment(body, other));
  EXPECT_FALSE(refers_to_model(body, "late"));
  EXPECT_TRUE(refers_to_model(body, "later"));
}

TEST(EndpointPlanTest, WhatWouldBreakCallersIsRefused) {
  Deployment other = deployment(2);
  other.task = "regression";
  EXPECT_THAT(plan_deployment(deployed(1), other),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("binary")));
  EXPECT_THAT(plan_deployment(deployed(1), deployment(2, "blue-green")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("blue-green")));
  EXPECT_THAT(plan_promotion(deployed(1), "t"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no challenger")));
}

}  // namespace
}  // namespace cromford::app
