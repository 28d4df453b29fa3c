#pragma once

// What is to be learned: the target with its task and classes, the usable rows, the input columns
// with their roles, and what was left out and why. Found once from the table; everything else in
// this folder works on it.
//
//   TRY(Problem problem, understand(table, settings));
//   problem.task, problem.classes, problem.labels[i];      // i: a usable row, at table row rows[i]
//
// Thread safety: a value.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "learn/train.h"
#include "metric/metric.h"
#include "model/contract.h"
#include "table/table.h"

namespace cromford::learn {

// How a column is turned into features.
enum class Role { kNumber, kBoolean, kTime, kCategory, kText };

struct Field {
  size_t column = 0;  // In the table.
  Role role = Role::kNumber;
};

// Something a person should know; `column` may be empty.
struct Warning {
  std::string code;
  std::string column;
  std::string text;
};

struct Ignored {
  std::string column;
  std::string reason;
};

struct Problem {
  metric::Task task = metric::Task::kBinary;
  bool task_found = true;  // False where the settings gave it.
  metric::MetricInfo metric{};
  std::string target;
  std::vector<std::string> classes;  // Binary: negative, positive. Regression: none.

  std::vector<uint32_t> rows;   // Table rows whose target is known, in file order.
  std::vector<double> labels;   // One for each of `rows`.
  std::vector<double> weights;  // The same, or empty.

  std::vector<Field> fields;  // The inputs, in the order of `contract`.
  model::Contract contract;
  std::optional<size_t> time_column;
  bool time_found = false;  // Not named by the user.
  std::optional<size_t> group_column;

  std::vector<Ignored> ignored;
  std::vector<Warning> warnings;

  size_t row_count() const { return rows.size(); }
  // Margins per row: the number of classes for multiclass, else 1.
  size_t output_count() const { return task == metric::Task::kMulticlass ? classes.size() : 1; }
  void warn(std::string code, std::string column, std::string text) {
    warnings.push_back({std::move(code), std::move(column), std::move(text)});
  }
};

// Errors as train().
absl::StatusOr<Problem> understand(const table::Table& table, const TrainSettings& settings);

// Fills fields, contract, ignored and the warnings about columns (fields.cc); part of understand().
absl::Status choose_fields(const table::Table& table, const TrainSettings& settings,
                           Problem& problem);

// NOT_FOUND-like INVALID_ARGUMENT with the nearest name where the table has no such column.
absl::StatusOr<size_t> column_index(const table::Table& table, const std::string& name,
                                    const std::string& what);

// The value of a cell as a number: booleans 0 or 1, dates and timestamps in seconds; NaN where it
// is missing. Text: its dictionary code.
double cell_number(const table::Column& column, uint32_t row);

// Keeps the usable rows at these positions only (ascending).
void keep_rows(const std::vector<uint32_t>& positions, Problem& problem);

}  // namespace cromford::learn
