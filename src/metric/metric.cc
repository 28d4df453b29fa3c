#include "metric/metric.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/status.h"
#include "metric/bins.h"
#include "metric/check.h"
#include "metric/influence.h"
#include "metric/normal.h"

namespace cromford::metric {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

constexpr MetricInfo kAuc{"auc", "area under the ROC curve", true, false, 0, 1};
constexpr MetricInfo kAveragePrecision{"average_precision", "average precision", true, false, 0, 1};
constexpr MetricInfo kLogLoss{"log_loss", "logarithmic loss", false, true, 0, kInfinite};
constexpr MetricInfo kBrier{"brier", "Brier score", false, true, 0, 2};
constexpr MetricInfo kAccuracy{"accuracy", "share of right answers", true, false, 0, 1};
constexpr MetricInfo kBalanced{
    "balanced_accuracy", "mean recall of the classes", true, false, 0, 1};
constexpr MetricInfo kF1{"f1", "harmonic mean of precision and recall", true, false, 0, 1};
constexpr MetricInfo kCalibration{
    "calibration_error", "gap between probability and frequency", false, true, 0, 1};

constexpr std::array kBinary{kAuc,      kLogLoss,  kBrier, kAveragePrecision,
                             kAccuracy, kBalanced, kF1,    kCalibration};
constexpr std::array kMulticlass{kLogLoss, kAccuracy, kBalanced,         kF1,
                                 kAuc,     kBrier,    kAveragePrecision, kCalibration};
constexpr std::array kRegression{
    MetricInfo{"rmse", "root mean squared error", false, false, 0, kInfinite},
    MetricInfo{"mae", "mean absolute error", false, false, 0, kInfinite},
    MetricInfo{"r2", "share of the variance explained", true, false, -kInfinite, 1},
    MetricInfo{"mape", "mean absolute error relative to the label", false, false, 0, kInfinite}};

absl::Status check_confidence(double confidence) {
  if (confidence > 0 && confidence < 1) {
    return absl::OkStatus();
  }
  return base::invalid(fmt::format("the confidence {} is not between 0 and 1", confidence),
                       "give for example 0.95");
}

// The sum of weights and the number of equally weighted rows that would be as informative.
double effective_count(const Scored& rows) {
  double sum = 0;
  double squares = 0;
  for (size_t i = 0; i < rows.labels.size(); ++i) {
    sum += weight_of(rows, i);
    squares += weight_of(rows, i) * weight_of(rows, i);
  }
  return sum * sum / squares;
}

double standard_error(std::span<const double> influence) {
  double variance = 0;
  for (const double each : influence) {
    variance += each * each;
  }
  return std::sqrt(variance);
}

// The size of the smallest class that occurs.
size_t smallest_class(const Scored& rows) {
  std::vector<size_t> count(rows.task == Task::kBinary ? 2 : rows.class_count, 0);
  for (const double label : rows.labels) {
    ++count[static_cast<size_t>(label)];
  }
  size_t smallest = rows.labels.size();
  for (const size_t each : count) {
    smallest = each > 0 ? std::min(smallest, each) : smallest;
  }
  return smallest;
}

// Measures whose variance is made up of that within each class.
bool goes_by_class(std::string_view metric) {
  return metric == "auc" || metric == "balanced_accuracy" || metric == "f1" ||
         metric == "average_precision";
}

// Whether the rows say nothing of how much the measure varies.
bool says_nothing_of_variance(const MetricInfo& info, const Scored& rows) {
  const bool by_class = rows.task != Task::kRegression && goes_by_class(info.name);
  return rows.labels.size() < 2 || (by_class && smallest_class(rows) < 2);
}

// From few rows a variance is a guess, and often nought: that is not knowing, not certainty.
absl::Status check_enough_to_compare(const MetricInfo& info, const Scored& rows) {
  constexpr double fewest_rows = 20;
  constexpr size_t fewest_of_a_class = 5;
  if (const double count = effective_count(rows); count < fewest_rows) {
    return base::refused(fmt::format("{:.0f} rows are too few to tell two models apart", count),
                         fmt::format("compare on at least {}", fewest_rows));
  }
  const bool by_class = rows.task != Task::kRegression && goes_by_class(info.name);
  if (by_class && smallest_class(rows) < fewest_of_a_class) {
    return base::refused(fmt::format("{} rows of the rarest class are too few to compare by {}",
                                     smallest_class(rows), info.name),
                         "compare by log_loss, or on more rows");
  }
  return absl::OkStatus();
}

absl::StatusOr<Estimate> estimate_checked(const MetricInfo& info, const Scored& rows,
                                          double confidence) {
  if (info.name == "calibration_error") {
    return calibration_error(bins_of(confidences_of(rows), rows.weights, 15), confidence);
  }
  std::vector<double> influence;
  TRY(const double value, measure(info.name, rows, &influence));
  if (says_nothing_of_variance(info, rows)) {
    return Estimate{.value = value, .lower = info.lower_bound, .upper = info.upper_bound};
  }
  if (info.name == "accuracy") {
    const Interval interval = wilson(value, effective_count(rows), confidence);
    return Estimate{.value = value, .lower = interval.lower, .upper = interval.upper};
  }
  const double z = normal_quantile(0.5 + confidence / 2);
  const double half = z * standard_error(influence);
  Estimate result{.value = value,
                  .lower = std::max(info.lower_bound, value - half),
                  .upper = std::min(info.upper_bound, value + half)};
  if (info.greater_is_better && info.upper_bound == 1 && value == 1 && half == 0 &&
      rows.task != Task::kRegression) {
    // Nothing went wrong among so few rows that it might yet: Wilson's bound for no failure.
    result.lower = wilson(1, static_cast<double>(smallest_class(rows)), confidence).lower;
  }
  return result;
}

Comparison compare_influences(double champion, double challenger, std::span<const double> first,
                              std::span<const double> second, double confidence) {
  double variance = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    variance += (second[i] - first[i]) * (second[i] - first[i]);
  }
  Comparison result{.champion = champion, .challenger = challenger};
  result.difference = challenger - champion;
  result.standard_error = std::sqrt(variance);
  const double half = normal_quantile(0.5 + confidence / 2) * result.standard_error;
  result.lower = result.difference - half;
  result.upper = result.difference + half;
  return result;
}

