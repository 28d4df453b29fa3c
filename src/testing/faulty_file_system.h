#pragma once

// The real file system with faults at will: the n-th operation of a kind fails, or the disk is full
// after so many bytes. A test that walks n upwards until nothing fails any more has visited every
// place where a disk can fail.
//
//   testing::FaultyFileSystem files;
//   for (int n = 1; ; ++n) {
//     files.fail(testing::FaultyFileSystem::Operation::kWrite, n);
//     if (save(files).ok()) break;
//     EXPECT_TRUE(loads(path));                             // the old state survived
//   }
//
// Thread safety: may be shared by threads.

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <mutex>

#include "base/file_system.h"

namespace cromford::testing {

class FaultyFileSystem final : public base::FileSystem {
 public:
  enum class Operation { kOpen, kRead, kWrite, kSync, kRename, kRemove, kSyncDirectory, kTruncate };
  static constexpr size_t kOperationCount = 8;

  explicit FaultyFileSystem(base::FileSystem& inner = base::system_files()) : inner_(inner) {}

  // The n-th operation of this kind from now (1: the next) fails with INTERNAL "injected fault",
  // and all after it too unless `clear` is called. A failing write first writes half of its bytes.
  void fail(Operation operation, int64_t n);
  // From now, only so many more bytes can be written; then writes fail with RESOURCE_EXHAUSTED.
  void fill_up_after(uint64_t bytes);
  // From now, syncs are counted and may fail, but the device is not asked: for tests that sync
  // often and lose no power.
  void skip_syncs() { skips_syncs_ = true; }
  // No faults any more.
  void clear();
  // How many operations of a kind there were since the start or since `clear`.
  int64_t count(Operation operation) const;

  absl::StatusOr<std::unique_ptr<base::File>> open_write(const Path& path) override;
  absl::StatusOr<std::unique_ptr<base::File>> open_private(const Path& path) override;
  absl::StatusOr<std::unique_ptr<base::File>> open_append(const Path& path) override;
  absl::StatusOr<std::string> read(const Path& path, uint64_t bytes_max) override;
  absl::Status rename(const Path& from, const Path& to) override;
  absl::Status truncate(const Path& path, uint64_t bytes) override;
  absl::Status remove(const Path& path) override;
  absl::StatusOr<uint64_t> remove_all(const Path& path) override;
  absl::StatusOr<std::vector<std::string>> list(const Path& path) override;
  bool exists(const Path& path) override;
  absl::StatusOr<uint64_t> size(const Path& path) override;
  absl::Status create_directories(const Path& path) override;
  absl::Status sync_directory(const Path& path) override;
  absl::Status sync_file(const Path& path) override;
  absl::StatusOr<uint64_t> free_bytes(const Path& path) override;

 private:
  class FaultyFile;
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // Counts the operation; whether it shall fail.
  bool strikes(Operation operation);
  absl::StatusOr<std::unique_ptr<base::File>> wrap(
      absl::StatusOr<std::unique_ptr<base::File>> file);
  absl::Status write(base::File& file, std::string_view bytes);

  base::FileSystem& inner_;
  mutable std::mutex mutex_;
  std::array<int64_t, kOperationCount> counts_{};
  std::array<int64_t, kOperationCount> fail_from_{kNever, kNever, kNever, kNever,
                                                  kNever, kNever, kNever, kNever};
  std::atomic<bool> skips_syncs_ = false;
  uint64_t bytes_left_ = std::numeric_limits<uint64_t>::max();
};

}  // namespace cromford::testing
