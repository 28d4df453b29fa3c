#pragma once

// Writing stored tables out, for people and other programs.
//
//   TRY(const table::ExportResult written,
//       table::export_table(engine, flights, {.output = path, .format = ExportFormat::kCsv}));
//
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "table/engine.h"
#include "table/scan.h"
#include "table/table.h"

namespace cromford::table {

enum class ExportFormat {
  kCsv,        // RFC 4180, header, "\n", missing cells empty and empty texts as ""
  kJsonLines,  // one object per row, missing cells are null
  kParquet,    // zstd
};

// From "csv", "jsonl", "parquet"; INVALID_ARGUMENT naming these for any other word.
absl::StatusOr<ExportFormat> parse_export_format(std::string_view word);
// The word of a format, as parse_export_format() reads it.
std::string_view export_format_word(ExportFormat format);
// From the end of a file's name, also ".csv.gz" and the like; INVALID_ARGUMENT otherwise.
absl::StatusOr<ExportFormat> export_format_for(const std::filesystem::path& path);

struct ExportOptions {
  std::filesystem::path output;  // written as OUTPUT.tmp first and renamed when complete
  ExportFormat format = ExportFormat::kCsv;
  bool gzip = false;  // CSV and JSON lines only
  ReadOptions read;
  base::CancelToken cancel;
};

struct ExportResult {
  int64_t row_count = 0;
  uint64_t size_bytes = 0;
};

// Errors as in table/scan.h. After an error there is no output.
absl::StatusOr<ExportResult> export_table(Engine& engine, const StoredTable& stored,
                                          const ExportOptions& options);

}  // namespace cromford::table
