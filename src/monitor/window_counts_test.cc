#include "monitor/window_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/text.h"
#include "testing/status_matchers.h"

namespace cromford::monitor {
namespace {

using cromford::testing::StatusIs;
using std::chrono::hours;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

base::Time at(std::string_view text) {
  return base::parse_time(text).value();
}

WindowCounts hour(std::string_view start, uint64_t rows, int32_t version = 3) {
  return {.model = "late",
          .version = version,
          .start = at(start),
          .rows = rows,
          .counts = {rows, 0, 300 * rows}};
}

TEST(WindowCounts, HoursAddUpToDays) {
  const std::vector<WindowCounts> all = {
      hour("2024-02-02T00:00:00Z", 4), hour("2024-02-01T23:00:00Z", 2),
      hour("2024-02-01T00:00:00Z", 1), hour("2024-02-01T05:00:00Z", 8, 4)};
  ASSERT_OK_AND_ASSIGN(const auto days, regroup(all, hours(24)));
  ASSERT_EQ(days.size(), 3U);
  EXPECT_EQ(days[0].start, at("2024-02-01"));
  EXPECT_EQ(days[0].end(), at("2024-02-02"));
  EXPECT_EQ(days[0].rows, 3U);
  EXPECT_THAT(days[0].counts, ElementsAre(3, 0, 900));
  EXPECT_EQ(days[1].rows, 4U);
  EXPECT_EQ(days[2].version, 4);
  EXPECT_THAT(regroup(days, hours(1)), StatusIs(absl::StatusCode::kInvalidArgument,
                                                HasSubstr("86400 s does not lie within")));
  EXPECT_THAT(regroup(days, hours(0)), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(WindowCounts, WindowsAreCountedFromTheEpochAlsoBeforeIt) {
  EXPECT_EQ(window_start(at("2024-02-01T10:59:59.999999Z"), hours(1)), at("2024-02-01T10:00:00Z"));
  EXPECT_EQ(window_start(at("1969-12-31T23:59:59Z"), hours(24)), at("1969-12-31"));
  EXPECT_EQ(window_start(at("1969-12-31T00:00:00Z"), hours(24)), at("1969-12-31"));
}

TEST(WindowCounts, OnlyTheSameBinsOfTheSameVersionMerge) {
  WindowCounts sum = hour("2024-02-01T10:00:00Z", 1);
  const WindowCounts before = sum;
  EXPECT_THAT(merge(hour("2024-02-01T10:00:00Z", 1, 4), sum),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("late@4")));
  WindowCounts other = before;
  other.counts.push_back(0);
  EXPECT_THAT(merge(other, sum), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(sum, before);
  ASSERT_OK(merge(hour("2024-02-01T12:00:00Z", 5), sum));
  EXPECT_EQ(sum.length, hours(3));
  EXPECT_EQ(sum.rows, 6U);
}

TEST(WindowCounts, StoredFormReadsBackAndIsThatOfVersionOne) {
  WindowCounts window = hour("2024-02-01T10:00:00Z", 7);
  window.counts.back() = UINT64_MAX;
  ASSERT_OK_AND_ASSIGN(const WindowCounts again, decode_window_counts(encode(window)));
  EXPECT_EQ(again, window);
  // Written by the first version of the format, which stays readable.
  EXPECT_EQ(base::to_hex(encode(hour("2024-02-01T10:00:00Z", 7))),
            "4346574301046c61746503a0d7edad8608901c07030700b410fae34776");
}

TEST(WindowCounts, FormsOfTheFutureAreRefused) {
  std::string bytes = "CFWC\x02";
  const uint32_t crc = base::crc32c(std::string_view(bytes));
  for (unsigned shift = 0; shift < 32; shift += 8) {
    bytes += static_cast<char>(crc >> shift & 0xffU);
  }
  EXPECT_THAT(decode_window_counts(bytes),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("newer Cromford")));
}

TEST(WindowCounts, EveryChangeAndTruncationIsFound) {
  const std::string bytes = encode(hour("2024-02-01T10:00:00Z", 7));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    EXPECT_THAT(decode_window_counts(changed), StatusIs(absl::StatusCode::kDataLoss)) << i;
    EXPECT_THAT(decode_window_counts(bytes.substr(0, i)), StatusIs(absl::StatusCode::kDataLoss));
  }
}

}  // namespace
}  // namespace cromford::monitor
