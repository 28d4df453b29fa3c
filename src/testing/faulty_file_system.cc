#include "testing/faulty_file_system.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace cromford::testing {
namespace {

size_t index_of(FaultyFileSystem::Operation operation) {
  return static_cast<size_t>(operation);
}

absl::Status fault(std::string_view action) {
  return base::internal(fmt::format("injected fault: cannot {}", action));
}

}  // namespace

class FaultyFileSystem::FaultyFile final : public base::File {
 public:
  FaultyFile(FaultyFileSystem& files, std::unique_ptr<base::File> inner)
      : files_(files), inner_(std::move(inner)) {}

  absl::Status write(std::string_view bytes) override { return files_.write(*inner_, bytes); }
  absl::Status sync() override {
    if (files_.strikes(Operation::kSync)) {
      return fault("sync");
    }
    return files_.skips_syncs_ ? absl::OkStatus() : inner_->sync();
  }
  absl::Status close() override { return inner_->close(); }

 private:
  FaultyFileSystem& files_;
  std::unique_ptr<base::File> inner_;
};

void FaultyFileSystem::fail(Operation operation, int64_t n) {
  const std::lock_guard lock(mutex_);
  fail_from_[index_of(operation)] = counts_[index_of(operation)] + n;
}

void FaultyFileSystem::fill_up_after(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  bytes_left_ = bytes;
}

void FaultyFileSystem::clear() {
  const std::lock_guard lock(mutex_);
  counts_.fill(0);
  fail_from_.fill(kNever);
  bytes_left_ = std::numeric_limits<uint64_t>::max();
}

int64_t FaultyFileSystem::count(Operation operation) const {
  const std::lock_guard lock(mutex_);
  return counts_[index_of(operation)];
}

bool FaultyFileSystem::strikes(Operation operation) {
  const std::lock_guard lock(mutex_);
  return ++counts_[index_of(operation)] >= fail_from_[index_of(operation)];
}

absl::StatusOr<std::unique_ptr<base::File>> FaultyFileSystem::wrap(
    absl::StatusOr<std::unique_ptr<base::File>> file) {
  if (!file.ok()) {
    return file;
  }
  return std::make_unique<FaultyFile>(*this, std::move(file).value());
}

absl::Status FaultyFileSystem::write(base::File& file, std::string_view bytes) {
  if (strikes(Operation::kWrite)) {
    (void)file.write(bytes.substr(0, bytes.size() / 2));
    return fault("write");
  }
  size_t fitting = 0;
  {
    const std::lock_guard lock(mutex_);
    fitting = static_cast<size_t>(std::min<uint64_t>(bytes_left_, bytes.size()));
    bytes_left_ -= fitting;
  }
  const absl::Status status = file.write(bytes.substr(0, fitting));
  if (status.ok() && fitting < bytes.size()) {
    return base::exhausted("injected fault: the disk is full");
  }
  return status;
}

absl::StatusOr<std::unique_ptr<base::File>> FaultyFileSystem::open_write(const Path& path) {
  return strikes(Operation::kOpen) ? fault("open") : wrap(inner_.open_write(path));
}

absl::StatusOr<std::unique_ptr<base::File>> FaultyFileSystem::open_private(const Path& path) {
  return strikes(Operation::kOpen) ? fault("open") : wrap(inner_.open_private(path));
}

absl::StatusOr<std::unique_ptr<base::File>> FaultyFileSystem::open_append(const Path& path) {
  return strikes(Operation::kOpen) ? fault("open") : wrap(inner_.open_append(path));
}

absl::StatusOr<std::string> FaultyFileSystem::read(const Path& path, uint64_t bytes_max) {
  return strikes(Operation::kRead) ? fault("read") : inner_.read(path, bytes_max);
}

absl::Status FaultyFileSystem::rename(const Path& from, const Path& to) {
  return strikes(Operation::kRename) ? fault("rename") : inner_.rename(from, to);
}

absl::Status FaultyFileSystem::truncate(const Path& path, uint64_t bytes) {
  return strikes(Operation::kTruncate) ? fault("truncate") : inner_.truncate(path, bytes);
}

absl::Status FaultyFileSystem::remove(const Path& path) {
  return strikes(Operation::kRemove) ? fault("remove") : inner_.remove(path);
}

absl::StatusOr<uint64_t> FaultyFileSystem::remove_all(const Path& path) {
  return strikes(Operation::kRemove) ? fault("remove") : inner_.remove_all(path);
}

absl::StatusOr<std::vector<std::string>> FaultyFileSystem::list(const Path& path) {
  return inner_.list(path);
}

bool FaultyFileSystem::exists(const Path& path) {
  return inner_.exists(path);
}

absl::StatusOr<uint64_t> FaultyFileSystem::size(const Path& path) {
  return inner_.size(path);
}

absl::Status FaultyFileSystem::create_directories(const Path& path) {
  return inner_.create_directories(path);
}

absl::Status FaultyFileSystem::sync_directory(const Path& path) {
  if (strikes(Operation::kSyncDirectory)) {
    return fault("sync");
  }
  return skips_syncs_ ? absl::OkStatus() : inner_.sync_directory(path);
}

absl::Status FaultyFileSystem::sync_file(const Path& path) {
  if (strikes(Operation::kSync)) {
    return fault("sync");
  }
  return skips_syncs_ ? absl::OkStatus() : inner_.sync_file(path);
}

absl::StatusOr<uint64_t> FaultyFileSystem::free_bytes(const Path& path) {
  return inner_.free_bytes(path);
}

}  // namespace cromford::testing
