#pragma once

// How much a run takes on: rows that fit the memory limit and the time budget, before any is spent.
//
//   TRY(SizePlan sizes, plan_sizes(table, settings, budget_s, threads, problem));
//
// Thread safety: pure functions over the problem given.

#include <absl/status/statusor.h>

#include <cstddef>

#include "learn/problem.h"
#include "table/table.h"

namespace cromford::learn {

struct SizePlan {
  size_t fold_rows_max = 50000;        // See SplitOptions.
  size_t search_rows_max = SIZE_MAX;   // See WorkbenchOptions.
  double rate_least = 0;               // See SearchOptions.
  size_t linear_cells_max = 10000000;  // See WorkbenchOptions.
};

// Samples problem.rows, with a warning, where they would not fit the memory limit, or where merely
// preparing them would eat the time. `budget_s` is 0 without a time budget. RESOURCE_EXHAUSTED
// where fewer than 1,000 rows (or all there are) would be left.
absl::StatusOr<SizePlan> plan_sizes(const table::Table& table, const TrainSettings& settings,
                                    double budget_s, size_t threads, Problem& problem);

// RESOURCE_EXHAUSTED: what a run says whose memory ran out on the way.
absl::Status memory_ran_out();

}  // namespace cromford::learn
