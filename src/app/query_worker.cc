// The worker's half of a query: rows that meet a user's condition, as JSON or as a file.

#include <nlohmann/json.hpp>

#include "app/dataset_files.h"
#include "app/worker.h"
#include "table/engine.h"
#include "table/export.h"
#include "table/scan.h"

namespace cromford::app {
namespace {

absl::StatusOr<base::Json> read_rows(table::Engine& engine, const table::StoredTable& stored,
                                     const base::Json& rows, const base::CancelToken& cancel) {
  TRY(const table::Table found, table::read_table(engine, stored,
                                                  {.where = rows.value("where", std::string()),
                                                   .offset = rows.value("offset", int64_t{0}),
                                                   .limit = rows.value("limit", int64_t{0})},
                                                  cancel));
  return rows_json(stored.schema, found);
}

absl::StatusOr<base::Json> write_export(table::Engine& engine, const table::StoredTable& stored,
                                        const base::Json& target) {
  TRY(const table::ExportFormat format,
      table::parse_export_format(target.value("format", std::string())));
  TRY(table::export_table(engine, stored,
                          {.output = target.value("path", std::string()),
                           .format = format,
                           .read = {.where = target.value("where", std::string())}}));
  return base::Json::object();
}

}  // namespace

absl::StatusOr<std::string> query_rows(std::string_view input, flow::WorkerContext& context) {
  TRY(const base::Json request, base::parse_json(input));
  TRY(const table::StoredTable stored, stored_table_from(request.at("table")));
  TRY(const auto engine,
      table::Engine::create({.memory_limit_bytes = request.value("memory_bytes", uint64_t{0}),
                             .temp_directory = context.work_dir() / "engine",
                             .temp_limit_bytes = request.value("temporary_bytes", uint64_t{0})}));
  TRY(const base::Json answer,
      request.contains("rows") ? read_rows(*engine, stored, request.at("rows"), context.cancel())
                               : write_export(*engine, stored, request.at("export")));
  return base::dump_json(answer);
}

}  // namespace cromford::app
