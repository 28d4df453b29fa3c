#include "monitor/alerts.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "testing/status_matchers.h"

namespace cromford::monitor {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

base::Time hour(int number) {
  return base::Time(std::chrono::hours(number));
}

AlertSign sign(int window, bool bad) {
  return {.rule = "errors",
          .subject = "late@3",
          .bad = bad,
          .window_end = hour(window),
          .since = hour(window - 1),
          .what = "half of the requests fail",
          .value = 0.5,
          .limit = 0.05,
          .remedy = "go back"};
}

TEST(AlertsTest, FiresOnceAndIsResolvedByTwoGoodWindows) {
  std::optional<Alert> alert;
  std::string told;
  int window = 0;
  for (const bool bad : {false, true, true, false, true, false, false, false, true}) {
    const AlertStep step = follow(alert, sign(++window, bad), hour(100));
    told += step.told ? std::string(state_name(step.alert->state)).substr(0, 1) : ".";
    alert = step.alert && step.alert->is_open() ? step.alert : std::nullopt;
  }
  EXPECT_EQ(told, ".f....r.f");
}

TEST(AlertsTest, TheSameWindowAgainChangesNothing) {
  const Alert alert = *follow(std::nullopt, sign(5, true), hour(100)).alert;
  EXPECT_FALSE(follow(alert, sign(5, true), hour(101)).changed);
  EXPECT_FALSE(follow(alert, sign(4, false), hour(101)).changed);
  const Alert later = *follow(alert, sign(6, true), hour(102)).alert;
  EXPECT_EQ(later.sign.since, hour(4)) << "since the first bad window";
  EXPECT_EQ(later.sign.window_end, hour(6));
}

TEST(AlertsTest, PeopleAcknowledgeAndSilenceWhatIsOpen) {
  Alert alert = *follow(std::nullopt, sign(5, true), hour(100)).alert;
  alert.id = "a";
  ASSERT_OK_AND_ASSIGN(const Alert seen, acknowledge(alert, hour(101)));
  EXPECT_EQ(seen.state, AlertState::kAcknowledged);
  ASSERT_OK_AND_ASSIGN(const Alert again, acknowledge(seen, hour(102)));
  EXPECT_EQ(again.acknowledged_at, hour(101));
  ASSERT_OK_AND_ASSIGN(const Alert quiet, silence(again, hour(200)));
  ASSERT_OK_AND_ASSIGN(const Alert read, alert_from(to_json(quiet)));
  EXPECT_EQ(read.silenced_until, hour(200));
  EXPECT_EQ(to_json(read), to_json(quiet));
  // It stays acknowledged while it is bad, and ends as any other.
  EXPECT_EQ(follow(read, sign(6, true), hour(103)).alert->state, AlertState::kAcknowledged);
  alert.state = AlertState::kResolved;
  EXPECT_THAT(acknowledge(alert, hour(104)), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(silence(alert, hour(104)), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(AlertsTest, RulesAreReadAndRefused) {
  ASSERT_OK_AND_ASSIGN(const AlertRules rules,
                       parse_alert_rules({{"error_rate", false}, {"latency_p99_ms", 20}}));
  EXPECT_FALSE(rules.error_rate.has_value());
  EXPECT_EQ(rules.latency_p99_ms, 20);
  EXPECT_TRUE(rules.drift);
  EXPECT_THAT(parse_alert_rules({{"error_rate", "much"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("error_rate")));
  EXPECT_THAT(parse_alert_rules({{"drift", 1}}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(alert_from({{"id", "x"}}), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(AlertsTest, FewRequestsProveNothing) {
  EXPECT_EQ(rate_is_bad(0, 0, 0.05), std::nullopt);
  EXPECT_EQ(rate_is_bad(1, 1, 0.05), std::nullopt);
  EXPECT_EQ(rate_is_bad(1, 3, 0.05), std::nullopt);
  EXPECT_EQ(rate_is_bad(500, 1000, 0.05), true);
  EXPECT_EQ(rate_is_bad(1, 1000, 0.05), false);
}

// An endpoint whose callers err in two of a hundred requests, looked at each hour of a year.
TEST(AlertsTest, AHealthyYearOfErrorsIsQuiet) {
  base::Random random(11);
  int rung = 0;
  for (int hours = 0; hours < 365 * 24; ++hours) {
    const uint64_t total = 1 + random.below(400);
    uint64_t failed = 0;
    for (uint64_t i = 0; i < total; ++i) {
      failed += random.below(100) < 2 ? 1 : 0;
    }
    rung += rate_is_bad(failed, total, 0.05).value_or(false) ? 1 : 0;
  }
  EXPECT_EQ(rung, 0);
}

}  // namespace
}  // namespace cromford::monitor
