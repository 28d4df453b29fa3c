#pragma once

// Where a scan of a stored table runs and what it selects: in the engine itself, or, with a user's
// condition, in a locked one. For the sources of this folder.
//
//   TRY(ScanPlan scan, plan_scan(engine, stored, options, {}));
//   TRY(scan.where().run(scan.select, cancel, scan.origin()));
//
// Thread safety: as a connection.

#include <absl/status/statusor.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "table/duck.h"
#include "table/sandbox_engine.h"
#include "table/scan.h"

namespace cromford::table {

struct ScanPlan {
  duck::Connection connection;
  std::optional<OpenSandbox> sandbox;
  std::string select;
  Schema schema;

  duck::Connection& where() { return sandbox ? sandbox->connection : connection; }
  duck::Origin origin() const { return sandbox ? duck::Origin::kUser : duck::Origin::kOwn; }
};

// `outputs`: files that the query may write.
absl::StatusOr<ScanPlan> plan_scan(Engine& engine, const StoredTable& stored,
                                   const ReadOptions& options,
                                   const std::vector<std::filesystem::path>& outputs);

// NOT_FOUND when a part is gone.
absl::Status check_parts(const StoredTable& stored);
// What fails over our own files is damage, unless it is a limit or a cancellation.
absl::Status as_damage(const absl::Status& status, const StoredTable& stored);

}  // namespace cromford::table
