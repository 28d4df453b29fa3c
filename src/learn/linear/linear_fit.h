#pragma once

// Regularised linear models: ridge regression, logistic and softmax regression, fitted by L-BFGS on
// standardised features. They cost little, win on small data, and keep an ensemble honest.
//
//   TRY(model::LinearParts parts, fit_linear(matrix, {.loss = LinearLoss::kLogistic,
//                                                     .labels = y, .l2 = 1.0}));
//
// Thread safety: pure functions.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <span>

#include "learn/reader.h"
#include "model/linear/linear.h"

namespace cromford::learn {

enum class LinearLoss { kSquared, kLogistic, kSoftmax };

struct LinearOptions {
  LinearLoss loss = LinearLoss::kSquared;
  uint32_t output_count = 1;            // Classes of kSoftmax.
  std::span<const double> labels = {};  // One for each row: value, 0 or 1, or class.
  std::span<const double> weights = {};
  // The penalty l2 / 2 * |w|^2 on standardised weights, beside the sum of losses over rows.
  double l2 = 1.0;
  uint32_t step_limit = 200;
  std::function<bool()> stop = {};  // Asked before each step; true ends the fit with what there is.
};

// Missing values (NaN) count as the mean. Features that do not vary get the weight 0.
model::LinearParts fit_linear(const Matrix& rows, const LinearOptions& options);

// Margins of one row by the parts, as model::Linear computes them: the row holds the features that
// the parts were fitted on.
void linear_margins(const model::LinearParts& parts, std::span<const float> row,
                    std::span<double> margins);

}  // namespace cromford::learn
