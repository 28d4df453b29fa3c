#include "lifecycle/guards.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace cromford::lifecycle {
namespace {

using ::testing::HasSubstr;

Observation healthy() {
  return {.candidate_rows = 1000,
          .champion_rows = 9000,
          .candidate_requests = 1000,
          .candidate_errors = 2,
          .candidate_p99_us = 900,
          .champion_p99_us = 500,
          .prediction_psi = 0.02,
          .loss = Observation::Loss{.candidate_outcomes = 800,
                                    .champion_outcomes = 7000,
                                    .difference = 0.01,
                                    .lower = -0.02,
                                    .upper = 0.04}};
}

TEST(GuardsTest, AHealthyCandidateBreaksNone) {
  EXPECT_EQ(broken_guard(healthy(), {}), "");
  EXPECT_EQ(broken_guard({}, {}), "");
}

TEST(GuardsTest, EachGuardNamesWhatItSaw) {
  Observation seen = healthy();
  seen.candidate_errors = 60;
  EXPECT_THAT(broken_guard(seen, {}), HasSubstr("5.7% of its 1060 requests failed"));
  seen = healthy();
  seen.candidate_p99_us = 2500;
  EXPECT_THAT(broken_guard(seen, {}), HasSubstr("takes 2500 us"));
  seen = healthy();
  seen.prediction_psi = 0.7;
  EXPECT_THAT(broken_guard(seen, {}), HasSubstr("PSI 0.700"));
  seen = healthy();
  seen.loss->lower = 0.001;
  EXPECT_THAT(broken_guard(seen, {}), HasSubstr("worse on live traffic"));
}

TEST(GuardsTest, TheSlowestOfAHundredIsNoPercentile) {
  Observation seen = healthy();
  seen.candidate_requests = 100;
  seen.candidate_errors = 0;
  seen.candidate_p99_us = 25'000;
  EXPECT_EQ(broken_guard(seen, {}), "");
  seen.candidate_requests = 1000;
  EXPECT_THAT(broken_guard(seen, {}), HasSubstr("takes 25000 us"));
}

TEST(GuardsTest, AFewRequestsTellNothing) {
  Observation seen;
  seen.candidate_requests = 3;
  seen.candidate_errors = 2;
  seen.candidate_p99_us = 90'000;
  seen.champion_p99_us = 100;
  EXPECT_EQ(broken_guard(seen, {}), "");
}

TEST(GuardsTest, WhatIsUnknownIsShownAsNull) {
  const base::Json document = to_json(Observation{});
  EXPECT_TRUE(document.at("loss").is_null());
  EXPECT_TRUE(document.at("prediction_psi").is_null());
  EXPECT_EQ(to_json(healthy()).at("loss").at("upper"), 0.04);
}

}  // namespace
}  // namespace cromford::lifecycle
