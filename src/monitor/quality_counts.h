#pragma once

// How good the answers of one version were, as counts and sums over rows of one hour: what was
// answered, what is known of it by now, and what the answers themselves lead to expect. Counts add
// up over hours, and a row can be taken back when its outcome is corrected.
//
//   QualityCounts hour = quality_counts(metric::Task::kBinary, 2);
//   hour.add_answer({.answer = {{0.69, 0.31}}, .label = 0});
//   hour.add_truth(answer, {.label = 1});
//   for (const Measure& m : measures(hour)) { m.name; m.measured->lower; m.expected->value; }
//
// Expected quality without outcomes: if a version's probabilities are right, a row with p for the
// answered class is right with p, so accuracy, log loss, Brier score and AUC follow from the scores
// alone (CBPE; Kivimaki et al., arXiv 2407.08649, has the variance of the sum). Of a regression the
// 90% interval says how far off an answer is likely to be, as of a normal distribution; what it
// says too much or too little is taken from rows whose outcomes are known. All of it fails where
// the relation itself has changed: then it is the gap to the measured quality that says so.
//
// Thread safety: values and pure functions.

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "metric/metric.h"

namespace cromford::monitor {

// What a version said of a row: a probability for each class and which one it answered; of a
// regression the value, or the value with its lower and upper bound.
struct Answered {
  std::span<const double> answer;
  int32_t label = -1;
};
// What really happened: a class, or a number.
struct Truth {
  int32_t label = -1;
  double number = 0;
};

// Of a loss over rows with outcomes, and as expected over all rows.
struct LossSums {
  double sum = 0;
  double squares = 0;
  double expected = 0;
  double expected_variance = 0;
  double expected_of_known = 0;  // Of the rows with outcomes only.
};

struct QualityCounts {
  metric::Task task = metric::Task::kBinary;
  size_t classes = 0;  // 0 of a regression.
  double answered = 0;
  double known = 0;  // Of them, rows with an outcome.
  // Binary, by metric::score_bucket of the positive class.
  std::vector<double> scores = {};
  std::vector<double> positives = {};
  std::vector<double> negatives = {};
  std::vector<double> confusion = {};  // [truth][answered], of the rows with outcomes.
  LossSums right = {};                 // Whether the answered class was the true one.
  LossSums first = {};                 // Log loss; absolute error.
  LossSums second = {};                // Brier score; squared error.
  double target_sum = 0;               // Regression: of what happened.
  double target_squares = 0;
  std::map<int, double> errors = {};  // Absolute errors, by eighths of powers of two.

  // `sign` -1 takes a row back that was added before.
  void add_answer(const Answered& row, double sign = 1);
  void add_truth(const Answered& row, const Truth& truth, double sign = 1);
  // INVALID_ARGUMENT where it is of another task.
  absl::Status merge(const QualityCounts& other);
};
QualityCounts quality_counts(metric::Task task, size_t classes);

base::Json to_json(const QualityCounts& counts);
// DATA_LOSS for what is none.
absl::StatusOr<QualityCounts> quality_counts_from(const base::Json& json);

// The loss of a row between 0 and 1, by which changes are noticed (loss_change.h): the Brier score;
// of a regression the absolute error against four times `scale`, what it usually is.
double bounded_loss(const Answered& row, const Truth& truth, metric::Task task, double scale);

struct Measure {
  std::string name;  // As in metric.h.
  std::optional<metric::Estimate> measured;
  std::optional<metric::Estimate> expected;  // For all answered rows.
};
// `error_scale`: how much larger errors were than the intervals of a regression say (see
// error_scale_of); 1 where nothing is known.
std::vector<Measure> measures(const QualityCounts& counts, double error_scale = 1);
// Measured against expected error over what is known; 1 below 200 rows.
double error_scale_of(const QualityCounts& counts);
// A quantile of the absolute errors of a regression, within 5%; nothing without rows.
std::optional<double> error_quantile(const QualityCounts& counts, double q);

}  // namespace cromford::monitor
