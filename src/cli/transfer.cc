#include "cli/transfer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::cli {
namespace {

struct MediaType {
  std::string_view extension;
  std::string_view type;
};
constexpr MediaType kMediaTypes[] = {
    {".csv", "text/csv"},
    {".tsv", "text/tab-separated-values"},
    {".tab", "text/tab-separated-values"},
    {".txt", "text/csv"},
    {".json", "application/json"},
    {".jsonl", "application/x-ndjson"},
    {".ndjson", "application/x-ndjson"},
    {".parquet", "application/vnd.apache.parquet"},
};

std::string_view without_compression(std::string_view name) {
  for (const std::string_view ending : {".gz", ".zst"}) {
    if (name.ends_with(ending)) {
      return name.substr(0, name.size() - ending.size());
    }
  }
  return name;
}

// By what the file begins with, since names lie; "" for none that is known.
std::string compression_of(std::istream& file) {
  std::array<char, 4> beginning{};
  file.read(beginning.data(), beginning.size());
  const std::string_view text(beginning.data(), static_cast<size_t>(file.gcount()));
  file.clear();
  file.seekg(0);
  if (text.starts_with("\x1f\x8b")) {
    return "gzip";
  }
  return text == "\x28\xb5\x2f\xfd" ? "zstd" : "";
}

std::string moved_text(std::string_view what, int64_t bytes, int64_t total) {
  const std::string done = base::format_size(static_cast<uint64_t>(bytes));
  return total > 0 ? fmt::format("{} {} of {} ({:.0f}%)", what, done,
                                 base::format_size(static_cast<uint64_t>(total)),
                                 100.0 * static_cast<double>(bytes) / static_cast<double>(total))
                   : fmt::format("{} {}", what, done);
}

}  // namespace

std::string_view content_type_of(std::string_view file_name) {
  const std::string lower = base::lower(file_name);
  const std::string_view name = without_compression(lower);
  for (const MediaType& media : kMediaTypes) {
    if (name.ends_with(media.extension)) {
      return media.type;
    }
  }
  return "application/octet-stream";
}

absl::StatusOr<std::string> export_format_of(std::string_view file_name) {
  const std::string name = base::lower(file_name);
  if (name.ends_with(".csv")) {
    return "csv";
  }
  if (name.ends_with(".jsonl") || name.ends_with(".ndjson")) {
    return "jsonl";
  }
  if (name.ends_with(".parquet")) {
    return "parquet";
  }
  return base::invalid(fmt::format("the format of '{}' cannot be told by its name", file_name),
                       "let the name end in .csv, .jsonl or .parquet");
}

absl::StatusOr<Upload> open_upload(Session& session, const std::string& path) {
  Upload upload;
  if (path == "-") {
    upload.stream = session.environment().in;
    upload.name = "stdin";
    upload.content_type = "application/octet-stream";
    return upload;
  }
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return base::invalid(fmt::format("{} is a folder, not a file", path));
  }
  auto file = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (!*file) {
    return base::not_found(fmt::format("the file {} cannot be opened", path),
                           "check its name, and that you may read it");
  }
  if (std::filesystem::is_regular_file(path, error)) {
    upload.bytes = static_cast<int64_t>(std::filesystem::file_size(path, error));
  }
  upload.stream = file.get();
  upload.file = std::move(file);
  upload.name = std::filesystem::path(path).filename().string();
  upload.content_type = content_type_of(path);
  upload.content_encoding = compression_of(*upload.stream);
  return upload;
}

absl::StatusOr<base::Json> send_upload(Session& session, Upload& upload, Request request,
                                       std::string_view what) {
  request.method = "POST";
  request.upload = upload.stream;
  request.upload_bytes = upload.bytes;
  if (request.content_type.empty()) {
    request.content_type = upload.content_type;
  }
  if (!upload.content_encoding.empty()) {
    request.headers.push_back("Content-Encoding: " + upload.content_encoding);
  }
  if (session.output().animated()) {
    request.moved = [&](int64_t sent, int64_t /*received*/) {
      session.output().progress(moved_text(what, sent, upload.bytes));
    };
  }
  absl::StatusOr<base::Json> answer = session.document(std::move(request));
  session.output().progress("");
  return answer;
}

absl::StatusOr<int64_t> download(Session& session, std::string_view path, Query query,
                                 const std::string& file) {
  TRY(Client* const client, session.client());
  const bool to_stdout = file == "-";
  const std::string part = fmt::format("{}.part-{}", file, getpid());
  std::ofstream target;
  if (!to_stdout) {
    target.open(part, std::ios::binary | std::ios::trunc);
    if (!target) {
      return base::invalid(fmt::format("the file {} cannot be written", file),
                           "check that its folder exists and that you may write there");
    }
  }
  int64_t bytes = 0;
  Request request{.path = session.in_project(path), .query = std::move(query)};
  request.sink = [&](std::string_view piece) {
    bytes += static_cast<int64_t>(piece.size());
    if (to_stdout) {
      session.output().raw(piece);
      return session.environment().out->good();
    }
    target.write(piece.data(), static_cast<std::streamsize>(piece.size()));
    return target.good();
  };
  if (session.output().animated() && !to_stdout) {
    request.moved = [&](int64_t /*sent*/, int64_t received) {
      session.output().progress(received > 0 ? moved_text("receiving", received, 0) : "");
    };
  }
  absl::Status status = client->send(request).status();
  session.output().progress("");
  if (!to_stdout) {
    target.close();
    std::error_code error;
    if (status.ok() && target) {
      std::filesystem::rename(part, file, error);
    }
    if (status.ok() && (!target || error)) {
      status = base::internal(fmt::format("the file {} could not be written", file),
                              "check that the disk has room");
    }
    if (!status.ok()) {
      std::filesystem::remove(part, error);
    }
  }
  TRY(status);
  return bytes;
}

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

}  // namespace cromford::cli
