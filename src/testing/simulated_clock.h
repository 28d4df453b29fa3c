#pragma once

// A clock that stands still until a test moves it.
//
//   testing::SimulatedClock clock;                          // 2026-01-01T00:00:00Z
//   Monitor monitor(clock);
//   clock.advance(std::chrono::hours(24 * 30));
//   clock.jump(-std::chrono::hours(1));                     // as if somebody set the clock
//
// Thread safety: may be shared by threads.

#include <atomic>
#include <chrono>

#include "base/clock.h"

namespace cromford::testing {

class SimulatedClock final : public base::Clock {
 public:
  SimulatedClock();
  explicit SimulatedClock(base::Time start);

  base::Time now() const override;
  std::chrono::nanoseconds monotonic() const override;

  // Time passes: both clocks move.
  void advance(std::chrono::nanoseconds duration);
  // The time of day is set, forwards or backwards; the monotonic clock does not notice.
  void jump(std::chrono::microseconds difference);

 private:
  std::atomic<int64_t> now_us_;
  std::atomic<int64_t> monotonic_ns_{1};
};

}  // namespace cromford::testing
