#include "testing/simulated_clock.h"

namespace cromford::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

}  // namespace

SimulatedClock::SimulatedClock()
    : SimulatedClock(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)) {}

SimulatedClock::SimulatedClock(base::Time start) : now_us_(start.time_since_epoch().count()) {}

base::Time SimulatedClock::now() const {
  return base::Time(microseconds(now_us_.load()));
}

nanoseconds SimulatedClock::monotonic() const {
  return nanoseconds(monotonic_ns_.load());
}

void SimulatedClock::advance(nanoseconds duration) {
  monotonic_ns_ += duration.count();
  now_us_ += std::chrono::floor<microseconds>(duration).count();
}

void SimulatedClock::jump(microseconds difference) {
  now_us_ += difference.count();
}

}  // namespace cromford::testing
