#pragma once

// Writing the result of a SELECT as a zstd Parquet file of our column types, whole or not at all.
// For the sources of this folder.
//
//   TRY(const MappedSelect mapped, map_select(connection, "SELECT * FROM rows_0()"));
//   TRY(const int64_t rows, write_parquet(connection, {.select = mapped.sql, ...}, cancel));
//
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/cancel.h"
#include "table/duck.h"
#include "table/table.h"

namespace cromford::table {

// A SELECT whose columns have exactly our types and tidy, unique names.
struct MappedSelect {
  std::string sql;
  Schema schema;
  std::string expressions;  // what `sql` selects, over
  std::string aliases;      // the columns of the given SELECT under these names
};
absl::StatusOr<MappedSelect> map_select(duck::Connection& connection, const std::string& select,
                                        duck::Origin origin);

struct ParquetWrite {
  std::string select;
  Schema schema;  // of the select; decides how many rows are held in memory at a time
  std::filesystem::path output;
  uint64_t memory_limit_bytes = 1ULL << 30;
  // How many rows the groups have that the select reads, where that is known and always the same:
  // groups of that size, if it is a usual one, are written as they come, without being cut anew.
  int64_t source_group_rows = 0;
  duck::Origin origin = duck::Origin::kOwn;
  bool compact = true;  // zstd; else quick to write, for files that are read once
};

// How many rows the writer puts into a row group, which is what threads share among them.
int64_t row_group_rows(const Schema& schema, uint64_t memory_limit_bytes,
                       int64_t source_group_rows = 0);

// Returns the number of rows. Writes `temporary_name(output)` first; after an error neither exists.
absl::StatusOr<int64_t> write_parquet(duck::Connection& connection, const ParquetWrite& write,
                                      const base::CancelToken& cancel);

// OUTPUT.tmp.
std::filesystem::path temporary_name(const std::filesystem::path& output);

}  // namespace cromford::table
