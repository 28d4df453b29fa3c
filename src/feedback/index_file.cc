#include "feedback/index_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <tuple>
#include <utility>

#include "base/hash.h"
#include "base/status.h"
#include "feedback/bytes.h"

namespace cromford::feedback {
namespace {

constexpr std::string_view kMagic =
    "\x89"
    "CRIX\r\n\x1a";
constexpr uint32_t kIndexFormat = 1;
constexpr size_t kFooterBytes = 48;
constexpr size_t kRestBytes = 24;
constexpr size_t kPieceBytes = 1U << 20;
constexpr uint64_t kBucketEntries = 8;  // on average at most: one cache line of fingerprints

unsigned bucket_bits(uint64_t count) {
  return static_cast<unsigned>(std::bit_width(count / kBucketEntries));
}
// By how much to shift a fingerprint; 64 means: all in one bucket.
uint64_t bucket_of(uint64_t fingerprint, unsigned bits) {
  return bits == 0 ? 0 : fingerprint >> (64 - bits);
}

// Writes in large pieces and keeps the checksum.
class PieceWriter {
 public:
  explicit PieceWriter(base::File& file) : file_(file) {}

  template <typename T>
  void put(const T& value) {
    piece_.append(reinterpret_cast<const char*>(&value), sizeof(T));
    if (piece_.size() >= kPieceBytes) {
      flush();
    }
  }
  // The checksum of what was put since the last call.
  uint32_t finish() {
    flush();
    return std::exchange(crc_, 0);
  }
  const absl::Status& status() const { return status_; }

 private:
  void flush() {
    crc_ = base::crc32c(std::string_view(piece_), crc_);
    if (status_.ok() && !piece_.empty()) {
      status_ = file_.write(piece_);
    }
    piece_.clear();
  }

