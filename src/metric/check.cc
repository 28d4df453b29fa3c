#include "metric/check.h"

#include <fmt/format.h>

#include <cmath>

#include "base/status.h"

namespace cromford::metric {
namespace {

absl::Status check_sizes(const Scored& rows) {
  const size_t n = rows.labels.size();
  if (n == 0) {
    return base::invalid("there are no rows to measure",
                         "select at least one row with a known outcome");
  }
  if (rows.task == Task::kMulticlass && rows.class_count < 2) {
    return base::invalid(fmt::format("{} classes are too few to measure", rows.class_count));
  }
  const size_t per_row = rows.task == Task::kMulticlass ? rows.class_count : 1;
  if (rows.predictions.size() != n * per_row) {
    return base::invalid(fmt::format("{} labels need {} predictions, not {}", n, n * per_row,
                                     rows.predictions.size()));
  }
  if (!rows.weights.empty() && rows.weights.size() != n) {
    return base::invalid(
        fmt::format("{} labels need {} weights, not {}", n, n, rows.weights.size()));
  }
  return absl::OkStatus();
}

absl::Status check_weights(const Scored& rows) {
  double total = 0;
  for (size_t i = 0; i < rows.weights.size(); ++i) {
    const double weight = rows.weights[i];
    if (!std::isfinite(weight) || weight < 0) {
      return base::invalid(fmt::format("the weight {} of row {} is not allowed", weight, i),
                           "weights are finite and not negative");
    }
    total += weight;
  }
  if (!rows.weights.empty() && total <= 0) {
    return base::invalid("all weights are zero", "give at least one row a weight");
  }
  return absl::OkStatus();
}

absl::Status check_labels(const Scored& rows) {
  const size_t classes = rows.task == Task::kBinary ? 2 : rows.class_count;
  for (size_t i = 0; i < rows.labels.size(); ++i) {
    const double label = rows.labels[i];
    if (!std::isfinite(label)) {
      return base::invalid(fmt::format("the label of row {} is not a finite number", i));
    }
    if (rows.task == Task::kRegression) {
      continue;
    }
    if (label < 0 || label >= static_cast<double>(classes) || label != std::floor(label)) {
      return base::invalid(
          fmt::format("the label {} of row {} is none of the {} classes", label, i, classes));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status check_rows(const Scored& rows) {
  TRY(check_sizes(rows));
  TRY(check_weights(rows));
  TRY(check_labels(rows));
  const bool probabilities = rows.task != Task::kRegression;
  for (size_t i = 0; i < rows.predictions.size(); ++i) {
    const double p = rows.predictions[i];
    if (!std::isfinite(p) || (probabilities && (p < 0 || p > 1))) {
      return base::invalid(fmt::format("the prediction {} of row {} is not a {}", p,
                                       i / (rows.predictions.size() / rows.labels.size()),
                                       probabilities ? "probability" : "finite number"));
    }
  }
  return absl::OkStatus();
}

}  // namespace cromford::metric
