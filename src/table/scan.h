#pragma once

// Reading stored tables: the parts of one dataset version, in their order, seen as one table.
//
//   const table::StoredTable flights{manifest.schema, {objects.path_of(part.hash)}};
//   TRY(const table::Table sample,
//       table::read_table(engine, flights, {.columns = {"delay"}, .limit = 100}));
//   TRY(table::for_each_chunk(engine, flights, {}, visitor));
//
// Rows come in the stored order. Parts of an older schema are read as the table's: a column that
// they lack is missing in all their rows.
// Errors of all functions: NOT_FOUND (a part is gone), DATA_LOSS (a part is damaged),
// INVALID_ARGUMENT (an unknown column; a `where` that is not a condition over the columns),
// RESOURCE_EXHAUSTED (over the engine's limits), CANCELLED and DEADLINE_EXCEEDED.
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "table/chunk.h"
#include "table/engine.h"
#include "table/table.h"

namespace cromford::table {

// A table on disk: Parquet parts that this program wrote.
struct StoredTable {
  Schema schema;
  std::vector<std::filesystem::path> parts;
};

struct ReadOptions {
  std::vector<std::string> columns;  // empty: all, in the order of the schema
  // A condition in SQL over the columns, as users write it (`--where`). It is checked like a
  // query of the sandbox and runs in a locked engine of the same limits.
  std::string where;
  int64_t offset = 0;
  int64_t limit = -1;  // negative: all
};

absl::StatusOr<Table> read_table(Engine& engine, const StoredTable& stored,
                                 const ReadOptions& options = {},
                                 const base::CancelToken& cancel = {});

// The number of rows for which `where` holds; all rows when it is empty.
absl::StatusOr<int64_t> count_rows(Engine& engine, const StoredTable& stored,
                                   const std::string& where = {},
                                   const base::CancelToken& cancel = {});

// Visits all chunks in the order of the rows, on the calling thread. `first_row` counts the rows
// that are visited.
absl::Status for_each_chunk(Engine& engine, const StoredTable& stored, const ReadOptions& options,
                            ChunkVisitor& visitor, const base::CancelToken& cancel = {});

// Visits the whole of `stored` in blocks of `kBlockRows` rows (the last one is shorter), several
// blocks at a time on the engine's threads; inside a block the chunks come in the order of the
// rows. Ready blocks are given to `sink` in their order.
absl::Status for_each_block(Engine& engine, const StoredTable& stored,
                            const BlockVisitorFactory& make_visitor, const BlockSink& sink,
                            const base::CancelToken& cancel = {});

// The content hash of a stored table as 64 hexadecimal digits: of its columns' names and types and
// of all values in the order of the rows. It does not depend on how the table is laid out on disk,
// nor on threads or the version of the data engine.
absl::StatusOr<std::string> content_hash_of(Engine& engine, const StoredTable& stored,
                                            const base::CancelToken& cancel = {});

}  // namespace cromford::table
