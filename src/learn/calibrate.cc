#include "learn/calibrate.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "metric/tables.h"

namespace cromford::learn {
namespace {

constexpr size_t kParts = 5;
constexpr size_t kFewestRows = 100;
constexpr size_t kRowsForSquare = 1000;
constexpr double kNoise = 1e-4;  // Relative gain in log loss below which nothing is changed.

double weight_at(const Workbench& bench, size_t i) {
  return bench.scored_weights().empty() ? 1.0 : bench.scored_weights()[i];
}

// Which part each scored row falls into, for cross-fitting. Rows of a split by time are parted into
// stretches of time: a correction must hold for other days than those it was fitted on. Otherwise
// rows of one key stay together.
std::vector<size_t> parts_of(const Workbench& bench) {
  const std::vector<uint32_t>& scored = bench.scored();
  const Split& split = bench.split();
  std::vector<size_t> parts(scored.size());
  if (split.moments.empty()) {
    for (size_t i = 0; i < scored.size(); ++i) {
      parts[i] = mix_key(split.keys[scored[i]], kParts) % kParts;
    }
    return parts;
  }
  std::vector<size_t> order(scored.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return split.moments[scored[a]] < split.moments[scored[b]];
  });
  for (size_t rank = 0; rank < order.size(); ++rank) {
    parts[order[rank]] = rank * kParts / order.size();
  }
  return parts;
}

// Losses before and after a correction, summed over each part.
struct PartLosses {
  double before[kParts] = {};
  double after[kParts] = {};
  double weight[kParts] = {};

  void add(size_t part, double row_weight, double loss_before, double loss_after) {
    before[part] += row_weight * loss_before;
    after[part] += row_weight * loss_after;
    weight[part] += row_weight;
  }

