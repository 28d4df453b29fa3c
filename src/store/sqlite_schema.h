#pragma once

// The schema of the SQLite database and the way from every released one to the newest. A migration
// that was released is never changed: a new one is added at the end, with a golden file of the
// schema before it in testdata/.
//
//   TRY(sqlite::migrate(connection, sqlite::migrations(), clock.now()));
//
// Thread safety: as the connection.

#include <absl/status/status.h>

#include <span>
#include <string_view>

#include "base/clock.h"
#include "store/sqlite_connection.h"

namespace cromford::store::sqlite {

struct Migration {
  int version;                // 1, 2, 3, ... without gaps.
  std::string_view describe;  // What it brings, kept in the database.
  std::string_view sql;
};

std::span<const Migration> migrations();

// Brings the database to the newest of `steps`, each step in one transaction with its entry in the
// table schema_version; an empty file becomes a database of ours. FAILED_PRECONDITION where the
// file has a newer schema than any step, or is the database of another program.
absl::Status migrate(Connection& connection, std::span<const Migration> steps, base::Time now);

}  // namespace cromford::store::sqlite
