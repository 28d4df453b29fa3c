#include "table/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <atomic>
#include <cerrno>
#include <vector>

#include "base/file_system.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/status.h"

namespace cromford::table {
namespace {

constexpr size_t kPackedBytes = 256U << 10;

class FileSource final : public ByteSource {
 public:
  FileSource(int descriptor, std::filesystem::path path, Hashing hashing)
      : descriptor_(descriptor), path_(std::move(path)), hashing_(hashing) {}
  ~FileSource() override { ::close(descriptor_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  absl::StatusOr<size_t> read(std::span<char> buffer) override {
    while (true) {
      const ssize_t count = ::read(descriptor_, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) {
        continue;
      }
      if (count < 0) {
        return base::errno_status(errno, "read", path_);
      }
      const auto size = static_cast<size_t>(count);
      if (hashing_ == Hashing::kOn) {
        hasher_.update(std::string_view(buffer.data(), size));
      }
      position_ += size;
      return size;
    }
  }

  uint64_t position() const override { return position_; }

  absl::StatusOr<std::string> finish_hash() override {
    std::vector<char> rest(kPackedBytes);
    size_t count = 1;
    while (count > 0) {
      TRY(count, read(rest));
    }
    return hasher_.finish().text();
  }

 private:
  int descriptor_;
  std::filesystem::path path_;
  Hashing hashing_;
  base::ContentHasher hasher_;
  std::atomic<uint64_t> position_{0};
};

absl::Status damaged_archive(const std::filesystem::path& path, std::string_view kind) {
  return base::invalid(fmt::format("{} is damaged or cut off: it does not unpack as {}",
                                   path.filename().string(), kind),
                       "copy the file again from where it comes from");
}

class GzipSource final : public ByteSource {
 public:
  GzipSource(std::unique_ptr<ByteSource> packed, std::filesystem::path path)
      : packed_(std::move(packed)), path_(std::move(path)), input_(kPackedBytes) {
    // 15 bits of window, and 16 for "gzip only".
    constexpr int kGzipWindow = 15 + 16;
    inflateInit2(&stream_, kGzipWindow);
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  absl::StatusOr<size_t> read(std::span<char> buffer) override {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = static_cast<uInt>(buffer.size());
    while (stream_.avail_out == buffer.size()) {
      // After a full buffer the unpacker may hold more without further input.
      TRY(const bool more, refill());
      if (!more && !was_full_) {
        if (in_member_) {
          return damaged_archive(path_, "gzip");
        }
        return size_t{0};
      }
      in_member_ = true;
      const int state = inflate(&stream_, Z_NO_FLUSH);
      was_full_ = stream_.avail_out == 0;
      if (state == Z_STREAM_END) {
        in_member_ = false;
        inflateReset(&stream_);
      } else if (state != Z_OK && state != Z_BUF_ERROR) {
        return damaged_archive(path_, "gzip");
      }
    }
    return buffer.size() - stream_.avail_out;
  }

  uint64_t position() const override { return packed_->position(); }
  absl::StatusOr<std::string> finish_hash() override { return packed_->finish_hash(); }

 private:
  // Whether there is packed input; zeros behind the last member are padding.
  absl::StatusOr<bool> refill() {
    while (true) {
      if (stream_.avail_in == 0) {
        TRY(const size_t count, packed_->read(input_));
        stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
        stream_.avail_in = static_cast<uInt>(count);
        if (count == 0) {
          return false;
        }
      }
      if (in_member_ || *stream_.next_in != 0) {
        return true;
      }
      ++stream_.next_in;
      --stream_.avail_in;
    }
  }

  std::unique_ptr<ByteSource> packed_;
  std::filesystem::path path_;
  std::vector<char> input_;
  z_stream stream_{};
  bool in_member_ = false;
  bool was_full_ = false;
};

class ZstdSource final : public ByteSource {
 public:
  ZstdSource(std::unique_ptr<ByteSource> packed, std::filesystem::path path)
      : packed_(std::move(packed)), path_(std::move(path)), input_(kPackedBytes) {
    // 128 MiB of window is what the zstd program allows without being asked.
    constexpr int kWindowLogMax = 27;
    ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kWindowLogMax);
  }
  ~ZstdSource() override { ZSTD_freeDCtx(context_); }
  ZstdSource(const ZstdSource&) = delete;
  ZstdSource& operator=(const ZstdSource&) = delete;

  absl::StatusOr<size_t> read(std::span<char> buffer) override {
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    while (out.pos == 0) {
      if (in_.pos == in_.size) {
        TRY(const size_t count, packed_->read(input_));
        in_ = {input_.data(), count, 0};
        if (count == 0 && !was_full_) {
          if (in_frame_) {
            return damaged_archive(path_, "zstd");
          }
          return size_t{0};
        }
      }
      const size_t state = ZSTD_decompressStream(context_, &out, &in_);
      if (ZSTD_isError(state) != 0) {
        return damaged_archive(path_, "zstd");
      }
      in_frame_ = state != 0;
      was_full_ = out.pos == out.size;
    }
    return out.pos;
  }

  uint64_t position() const override { return packed_->position(); }
  absl::StatusOr<std::string> finish_hash() override { return packed_->finish_hash(); }

 private:
  std::unique_ptr<ByteSource> packed_;
  std::filesystem::path path_;
  std::vector<char> input_;
  ZSTD_DCtx* context_ = ZSTD_createDCtx();
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool in_frame_ = false;
  bool was_full_ = false;
};

class BoundedSource final : public ByteSource {
 public:
  BoundedSource(std::unique_ptr<ByteSource> source, uint64_t bytes_max, std::string name)
      : source_(std::move(source)), bytes_max_(bytes_max), name_(std::move(name)) {}

  absl::StatusOr<size_t> read(std::span<char> buffer) override {
    TRY(const size_t count, source_->read(buffer));
    bytes_ += count;
    if (bytes_ > bytes_max_) {
      return base::exhausted(
          fmt::format("{} unpacks to more than {}", name_, base::format_size(bytes_max_)),
          "check that it is what it should be, then unpack it and add it in pieces");
    }
    return count;
  }
  uint64_t position() const override { return source_->position(); }
  absl::StatusOr<std::string> finish_hash() override { return source_->finish_hash(); }

 private:
  std::unique_ptr<ByteSource> source_;
  uint64_t bytes_max_;
  uint64_t bytes_ = 0;
  std::string name_;
};

}  // namespace

std::unique_ptr<ByteSource> bounded(std::unique_ptr<ByteSource> source, uint64_t bytes_max,
                                    std::string name) {
  return std::make_unique<BoundedSource>(std::move(source), bytes_max, std::move(name));
}

std::string_view compression_name(Compression compression) {
  switch (compression) {
    case Compression::kGzip:
      return "gzip";
    case Compression::kZstd:
      return "zstd";
    case Compression::kNone:
      break;
  }
  return "";
}

Compression detect_compression(std::string_view first_bytes) {
  if (first_bytes.starts_with("\x1F\x8B")) {
    return Compression::kGzip;
  }
  if (first_bytes.starts_with("\x28\xB5\x2F\xFD")) {
    return Compression::kZstd;
  }
  return Compression::kNone;
}

absl::StatusOr<std::unique_ptr<ByteSource>> open_bytes(const std::filesystem::path& path,
                                                       Compression compression, Hashing hashing) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return base::errno_status(errno, "open", path);
  }
  std::unique_ptr<ByteSource> source = std::make_unique<FileSource>(descriptor, path, hashing);
  struct stat info{};
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    return base::invalid(fmt::format("{} is not a regular file", path.string()),
                         "name a file; several files may be named one after another");
  }
  if (compression == Compression::kGzip) {
    source = std::make_unique<GzipSource>(std::move(source), path);
  } else if (compression == Compression::kZstd) {
    source = std::make_unique<ZstdSource>(std::move(source), path);
  }
  return source;
}

}  // namespace cromford::table
