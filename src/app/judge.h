#pragma once

// A model's predictions against what really happened: the one way from rows of a table to figures,
// shared by evaluation and by the comparison of a new model with the champion. A model is judged as
// it answers: by its own threshold, and by the weights that it was trained with.
//
//   TRY(const std::vector<double> labels, read_labels(*rows.find("late"), *package));
//   TRY(const std::vector<double> predictions, predict_rows(inputs, *package, cancel, {}));
//   const Judged judged = judge(labels, predictions, read_weights(rows, *package), width);
//   metric::estimate_all(scored_of(*package, judged));
//
// Thread safety: pure functions.

#include <cstdint>
#include <functional>
#include <vector>

#include "base/cancel.h"
#include "base/json.h"
#include "base/status.h"
#include "learn/rows.h"
#include "metric/metric.h"
#include "model/package.h"
#include "table/table.h"

namespace cromford::app {

metric::Task metric_task(model::Task task);

// Truth and prediction of the rows that have both.
struct Judged {
  std::vector<double> labels;
  std::vector<double> predictions;
  std::vector<double> weights;  // Empty: all rows weigh the same.
  size_t left_out =
      0;  // Rows whose truth or weight is missing, or of a class unknown to the model.
};

// The label of each row as metric::Scored wants it; NaN where the row cannot be judged.
absl::StatusOr<std::vector<double>> read_labels(const table::Column& column,
                                                const model::Package& package);

// The column of weights that the model was trained with; "" where there was none.
std::string weight_column_of(const model::Package& package);

// The weight of each row; NaN where it is missing or negative. Empty where the model was trained
// without weights, or the rows have none.
std::vector<double> read_weights(const table::Table& rows, const model::Package& package);

// Predictions that belong to one row: the classes of multiclass, else 1.
size_t prediction_width(const model::Package& package);

// As metric::Scored::predictions: [rows], or [rows][classes] for multiclass. `progress` may be
// empty.
absl::StatusOr<std::vector<double>> predict_rows(const learn::ModelRows& rows,
                                                 const model::Package& package,
                                                 const base::CancelToken& cancel,
                                                 const std::function<void(double)>& progress);

// `width` predictions belong to each label; `weights` is empty or has one for each.
Judged judge(const std::vector<double>& labels, const std::vector<double>& predictions,
             const std::vector<double>& weights, size_t width);

// Borrows from `judged`.
metric::Scored scored_of(const model::Package& package, const Judged& judged);

// By the name of the measure: {"value", "lower", "upper"}.
base::Json estimates_json(const std::vector<metric::NamedEstimate>& estimates);

// Both models on the same rows: {"metrics": {name: {champion, challenger, difference,
// standard_error, p_value}}, "unknown": {name: why}, "row_count"}. FAILED_PRECONDITION where there
// are none, or not the same.
absl::StatusOr<base::Json> compare_judged(const model::Package& champion, const Judged& before,
                                          const model::Package& challenger, const Judged& after);

// Both models on those of the `tested` rows of the table (the challenger's test part) that the
// champion cannot have learned from either: as compare_judged(), and "test_rows".
// FAILED_PRECONDITION where their classes differ, or no such row can be found.
absl::StatusOr<base::Json> compare_packages(const table::Table& rows,
                                            const std::vector<uint32_t>& tested,
                                            const model::Package& champion,
                                            const model::Package& challenger,
                                            const base::CancelToken& cancel);

}  // namespace cromford::app