  // The relative gain where it is more than chance: above its standard error over the parts and
  // above kNoise; else 0.
  double gain() const {
    double sum = 0;
    double squares = 0;
    double all_before = 0;
    double all_after = 0;
    for (size_t p = 0; p < kParts; ++p) {
      const double each = weight[p] > 0 ? (before[p] - after[p]) / weight[p] : 0;
      sum += each;
      squares += each * each;
      all_before += before[p];
      all_after += after[p];
    }
    const double mean = sum / kParts;
    const double variance = std::max(0.0, squares / kParts - mean * mean) / (kParts - 1);
    const double relative = (all_before - all_after) / std::max(all_before, 1e-300);
    return mean > std::sqrt(variance) && relative > kNoise ? relative : 0;
  }
};

double logistic_loss(double margin, double label) {
  return std::max(margin, 0.0) - margin * label + std::log1p(std::exp(-std::abs(margin)));
}

// Newton's method for sigma(w . (1, m, m^2)) on the rows that `use` selects; `degree` 1 or 2. A
// weak pull towards the identity keeps separable rows finite.
template <typename Use>
Eigen::Vector3d fit_logistic(const Workbench& bench, std::span<const double> margins, int degree,
                             Use use) {
  Eigen::Vector3d w(0, 1, 0);
  for (int step = 0; step < 30; ++step) {
    Eigen::Vector3d gradient = (w - Eigen::Vector3d(0, 1, 0)) * 1e-3;
    Eigen::Matrix3d hessian = Eigen::Matrix3d::Identity() * 1e-3;
    for (size_t i = 0; i < margins.size(); ++i) {
      if (!use(i)) {
        continue;
      }
      const Eigen::Vector3d x(1, margins[i], degree > 1 ? margins[i] * margins[i] : 0);
      const double p = 1 / (1 + std::exp(-w.dot(x)));
      gradient += weight_at(bench, i) * (p - bench.scored_labels()[i]) * x;
      hessian += weight_at(bench, i) * std::max(p * (1 - p), 1e-9) * x * x.transpose();
    }
    const Eigen::Vector3d change = hessian.ldlt().solve(gradient);
    // Bounded steps: far from the answer the curvature may mislead.
    w -= change * std::min(1.0, 2.0 / std::max(1e-12, change.norm()));
    if (change.norm() < 1e-9) {
      break;
    }
  }
  return w;
}

double apply_logistic(const Eigen::Vector3d& w, double margin) {
  return w[0] + w[1] * margin + w[2] * margin * margin;
}

// Rising over the whole range of margins seen, so that the order of rows is kept.
bool rises(const Eigen::Vector3d& w, double lowest, double highest) {
  return w[1] + 2 * w[2] * lowest > 1e-3 && w[1] + 2 * w[2] * highest > 1e-3;
}

// The gain of rows that the correction was not fitted on; 0 where a part's fit does not rise.
double cross_fitted(const Workbench& bench, std::span<const double> margins, int degree,
                    double lowest, double highest) {
  PartLosses losses;
  const std::vector<size_t> parts = parts_of(bench);
  for (size_t part = 0; part < kParts; ++part) {
    const Eigen::Vector3d w =
        fit_logistic(bench, margins, degree, [&](size_t i) { return parts[i] != part; });
    if (!rises(w, lowest, highest)) {
      return 0;
    }
    for (size_t i = 0; i < margins.size(); ++i) {
      if (parts[i] == part) {
        const double label = bench.scored_labels()[i];
        losses.add(part, weight_at(bench, i), logistic_loss(margins[i], label),
                   logistic_loss(apply_logistic(w, margins[i]), label));
      }
    }
  }
  return losses.gain();
}

model::Calibration fit_binary(const Workbench& bench, std::span<const double> margins) {
  const auto [lowest, highest] = std::minmax_element(margins.begin(), margins.end());
  double best = 0;
  model::Calibration result;
  for (const int degree : {1, 2}) {
    if (degree == 2 && margins.size() < kRowsForSquare) {
      continue;
    }
    const double gain = cross_fitted(bench, margins, degree, *lowest, *highest);
    const Eigen::Vector3d w = fit_logistic(bench, margins, degree, [](size_t) { return true; });
    if (gain > best && rises(w, *lowest, *highest)) {
      best = gain + kNoise;
      result = {.kind = model::CalibrationKind::kQuadratic,
                .scale = {w[1]},
                .offset = {w[0]},
                .square = w[2]};
    }
  }
  return result;
}

// Scale and offset of each class; for a temperature all scales are one number and offsets are 0.
struct VectorFit {
  std::vector<double> scale;
  std::vector<double> offset;
};

double softmax_loss(const VectorFit& fit, std::span<const double> margins, size_t label,
                    std::vector<double>& p) {
  const size_t k = margins.size();
  double highest = -1e300;
  for (size_t c = 0; c < k; ++c) {
    p[c] = fit.scale[c] * margins[c] + fit.offset[c];
    highest = std::max(highest, p[c]);
  }
  double sum = 0;
  for (size_t c = 0; c < k; ++c) {
    p[c] = std::exp(p[c] - highest);
    sum += p[c];
  }
  for (double& each : p) {
    each /= sum;
  }
  return -std::log(std::max(p[label], 1e-300));
}

// Of the scales, then of the offsets; a temperature has one scale and no offsets.
template <typename Use>
std::vector<double> vector_gradient(const Workbench& bench, std::span<const double> margins,
                                    const VectorFit& fit, bool temperature, const Use& use) {
  const size_t k = bench.outputs();
  std::vector<double> p(k);
  std::vector<double> gradient(2 * k, 0.0);
  for (size_t i = 0; i < margins.size() / k; ++i) {
    if (!use(i)) {
      continue;
    }
    const auto row = margins.subspan(i * k, k);
    const auto label = static_cast<size_t>(bench.scored_labels()[i]);
    softmax_loss(fit, row, label, p);
    for (size_t c = 0; c < k; ++c) {
      const double d = weight_at(bench, i) * (p[c] - (c == label ? 1 : 0));
      gradient[temperature ? 0 : c] += d * row[c];
      gradient[k + c] += temperature ? 0 : d;
    }
  }
  return gradient;
}

// Against the gradient, by `step`.
double move_of(double gradient, double step) {
  if (gradient == 0) {
    return 0;
  }
  return gradient > 0 ? -step : step;
}

// Gradient descent with per-parameter steps (Rprop): few parameters, any scale.
template <typename Use>
VectorFit fit_vector(const Workbench& bench, std::span<const double> margins, bool temperature,
                     Use use) {
  const size_t k = bench.outputs();
  VectorFit fit{.scale = std::vector<double>(k, 1.0), .offset = std::vector<double>(k, 0.0)};
  std::vector<double> step(2 * k, 0.1);
  std::vector<double> last(2 * k, 0.0);
  for (int round = 0; round < 60; ++round) {
    const std::vector<double> gradient = vector_gradient(bench, margins, fit, temperature, use);
    for (size_t j = 0; j < 2 * k; ++j) {
      // The ridge of one imaginary row per class towards no change.
      const double value = j < k ? fit.scale[j] - 1 : fit.offset[j - k];
      const double g = gradient[j] + (gradient[j] != 0 ? value : 0);
      if (g * last[j] != 0) {
        step[j] *= g * last[j] > 0 ? 1.2 : 0.5;
      }
      last[j] = g;
      (j < k ? fit.scale[j] : fit.offset[j - k]) += move_of(g, step[j]);
    }
    if (temperature) {
      std::fill(fit.scale.begin(), fit.scale.end(), std::max(0.05, fit.scale[0]));
    }
  }
  return fit;
}

// As cross_fitted(), of a temperature or of scales and offsets.
double cross_fitted_vector(const Workbench& bench, std::span<const double> margins,
                           bool temperature) {
  const size_t k = bench.outputs();
  const VectorFit none{.scale = std::vector<double>(k, 1.0), .offset = std::vector<double>(k, 0.0)};
  std::vector<double> p(k);
  PartLosses losses;
  const std::vector<size_t> parts = parts_of(bench);
  for (size_t part = 0; part < kParts; ++part) {
    const VectorFit fit =
        fit_vector(bench, margins, temperature, [&](size_t i) { return parts[i] != part; });
    for (size_t i = 0; i < margins.size() / k; ++i) {
      if (parts[i] == part) {
        const auto row = margins.subspan(i * k, k);
        const auto label = static_cast<size_t>(bench.scored_labels()[i]);
        const double before = softmax_loss(none, row, label, p);
        losses.add(part, weight_at(bench, i), before, softmax_loss(fit, row, label, p));
      }
    }
  }
  return losses.gain();
}

model::Calibration fit_multiclass(const Workbench& bench, std::span<const double> margins) {
  const size_t k = bench.outputs();
  double best = 0;
  model::Calibration result;
  for (const bool temperature : {true, false}) {
    if (!temperature && margins.size() / k < 50 * k) {
      continue;
    }
    const double gain = cross_fitted_vector(bench, margins, temperature);
    if (gain > best) {
      best = gain + kNoise;
      VectorFit fit = fit_vector(bench, margins, temperature, [](size_t) { return true; });
      result = {.kind = model::CalibrationKind::kVector,
                .scale = std::move(fit.scale),
                .offset = std::move(fit.offset)};
    }
  }
  return result;
}

// The last value up to which the weights sum to no more than `tail`; the outermost where even that
// weighs more.
template <typename Iterator>
double at_weight(Iterator first, const Iterator& last, double tail) {
  double value = first->first;
  double sum = 0;
  for (; first != last; ++first) {
    sum += first->second;
    if (sum > tail * (1 + 1e-12)) {
      break;
    }
    value = first->first;
  }
  return value;
}

}  // namespace

