#pragma once

// From the margin of the predictors to what is answered: calibration of the margin, the link to
// probabilities or values, and intervals. `learn` fits the numbers; they are applied here.
//
//   Calibration calibration{.kind = CalibrationKind::kQuadratic, .scale = {1.1}, .offset = {-0.2},
//                           .square = 0.03};
//   double margin = 0.7;
//   calibrate(calibration, {&margin, 1});
//   double probabilities[2];
//   link_probabilities(Link::kLogistic, {&margin, 1}, probabilities);
//
// Thread safety: values and pure functions.

#include <absl/status/status.h>

#include <cstdint>
#include <span>
#include <vector>

#include "model/contract.h"

namespace cromford::model {

// How a margin becomes an answer. The numbers stand in package files.
enum class Link : uint8_t {
  kIdentity = 0,  // regression: the value
  kLogistic = 1,  // binary: p(positive) = 1 / (1 + exp(-m))
  kSoftmax = 2,   // multiclass: p[c] = exp(m[c]) / sum
  kLog = 3,       // regression: exp(m)
  kLog1p = 4,     // regression: exp(m) - 1
};

enum class CalibrationKind : uint8_t {
  kNone = 0,
  kQuadratic = 1,  // binary: offset + scale * m + square * m^2 (affine where square is 0)
  kVector = 2,     // multiclass: scale[c] * m[c] + offset[c] (temperature: equal scales, offsets 0)
};

struct Calibration {
  CalibrationKind kind = CalibrationKind::kNone;
  std::vector<double> scale = {};   // kQuadratic: 1 value; kVector: one per class
  std::vector<double> offset = {};  // as many
  double square = 0.0;              // kQuadratic only
};

enum class IntervalKind : uint8_t {
  kNone = 0,
  kConstant = 1,  // [link(m - below), link(m + above)]
  kScaled = 2,    // the same with below and above times s, the scale that the package's scale
                  // predictors give: s = max(floor, exp(scale margin))
};

// A conformal prediction interval around the margin of a regression, at the stated coverage.
struct Interval {
  IntervalKind kind = IntervalKind::kNone;
  double coverage = 0.9;
  double below = 0.0;  // >= 0
  double above = 0.0;  // >= 0
  double floor = 0.0;  // > 0 for kScaled
};

// INVALID_ARGUMENT where the numbers do not fit the task, or are not finite.
absl::Status check_calibration(const Calibration& calibration, Task task, size_t output_count);
absl::Status check_link(Link link, Task task);
absl::Status check_interval(const Interval& interval, Task task);

// Calibrates the margins of one row in place.
void calibrate(const Calibration& calibration, std::span<double> margins);

// Probabilities of one row: kLogistic takes one margin and gives {1 - p, p} (negative class, then
// positive class); kSoftmax as many as margins. They are finite and sum to 1 within rounding.
void link_probabilities(Link link, std::span<const double> margins,
                        std::span<double> probabilities);

// The value of a regression margin (kIdentity, kLog, kLog1p). Finite for every finite margin.
double link_value(Link link, double margin);

struct Bounds {
  double lower = 0.0;
  double upper = 0.0;
};
// `scale_margin` is used by kScaled only. kNone gives the value itself twice.
Bounds interval_bounds(const Interval& interval, Link link, double margin, double scale_margin);

}  // namespace cromford::model
