#pragma once

// Files as something that is handed in, so that a test can let the disk fail or be full at any
// write. Only what durable storage needs is here; code that merely reads a user's file once may use
// the standard library.
//
//   TRY(auto file, files.open_append(path));
//   TRY(file->write(record));
//   TRY(file->sync());                            // now a power failure cannot take it
//   TRY(base::write_atomically(files, home / "config.json", text));
//
// Errors: NOT_FOUND (no such file), PERMISSION_DENIED, ALREADY_EXISTS, RESOURCE_EXHAUSTED (the disk
// is full, or too many files are open), else INTERNAL; all name the path.
// Thread safety: a FileSystem may be shared by threads; a File belongs to one, except that another
// may `sync` what is being written.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cromford::base {

// A file open for writing; closed by its destructor, without sync and without telling of errors.
class File {
 public:
  virtual ~File() = default;
  // Appends all of `bytes`; after an error, a part of them may stand in the file.
  virtual absl::Status write(std::string_view bytes) = 0;
  // Returns once the content is on the device (fdatasync).
  virtual absl::Status sync() = 0;
  // Closes and reports what closing reports; writing afterwards is a bug.
  virtual absl::Status close() = 0;
};

class FileSystem {
 public:
  using Path = std::filesystem::path;
  virtual ~FileSystem() = default;

  // Opens for writing, made anew and empty; mode 0600 for `open_private`, else 0644.
  virtual absl::StatusOr<std::unique_ptr<File>> open_write(const Path& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<File>> open_private(const Path& path) = 0;
  // Opens for writing at the end; made when it does not exist.
  virtual absl::StatusOr<std::unique_ptr<File>> open_append(const Path& path) = 0;
  // The whole content. RESOURCE_EXHAUSTED when it is longer than `bytes_max`.
  virtual absl::StatusOr<std::string> read(const Path& path, uint64_t bytes_max = 1ULL << 31) = 0;
  // Atomic within one file system; replaces `to`.
  virtual absl::Status rename(const Path& from, const Path& to) = 0;
  // Cuts a file off behind its first `bytes` bytes; it must not be shorter.
  virtual absl::Status truncate(const Path& path, uint64_t bytes) = 0;
  // A file or an empty directory; NOT_FOUND when there is none.
  virtual absl::Status remove(const Path& path) = 0;
  // With all that it contains; fine when there is nothing. Returns the number of removed entries.
  virtual absl::StatusOr<uint64_t> remove_all(const Path& path) = 0;
  // The names (not paths) in a directory, sorted.
  virtual absl::StatusOr<std::vector<std::string>> list(const Path& path) = 0;
  virtual bool exists(const Path& path) = 0;
  virtual absl::StatusOr<uint64_t> size(const Path& path) = 0;
  // With all parents; fine when it exists.
  virtual absl::Status create_directories(const Path& path) = 0;
  // Makes the names in a directory (new files, renames, removals) durable.
  virtual absl::Status sync_directory(const Path& path) = 0;
  // Opens an existing file once more and syncs it, for files that a library wrote.
  virtual absl::Status sync_file(const Path& path) = 0;
  // Bytes that this user may still write to the file system of `path`.
  virtual absl::StatusOr<uint64_t> free_bytes(const Path& path) = 0;
};

// The machine's files; lives for ever.
FileSystem& system_files();

enum class Privacy { kShared, kPrivate };

// Replaces `path` by `bytes` so that a crash at any moment leaves the old content or the new:
// writes PATH.tmp, syncs, renames, syncs the directory. One writer per path.
absl::Status write_atomically(FileSystem& files, const std::filesystem::path& path,
                              std::string_view bytes, Privacy privacy = Privacy::kShared);

// The status of a failed system call: "cannot ACTION PATH: REASON", with the code for `error`.
absl::Status errno_status(int error, std::string_view action, const std::filesystem::path& path);

}  // namespace cromford::base
