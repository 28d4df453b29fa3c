#pragma once

// What "good" means: the quality measures of a model, by name, with their intervals, and the paired
// comparison of two models on the same rows. Training, gate, monitor and card all call this one
// code, so that a figure means the same wherever it is shown.
//
//   metric::Scored test{.task = metric::Task::kBinary, .labels = y, .predictions = p};
//   TRY(metric::Estimate auc, metric::estimate("auc", test));       // 0.71, 0.70 to 0.72
//   TRY(metric::Comparison c, metric::compare("log_loss", champion, challenger));
//   if (c.upper < 0) { ... the challenger's log loss is lower, with 95% confidence ... }
//
// How intervals are made: every measure here is a smooth function of means over rows, so that each
// row has an influence on it (the derivative of the measure with respect to the row's weight). The
// variance of the measure is that of the sum of the influences. For `auc` these are the structural
// components of DeLong, DeLong and Clarke-Pearson (1988), computed in O(n log n) as by Sun and Xu
// (2014); for means it is the usual normal interval; for ratios the delta method. `accuracy` has
// Wilson's interval. Differences of influences give the paired comparison (for `auc` the paired
// DeLong test).
//
// Thread safety: pure functions.

#include <absl/status/statusor.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cromford::metric {

enum class Task { kBinary, kMulticlass, kRegression };

// "binary", "multiclass", "regression".
std::string_view task_name(Task task);
// INVALID_ARGUMENT names the known tasks.
absl::StatusOr<Task> parse_task(std::string_view name);

// Rows with their truth and what a model said of them. All spans are borrowed.
struct Scored {
  Task task = Task::kBinary;
  // Binary: 0 or 1 (1 is the positive class). Multiclass: the class index. Regression: the value.
  std::span<const double> labels = {};
  // Binary: the probability of the positive class, [n]. Multiclass: probabilities, [n][classes],
  // row by row. Regression: the predicted value, [n].
  std::span<const double> predictions = {};
  size_t class_count = 2;                // Read for kMulticlass only.
  std::span<const double> weights = {};  // Empty, or one finite non-negative number per row.
  double threshold = 0.5;  // From which probability on a binary row counts as positive.
};

// A figure with its two-sided interval.
struct Estimate {
  double value = 0;
  double lower = 0;
  double upper = 0;
};

struct MetricInfo {
  std::string_view name;
  std::string_view title;  // "area under the ROC curve"
  bool greater_is_better;
  bool of_probability;  // Judges the probabilities, not only order or decision.
  double lower_bound;   // Values cannot leave these bounds; intervals are cut at them.
  double upper_bound;
};

// The measures of a task; the first is the default that training optimises and reports first.
std::span<const MetricInfo> metrics_of(Task task);
// INVALID_ARGUMENT names the task's measures and the nearest name.
absl::StatusOr<MetricInfo> find_metric(std::string_view name, Task task);

// The value of a measure. `auc`, `average_precision`, `f1` and `balanced_accuracy` of multiclass
// are means over the classes that occur (one against the rest). `brier` of multiclass sums over the
// classes. `calibration_error` is the debiased root mean squared gap between probability and
// frequency over 15 bins of equal weight (Kumar et al. 2019; arXiv 2408.08998); for multiclass that
// of the most probable class. `log_loss` cuts probabilities at 1e-15. `mape` leaves out rows whose
// label is 0. Errors: unknown name; sizes that do not fit; no rows or no weight; labels that are no
// class of the task; numbers that are not finite; one class only where the measure needs two.
absl::StatusOr<double> evaluate(std::string_view metric, const Scored& rows);

// The value with its interval of the given confidence (in (0, 1)).
absl::StatusOr<Estimate> estimate(std::string_view metric, const Scored& rows,
                                  double confidence = 0.95);

// Every measure of the task that can be computed on these rows, in the order of metrics_of().
struct NamedEstimate {
  std::string name;
  Estimate estimate;
};
absl::StatusOr<std::vector<NamedEstimate>> estimate_all(const Scored& rows,
                                                        double confidence = 0.95);

// The difference of two models on the same rows: `challenger - champion` in the measure's own unit.
struct Comparison {
  double champion = 0;
  double challenger = 0;
  double difference = 0;
  double lower = 0;
  double upper = 0;
  double standard_error = 0;
  // One-sided: how improbable so good a challenger is if the champion is as good. Small = better.
  double p_value = 1;
};

// Paired: the same labels and weights. Not for `calibration_error`. FAILED_PRECONDITION: too few.
absl::StatusOr<Comparison> compare(std::string_view metric, const Scored& champion,
                                   const Scored& challenger, double confidence = 0.95);

// The same from losses per row (lower is better) that a caller has stored.
absl::StatusOr<Comparison> compare_losses(std::span<const double> champion,
                                          std::span<const double> challenger,
                                          std::span<const double> weights = {},
                                          double confidence = 0.95);

// The loss of each row, whose weighted mean is the measure (or, for `rmse`, its square; for
// `accuracy`, one minus it): log_loss, brier, accuracy, mae, rmse, mape.
absl::StatusOr<std::vector<double>> row_losses(std::string_view metric, const Scored& rows);

}  // namespace cromford::metric
