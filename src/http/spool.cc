#include "http/spool.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "http/problem.h"

namespace cromford::http {
namespace {

constexpr size_t kBeginningBytes = 4;
constexpr uint64_t kBytesBetweenChecks = 64ULL << 20;

void remove_file(base::FileSystem& files, const std::filesystem::path& path) {
  if (const absl::Status status = files.remove(path); !status.ok()) {
    base::log_warning("cannot remove an upload", {{"error", base::describe(status)}});
  }
}

// What the disk refuses is the server's trouble, not a quota of the caller (429).
absl::Status with_disk_status(absl::Status status) {
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    return with_http_status(std::move(status), 507);
  }
  return status;
}

}  // namespace

Spool::Spool(base::FileSystem& files, Settings settings)
    : files_(files), settings_(std::move(settings)) {}

Spool::~Spool() {
  if (file_) {
    file_.reset();
    remove_file(files_, settings_.path);
  }
}

absl::StatusOr<std::unique_ptr<Spool>> Spool::open(base::FileSystem& files, Settings settings) {
  std::unique_ptr<Spool> spool(new Spool(files, std::move(settings)));
  TRY(spool->check_room(spool->settings_.expected_bytes.value_or(0)));
  auto file = files.open_private(spool->settings_.path);
  if (!file.ok()) {
    return with_disk_status(base::annotate(file.status(), "the upload cannot be kept"));
  }
  spool->file_ = std::move(*file);
  return spool;
}

absl::Status Spool::check_room(uint64_t bytes) {
  bytes_at_next_check_ = bytes_ + kBytesBetweenChecks;
  const auto free = files_.free_bytes(settings_.path.parent_path());
  if (!free.ok() || *free >= settings_.free_bytes_min + bytes) {
    return absl::OkStatus();  // Not knowing is no reason to refuse: writing tells.
  }
  return with_http_status(
      base::exhausted(
          fmt::format("the disk has {} left, which is too little for this upload (and for the {} "
                      "that must stay free)",
                      base::format_size(*free), base::format_size(settings_.free_bytes_min)),
          "free some disk space on the server"),
      507);
}

absl::Status Spool::write(std::string_view piece) {
  if (piece.size() > settings_.bytes_max - bytes_) {
    return with_http_status(
        base::exhausted(fmt::format("the upload is longer than {}, the limit of this server",
                                    base::format_size(settings_.bytes_max)),
                        "raise `upload_bytes` in the server's configuration"),
        413);
  }
  if (bytes_ >= bytes_at_next_check_) {
    TRY(check_room(0));
  }
  if (const absl::Status status = file_->write(piece); !status.ok()) {
    return with_disk_status(base::annotate(status, "the upload cannot be kept"));
  }
  if (settings_.hash) {
    hasher_.update(piece);
  }
  bytes_ += piece.size();
  beginning_ += piece.substr(0, kBeginningBytes - beginning_.size());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Upload>> Spool::finish() {
  if (const absl::Status status = file_->close(); !status.ok()) {
    return with_disk_status(base::annotate(status, "the upload cannot be kept"));
  }
  if (settings_.hash) {
    content_hash_ = hasher_.finish().text();
  }
  file_.reset();  // From here on the upload removes the file.
  return std::make_unique<Upload>(
      settings_.path, bytes_,
      [&files = files_](const std::filesystem::path& path) { remove_file(files, path); });
}

}  // namespace cromford::http
