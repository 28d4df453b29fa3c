#pragma once

// Runs checks over new rows: one pass of SQL counts the failing rows of all rules; only where rows
// must be set aside does a second one write what stays and what goes to quarantine. It runs in the
// locked engine (table/sandbox.h), because rules may contain users' SQL.
//
//   CheckRun run{.input = staged, .work = directory, .engine = limits, .cancel = token};
//   TRY(const CheckOutcome outcome, run_checks(checks, run));
//   if (outcome.quarantined_count > 0) { use(outcome.rows, *outcome.quarantine_path); }
//
// Thread safety: functions only; one run per work directory at a time.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "ingest/check.h"
#include "table/engine.h"
#include "table/scan.h"

namespace cromford::ingest {

struct CheckRun {
  table::StoredTable input;
  // What the new rows are appended to; only rules that look back (unique) read it.
  std::optional<table::StoredTable> earlier;
  std::filesystem::path work;  // Must exist; checked.parquet and check_quarantine.parquet go there.
  table::EngineOptions engine;
  base::CancelToken cancel;
};

struct CheckOutcome {
  CheckVerdict verdict;
  table::StoredTable rows;  // `input` itself where no row was set aside.
  int64_t row_count = 0;    // Of `rows`.
  int64_t quarantined_count = 0;
  // The rows that were set aside, in the shape of an import's quarantine (table/import.h: line,
  // source, text, reason): the line is 0, the text is the row as JSON, the reason names each rule.
  std::optional<std::filesystem::path> quarantine_path;
};

// Errors: those of `plan_checks`, `judge_checks` and of table/sandbox.h. After an error nothing is
// left in `work`.
absl::StatusOr<CheckOutcome> run_checks(const CheckList& checks, const CheckRun& run);

}  // namespace cromford::ingest
