#pragma once

// Bins of equal weight along the predicted probability, the ground of reliability tables and of the
// calibration error. Of use inside this folder only.
//
//   std::vector<Bin> bins = bins_of(confidences_of(rows), rows.weights, 15);
//
// Thread safety: pure functions.

#include <cstddef>
#include <span>
#include <vector>

#include "metric/metric.h"

namespace cromford::metric {

// A probability and what happened (1 or 0).
struct Confidence {
  double probability = 0;
  double happened = 0;
};

struct Bin {
  double lowest = 0;
  double highest = 0;
  double weight = 0;
  double squared_weight = 0;
  double probability = 0;   // Weighted mean.
  double happened = 0;      // Weighted mean.
  double gap_variance = 0;  // Of the mean of (happened - probability).
  size_t row_count = 0;
};

// Binary: the positive class. Multiclass: the most probable class, and whether it was the true one.
std::vector<Confidence> confidences_of(const Scored& rows);

// At most `count` bins in rising order; equal probabilities share one.
std::vector<Bin> bins_of(std::span<const Confidence> rows, std::span<const double> weights,
                         size_t count);

// sqrt(max(0, sum of share * (gap^2 - variance of gap))): the plug-in error less what chance alone
// adds to it. The interval is that of the squared error, whose terms have the variance
// 4 gap^2 v + 2 v^2.
Estimate calibration_error(std::span<const Bin> bins, double confidence);

}  // namespace cromford::metric
