#include "app/upload_table.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "table/import.h"

namespace cromford::app {

absl::StatusOr<table::StoredTable> read_upload(const base::Json& input,
                                               flow::WorkerContext& context) {
  table::ImportOptions options{
      .output_directory = context.work_dir(),
      .memory_limit_bytes = input.value("memory_bytes", uint64_t{1} << 30) / 2,
      .cancel = context.cancel()};
  options.inputs.push_back({.path = input.value("spooled_file", std::string()),
                            .display_name = input.value("source_name", std::string()),
                            .format = input.value("input_format", std::string())});
  TRY(const table::ImportResult imported, table::import_files(options));
  if (imported.quarantined_count > 0) {
    return base::invalid(
        fmt::format("{} rows of the input cannot be read, so answers could not be told apart "
                    "by their order",
                    imported.quarantined_count),
        "add the file as a dataset to see which rows and why, or mend them");
  }
  table::StoredTable stored{.schema = imported.schema, .parts = {}};
  for (const table::ImportedPart& part : imported.parts) {
    stored.parts.push_back(part.path);
  }
  return stored;
}

}  // namespace cromford::app
