#include "base/file_system.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/descriptor.h"
#include "base/limits.h"
#include "base/status.h"

namespace cromford::base {
namespace {

using Path = std::filesystem::path;

absl::StatusOr<Descriptor> open_descriptor(const Path& path, int flags, mode_t mode = 0) {
  int number = -1;
  do {
    number = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (number < 0 && errno == EINTR);
  if (number < 0) {
    return errno_status(errno, "open", path);
  }
  return Descriptor(number);
}

class SystemFile final : public File {
 public:
  SystemFile(Descriptor descriptor, Path path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  absl::Status write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno != EINTR) {
        return errno_status(errno, "write", path_);
      }
      bytes.remove_prefix(static_cast<size_t>(std::max<ssize_t>(written, 0)));
    }
    return absl::OkStatus();
  }

  absl::Status sync() override {
    return ::fdatasync(descriptor_.get()) == 0 ? absl::OkStatus()
                                               : errno_status(errno, "sync", path_);
  }

  absl::Status close() override {
    return descriptor_.close() == 0 ? absl::OkStatus() : errno_status(errno, "close", path_);
  }

 private:
  Descriptor descriptor_;
  Path path_;
};

absl::StatusOr<std::unique_ptr<File>> open_file(const Path& path, int flags, mode_t mode) {
  TRY(Descriptor descriptor, open_descriptor(path, flags | O_WRONLY | O_CREAT, mode));
  return std::make_unique<SystemFile>(std::move(descriptor), path);
}

absl::Status sync_path(const Path& path, int flags) {
  TRY(const Descriptor descriptor, open_descriptor(path, flags));
  return ::fsync(descriptor.get()) == 0 ? absl::OkStatus() : errno_status(errno, "sync", path);
}

class SystemFiles final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> open_write(const Path& path) override {
    return open_file(path, O_TRUNC, 0644);
  }

  absl::StatusOr<std::unique_ptr<File>> open_private(const Path& path) override {
    return open_file(path, O_TRUNC, 0600);
  }

  absl::StatusOr<std::unique_ptr<File>> open_append(const Path& path) override {
    return open_file(path, O_APPEND, 0644);
  }

  absl::StatusOr<std::string> read(const Path& path, uint64_t bytes_max) override {
    TRY(const Descriptor descriptor, open_descriptor(path, O_RDONLY));
    std::string content;
    constexpr size_t kPiece = 64U << 10U;
    struct stat information{};
    size_t expected = kPiece;
    if (::fstat(descriptor.get(), &information) == 0 && information.st_size > 0) {
      expected = static_cast<size_t>(
          std::min<uint64_t>(static_cast<uint64_t>(information.st_size), bytes_max) + 1);
    }
    while (true) {
      const size_t before = content.size();
      content.resize(before + std::max(expected, kPiece));
      expected = 0;
      const ssize_t count =
          ::read(descriptor.get(), content.data() + before, content.size() - before);
      const int error = errno;
      content.resize(before + static_cast<size_t>(std::max<ssize_t>(count, 0)));
      if (count < 0 && error != EINTR) {
        return errno_status(error, "read", path);
      }
      if (content.size() > bytes_max) {
        return exhausted(
            fmt::format("{} is longer than {}", path.native(), format_size(bytes_max)));
      }
      if (count == 0) {
        return content;
      }
    }
  }

  absl::Status rename(const Path& from, const Path& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? absl::OkStatus()
                                                   : errno_status(errno, "rename", from);
  }

  absl::Status truncate(const Path& path, uint64_t bytes) override {
    return ::truncate(path.c_str(), static_cast<off_t>(bytes)) == 0
               ? absl::OkStatus()
               : errno_status(errno, "truncate", path);
  }

  absl::Status remove(const Path& path) override {
    return ::remove(path.c_str()) == 0 ? absl::OkStatus() : errno_status(errno, "remove", path);
  }

  absl::StatusOr<uint64_t> remove_all(const Path& path) override {
    std::error_code error;
    const auto count = std::filesystem::remove_all(path, error);
    if (error) {
      return errno_status(error.value(), "remove", path);
    }
    return count;
  }

  absl::StatusOr<std::vector<std::string>> list(const Path& path) override {
    std::error_code error;
    std::filesystem::directory_iterator entry(path, error);
    std::vector<std::string> names;
    while (!error && entry != std::filesystem::directory_iterator()) {
      names.push_back(entry->path().filename().native());
      entry.increment(error);
    }
    if (error) {
      return errno_status(error.value(), "list", path);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  bool exists(const Path& path) override {
    std::error_code error;
    return std::filesystem::exists(path, error);
  }

  absl::StatusOr<uint64_t> size(const Path& path) override {
    std::error_code error;
    const auto bytes = std::filesystem::file_size(path, error);
    if (error) {
      return errno_status(error.value(), "find the size of", path);
    }
    return bytes;
  }

  absl::Status create_directories(const Path& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    return error ? errno_status(error.value(), "create the directory", path) : absl::OkStatus();
  }

  absl::Status sync_directory(const Path& path) override {
    return sync_path(path, O_RDONLY | O_DIRECTORY);
  }

  absl::Status sync_file(const Path& path) override { return sync_path(path, O_RDONLY); }

  absl::StatusOr<uint64_t> free_bytes(const Path& path) override {
    struct statvfs information{};
    if (::statvfs(path.c_str(), &information) != 0) {
      return errno_status(errno, "find the free space of", path);
    }
    return uint64_t{information.f_bavail} * information.f_frsize;
  }
};

absl::StatusCode errno_code(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::StatusCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case EEXIST:
    case ENOTEMPTY:
      return absl::StatusCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EFBIG:
      return absl::StatusCode::kResourceExhausted;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

FileSystem& system_files() {
  static SystemFiles files;
  return files;
}

absl::Status write_atomically(FileSystem& files, const Path& path, std::string_view bytes,
                              Privacy privacy) {
  Path temporary = path;
  temporary += ".tmp";
  const auto write = [&]() -> absl::Status {
    TRY(const std::unique_ptr<File> file,
        privacy == Privacy::kPrivate ? files.open_private(temporary) : files.open_write(temporary));
    TRY(file->write(bytes));
    TRY(file->sync());
    TRY(file->close());
    return files.rename(temporary, path);
  };
  absl::Status status = write();
  if (!status.ok()) {
    (void)files.remove(temporary);
    return status;
  }
  return files.sync_directory(path.has_parent_path() ? path.parent_path() : Path("."));
}

absl::Status errno_status(int error, std::string_view action, const Path& path) {
  const std::string text = fmt::format("cannot {} {}: {}", action, path.native(),
                                       std::generic_category().message(error));
  return {errno_code(error), text};
}

}  // namespace cromford::base
