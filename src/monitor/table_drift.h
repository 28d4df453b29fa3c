#pragma once

// What moved between two stored tables, column by column, without a model: for people who have two
// files and want to know.
//
//   TRY(const auto columns, table_drift(engine, january, february));
//   columns[0].name; columns[0].drift.effect; columns[0].moved;      // the largest effect first
//
// Bins come from a sample of the reference (quantiles of numbers, the most frequent texts); then
// both tables are counted in one pass each, several blocks at a time, so memory does not grow with
// them.
//
// Thread safety: pure functions.

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "base/cancel.h"
#include "metric/drift.h"
#include "table/engine.h"
#include "table/scan.h"

namespace cromford::monitor {

struct TableDriftOptions {
  size_t sample_rows = 50'000;  // Of the reference, evenly spread over it.
  size_t bins = 32;             // Of numbers, and the most frequent texts.
  double q = 0.05;              // The expected share of false alarms among the alarms, at most.
  metric::DriftSettings test = {};
  base::CancelToken cancel = {};
};

struct ColumnDrift {
  std::string name;
  metric::Drift drift;
  double q_value = 1;         // Corrected for the number of columns.
  bool moved = false;         // q_value is at most q.
  double missing_before = 0;  // Shares of the rows.
  double missing = 0;
};

// Of the columns that both tables have, with one type. INVALID_ARGUMENT where there is none, or a
// table has no rows; errors of table/scan.h.
absl::StatusOr<std::vector<ColumnDrift>> table_drift(table::Engine& engine,
                                                     const table::StoredTable& reference,
                                                     const table::StoredTable& current,
                                                     const TableDriftOptions& options = {});

}  // namespace cromford::monitor
