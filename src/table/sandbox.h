#pragma once

// Where users' SQL runs: a data engine of its own, locked, in which there is nothing but the table
// `input`. Two walls stand one behind the other. First the text is parsed and its tree is
// searched: one SELECT, no table but `input` and the names that its own WITH clauses make, no table
// function but those that make numbers and unnest lists, no function that tells of the machine.
// Then the engine itself refuses files, network, extensions and settings: it may read exactly the
// files of `input`, and its configuration cannot be changed any more.
//
//   TRY(table::check_query("select origin, delay >= 15 as late from input"));
//   TRY(const table::Table result,
//       table::run_query({.input = flights, .sql = sql, .engine = limits}));
//
// Errors: INVALID_ARGUMENT with the reason and what is allowed (also when the query fails on the
// data); RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, CANCELLED.
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "table/engine.h"
#include "table/scan.h"
#include "table/table.h"

namespace cromford::table {

struct SandboxQuery {
  StoredTable input;
  std::string sql;
  EngineOptions engine;  // limits of the locked engine
  base::CancelToken cancel;
};

// Whether `sql` is one SELECT over `input` that uses allowed things only. It need not run: columns
// are not looked up.
absl::Status check_query(std::string_view sql);
// The same of a condition (`--where`).
absl::Status check_condition(std::string_view condition);

// The columns that the query gives, without running it.
absl::StatusOr<Schema> describe_query(const SandboxQuery& query);

// Runs the query and gives its rows. At most `row_limit` rows are read; negative: all.
absl::StatusOr<Table> run_query(const SandboxQuery& query, int64_t row_limit = -1);

// Runs the query and writes its rows, mapped to the six column types, as one Parquet file, which is
// complete when this returns and absent after an error. A query that gives no rows writes a file
// without rows.
struct WrittenQuery {
  Schema schema;
  int64_t row_count = 0;
  uint64_t size_bytes = 0;
};
absl::StatusOr<WrittenQuery> run_query_to_file(const SandboxQuery& query,
                                               const std::filesystem::path& output);

// `name` as it must stand in SQL: in double quotes, with those in it doubled.
std::string quote_name(std::string_view name);
// `text` as a literal of SQL: in single quotes, with those in it doubled.
std::string quote_text(std::string_view text);

}  // namespace cromford::table