// `gain` is positive where the challenger is better.
double p_value(double gain, double error) {
  if (error > 0) {
    return normal_cdf(-gain / error);
  }
  return gain > 0 ? 0 : 1;
}

}  // namespace

std::string_view task_name(Task task) {
  switch (task) {
    case Task::kBinary:
      return "binary";
    case Task::kMulticlass:
      return "multiclass";
    case Task::kRegression:
      return "regression";
  }
  return "";
}

absl::StatusOr<Task> parse_task(std::string_view name) {
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression}) {
    if (name == task_name(task)) {
      return task;
    }
  }
  return base::invalid(fmt::format("there is no task '{}'", name),
                       "use binary, multiclass or regression");
}

std::span<const MetricInfo> metrics_of(Task task) {
  switch (task) {
    case Task::kBinary:
      return kBinary;
    case Task::kMulticlass:
      return kMulticlass;
    case Task::kRegression:
      return kRegression;
  }
  return {};
}

absl::StatusOr<MetricInfo> find_metric(std::string_view name, Task task) {
  std::vector<std::string_view> names;
  for (const MetricInfo& info : metrics_of(task)) {
    if (info.name == name) {
      return info;
    }
    names.push_back(info.name);
  }
  return base::invalid(fmt::format("there is no metric '{}' for {}", name, task_name(task)),
                       fmt::format("use one of {}", fmt::join(names, ", ")));
}

absl::StatusOr<double> evaluate(std::string_view metric, const Scored& rows) {
  TRY(const MetricInfo info, find_metric(metric, rows.task));
  TRY(check_rows(rows));
  if (info.name == "calibration_error") {
    return calibration_error(bins_of(confidences_of(rows), rows.weights, 15), 0.95).value;
  }
  return measure(metric, rows, nullptr);
}

absl::StatusOr<Estimate> estimate(std::string_view metric, const Scored& rows, double confidence) {
  TRY(const MetricInfo info, find_metric(metric, rows.task));
  TRY(check_rows(rows));
  TRY(check_confidence(confidence));
  return estimate_checked(info, rows, confidence);
}

absl::StatusOr<std::vector<NamedEstimate>> estimate_all(const Scored& rows, double confidence) {
  TRY(check_rows(rows));
  TRY(check_confidence(confidence));
  std::vector<NamedEstimate> all;
  for (const MetricInfo& info : metrics_of(rows.task)) {
    const auto one = estimate_checked(info, rows, confidence);
    if (one.ok()) {
      all.push_back({.name = std::string(info.name), .estimate = *one});
    }
  }
  return all;
}

absl::StatusOr<Comparison> compare(std::string_view metric, const Scored& champion,
                                   const Scored& challenger, double confidence) {
  TRY(const MetricInfo info, find_metric(metric, champion.task));
  TRY(check_rows(champion));
  TRY(check_rows(challenger));
  TRY(check_confidence(confidence));
  if (info.name == "calibration_error") {
    return base::invalid("calibration_error cannot be compared row by row",
                         "compare log_loss or brier, which judge calibration too");
  }
  if (champion.task != challenger.task || !std::ranges::equal(champion.labels, challenger.labels) ||
      !std::ranges::equal(champion.weights, challenger.weights)) {
    return base::invalid("the two models were not scored on the same rows",
                         "score both on one dataset version in the same order");
  }
  TRY(check_enough_to_compare(info, champion));
  std::vector<double> first;
  std::vector<double> second;
  TRY(const double champion_value, measure(metric, champion, &first));
  TRY(const double challenger_value, measure(metric, challenger, &second));
  Comparison result =
      compare_influences(champion_value, challenger_value, first, second, confidence);
  result.p_value = p_value(info.greater_is_better ? result.difference : -result.difference,
                           result.standard_error);
  return result;
}

absl::StatusOr<Comparison> compare_losses(std::span<const double> champion,
                                          std::span<const double> challenger,
                                          std::span<const double> weights, double confidence) {
  // A loss is a label-free prediction: the same checks hold.
  const Scored first{
      .task = Task::kRegression, .labels = champion, .predictions = champion, .weights = weights};
  const Scored second{
      .task = Task::kRegression, .labels = champion, .predictions = challenger, .weights = weights};
  TRY(check_rows(first));
  TRY(check_rows(second));
  TRY(check_confidence(confidence));
  TRY(check_enough_to_compare(kRegression.front(), first));
  std::vector<double> champion_influence;
  std::vector<double> challenger_influence;
  const double champion_mean = mean(champion, weights, &champion_influence);
  const double challenger_mean = mean(challenger, weights, &challenger_influence);
  Comparison result = compare_influences(champion_mean, challenger_mean, champion_influence,
                                         challenger_influence, confidence);
  result.p_value = p_value(-result.difference, result.standard_error);
  return result;
}

}  // namespace cromford::metric
