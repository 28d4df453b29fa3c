#pragma once

// From the files that people have to a stored table: finds format, compression, encoding, dialect
// and column types, reads every row or says why not, and writes zstd Parquet.
//
//   table::ImportOptions options{.output_directory = work};
//   options.inputs.push_back({.path = upload, .display_name = "flights.csv"});
//   TRY(table::ImportResult result, table::import_files(options));
//   // result.parts are under `work`; nothing else is left there.
//
// What it does with text files (CSV, TSV, any separator; ARFF; JSON lines): docs/formats and the
// README of this folder. Rows that cannot be read go to the quarantine with line, text and reason.
// The same input and options give the same content hash, on any number of threads.
// Thread safety: functions only; one import per output directory.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "table/chunk.h"
#include "table/scan.h"
#include "table/table.h"

namespace cromford::table {

// One input file.
struct ImportInput {
  std::filesystem::path path;
  // What people call it ("flights.csv.gz"): names it in errors, in the manifest and for the guess
  // of its format. Empty: the file's name.
  std::string display_name;
  // "csv", "tsv", "json", "jsonl", "parquet", "arff"; empty: found from content and name.
  std::string format;
};

struct ImportProgress {
  std::string_view stage;  // "looking", "reading", "querying", "checking", "profiling"
  double fraction = 0;     // of the whole import, 0 to 1
  int64_t row_count = 0;   // rows read so far
};

// What is kept of the rows: at most one file, none when no row is.
struct ScreenedRows {
  StoredTable rows;
  int64_t row_count = 0;
};

struct ImportOptions {
  std::vector<ImportInput> inputs;  // at least one; their rows follow one another
  // A query over the table `input` that shapes the rows; empty: all rows as they are.
  std::string query;
  // Where the parts, the quarantine and temporary files are written; must exist.
  std::filesystem::path output_directory;
  // The schema of the version that is appended to: columns of its names get its types where
  // that is possible without loss, and the result's schema is a common one of both.
  std::optional<Schema> append_to;

  uint64_t memory_limit_bytes = 1ULL << 30;
  uint64_t temp_limit_bytes = 64ULL << 30;  // also for what a packed file unpacks to
  int threads = 0;                          // 0: all cores
  // When more than this share of the rows cannot be read, the import is refused, because then the
  // file is something else than it was taken for.
  double quarantine_share_max = 0.5;

  base::CancelToken cancel;
  std::function<void(const ImportProgress&)> progress;  // called on any thread, one at a time
  // Looks at the rows as the query has shaped them, before they are hashed and visited, and gives
  // those to keep: the same, or a file of its own in the same schema, which the import takes over.
  std::function<absl::StatusOr<ScreenedRows>(const ScreenedRows&)> screen;
  // The blocks of the stored rows, in the pass that computes the content hash; both or neither.
  // Called with the final schema before the first block; a second time where memory did not suffice
  // to look at the rows while they were read: then the blocks begin anew.
  std::function<void(const Schema&)> on_schema;
  BlockVisitorFactory make_visitor;
  BlockSink sink;
};

struct ImportedPart {
  std::filesystem::path path;
  int64_t row_count = 0;
  uint64_t size_bytes = 0;
  std::string content_hash;  // of schema and values (64 hexadecimal digits), not of the bytes
};

// What was found out about an input; part of the manifest.
struct ImportedSource {
  std::string name;
  uint64_t size_bytes = 0;
  std::string hash;         // BLAKE2b-256 of the file's bytes
  std::string format;       // "csv", "json", "jsonl", "parquet", "arff"
  std::string compression;  // "", "gzip", "zstd"
  std::string encoding;     // "utf-8", "utf-16le", "utf-16be", "windows-1252"; "" for Parquet
  std::string delimiter;    // "," and the like; "" where there is none
  std::string quote;        // "\"" or "'"; "" where there is none
  bool header = false;      // the first row gave the names
  int64_t row_count = 0;    // rows in the file: read and quarantined
  int64_t quarantined_count = 0;
  // What was done to the values of a column beside the plain reading, in words: "decimal commas",
  // "missing marks: ?, NA", "dates as d/m/Y".
  struct Note {
    std::string column;  // "": of the whole file
    std::string text;
    bool warning = false;  // whoever imports should look at it
    bool operator==(const Note&) const = default;
  };
  std::vector<Note> notes;
  bool operator==(const ImportedSource&) const = default;
};

// A row that could not be read.
struct QuarantinedRow {
  int64_t line = 0;    // counted from 1, where the row begins; 0 when unknown
  std::string source;  // display name of the input
  std::string text;    // as in the file (in UTF-8), cut at 64 KiB
  std::string reason;  // names the column and what is wrong
};

struct ImportResult {
  Schema schema;
  int64_t row_count = 0;
  std::vector<ImportedPart> parts;  // no part when there is no row
  std::string content_hash;         // of the whole table
  // The quarantined rows as Parquet with the columns line, source, text, reason; no file when
  // there are none.
  std::optional<std::filesystem::path> quarantine_path;
  int64_t quarantined_count = 0;
  std::vector<ImportedSource> sources;
};

// Errors: INVALID_ARGUMENT (a file is empty, damaged, not text, of an unknown format; a query that
// is not allowed or does not run), NOT_FOUND, RESOURCE_EXHAUSTED (a limit, or the disk is full),
// FAILED_PRECONDITION (the columns do not fit what is appended to), CANCELLED. After an error the
// output directory is as before, but for what `screen` left there.
absl::StatusOr<ImportResult> import_files(const ImportOptions& options);

// The first `limit` rows of a quarantine file.
absl::StatusOr<std::vector<QuarantinedRow>> read_quarantine(Engine& engine,
                                                            const std::filesystem::path& path,
                                                            int64_t limit,
                                                            const base::CancelToken& cancel = {});

}  // namespace cromford::table
