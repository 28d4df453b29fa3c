#include "metric/sequential.h"

#include <cmath>
#include <limits>

namespace cromford::metric {

void RunningMean::add(double value) {
  ++count_;
  const double before = value - mean_;
  mean_ += before / static_cast<double>(count_);
  squares_ += before * (value - mean_);
}

double RunningMean::variance() const {
  return count_ < 2 ? 0 : squares_ / static_cast<double>(count_ - 1);
}

double radius_at_any_time(const RunningMean& values, double confidence, double best_at) {
  if (values.count() < kSequenceRowsMin) {
    return std::numeric_limits<double>::infinity();
  }
  const double alpha = 1 - confidence;
  // The rho that is best at `best_at` values: to first order in alpha.
  const double log_term = -2 * std::log(alpha);
  const double rho2 = (log_term + std::log(log_term + 1)) / best_at;
  const auto n = static_cast<double>(values.count());
  const double scaled = n * rho2 + 1;
  return std::sqrt(values.variance()) *
         std::sqrt(scaled / (n * n * rho2) * std::log(scaled / (alpha * alpha)));
}

Interval difference_at_any_time(const RunningMean& first, const RunningMean& second,
                                double confidence) {
  const double each = 1 - (1 - confidence) / 2;
  const double difference = first.mean() - second.mean();
  const double radius = radius_at_any_time(first, each) + radius_at_any_time(second, each);
  return {.value = difference, .lower = difference - radius, .upper = difference + radius};
}

Interval mean_at_any_time(const RunningMean& differences, double confidence) {
  const double radius = radius_at_any_time(differences, confidence);
  return {.value = differences.mean(),
          .lower = differences.mean() - radius,
          .upper = differences.mean() + radius};
}

}  // namespace cromford::metric