model::Calibration fit_calibration(const Workbench& bench, std::span<const double> margins) {
  const bool few = bench.scored().size() < kFewestRows;
  if (few || bench.problem().task == metric::Task::kRegression) {
    return {};
  }
  return bench.problem().task == metric::Task::kBinary ? fit_binary(bench, margins)
                                                       : fit_multiclass(bench, margins);
}

std::vector<double> calibrated(const model::Calibration& calibration,
                               std::span<const double> margins, size_t outputs) {
  std::vector<double> result(margins.begin(), margins.end());
  for (size_t i = 0; i < result.size(); i += outputs) {
    model::calibrate(calibration, std::span(result).subspan(i, outputs));
  }
  return result;
}

model::Interval fit_interval(const Workbench& bench, std::span<const double> margins,
                             double coverage) {
  const size_t n = margins.size();
  if (bench.problem().task != metric::Task::kRegression || n < 20) {
    return {};
  }
  std::vector<std::pair<double, double>> residuals(n);  // With their weights.
  double total = 0;
  for (size_t i = 0; i < n; ++i) {
    residuals[i] = {bench.target(bench.scored()[i]) - margins[i], weight_at(bench, i)};
    total += residuals[i].second;
  }
  std::sort(residuals.begin(), residuals.end());
  // As if each row stood there as often as it weighs, and one more row of mean weight.
  const double tail = (1 - coverage) / 2 * (total + total / static_cast<double>(n));
  return {.kind = model::IntervalKind::kConstant,
          .coverage = coverage,
          .below = std::max(0.0, -at_weight(residuals.begin(), residuals.end(), tail)),
          .above = std::max(0.0, at_weight(residuals.rbegin(), residuals.rend(), tail)),
          .floor = 0.0};
}

