#include "table/scan_plan.h"

#include <fmt/format.h>

#include <system_error>

#include "base/status.h"
#include "base/text.h"
#include "table/sandbox.h"

namespace cromford::table {
namespace {

absl::StatusOr<Schema> pick_columns(const StoredTable& stored,
                                    const std::vector<std::string>& names) {
  if (names.empty()) {
    return stored.schema;
  }
  Schema schema;
  const std::vector<std::string> known = stored.schema.names();
  for (const std::string& name : names) {
    const auto found = stored.schema.find(name);
    if (!found) {
      return base::invalid(
          fmt::format("there is no column \"{}\"", name),
          fmt::format("the columns are {}", base::clip_utf8(base::join(known, ", "), 1000)));
    }
    schema.columns.push_back(stored.schema.columns[*found]);
  }
  return schema;
}

}  // namespace

absl::Status check_parts(const StoredTable& stored) {
  for (const std::filesystem::path& part : stored.parts) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(part, error)) {
      return base::not_found(fmt::format("the part {} of a stored table is gone", part.string()),
                             "restore the home from a copy, or import the data again");
    }
  }
  return absl::OkStatus();
}

absl::Status as_damage(const absl::Status& status, const StoredTable& stored) {
  if (status.code() != absl::StatusCode::kInternal) {
    return status;
  }
  const std::string where = stored.parts.empty() ? "" : stored.parts.front().filename().string();
  return base::damaged(
      fmt::format("a stored table cannot be read ({}): {}", where, base::message(status)),
      "restore the home from a copy, or import the data again");
}

absl::StatusOr<ScanPlan> plan_scan(Engine& engine, const StoredTable& stored,
                                   const ReadOptions& options,
                                   const std::vector<std::filesystem::path>& outputs) {
  TRY(check_parts(stored));
  ScanPlan scan;
  TRY(scan.schema, pick_columns(stored, options.columns));
  std::vector<std::string> names;
  for (const ColumnSchema& column : scan.schema.columns) {
    names.push_back(quote_name(column.name));
  }
  std::string source = fmt::format("(\n{}\n) AS input", select_stored(stored));
  std::string condition;
  if (!options.where.empty()) {
    TRY(check_condition(options.where));
    SandboxSetup setup{engine.options(), select_stored(stored), stored.parts};
    setup.files.insert(setup.files.end(), outputs.begin(), outputs.end());
    TRY(scan.sandbox, open_sandbox(setup));
    source = "input";
    condition = fmt::format("\nWHERE (\n{}\n)", options.where);
  } else {
    TRY(scan.connection, duck::connect(engine));
  }
  scan.select = fmt::format("SELECT {} FROM {}{}", base::join(names, ", "), source, condition);
  if (options.limit >= 0) {
    scan.select += fmt::format(" LIMIT {}", options.limit);
  }
  if (options.offset > 0) {
    scan.select += fmt::format(" OFFSET {}", options.offset);
  }
  return scan;
}

}  // namespace cromford::table
