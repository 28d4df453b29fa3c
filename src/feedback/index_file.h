#pragma once

// Where the records of some closed segments stand, by fingerprint: an immutable file, mapped and
// used in place, so that what an index holds in memory is the kernel's to take back. Everything in
// it can be made again from the segments. For the sources of this folder; the bytes are in
// docs/formats/log.md.
//
//   TRY(auto index, write_index(files, path, {.segments = {4}, .count_max = entries.size()},
//                               [&](const IndexSink& sink) { for (auto& e : entries) sink(e); }));
//   std::vector<IndexEntry> found;
//   index->find(fingerprint, found);
//
// Thread safety: reading is.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/mapped_file.h"

namespace cromford::feedback {

// One record. 64 bits of an id are enough to count by: of a hundred million ids, one in 10^11
// unknown ones meets a wrong partner. Whoever reads the record compares the id itself.
struct IndexEntry {
  uint64_t fingerprint = 0;
  int64_t time_us = 0;  // event time of a prediction, `at` of an outcome
  int64_t arrival_us = 0;
  uint32_t segment = 0;
  uint32_t offset = 0;  // of the frame, in 8 bytes
  bool operator==(const IndexEntry&) const = default;
};
// The order of index files: by fingerprint, then by arrival.
bool before(const IndexEntry& a, const IndexEntry& b);

using IndexSink = std::function<void(const IndexEntry&)>;
// Gives all entries, in order, to the sink; is called more than once.
using IndexSource = std::function<void(const IndexSink&)>;

class IndexFile {
 public:
  // DATA_LOSS unless directory and footer are whole. The entries are checked by `check`.
  static absl::StatusOr<std::shared_ptr<const IndexFile>> open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  uint32_t level() const { return level_; }
  uint64_t count() const { return fingerprints_.size(); }
  const std::vector<uint32_t>& segments() const { return segments_; }  // ascending
  uint64_t size_bytes() const { return file_.bytes().size(); }

  // Appends the entries of this fingerprint to `out`.
  void find(uint64_t fingerprint, std::vector<IndexEntry>& out) const;
  IndexEntry entry(uint64_t index) const;
  // Reads everything once. DATA_LOSS where a checksum is wrong.
  absl::Status check() const;

 private:
  friend struct IndexLayout;
  IndexFile(std::filesystem::path path, base::MappedFile file)
      : path_(std::move(path)), file_(std::move(file)) {}
  absl::Status parse();

  // What an entry is beside its fingerprint.
  struct Rest {
    int64_t time_us;
    int64_t arrival_us;
    uint32_t segment;
    uint32_t offset;
  };

  std::filesystem::path path_;
  base::MappedFile file_;
  uint32_t level_ = 0;
  unsigned shift_ = 0;  // of a fingerprint, to the number of its bucket
  uint32_t fingerprints_crc_ = 0;
  uint32_t rest_crc_ = 0;
  std::span<const uint64_t> fingerprints_;
  std::span<const Rest> rest_;
  std::span<const uint32_t> directory_;  // where each bucket begins, and the count
  std::vector<uint32_t> segments_;
};

struct IndexContent {
  std::vector<uint32_t> segments;
  uint64_t count_max = 0;  // at least as many as the source gives
  uint32_t level = 0;
};
// Whole, synced and named `path`, or not at all.
absl::StatusOr<std::shared_ptr<const IndexFile>> write_index(base::FileSystem& files,
                                                             const std::filesystem::path& path,
                                                             const IndexContent& content,
                                                             const IndexSource& source);

// All entries of `indexes` in order, but those that `keep` refuses.
void merge_entries(std::span<const std::shared_ptr<const IndexFile>> indexes,
                   const std::function<bool(uint32_t segment)>& keep, const IndexSink& sink);

}  // namespace cromford::feedback
