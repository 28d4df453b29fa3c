#pragma once

// All that is known of where the records of one kind stand: a table in memory for each segment that
// is being written, and index files for those that are closed.
//
//   Index predictions;
//   predictions.insert(entry);
//   predictions.find(fingerprint, found);
//   predictions.replace_tables({{4}}, index_file);     // segment 4 is closed
//
// Memory is bounded by the open segments; index files are mapped. Their number grows with the
// logarithm of the segments' (see `due_for_merge`).
// Thread safety: none; the joiner guards it.

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "feedback/index_file.h"

namespace cromford::feedback {

// The entries of one segment in memory: a hash table with open addressing.
class IndexTable {
 public:
  void insert(const IndexEntry& entry);
  void find(uint64_t fingerprint, std::vector<IndexEntry>& out) const;
  const std::vector<IndexEntry>& entries() const { return entries_; }

 private:
  void place(uint32_t index);

  std::vector<IndexEntry> entries_;
  std::vector<uint32_t> slots_;  // position in `entries_` + 1; a power of two of them
};

class Index {
 public:
  using Files = std::vector<std::shared_ptr<const IndexFile>>;

  void insert(const IndexEntry& entry) { tables_[entry.segment].insert(entry); }
  // Appends all entries of this fingerprint to `out`, in no order.
  void find(uint64_t fingerprint, std::vector<IndexEntry>& out) const;

  // The entries of a segment's table; empty where there is none.
  std::vector<IndexEntry> table_entries(uint32_t segment) const;
  // An index file takes the place of the tables of `segments`.
  void replace_tables(std::span<const uint32_t> segments, std::shared_ptr<const IndexFile> file);

  void add_file(std::shared_ptr<const IndexFile> file) { files_.push_back(std::move(file)); }
  // `merged` (none: nothing was left) takes the place of `old`.
  void replace_files(const Files& old, std::shared_ptr<const IndexFile> merged);
  const Files& files() const { return files_; }
  // Still looked into, but never merged.
  void set_aside(const std::shared_ptr<const IndexFile>& file);
  // Four files of one level, oldest first, where there are as many; else none.
  Files due_for_merge() const;

 private:
  std::map<uint32_t, IndexTable> tables_;  // by segment; as many as there are writers, or one more
  Files files_;
  Files aside_;
};

}  // namespace cromford::feedback
