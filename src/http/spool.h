#pragma once

// The body of an upload on its way into a file, piece by piece. The file goes again unless the
// upload is finished and then taken.
//
//   TRY(Spool spool, Spool::open(files, path, limits, content_length));
//   TRY(spool.write(piece));
//   TRY(std::unique_ptr<Upload> upload, spool.finish());
//
// Errors: RESOURCE_EXHAUSTED with HTTP status 413 (longer than allowed) or 507 (disk full).
// Thread safety: belongs to one thread at a time; its members block on the disk.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_system.h"
#include "base/hash.h"
#include "base/limits.h"
#include "http/message.h"

namespace cromford::http {

class Spool {
 public:
  struct Settings {
    std::filesystem::path path;
    uint64_t bytes_max = UINT64_MAX;
    uint64_t free_bytes_min = 0;
    std::optional<uint64_t> expected_bytes;
    bool hash = false;  // Whether the content hash is wanted.
  };

  static absl::StatusOr<std::unique_ptr<Spool>> open(base::FileSystem& files, Settings settings);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  absl::Status write(std::string_view piece);
  absl::StatusOr<std::unique_ptr<Upload>> finish();
  // The first bytes written, four at most: they tell what a file is.
  std::string_view beginning() const { return beginning_; }
  // After finish(); "" unless it was wanted.
  const std::string& content_hash() const { return content_hash_; }

 private:
  Spool(base::FileSystem& files, Settings settings);
  absl::Status check_room(uint64_t bytes);

  base::FileSystem& files_;
  Settings settings_;
  std::unique_ptr<base::File> file_;
  uint64_t bytes_ = 0;
  std::string beginning_;
  uint64_t bytes_at_next_check_ = 0;
  base::ContentHasher hasher_;
  std::string content_hash_;
};

}  // namespace cromford::http
