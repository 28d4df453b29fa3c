// The worker's half of a compaction: rows of the log become parts of a dataset, each typed, hashed
// and profiled as an import does it.

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "app/dataset_files.h"
#include "app/endpoint_log.h"
#include "app/worker.h"
#include "base/file_system.h"
#include "base/limits.h"
#include "table/csv_to_parquet.h"
#include "table/engine.h"
#include "table/manifest.h"

namespace cromford::app {
namespace {

absl::StatusOr<std::filesystem::path> to_parquet(const base::Json& group, uint64_t memory_bytes,
                                                 flow::WorkerContext& context) {
  const std::filesystem::path csv = group.value("csv", std::string());
  std::filesystem::path parquet = csv;
  parquet.replace_extension(".parquet");
  TRY(const table::Schema schema, schema_from(group.at("schema")));
  TRY(const auto engine, table::Engine::create({.memory_limit_bytes = memory_bytes / 2,
                                                .temp_directory = context.work_dir() / "spill"}));
  TRY(table::csv_to_parquet(*engine, csv, schema, parquet, context.cancel()));
  (void)base::system_files().remove(csv);
  return parquet;
}

// The part that the rows of a group become; `schema` grows by what they have more.
absl::StatusOr<LogPart> make_part(const base::Json& group, const base::Json& input,
                                  table::Schema& schema, flow::WorkerContext& context) {
  LogPart part{.schema = schema, .segments = group.at("segments").get<std::vector<uint32_t>>()};
  if (group.value("row_count", int64_t{0}) == 0) {
    return part;
  }
  const auto memory_bytes = input.value("memory_bytes", uint64_t{1} << 30);
  TRY(const std::filesystem::path parquet, to_parquet(group, memory_bytes, context));
  base::Json import = {{"query", ""},
                       {"checks", base::Json::array()},
                       {"url", ""},
                       {"format", "parquet"},
                       {"dataset", input.at("dataset")},
                       {"memory_bytes", memory_bytes},
                       {"inputs", base::Json::array()}};
  import["inputs"].push_back({{"path", parquet.string()}, {"name", "log"}});
  if (!schema.columns.empty()) {
    import["append_to"] = stored_table_json({.schema = schema, .parts = {}});
  }
  TRY(const std::string text, import_rows(base::dump_json(import), context));
  TRY(const table::Manifest manifest, table::parse_manifest(text));
  (void)base::system_files().remove(parquet);
  part.part = manifest.parts.at(0);
  part.schema = manifest.schema;
  part.profile_object = manifest.profile_object;
  schema = manifest.schema;
  return part;
}

}  // namespace

absl::StatusOr<std::string> compact_log(std::string_view text, flow::WorkerContext& context) {
  TRY(base::Json input, base::parse_json(text));
  TRY(table::Schema schema, schema_from(input.at("schema")));
  for (base::Json& group : input["groups"]) {
    TRY(const LogPart part, make_part(group, input, schema, context));
    group["part"] = to_json(part);
    context.log(fmt::format("{} predictions, {} of them with an outcome, of {} segments",
                            base::with_thousands(group.value("row_count", int64_t{0})),
                            base::with_thousands(group.value("outcome_count", int64_t{0})),
                            part.segments.size()));
  }
  input["schema"] = schema_json(schema);
  return base::dump_json(input);
}

}  // namespace cromford::app
