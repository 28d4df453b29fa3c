#pragma once

// A model's predictions against what really happened: the one way from rows of a table to figures,
// shared by evaluation and by the comparison of a new model with the champion.
//
//   TRY(const std::vector<double> labels, read_labels(*rows.find("late"), *package));
//   TRY(const std::vector<double> predictions, predict_rows(rows, *package, cancel, {}));
//   const Judged judged = judge(labels, predictions, 1);
//
// Thread safety: pure functions.

#include <cstdint>
#include <functional>
#include <vector>

#include "base/cancel.h"
#include "base/json.h"
#include "base/status.h"
#include "metric/metric.h"
#include "model/package.h"
#include "table/table.h"

namespace cromford::app {

metric::Task metric_task(model::Task task);

// Truth and prediction of the rows that have both.
struct Judged {
  std::vector<double> labels;
  std::vector<double> predictions;
  size_t left_out = 0;  // Rows whose truth is missing or a class that the model does not know.
};

// The label of each row as metric::Scored wants it; NaN where the row cannot be judged.
absl::StatusOr<std::vector<double>> read_labels(const table::Column& column,
                                                const model::Package& package);

// As metric::Scored::predictions: [rows], or [rows][classes] for multiclass. `progress` may be
// empty.
absl::StatusOr<std::vector<double>> predict_rows(const table::Table& rows,
                                                 const model::Package& package,
                                                 const base::CancelToken& cancel,
                                                 const std::function<void(double)>& progress);

// `width` predictions belong to each label; only the rows `selected`, where given.
Judged judge(const std::vector<double>& labels, const std::vector<double>& predictions,
             size_t width, const std::vector<uint32_t>* selected = nullptr);

// Both models on the same rows: {"metrics": {name: {champion, challenger, difference,
// standard_error, p_value}}, "row_count"}. FAILED_PRECONDITION where their classes differ.
absl::StatusOr<base::Json> compare_packages(const table::Table& rows,
                                            const std::vector<uint32_t>& selected,
                                            const model::Package& champion,
                                            const model::Package& challenger,
                                            const base::CancelToken& cancel);

}  // namespace cromford::app
