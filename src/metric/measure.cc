// The measures that are means or ratios over rows, and the choice by name.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/status.h"
#include "metric/check.h"
#include "metric/influence.h"

namespace cromford::metric {
namespace {

constexpr double kSmallestProbability = 1e-15;

double log_loss_of(const Scored& rows, size_t i) {
  double p = rows.predictions[i];
  if (rows.task == Task::kMulticlass) {
    p = rows.predictions[i * rows.class_count + static_cast<size_t>(rows.labels[i])];
  } else if (rows.labels[i] == 0) {
    p = 1 - p;
  }
  return -std::log(std::clamp(p, kSmallestProbability, 1.0));
}

double brier_of(const Scored& rows, size_t i) {
  if (rows.task == Task::kBinary) {
    const double gap = rows.predictions[i] - rows.labels[i];
    return gap * gap;
  }
  double sum = 0;
  for (size_t k = 0; k < rows.class_count; ++k) {
    const double truth = static_cast<double>(k) == rows.labels[i] ? 1 : 0;
    const double gap = rows.predictions[i * rows.class_count + k] - truth;
    sum += gap * gap;
  }
  return sum;
}

bool is_right(const Scored& rows, size_t i) {
  return static_cast<double>(decided_class(rows, i)) == rows.labels[i];
}

double relative_error_of(const Scored& rows, size_t i) {
  return rows.labels[i] == 0 ? std::numeric_limits<double>::quiet_NaN()
                             : std::abs((rows.predictions[i] - rows.labels[i]) / rows.labels[i]);
}

double squared_error_of(const Scored& rows, size_t i) {
  const double gap = rows.predictions[i] - rows.labels[i];
  return gap * gap;
}

std::vector<double> per_row(const Scored& rows,
                            const std::function<double(const Scored&, size_t)>& loss) {
  std::vector<double> losses(rows.labels.size());
  for (size_t i = 0; i < losses.size(); ++i) {
    losses[i] = loss(rows, i);
  }
  return losses;
}

absl::StatusOr<double> mape(const Scored& rows, std::vector<double>* influence) {
  const std::vector<double> losses = per_row(rows, relative_error_of);
  double weight = 0;
  for (size_t i = 0; i < losses.size(); ++i) {
    weight += std::isnan(losses[i]) ? 0 : weight_of(rows, i);
  }
  if (weight <= 0) {
    return base::invalid("mape needs rows whose label is not 0", "use mae for this target");
  }
  return mean(losses, rows.weights, influence);
}

double rmse(const Scored& rows, std::vector<double>* influence) {
  const double value = std::sqrt(mean(per_row(rows, squared_error_of), rows.weights, influence));
  if (influence != nullptr && value > 0) {
    for (double& each : *influence) {
      each /= 2 * value;
    }
  }
  return value;
}

absl::StatusOr<double> r2(const Scored& rows, std::vector<double>* influence) {
  const double centre = mean(rows.labels, rows.weights, nullptr);
  double spread = 0;
  double error = 0;
  for (size_t i = 0; i < rows.labels.size(); ++i) {
    const double deviation = rows.labels[i] - centre;
    spread += weight_of(rows, i) * deviation * deviation;
    error += weight_of(rows, i) * squared_error_of(rows, i);
  }
  if (spread <= 0) {
    return base::invalid("r2 needs labels that differ", "use rmse for these rows");
  }
  const double unexplained = error / spread;
  for (size_t i = 0; influence != nullptr && i < rows.labels.size(); ++i) {
    const double deviation = rows.labels[i] - centre;
    (*influence)[i] = weight_of(rows, i) / spread *
                      (unexplained * deviation * deviation - squared_error_of(rows, i));
  }
  return 1 - unexplained;
}

double balanced_accuracy(const Scored& rows, std::vector<double>* influence) {
  const size_t classes = rows.task == Task::kBinary ? 2 : rows.class_count;
  std::vector<double> weight(classes, 0.0);
  std::vector<double> right(classes, 0.0);
  for (size_t i = 0; i < rows.labels.size(); ++i) {
    const auto k = static_cast<size_t>(rows.labels[i]);
    weight[k] += weight_of(rows, i);
    right[k] += is_right(rows, i) ? weight_of(rows, i) : 0;
  }
  double sum = 0;
  double occurring = 0;
  for (size_t k = 0; k < classes; ++k) {
    sum += weight[k] > 0 ? right[k] / weight[k] : 0;
    occurring += weight[k] > 0 ? 1 : 0;
  }
  for (size_t i = 0; influence != nullptr && i < rows.labels.size(); ++i) {
    const auto k = static_cast<size_t>(rows.labels[i]);
    if (weight[k] > 0) {
      const double recall = right[k] / weight[k];
      (*influence)[i] =
          weight_of(rows, i) / weight[k] / occurring * ((is_right(rows, i) ? 1 : 0) - recall);
    }
  }
  return sum / occurring;
}

// F1 of one class, 2 TP / (called + true); 0 when it is neither called nor true.
double f1_of_class(const Scored& rows, size_t k, double scale, std::vector<double>* influence) {
  const auto twice_hit = [&rows, k](size_t i) {
    return decided_class(rows, i) == k && rows.labels[i] == static_cast<double>(k) ? 2.0 : 0.0;
  };
  const auto called_or_true = [&rows, k](size_t i) {
    return (decided_class(rows, i) == k ? 1.0 : 0.0) +
           (rows.labels[i] == static_cast<double>(k) ? 1.0 : 0.0);
  };
  double hits = 0;
  double all = 0;
  for (size_t i = 0; i < rows.labels.size(); ++i) {
    hits += weight_of(rows, i) * twice_hit(i);
    all += weight_of(rows, i) * called_or_true(i);
  }
  const double value = all > 0 ? hits / all : 0;
  for (size_t i = 0; influence != nullptr && all > 0 && i < rows.labels.size(); ++i) {
    (*influence)[i] +=
        scale * weight_of(rows, i) / all * (twice_hit(i) - value * called_or_true(i));
  }
  return value;
}

std::vector<size_t> occurring_classes(const Scored& rows) {
  std::vector<bool> seen(rows.class_count, false);
  for (size_t i = 0; i < rows.labels.size(); ++i) {
    if (weight_of(rows, i) > 0) {
      seen[static_cast<size_t>(rows.labels[i])] = true;
    }
  }
  std::vector<size_t> classes;
  for (size_t k = 0; k < seen.size(); ++k) {
    if (seen[k]) {
      classes.push_back(k);
    }
  }
  return classes;
}

// The mean over the occurring classes of a measure of one class against the rest.
absl::StatusOr<double> macro(std::string_view metric, const Scored& rows,
                             std::vector<double>* influence) {
  const std::vector<size_t> classes = occurring_classes(rows);
  const double scale = 1.0 / static_cast<double>(classes.size());
  double sum = 0;
  for (const size_t k : classes) {
    if (metric == "f1") {
      sum += f1_of_class(rows, k, scale, influence);
      continue;
    }
    const OneClass one{.labels = rows.labels,
                       .positive = static_cast<double>(k),
                       .predictions = rows.predictions,
                       .stride = rows.class_count,
                       .offset = k,
                       .weights = rows.weights};
    TRY(const double value,
        metric == "auc" ? auc(one, scale, influence) : average_precision(one, scale, influence));
    sum += value;
  }
  return sum * scale;
}

absl::StatusOr<double> by_class(std::string_view metric, const Scored& rows,
                                std::vector<double>* influence) {
  if (rows.task == Task::kMulticlass) {
    return macro(metric, rows, influence);
  }
  if (metric == "f1") {
    return f1_of_class(rows, 1, 1.0, influence);
  }
  const OneClass one{
      .labels = rows.labels, .predictions = rows.predictions, .weights = rows.weights};
  return metric == "auc" ? auc(one, 1.0, influence) : average_precision(one, 1.0, influence);
}

}  // namespace

absl::StatusOr<double> measure(std::string_view metric, const Scored& rows,
                               std::vector<double>* influence) {
  if (influence != nullptr) {
    influence->assign(rows.labels.size(), 0.0);
  }
  if (metric == "auc" || metric == "average_precision" || metric == "f1") {
    return by_class(metric, rows, influence);
  }
  if (metric == "balanced_accuracy") {
    return balanced_accuracy(rows, influence);
  }
  if (metric == "rmse") {
    return rmse(rows, influence);
  }
  if (metric == "r2") {
    return r2(rows, influence);
  }
  if (metric == "mape") {
    return mape(rows, influence);
  }
  if (metric == "accuracy") {
    return mean(per_row(rows, is_right), rows.weights, influence);
  }
  TRY(const std::vector<double> losses, row_losses(metric, rows));
  return mean(losses, rows.weights, influence);
}

absl::StatusOr<std::vector<double>> row_losses(std::string_view metric, const Scored& rows) {
  TRY(check_rows(rows));
  TRY(find_metric(metric, rows.task));
  if (metric == "log_loss") {
    return per_row(rows, log_loss_of);
  }
  if (metric == "brier") {
    return per_row(rows, brier_of);
  }
  if (metric == "accuracy") {
    return per_row(rows, [](const Scored& all, size_t i) { return is_right(all, i) ? 0.0 : 1.0; });
  }
  if (metric == "mae") {
    return per_row(rows, [](const Scored& all, size_t i) {
      return std::abs(all.predictions[i] - all.labels[i]);
    });
  }
  if (metric == "rmse") {
    return per_row(rows, squared_error_of);
  }
  if (metric == "mape") {
    return per_row(rows, relative_error_of);
  }
  return base::invalid(fmt::format("{} is not a mean over rows", metric),
                       "use log_loss, brier, accuracy, mae, rmse or mape");
}

}  // namespace cromford::metric
