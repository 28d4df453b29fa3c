#include "base/limits.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string_view>
#include <utility>

#include "testing/status_matchers.h"

namespace cromford::base {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using testing::StatusIs;

TEST(LimitsTest, SizesAreRead) {
  const std::initializer_list<std::pair<std::string_view, uint64_t>> pairs{
      {"0", 0},
      {"4096", 4096},
      {"17 B", 17},
      {"10kB", 10'000},
      {"10KiB", 10'240},
      {"512MiB", 512ULL << 20U},
      {"4GiB", 4ULL << 30U},
      {"4gib", 4ULL << 30U},
      {" 1.5 GB ", 1'500'000'000},
      {"0.5KiB", 512},
      {"2TB", 2'000'000'000'000},
      {"16777215TiB", 16777215ULL << 40U},
      {"18446744073709551615", UINT64_MAX},
  };
  for (const auto& [text, expected] : pairs) {
    ASSERT_OK_AND_ASSIGN(const uint64_t bytes, parse_size(text));
    EXPECT_EQ(bytes, expected) << text;
  }
}

TEST(LimitsTest, WhatIsNoSizeIsRefused) {
  for (const std::string_view text :
       {"", "GiB", "4XB", "-1", "1e9", "4 Gi B", "1.2.3MB", ".", "18446744073709551616",
        "16777216TiB", "99999999999.5TiB", "4GiB4", "0x10", "nan", "inf"}) {
    EXPECT_THAT(parse_size(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

TEST(LimitsTest, SizesAreWritten) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(1024), "1.0 KiB");
  EXPECT_EQ(format_size(1536), "1.5 KiB");
  EXPECT_EQ(format_size((1U << 20U) - 1), "1.0 MiB");
  EXPECT_EQ(format_size(4ULL << 30U), "4.0 GiB");
  EXPECT_EQ(format_size(UINT64_MAX), "16384.0 PiB");
}

TEST(LimitsTest, DurationsAreRead) {
  const std::initializer_list<std::pair<std::string_view, nanoseconds>> pairs{
      {"90s", 90s},     {"5m", 5min},    {"2h", 2h},       {"14d", 14 * 24h},
      {"1h30m", 90min}, {"1.5h", 90min}, {"250ms", 250ms}, {"10us", 10us},
      {"7ns", 7ns},     {"0s", 0s},      {" 1d ", 24h},
  };
  for (const auto& [text, expected] : pairs) {
    ASSERT_OK_AND_ASSIGN(const nanoseconds duration, parse_duration(text));
    EXPECT_EQ(duration, expected) << text;
  }
}

TEST(LimitsTest, WhatIsNoDurationIsRefused) {
  for (const std::string_view text :
       {"", "90", "s", "-5s", "5 m", "5x", "1h30", "1.2.3s", "201d5000000000h", "73001d", "1e3s",
        "9223372036854775807s", "5M"}) {
    EXPECT_THAT(parse_duration(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

TEST(LimitsTest, DurationsAreWrittenAndReadBack) {
  const std::initializer_list<std::pair<nanoseconds, std::string_view>> pairs{
      {0s, "0s"},
      {5ns, "5ns"},
      {17us, "17us"},
      {250ms, "250ms"},
      {1500ms, "1.5s"},
      {2s, "2s"},
      {90s, "90s"},
      {120s, "2m"},
      {150s, "2m30s"},
      {90min, "1h30m"},
      {47h, "47h"},
      {48h, "2d"},
      {14 * 24h + 5h, "14d5h"}};
  for (const auto& [duration, text] : pairs) {
    EXPECT_EQ(format_duration(duration), text);
    EXPECT_EQ(*parse_duration(text), duration);
  }
  EXPECT_EQ(format_duration(-90s), "-90s");
  EXPECT_EQ(format_duration(nanoseconds::min()).front(), '-');
}

}  // namespace
}  // namespace cromford::base
