#pragma once

// The clock of a run: how much time is left, and who has to stop when. With a budget in trials
// only, nothing here ever says stop but the cancel token, so that results do not depend on the
// clock.
//
//   Pace pace(context.clock, settings.time_budget, context.cancel);
//   if (pace.left_until(pace.fit_end_s()) < 0) { ... }
//
// Thread safety: may be read by several threads.

#include <atomic>
#include <chrono>
#include <limits>
#include <optional>

#include "base/cancel.h"
#include "base/clock.h"

namespace cromford::learn {

class Pace {
 public:
  Pace(const base::Clock& clock, std::optional<std::chrono::nanoseconds> budget,
       base::CancelToken cancel)
      : clock_(clock),
        start_(clock.monotonic()),
        budget_s_(budget ? std::chrono::duration<double>(*budget).count() : 0),
        timed_(budget.has_value()),
        cancel_(std::move(cancel)) {}

  bool timed() const { return timed_; }
  double budget_s() const { return budget_s_; }
  // Seconds since the start.
  double elapsed_s() const {
    return std::chrono::duration<double>(clock_.monotonic() - start_).count();
  }
  // Seconds until `moment_s` after the start; infinity without a time budget.
  double left_until(double moment_s) const {
    return timed_ ? moment_s - elapsed_s() : std::numeric_limits<double>::infinity();
  }
  bool cancelled() const { return cancel_.cancelled(); }
  const base::CancelToken& cancel() const { return cancel_; }

  // By when all models must be fitted, so that the rest of the work fits the budget. Set once the
  // cost of the rest is known.
  double fit_end_s() const { return fit_end_s_; }
  void reserve(double seconds) { fit_end_s_ = budget_s_ - seconds; }

  // Notes that the clock cut something short.
  void strike() { struck_.store(true); }
  bool struck() const { return struck_.load(); }

 private:
  const base::Clock& clock_;
  std::chrono::nanoseconds start_;
  double budget_s_;
  bool timed_;
  base::CancelToken cancel_;
  double fit_end_s_ = std::numeric_limits<double>::infinity();
  std::atomic<bool> struck_{false};
};

}  // namespace cromford::learn
