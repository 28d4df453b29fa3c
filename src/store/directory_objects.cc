// Objects as files of one directory: written beside their place, synced, renamed, and the folder
// synced, so that an object is there wholly or not at all.

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <mutex>
#include <string>
#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "store/objects.h"

namespace cromford::store {
namespace {

namespace fs = std::filesystem;

// Half-written objects live here; never an object's folder, whose names have two characters.
constexpr std::string_view kIncoming = "incoming";
constexpr size_t kPieceBytes = size_t{1} << 20;

absl::Status no_object(const base::ContentHash& hash) {
  return base::not_found(fmt::format("there is no object {}", hash.text()),
                         "put back a copy of the data directory if it was there before");
}

// Reads a file piece by piece.
template <typename Use>
absl::Status for_each_piece(const fs::path& file, Use&& use) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    return base::errno_status(errno, "read", file);
  }
  std::string piece(kPieceBytes, '\0');
  while (stream) {
    stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    const auto count = static_cast<size_t>(stream.gcount());
    if (count > 0) {
      TRY(use(std::string_view(piece.data(), count)));
    }
  }
  return stream.bad() ? base::errno_status(errno, "read", file) : absl::OkStatus();
}

absl::StatusOr<base::ContentHash> hash_of(const fs::path& file) {
  base::ContentHasher hasher;
  TRY(for_each_piece(file, [&](std::string_view piece) {
    hasher.update(piece);
    return absl::OkStatus();
  }));
  return hasher.finish();
}

// An object's file was written last when the object was put last.
absl::Status touch(const fs::path& file) {
  std::error_code error;
  fs::last_write_time(file, fs::file_time_type::clock::now(), error);
  return error ? base::errno_status(error.value(), "touch", file) : absl::OkStatus();
}

absl::StatusOr<base::Time> touched_at(const fs::path& file) {
  std::error_code error;
  const fs::file_time_type written = fs::last_write_time(file, error);
  if (error) {
    return base::errno_status(error.value(), "read the time of", file);
  }
  return std::chrono::floor<base::Time::duration>(std::chrono::file_clock::to_sys(written));
}

class DirectoryObjects final : public Objects {
 public:
  DirectoryObjects(fs::path directory, base::FileSystem& files)
      : directory_(std::move(directory)), files_(files) {}

  absl::StatusOr<base::ContentHash> put_bytes(std::string_view bytes) override {
    const base::ContentHash hash = base::content_hash(bytes);
    TRY(const bool there, is_durable(hash));
    if (there) {
      return hash;
    }
    TRY(const Incoming incoming,
        write_incoming([&](base::File& file) { return file.write(bytes); }));
    TRY(settle(incoming.path, hash));
    return hash;
  }

  absl::StatusOr<base::ContentHash> put_file(const fs::path& file, Take take) override {
    if (take == Take::kCopy) {
      return copy_in(file);
    }
    std::error_code error;
    if (!fs::is_symlink(file, error)) {
      return move_in(file);
    }
    // The file is somebody else's, only the link is given up.
    TRY(const base::ContentHash hash, copy_in(file));
    TRY(files_.remove(file));
    return hash;
  }

  absl::StatusOr<fs::path> path_of(const base::ContentHash& hash) const override {
    fs::path path = place(hash);
    if (!files_.exists(path)) {
      return no_object(hash);
    }
    return path;
  }

  absl::StatusOr<base::MappedFile> open(const base::ContentHash& hash) const override {
    TRY(const fs::path path, path_of(hash));
    return base::MappedFile::open(path);
  }

  absl::StatusOr<bool> contains(const base::ContentHash& hash) const override {
    return files_.exists(place(hash));
  }

  absl::Status verify(const base::ContentHash& hash) const override {
    TRY(const fs::path path, path_of(hash));
    TRY(const base::ContentHash actual, hash_of(path));
    if (actual != hash) {
      return base::damaged(fmt::format("the object {} is damaged: its bytes have the hash {}",
                                       path.string(), actual.text()),
                           "put back a copy of the file");
    }
    return absl::OkStatus();
  }

  absl::Status remove(const base::ContentHash& hash) override {
    const fs::path path = place(hash);
    const absl::Status status = files_.remove(path);
    if (absl::IsNotFound(status)) {
      return absl::OkStatus();
    }
    TRY(status);
    return files_.sync_directory(path.parent_path());
  }

  absl::StatusOr<bool> remove_unless_put_since(const base::ContentHash& hash,
                                               base::Time since) override {
    const fs::path path = place(hash);
    {
      const std::lock_guard lock(presence_mutex_);
      const absl::StatusOr<base::Time> put_at = touched_at(path);
      if (absl::IsNotFound(put_at.status())) {
        return true;
      }
      TRY(put_at);
      if (*put_at >= since) {
        return false;
      }
      TRY(files_.remove(path));
    }
    TRY(files_.sync_directory(path.parent_path()));
    return true;
  }

