#pragma once

// Intervals that hold at every look: asymptotic confidence sequences for a mean and for the
// difference of two (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit
// theory and asymptotic confidence sequences", 2021). An ordinary 95% interval that is looked at
// after every row is left by the truth sooner or later; this one is not, with 95%, however often
// one looks. It costs about 1.6 times the width.
//
//   RunningMean candidate, champion;
//   candidate.add(loss); ...
//   const Interval difference = difference_at_any_time(candidate, champion, 0.95);
//   if (difference.lower > 0) { ... the candidate is worse ... }
//
// Thread safety: values and pure functions.

#include <cstdint>

namespace cromford::metric {

// Mean and variance of what was added, in one pass (Welford).
class RunningMean {
 public:
  void add(double value);
  uint64_t count() const { return count_; }
  double mean() const { return mean_; }
  double variance() const;

 private:
  uint64_t count_ = 0;
  double mean_ = 0;
  double squares_ = 0;
};

struct Interval {
  double value = 0;
  double lower = 0;
  double upper = 0;
};

// Half the width of the sequence after `count` values; infinite below kSequenceRowsMin, from which
// on the normal limit is trusted. It is narrowest around `best_at` values.
inline constexpr uint64_t kSequenceRowsMin = 50;
double radius_at_any_time(const RunningMean& values, double confidence, double best_at = 1000);

// Of the first mean minus the second, of two independent streams: each has half of what may go
// wrong.
Interval difference_at_any_time(const RunningMean& first, const RunningMean& second,
                                double confidence);
// Of one stream of differences (paired rows).
Interval mean_at_any_time(const RunningMean& differences, double confidence);

}  // namespace cromford::metric
