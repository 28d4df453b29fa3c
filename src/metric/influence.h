#pragma once

// Each measure with the influence of every row on it. Of use inside this folder only; metric.h
// tells the method.
//
//   std::vector<double> influence;
//   TRY(double auc, measure("auc", rows, &influence));
//   double variance = sum of squares of influence;
//
// Thread safety: pure functions.

#include <absl/status/statusor.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "metric/metric.h"

namespace cromford::metric {

// One class against the rest: the view of a column of probabilities.
struct OneClass {
  std::span<const double> labels;       // The class index of each row.
  double positive = 1;                  // Which index is the positive class.
  std::span<const double> predictions;  // [n * stride], the class's own at `offset`.
  size_t stride = 1;
  size_t offset = 0;
  std::span<const double> weights = {};

  size_t size() const { return labels.size(); }
  bool is_positive(size_t i) const { return labels[i] == positive; }
  double score(size_t i) const { return predictions[i * stride + offset]; }
  double weight(size_t i) const { return weights.empty() ? 1.0 : weights[i]; }
};

// Adds `scale` times the influence of each row to `influence` where that is not null. FAILED with
// INVALID_ARGUMENT when one of the sides has no weight.
absl::StatusOr<double> auc(const OneClass& rows, double scale, std::vector<double>* influence);
absl::StatusOr<double> average_precision(const OneClass& rows, double scale,
                                         std::vector<double>* influence);

// The weighted mean of `values`. Rows whose value is NaN are left out.
double mean(std::span<const double> values, std::span<const double> weights,
            std::vector<double>* influence);

// The class that a row is called: the most probable one (the first of equals), or by the threshold.
size_t decided_class(const Scored& rows, size_t i);

// Any measure but `calibration_error`. `rows` have passed check_rows(). `influence` may be null,
// else it is set to one number per row, whose squares sum to the variance of the measure.
absl::StatusOr<double> measure(std::string_view metric, const Scored& rows,
                               std::vector<double>* influence);

}  // namespace cromford::metric