  absl::StatusOr<std::vector<ObjectInfo>> list() const override {
    std::vector<ObjectInfo> objects;
    TRY(const std::vector<std::string> folders, files_.list(directory_));
    for (const std::string& folder : folders) {
      if (folder.size() != 2) {
        continue;
      }
      TRY(const std::vector<std::string> names, files_.list(directory_ / folder));
      for (const std::string& name : names) {
        // Other names are not ours to judge.
        const auto hash = base::parse_content_hash(folder + name);
        if (!hash.ok()) {
          continue;
        }
        const auto size = files_.size(directory_ / folder / name);
        const auto put_at = touched_at(directory_ / folder / name);
        if (size.ok() && put_at.ok()) {  // Else it was removed meanwhile.
          objects.push_back({*hash, *size, *put_at});
        }
      }
    }
    return objects;
  }

 private:
  // A file that is removed unless it was settled (renamed away) before.
  struct Incoming {
    Incoming(base::FileSystem& file_system, fs::path file)
        : files(&file_system), path(std::move(file)) {}
    Incoming(Incoming&& other) noexcept
        : files(std::exchange(other.files, nullptr)), path(std::move(other.path)) {}
    Incoming& operator=(Incoming&&) = delete;
    Incoming(const Incoming&) = delete;
    Incoming& operator=(const Incoming&) = delete;
    ~Incoming() {
      if (files != nullptr && files->exists(path)) {
        (void)files->remove(path);
      }
    }

    base::FileSystem* files;
    fs::path path;
  };

  fs::path place(const base::ContentHash& hash) const {
    const std::string text = hash.text();
    return directory_ / text.substr(0, 2) / text.substr(2);
  }

  // Whether the object is there whole, and if so for good: a put that was interrupted, or that
  // still runs on another thread, may have given it its name without syncing the folder. A damaged
  // one counts as missing, so that putting its content again mends it.
  absl::StatusOr<bool> is_durable(const base::ContentHash& hash) {
    const fs::path path = place(hash);
    {
      const std::lock_guard lock(presence_mutex_);
      if (!files_.exists(path)) {
        return false;
      }
      TRY(touch(path));
    }
    if (const absl::Status whole = verify(hash); !whole.ok()) {
      return absl::IsDataLoss(whole) || absl::IsNotFound(whole) ? absl::StatusOr<bool>(false)
                                                                : whole;
    }
    TRY(files_.sync_directory(path.parent_path()));
    TRY(files_.sync_directory(directory_));
    return true;
  }

  template <typename Fill>
  absl::StatusOr<Incoming> write_incoming(Fill&& fill) {
    Incoming incoming(files_, directory_ / kIncoming / fmt::format("{}", ++incoming_count_));
    TRY(std::unique_ptr<base::File> file, files_.open_write(incoming.path));
    TRY(fill(*file));
    TRY(file->sync());
    TRY(file->close());
    return incoming;
  }

  // Gives the synced file its name.
  absl::Status settle(const fs::path& file, const base::ContentHash& hash) {
    const fs::path path = place(hash);
    if (!files_.exists(path.parent_path())) {
      TRY(files_.create_directories(path.parent_path()));
      TRY(files_.sync_directory(directory_));
    }
    TRY(files_.rename(file, path));
    const absl::Status synced = files_.sync_directory(path.parent_path());
    if (!synced.ok()) {
      // Not acknowledged, so nothing may be left that looks as if it were.
      (void)files_.rename(path, file);
    }
    return synced;
  }

  absl::StatusOr<base::ContentHash> copy_in(const fs::path& source) {
    base::ContentHasher hasher;
    TRY(const Incoming incoming, write_incoming([&](base::File& file) {
          return for_each_piece(source, [&](std::string_view piece) {
            hasher.update(piece);
            return file.write(piece);
          });
        }));
    const base::ContentHash hash = hasher.finish();
    TRY(const bool there, is_durable(hash));
    if (!there) {
      TRY(settle(incoming.path, hash));
    }
    return hash;
  }

  absl::StatusOr<base::ContentHash> move_in(const fs::path& source) {
    TRY(const base::ContentHash hash, hash_of(source));
    TRY(const bool there, is_durable(hash));
    if (there) {
      TRY(files_.remove(source));
      return hash;
    }
    TRY(files_.sync_file(source));
    TRY(touch(source));  // It may have been written long ago.
    if (settle(source, hash).ok()) {
      return hash;
    }
    // A rename cannot cross file systems; and a fault shows itself again here.
    TRY(const base::ContentHash copied, copy_in(source));
    TRY(files_.remove(source));
    return copied;
  }

  const fs::path directory_;
  base::FileSystem& files_;
  std::atomic<uint64_t> incoming_count_{0};
  // Held from looking whether an object is there to touching or removing it.
  std::mutex presence_mutex_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Objects>> open_directory(const fs::path& directory,
                                                        base::FileSystem& files) {
  const fs::path incoming = directory / kIncoming;
  // What an interrupted put left.
  TRY(files.remove_all(incoming));
  TRY(files.create_directories(incoming));
  TRY(files.sync_directory(directory));
  return std::make_unique<DirectoryObjects>(directory, files);
}

}  // namespace cromford::store