  base::File& file_;
  std::string piece_;
  uint32_t crc_ = 0;
  absl::Status status_;
};

absl::Status write_content(base::File& file, const IndexContent& content,
                           const IndexSource& source) {
  PieceWriter out(file);
  const unsigned bits = bucket_bits(content.count_max);
  std::vector<uint32_t> directory((size_t{1} << bits) + 1, 0);
  uint64_t count = 0;
  source([&](const IndexEntry& entry) {
    out.put(entry.fingerprint);
    ++directory[bucket_of(entry.fingerprint, bits) + 1];
    ++count;
  });
  const uint32_t fingerprints_crc = out.finish();
  source([&](const IndexEntry& entry) {
    out.put(entry.time_us);
    out.put(entry.arrival_us);
    out.put(entry.segment);
    out.put(entry.offset);
  });
  const uint32_t rest_crc = out.finish();
  uint32_t begin = 0;
  for (uint32_t& bucket : directory) {
    begin += bucket;
    bucket = begin;
    out.put(bucket);
  }
  for (const uint32_t segment : content.segments) {
    out.put(segment);
  }
  uint32_t crc = out.finish();
  std::string footer;
  ByteWriter writer(footer);
  writer.put(count);
  writer.put(static_cast<uint32_t>(bits));
  writer.put(static_cast<uint32_t>(content.segments.size()));
  writer.put(content.level);
  writer.put(fingerprints_crc);
  writer.put(rest_crc);
  writer.put(kIndexFormat);
  writer.put(uint32_t{0});
  crc = base::crc32c(std::string_view(footer), crc);
  writer.put(crc);
  writer.bytes(kMagic);
  TRY(out.status());
  return file.write(footer);
}

}  // namespace

bool before(const IndexEntry& a, const IndexEntry& b) {
  return std::tie(a.fingerprint, a.arrival_us, a.segment, a.offset) <
         std::tie(b.fingerprint, b.arrival_us, b.segment, b.offset);
}

absl::StatusOr<std::shared_ptr<const IndexFile>> IndexFile::open(
    const std::filesystem::path& path) {
  TRY(base::MappedFile file, base::MappedFile::open(path));
  std::shared_ptr<IndexFile> index(new IndexFile(path, std::move(file)));
  TRY(index->parse());
  return index;
}

absl::Status IndexFile::parse() {
  const std::string_view all = file_.text();
  const auto damaged = [&](std::string_view what) {
    return base::damaged(fmt::format("the index {} {}", path_.string(), what));
  };
  if (all.size() < kFooterBytes || !all.ends_with(kMagic)) {
    return damaged("has no footer");
  }
  ByteReader in(all.substr(all.size() - kFooterBytes));
  const auto count = in.get<uint64_t>();
  const auto bits = in.get<uint32_t>();
  const auto segment_count = in.get<uint32_t>();
  level_ = in.get<uint32_t>();
  fingerprints_crc_ = in.get<uint32_t>();
  rest_crc_ = in.get<uint32_t>();
  const auto format = in.get<uint32_t>();
  (void)in.get<uint32_t>();
  const auto crc = in.get<uint32_t>();
  if (format != kIndexFormat || bits > 32 || count > UINT32_MAX) {
    return damaged("has an unknown format");
  }
  const uint64_t entry_bytes = count * (sizeof(uint64_t) + kRestBytes);
  const uint64_t directory_bytes = ((uint64_t{1} << bits) + 1) * sizeof(uint32_t);
  const uint64_t segment_bytes = uint64_t{segment_count} * sizeof(uint32_t);
  if (all.size() != entry_bytes + directory_bytes + segment_bytes + kFooterBytes ||
      base::crc32c(all.substr(entry_bytes, all.size() - entry_bytes - kMagic.size() - 4)) != crc) {
    return damaged("is damaged");
  }
  static_assert(sizeof(Rest) == kRestBytes);
  const char* const at = all.data();
  fingerprints_ = {reinterpret_cast<const uint64_t*>(at), count};
  rest_ = {reinterpret_cast<const Rest*>(at + count * sizeof(uint64_t)), count};
  const auto* const words = reinterpret_cast<const uint32_t*>(at + entry_bytes);
  directory_ = {words, (size_t{1} << bits) + 1};
  segments_.assign(words + directory_.size(), words + directory_.size() + segment_count);
  shift_ = bits;
  const bool ascending = std::is_sorted(directory_.begin(), directory_.end());
  return ascending && directory_.back() == count ? absl::OkStatus() : damaged("is damaged");
}

void IndexFile::find(uint64_t fingerprint, std::vector<IndexEntry>& out) const {
  const uint64_t bucket = bucket_of(fingerprint, shift_);
  const uint32_t end = directory_[bucket + 1];
  for (uint32_t i = directory_[bucket]; i < end && fingerprints_[i] <= fingerprint; ++i) {
    if (fingerprints_[i] == fingerprint) {
      out.push_back(entry(i));
    }
  }
}

IndexEntry IndexFile::entry(uint64_t index) const {
  const Rest& rest = rest_[index];
  return {fingerprints_[index], rest.time_us, rest.arrival_us, rest.segment, rest.offset};
}

absl::Status IndexFile::check() const {
  if (base::crc32c(std::as_bytes(fingerprints_)) != fingerprints_crc_ ||
      base::crc32c(std::as_bytes(rest_)) != rest_crc_) {
    return base::damaged(fmt::format("the index {} is damaged", path_.string()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const IndexFile>> write_index(base::FileSystem& files,
                                                             const std::filesystem::path& path,
                                                             const IndexContent& content,
                                                             const IndexSource& source) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  const auto write = [&]() -> absl::Status {
    TRY(const std::unique_ptr<base::File> file, files.open_write(temporary));
    TRY(write_content(*file, content, source));
    TRY(file->sync());
    TRY(file->close());
    TRY(files.rename(temporary, path));
    return files.sync_directory(path.parent_path());
  };
  absl::Status status = write();
  if (!status.ok()) {
    (void)files.remove(temporary);
    return status;
  }
  return IndexFile::open(path);
}

void merge_entries(std::span<const std::shared_ptr<const IndexFile>> indexes,
                   const std::function<bool(uint32_t segment)>& keep, const IndexSink& sink) {
  struct Cursor {
    const IndexFile* index;
    uint64_t at;
    IndexEntry entry;
  };
  std::vector<Cursor> cursors;
  for (const auto& index : indexes) {
    if (index->count() > 0) {
      cursors.push_back({index.get(), 0, index->entry(0)});
    }
  }
  while (!cursors.empty()) {
    const auto least =
        std::min_element(cursors.begin(), cursors.end(),
                         [](const Cursor& a, const Cursor& b) { return before(a.entry, b.entry); });
    if (keep(least->entry.segment)) {
      sink(least->entry);
    }
    if (++least->at < least->index->count()) {
      least->entry = least->index->entry(least->at);
    } else {
      cursors.erase(least);
    }
  }
}

}  // namespace cromford::feedback
