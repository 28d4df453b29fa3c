#include "metric/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "base/status.h"
#include "metric/bins.h"
#include "metric/check.h"
#include "metric/influence.h"
#include "metric/normal.h"

namespace cromford::metric {
namespace {

// The threshold rows of all distinct predictions, from the highest to the lowest.
class Sweep {
 public:
  explicit Sweep(const Scored& rows) : rows_(rows), order_(rows.labels.size()) {
    std::iota(order_.begin(), order_.end(), 0U);
    std::sort(order_.begin(), order_.end(), [&rows](uint32_t a, uint32_t b) {
      const double x = rows.predictions[a];
      const double y = rows.predictions[b];
      return x != y ? x > y : a < b;
    });
    for (size_t i = 0; i < order_.size(); ++i) {
      (rows.labels[i] == 1 ? positive_ : negative_) += weight_of(rows, i);
    }
  }

  // Moves on to the next lower distinct prediction; false at the end.
  bool next() {
    if (at_ == order_.size()) {
      return false;
    }
    row_.threshold = rows_.predictions[order_[at_]];
    while (at_ < order_.size() && rows_.predictions[order_[at_]] == row_.threshold) {
      const uint32_t i = order_[at_++];
      (rows_.labels[i] == 1 ? row_.true_positives : row_.false_positives) += weight_of(rows_, i);
    }
    return true;
  }

  // Rows at or above the present threshold.
  size_t row_count() const { return at_; }

  ThresholdRow row() const {
    ThresholdRow result = row_;
    result.false_negatives = std::max(0.0, positive_ - row_.true_positives);
    result.true_negatives = std::max(0.0, negative_ - row_.false_positives);
    const double called = row_.true_positives + row_.false_positives;
    result.precision = called > 0 ? row_.true_positives / called : 1;
    result.recall = positive_ > 0 ? row_.true_positives / positive_ : 0;
    result.false_positive_rate = negative_ > 0 ? row_.false_positives / negative_ : 0;
    result.f1 = called + positive_ > 0 ? 2 * row_.true_positives / (called + positive_) : 0;
    return result;
  }

 private:
  const Scored& rows_;
  std::vector<uint32_t> order_;
  size_t at_ = 0;
  double positive_ = 0;
  double negative_ = 0;
  ThresholdRow row_;
};

absl::Status check_binary(const Scored& rows) {
  TRY(check_rows(rows));
  if (rows.task != Task::kBinary) {
    return base::invalid(
        fmt::format("thresholds are for binary tasks, not {}", task_name(rows.task)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<ReliabilityBin>> reliability_table(const Scored& rows, size_t bins) {
  TRY(check_rows(rows));
  if (rows.task == Task::kRegression || bins == 0) {
    return base::invalid("a reliability table needs probabilities and at least one bin",
                         "ask for it on a binary or multiclass task");
  }
  std::vector<ReliabilityBin> table;
  for (const Bin& bin : bins_of(confidences_of(rows), rows.weights, bins)) {
    const double effective = bin.weight * bin.weight / bin.squared_weight;
    const Interval interval = wilson(bin.happened, effective, 0.95);
    table.push_back({.lowest = bin.lowest,
                     .highest = bin.highest,
                     .mean_prediction = bin.probability,
                     .observed = bin.happened,
                     .observed_lower = interval.lower,
                     .observed_upper = interval.upper,
                     .weight = bin.weight,
                     .row_count = bin.row_count});
  }
  return table;
}

absl::StatusOr<std::vector<ThresholdRow>> threshold_table(const Scored& rows, size_t steps) {
  TRY(check_binary(rows));
  if (steps < 2) {
    return base::invalid(fmt::format("{} thresholds are too few", steps), "ask for at least 2");
  }
  std::vector<ThresholdRow> table;
  Sweep sweep(rows);
  while (sweep.next()) {
    const double wanted = static_cast<double>(rows.labels.size()) *
                          static_cast<double>(table.size()) / static_cast<double>(steps - 1);
    const bool last = sweep.row_count() == rows.labels.size();
    if (last || static_cast<double>(sweep.row_count()) >= wanted) {
      table.push_back(sweep.row());
    }
  }
  std::reverse(table.begin(), table.end());
  return table;
}

absl::StatusOr<ThresholdRow> best_f1(const Scored& rows) {
  TRY(check_binary(rows));
  Sweep sweep(rows);
  ThresholdRow best;
  best.f1 = -1;
  while (sweep.next()) {
    const ThresholdRow row = sweep.row();
    if (row.f1 >= best.f1) {
      best = row;
    }
  }
  return best;
}

absl::StatusOr<std::vector<std::vector<double>>> confusion(const Scored& rows) {
  TRY(check_rows(rows));
  if (rows.task == Task::kRegression) {
    return base::invalid("a confusion matrix needs classes", "ask for it on a classification task");
  }
  const size_t classes = rows.task == Task::kBinary ? 2 : rows.class_count;
  std::vector<std::vector<double>> counts(classes, std::vector<double>(classes, 0.0));
  for (size_t i = 0; i < rows.labels.size(); ++i) {
    counts[static_cast<size_t>(rows.labels[i])][decided_class(rows, i)] += weight_of(rows, i);
  }
  return counts;
}

}  // namespace cromford::metric
