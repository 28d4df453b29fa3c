#pragma once

// From margins on held-out rows to what a package answers: calibrated probabilities, and intervals
// that hold what they promise.
//
//   model::Calibration calibration = fit_calibration(bench, margins);
//   model::Interval interval = fit_interval(bench, margins, 0.9);
//
// Thread safety: pure functions.

#include <span>
#include <vector>

#include "learn/search/workbench.h"
#include "model/calibration/calibration.h"

namespace cromford::learn {

// Binary: sigma(a + b m + c m^2) where that rises over all margins seen, else affine; under 1,000
// rows affine only. Multiclass: one temperature, or a scale and offset per class. Fitted by Newton
// steps on log loss, and kept only where it lowers the log loss of rows it was not fitted on (five
// parts; of a split by time, five stretches) by more than noise; else kNone. Regression: kNone.
model::Calibration fit_calibration(const Workbench& bench, std::span<const double> margins);

// Applies the calibration to all rows.
std::vector<double> calibrated(const model::Calibration& calibration,
                               std::span<const double> margins, size_t outputs);

// Split conformal interval of the residuals on the margin's scale: the ceil(p (n + 1))-th of each
// side (Lei et al. 2018), by weight where rows have weights. Regression only; kNone with fewer than
// 20 rows.
model::Interval fit_interval(const Workbench& bench, std::span<const double> margins,
                             double coverage);

// What is to be added to the margins of a model on the logarithmic scale so that its answers are
// means, not medians (smearing, Duan 1983). 0 where it does not lower the error on these rows.
double fit_smearing(const Workbench& bench, std::span<const double> margins);

// From which probability on a row is called positive: 0.5, or what maximises `f1` or
// `balanced_accuracy` on these rows where the run asks for that measure.
double fit_threshold(const Workbench& bench, std::span<const double> margins);

}  // namespace cromford::learn
