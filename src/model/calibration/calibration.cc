#include "model/calibration/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/status.h"
#include "model/checks.h"
#include "model/math.h"

namespace cromford::model {
namespace {

constexpr double kMax = std::numeric_limits<double>::max();

// Beyond this a margin means certainty; its square stays finite.
constexpr double kClassMarginMax = 1e9;
constexpr double kCalibrationMax = 1e9;

double keep_finite(double value) {
  return std::clamp(value, -kMax, kMax);
}

bool fits_task(Link link, Task task) {
  switch (link) {
    case Link::kLogistic:
      return task == Task::kBinary;
    case Link::kSoftmax:
      return task == Task::kMulticlass;
    case Link::kIdentity:
    case Link::kLog:
    case Link::kLog1p:
      return task == Task::kRegression;
  }
  return false;
}

}  // namespace

absl::Status check_link(Link link, Task task) {
  if (!fits_task(link, task)) {
    return base::invalid(
        fmt::format("the link {} does not fit the task {}", static_cast<int>(link),
                    task_name(task)),
        "binary takes logistic, multiclass softmax, regression identity, log or log1p");
  }
  return absl::OkStatus();
}

absl::Status check_calibration(const Calibration& calibration, Task task, size_t output_count) {
  size_t expected = 0;
  bool fits = true;
  switch (calibration.kind) {
    case CalibrationKind::kNone:
      break;
    case CalibrationKind::kQuadratic:
      fits = task == Task::kBinary;
      expected = 1;
      break;
    case CalibrationKind::kVector:
      fits = task == Task::kMulticlass;
      expected = output_count;
      break;
    default:
      fits = false;
  }
  if (!fits || calibration.scale.size() != expected || calibration.offset.size() != expected) {
    return base::invalid(fmt::format("the calibration does not fit the task {}", task_name(task)),
                         "binary takes one scale and offset, multiclass one for each class");
  }
  const auto small = [](double value) { return std::abs(value) <= kCalibrationMax; };
  if (!std::ranges::all_of(calibration.scale, small) ||
      !std::ranges::all_of(calibration.offset, small) || !small(calibration.square) ||
      (calibration.kind != CalibrationKind::kQuadratic && calibration.square != 0.0)) {
    return base::invalid("a number of the calibration is not finite or too large");
  }
  return absl::OkStatus();
}

absl::Status check_interval(const Interval& interval, Task task) {
  if (interval.kind != IntervalKind::kNone && interval.kind != IntervalKind::kConstant &&
      interval.kind != IntervalKind::kScaled) {
    return base::invalid("the kind of the interval does not exist");
  }
  if (interval.kind != IntervalKind::kNone && task != Task::kRegression) {
    return base::invalid("only a regression has intervals");
  }
  const auto good = [](double value) { return value >= 0.0 && value <= kParameterMax; };
  if (!good(interval.below) || !good(interval.above) || !good(interval.floor) ||
      (interval.kind == IntervalKind::kScaled && !(interval.floor > 0.0))) {
    return base::invalid("a width of the interval is negative, not finite or too large");
  }
  if (!(interval.coverage > 0.0 && interval.coverage < 1.0)) {
    return base::invalid("the coverage of the interval is not between 0 and 1");
  }
  return absl::OkStatus();
}

void calibrate(const Calibration& calibration, std::span<double> margins) {
  if (calibration.kind == CalibrationKind::kNone) {
    return;
  }
  for (size_t i = 0; i < margins.size(); ++i) {
    const double m = std::clamp(margins[i], -kClassMarginMax, kClassMarginMax);
    margins[i] = calibration.offset[i] + calibration.scale[i] * m + calibration.square * (m * m);
  }
}

void link_probabilities(Link link, std::span<const double> margins,
                        std::span<double> probabilities) {
  if (link == Link::kLogistic) {
    const double e = portable_exp(-std::abs(margins[0]));
    const double likely = 1.0 / (1.0 + e);
    const double unlikely = e / (1.0 + e);
    probabilities[0] = margins[0] >= 0.0 ? unlikely : likely;
    probabilities[1] = margins[0] >= 0.0 ? likely : unlikely;
    return;
  }
  const double highest = *std::ranges::max_element(margins);
  double sum = 0.0;
  for (size_t c = 0; c < margins.size(); ++c) {
    probabilities[c] = portable_exp(margins[c] - highest);
    sum += probabilities[c];
  }
  for (size_t c = 0; c < margins.size(); ++c) {
    probabilities[c] /= sum;
  }
}

double link_value(Link link, double margin) {
  switch (link) {
    case Link::kLog:
      return keep_finite(portable_exp(margin));
    case Link::kLog1p:
      return keep_finite(portable_exp(margin) - 1.0);
    default:
      return keep_finite(margin);
  }
}

Bounds interval_bounds(const Interval& interval, Link link, double margin, double scale_margin) {
  if (interval.kind == IntervalKind::kNone) {
    const double value = link_value(link, margin);
    return {value, value};
  }
  double scale = 1.0;
  if (interval.kind == IntervalKind::kScaled) {
    scale = std::max(interval.floor, std::min(portable_exp(scale_margin), kParameterMax));
  }
  return {link_value(link, margin - interval.below * scale),
          link_value(link, margin + interval.above * scale)};
}

}  // namespace cromford::model
