#pragma once

// Time as something that is handed in, so that a test can let a month pass in a second. Points in
// time are microseconds since 1970 in UTC; nothing in the program knows a local time zone.
//
//   void Cache::put(const std::string& key) { entries_[key] = clock_.now(); }
//   ...
//   Cache cache(base::system_clock());          // in main
//   testing::SimulatedClock clock;              // in a test
//   Cache cache(clock);
//
// Thread safety: clocks may be shared by threads.

#include <absl/status/statusor.h>

#include <chrono>
#include <string>
#include <string_view>

namespace cromford::base {

using Time = std::chrono::sys_time<std::chrono::microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  // The time of day. It may jump, also backwards, when the machine's clock is set.
  virtual Time now() const = 0;
  // Time since some fixed moment of the past; never goes backwards. For durations and deadlines.
  virtual std::chrono::nanoseconds monotonic() const = 0;
};

// The machine's clock; lives for ever.
Clock& system_clock();

// RFC 3339 in UTC: "2001-02-01T10:00:00Z", with a fraction of exactly six digits when it is not
// zero. Years outside 0000..9999 are clamped to that range.
std::string format_time(Time time);

// Reads RFC 3339 ("2001-02-01T10:00:00.5+02:00", a space instead of the T, or a date alone, which
// means its midnight in UTC). Fractions finer than a microsecond are cut off. A leap second
// (":60") is read as the second after it. INVALID_ARGUMENT for everything else.
absl::StatusOr<Time> parse_time(std::string_view text);

}  // namespace cromford::base