double fit_smearing(const Workbench& bench, std::span<const double> margins) {
  const std::string_view metric = bench.problem().metric.name;
  if (bench.link() != model::Link::kLog1p || (metric != "rmse" && metric != "r2")) {
    return 0;
  }
  double truth = 0;
  double said = 0;
  for (size_t i = 0; i < margins.size(); ++i) {
    truth += weight_at(bench, i) * (1 + bench.scored_labels()[i]);
    said += weight_at(bench, i) * std::exp(margins[i]);
  }
  const double shift = std::log(truth / said);
  double before = 0;
  double after = 0;
  for (size_t i = 0; i < margins.size(); ++i) {
    const double label = bench.scored_labels()[i];
    const double a = model::link_value(bench.link(), margins[i]) - label;
    const double b = model::link_value(bench.link(), margins[i] + shift) - label;
    before += weight_at(bench, i) * a * a;
    after += weight_at(bench, i) * b * b;
  }
  return std::isfinite(shift) && after < 0.999 * before ? shift : 0;
}

double fit_threshold(const Workbench& bench, std::span<const double> margins) {
  if (bench.problem().task != metric::Task::kBinary) {
    return 0.5;
  }
  const std::string_view name = bench.problem().metric.name;
  if (name != "f1" && name != "balanced_accuracy") {
    return 0.5;
  }
  const std::vector<double> predicted = bench.predictions(margins);
  const metric::Scored rows{
      .labels = bench.scored_labels(), .predictions = predicted, .weights = bench.scored_weights()};
  double threshold = 0.5;
  if (name == "f1") {
    const auto best = metric::best_f1(rows);
    threshold = best.ok() ? best->threshold : 0.5;
  } else if (const auto table = metric::threshold_table(rows, 200); table.ok()) {
    double best = -1;
    for (const metric::ThresholdRow& row : *table) {
      const double balanced = row.recall - row.false_positive_rate;
      threshold = balanced > best ? row.threshold : threshold;
      best = std::max(best, balanced);
    }
  }
  return std::clamp(threshold, 1e-6, 1 - 1e-6);
}

}  // namespace cromford::learn
