#pragma once

// Files on their way to and from the server, streamed in constant memory.
//
//   TRY(download(session, "/models/late/versions/3/package", {}, "late.cromford"));
//   TRY(Upload upload, open_upload(session, "orders.csv.gz"));
//
// Thread safety: belongs to one thread.

#include <absl/status/statusor.h>

#include <filesystem>
#include <istream>
#include <memory>
#include <string>
#include <string_view>

#include "cli/session.h"

namespace cromford::cli {

// The body of a file to send: the stream lives as long as this does.
struct Upload {
  std::unique_ptr<std::istream> file;  // Null for standard input.
  std::istream* stream = nullptr;
  int64_t bytes = -1;  // -1: unknown.
  std::string name;    // "orders.csv"; "stdin".
  std::string content_type;
  std::string content_encoding;  // "gzip", "zstd" or "".
};

// `path` "-" is standard input. NOT_FOUND, INVALID_ARGUMENT where it cannot be read.
absl::StatusOr<Upload> open_upload(Session& session, const std::string& path);

// The media type of a data file by its name (".gz" and ".zst" are looked through), or
// "application/octet-stream".
std::string_view content_type_of(std::string_view file_name);
// "csv", "jsonl" or "parquet" by the name; INVALID_ARGUMENT, which names those, otherwise.
absl::StatusOr<std::string> export_format_of(std::string_view file_name);

// Sends `upload` as the body of `request` (whose path is below the project), with progress.
absl::StatusOr<base::Json> send_upload(Session& session, Upload& upload, Request request,
                                       std::string_view what);

// Writes the answer of a GET (below the project) to `file`, which appears only once it is whole;
// "-" is standard output. Gives the number of bytes.
absl::StatusOr<int64_t> download(Session& session, std::string_view path, Query query,
                                 const std::string& file);

// "http://..." or "https://...".
bool is_url(std::string_view text);

}  // namespace cromford::cli
