#pragma once

// Tables for cards and charts: reliability (is 0.3 really 30%?), thresholds (what a cut costs), and
// the confusion of classes. All take O(n log n) and return few rows whatever the size of the data.
//
//   TRY(auto bins, metric::reliability_table(test));
//   for (const auto& bin : bins) draw(bin.mean_prediction, bin.observed);
//
// Thread safety: pure functions.

#include <absl/status/statusor.h>

#include <cstddef>
#include <vector>

#include "metric/metric.h"

namespace cromford::metric {

// Rows of nearly equal predicted probability. `observed` is the share of positives among them, with
// Wilson's 95% interval.
struct ReliabilityBin {
  double lowest = 0;
  double highest = 0;
  double mean_prediction = 0;
  double observed = 0;
  double observed_lower = 0;
  double observed_upper = 0;
  double weight = 0;
  size_t row_count = 0;
};

// At most `bins` bins of equal weight; equal predictions are never parted. For multiclass: the
// probability of the most probable class against whether it was right. Errors as evaluate().
absl::StatusOr<std::vector<ReliabilityBin>> reliability_table(const Scored& rows, size_t bins = 15);

// What happens when rows with a probability of at least `threshold` are called positive. Counts are
// sums of weights.
struct ThresholdRow {
  double threshold = 0;
  double true_positives = 0;
  double false_positives = 0;
  double true_negatives = 0;
  double false_negatives = 0;
  double precision = 0;  // 1 where nothing is called positive.
  double recall = 0;
  double false_positive_rate = 0;
  double f1 = 0;
};

// `steps` thresholds at quantiles of the predictions, in rising order; the first calls all rows
// positive, and the last is the highest prediction. Binary only.
absl::StatusOr<std::vector<ThresholdRow>> threshold_table(const Scored& rows, size_t steps = 50);

// The threshold among all distinct predictions that maximises F1 (the lowest such).
absl::StatusOr<ThresholdRow> best_f1(const Scored& rows);

// confusion[truth][predicted], sums of weights; binary rows are decided by `rows.threshold`.
absl::StatusOr<std::vector<std::vector<double>>> confusion(const Scored& rows);

}  // namespace cromford::metric
