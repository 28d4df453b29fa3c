#pragma once

// The bytes of a file, unpacked while they are read. Gzip files may have several members and zstd
// files several frames; a damaged or cut-off one is an error, not an early end.
//
//   TRY(auto source, open_bytes(path));
//   TRY(const size_t count, source->read(buffer));     // 0 at the end
//
// Thread safety: a source belongs to one thread; `position` may be read by all.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace cromford::table {

enum class Compression { kNone, kGzip, kZstd };

// "", "gzip", "zstd".
std::string_view compression_name(Compression compression);
// By the first bytes of a file.
Compression detect_compression(std::string_view first_bytes);

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills the beginning of `buffer` and returns how much; 0 only at the end.
  virtual absl::StatusOr<size_t> read(std::span<char> buffer) = 0;
  // Bytes of the file that were read so far, packed.
  virtual uint64_t position() const = 0;
  // The content hash of the file's bytes; reads what is left of them.
  virtual absl::StatusOr<std::string> finish_hash() = 0;
};

enum class Hashing { kOff, kOn };

// Gives an error after `bytes_max` bytes: a small packed file may unpack to more than a disk holds.
// RESOURCE_EXHAUSTED names the file as `name`.
std::unique_ptr<ByteSource> bounded(std::unique_ptr<ByteSource> source, uint64_t bytes_max,
                                    std::string name);

// Opens a regular file. NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (a folder).
absl::StatusOr<std::unique_ptr<ByteSource>> open_bytes(const std::filesystem::path& path,
                                                       Compression compression,
                                                       Hashing hashing = Hashing::kOff);

}  // namespace cromford::table
