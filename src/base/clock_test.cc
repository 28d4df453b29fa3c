#include "base/clock.h"

#include <gtest/gtest.h>

#include <string_view>
#include <utility>

#include "testing/status_matchers.h"

namespace cromford::base {
namespace {

using ::testing::HasSubstr;
using testing::StatusIs;

TEST(ClockTest, TimesAreReadAndWritten) {
  const std::initializer_list<std::pair<std::string_view, std::string_view>> pairs{
      {"2001-02-01T10:00:00Z", "2001-02-01T10:00:00Z"},
      {"2001-02-01", "2001-02-01T00:00:00Z"},
      {"2001-02-01t10:00:00z", "2001-02-01T10:00:00Z"},
      {"2001-02-01 10:00:00.5+02:00", "2001-02-01T08:00:00.500000Z"},
      {"2001-02-01T10:00:00.123456789-00:30", "2001-02-01T10:30:00.123456Z"},
      {"2000-02-29T23:59:60Z", "2000-03-01T00:00:00Z"},
      {"0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"},
      {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
      {"1969-12-31T23:59:59.000001Z", "1969-12-31T23:59:59.000001Z"},
  };
  for (const auto& [text, expected] : pairs) {
    ASSERT_OK_AND_ASSIGN(const Time time, parse_time(text));
    EXPECT_EQ(format_time(time), expected) << text;
    EXPECT_EQ(*parse_time(format_time(time)), time);
  }
  EXPECT_EQ(parse_time("1970-01-01T00:00:01Z")->time_since_epoch().count(), 1'000'000);
}

TEST(ClockTest, WhatIsNoTimeIsRefused) {
  for (const std::string_view text : {"",
                                      "yesterday",
                                      "2001",
                                      "2001-02",
                                      "2001-02-30",
                                      "2001-13-01",
                                      "1900-02-29",
                                      "01-02-2001",
                                      "2001-02-01T10:00Z",
                                      "2001-02-01T10:00:00",
                                      "2001-02-01T24:00:00Z",
                                      "2001-02-01T10:60:00Z",
                                      "2001-02-01T10:00:61Z",
                                      "2001-02-01T10:00:00.Z",
                                      "2001-02-01T10:00:00+2:00",
                                      "2001-02-01T10:00:00+24:00",
                                      "2001-02-01T10:00:00Z ",
                                      " 2001-02-01",
                                      "+001-02-01",
                                      "2001-02-01X10:00:00Z",
                                      "2001-02-01T"}) {
    EXPECT_THAT(parse_time(text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is not a time")))
        << text;
  }
}

TEST(ClockTest, TimesOutsideTheFourDigitYearsAreClamped) {
  EXPECT_EQ(format_time(Time::max()), "9999-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_time(Time::min()), "0000-01-01T00:00:00Z");
}

TEST(ClockTest, TheSystemClockRuns) {
  const auto before = system_clock().monotonic();
  EXPECT_GT(system_clock().now(), *parse_time("2020-01-01"));
  EXPECT_GE(system_clock().monotonic(), before);
}

}  // namespace
}  // namespace cromford::base
