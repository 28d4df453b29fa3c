#pragma once

// A file as read-only memory: loaded by the kernel page by page, shared by all processes that map
// it. Only for files that never change while they are mapped (objects, packages).
//
//   TRY(base::MappedFile file, base::MappedFile::open(path));
//   std::span<const std::byte> bytes = file.bytes();
//
// Thread safety: reading is; the object is moved or destroyed by one thread.

#include <absl/status/statusor.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace cromford::base {

class MappedFile {
 public:
  // NOT_FOUND, PERMISSION_DENIED, or INVALID_ARGUMENT when it is not a regular file.
  static absl::StatusOr<MappedFile> open(const std::filesystem::path& path);

  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  // Valid as long as this object (also after it was moved).
  std::span<const std::byte> bytes() const { return bytes_; }
  std::string_view text() const;

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace cromford::base
