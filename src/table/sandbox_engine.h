#pragma once

// The second wall of the sandbox: an engine that is locked once the view `input` stands in it. For
// the sources of this folder.
//
//   TRY(auto sandbox, open_sandbox({.engine = limits, .input_sql = select_stored(table), ...}));
//   TRY(sandbox.connection.run(users_query, cancel, duck::Origin::kUser));
//
// Thread safety: as a connection.

#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "table/duck.h"
#include "table/engine.h"
#include "table/scan.h"

namespace cromford::table {

struct SandboxSetup {
  EngineOptions engine;
  std::string input_sql;                     // the SELECT that is the view `input`
  std::vector<std::filesystem::path> files;  // what it reads, and what is written: nothing else
};

struct OpenSandbox {
  std::unique_ptr<Engine> engine;
  duck::Connection connection;
};

absl::StatusOr<OpenSandbox> open_sandbox(const SandboxSetup& setup);

// One user's query, ready to run: checked, and wrapped so that it gives our column types.
struct ReadyQuery {
  OpenSandbox sandbox;
  Schema schema;
  std::string select;
};
// Queries whose result could depend on the order in which threads finish get one thread.
absl::StatusOr<ReadyQuery> make_ready_query(SandboxSetup setup, const std::string& sql);

// The SELECT that gives a stored table in its schema, whatever schemas its parts have.
std::string select_stored(const StoredTable& stored);
}  // namespace cromford::table
