#include "table/export.h"

#include <fmt/format.h>

#include <system_error>

#include "base/status.h"
#include "base/text.h"
#include "table/duck.h"
#include "table/parquet_writer.h"
#include "table/sandbox.h"
#include "table/sandbox_engine.h"
#include "table/scan_plan.h"

namespace cromford::table {
namespace {

std::string format_options(const ExportOptions& options) {
  const std::string packed = options.gzip ? ", COMPRESSION gzip" : "";
  switch (options.format) {
    case ExportFormat::kCsv:
      return fmt::format("(FORMAT csv, HEADER true{})", packed);
    case ExportFormat::kJsonLines:
      return fmt::format("(FORMAT json{})", packed);
    case ExportFormat::kParquet:
      break;
  }
  return "(FORMAT parquet, COMPRESSION zstd)";
}

// Timestamps as RFC 3339, so that they read back the same everywhere.
std::string text_select(const std::string& select, const Schema& schema) {
  std::vector<std::string> columns;
  for (const ColumnSchema& column : schema.columns) {
    const std::string name = quote_name(column.name);
    columns.push_back(
        column.type == ColumnType::kTimestamp
            ? fmt::format("replace(CAST({0} AS VARCHAR), ' ', 'T') || 'Z' AS {0}", name)
            : name);
  }
  return fmt::format("SELECT {} FROM (\n{}\n)", base::join(columns, ", "), select);
}

}  // namespace

absl::StatusOr<ExportFormat> parse_export_format(std::string_view word) {
  if (word == "csv") {
    return ExportFormat::kCsv;
  }
  if (word == "jsonl") {
    return ExportFormat::kJsonLines;
  }
  if (word == "parquet") {
    return ExportFormat::kParquet;
  }
  return base::invalid(fmt::format("there is no format \"{}\" to export", word),
                       "use csv, jsonl or parquet");
}

std::string_view export_format_word(ExportFormat format) {
  switch (format) {
    case ExportFormat::kCsv:
      return "csv";
    case ExportFormat::kJsonLines:
      return "jsonl";
    case ExportFormat::kParquet:
      break;
  }
  return "parquet";
}

absl::StatusOr<ExportFormat> export_format_for(const std::filesystem::path& path) {
  std::filesystem::path name = base::lower(path.filename().string());
  if (name.extension() == ".gz") {
    name = name.stem();
  }
  const std::string extension = name.extension().string();
  if (extension == ".csv") {
    return ExportFormat::kCsv;
  }
  if (extension == ".jsonl" || extension == ".ndjson") {
    return ExportFormat::kJsonLines;
  }
  if (extension == ".parquet") {
    return ExportFormat::kParquet;
  }
  return base::invalid(
      fmt::format("the name {} does not tell the format", path.filename().string()),
      "let it end in .csv, .jsonl or .parquet");
}

absl::StatusOr<ExportResult> export_table(Engine& engine, const StoredTable& stored,
                                          const ExportOptions& options) {
  if (options.gzip && options.format == ExportFormat::kParquet) {
    return base::invalid("Parquet is packed by itself", "export it without gzip");
  }
  const std::filesystem::path temporary = temporary_name(options.output);
  TRY(ScanPlan scan, plan_scan(engine, stored, options.read, {temporary}));
  const bool is_text = options.format != ExportFormat::kParquet;
  const std::string sql = fmt::format("COPY (\n{}\n) TO {} {}",
                                      is_text ? text_select(scan.select, scan.schema) : scan.select,
                                      quote_text(temporary.string()), format_options(options));
  auto written = scan.where().run(sql, options.cancel, scan.origin());
  std::error_code error;
  if (!written.ok()) {
    std::filesystem::remove(temporary, error);
    return as_damage(written.status(), stored);
  }
  std::filesystem::rename(temporary, options.output, error);
  if (error) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    return base::internal(
        fmt::format("cannot rename to {}: {}", options.output.string(), error.message()),
        "name a file in a folder that exists");
  }
  return ExportResult{written->integer(0, 0), std::filesystem::file_size(options.output, error)};
}

}  // namespace cromford::table
