#pragma once

// A stored table seen chunk by chunk: at most a few thousand rows at a time, as typed views into
// the data engine's own memory. The profile, the content hash and the checks read data this way.
//
//   class Sum : public table::ChunkVisitor {
//     absl::Status visit(const table::Chunk& chunk) override {
//       for (double x : chunk.column(0).numbers) sum += x;    // mind the missing cells
//       return absl::OkStatus();
//     }
//   };
//
// Thread safety: a chunk belongs to the thread that is handed it, for the length of that call.

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "table/table.h"

namespace cromford::table {

// Views of one column of a chunk. Which span is filled follows from the type. The value of a
// missing cell is unspecified: ask `valid`.
struct ColumnView {
  ColumnType type = ColumnType::kText;
  std::span<const double> numbers;          // kNumber
  std::span<const int64_t> integers;        // kInteger, kTimestamp
  std::span<const int32_t> days;            // kDate: days since 1970-01-01
  std::span<const uint8_t> booleans;        // kBoolean: 0 or 1
  std::span<const std::string_view> texts;  // kText
  const uint64_t* validity = nullptr;       // bit i % 64 of word i / 64; nullptr: all are valid

  bool valid(size_t i) const {
    return validity == nullptr || ((validity[i / 64] >> (i % 64)) & 1U) != 0;
  }
  bool all_valid() const { return validity == nullptr; }
};

class Chunk {
 public:
  Chunk(int64_t first_row, size_t row_count, std::span<const ColumnView> columns)
      : first_row_(first_row), row_count_(row_count), columns_(columns) {}

  // The number of the chunk's first row, counted from 0 over the whole scan.
  int64_t first_row() const { return first_row_; }
  size_t row_count() const { return row_count_; }
  std::span<const ColumnView> columns() const { return columns_; }
  const ColumnView& column(size_t index) const { return columns_[index]; }

 private:
  int64_t first_row_;
  size_t row_count_;
  std::span<const ColumnView> columns_;
};

class ChunkVisitor {
 public:
  virtual ~ChunkVisitor() = default;
  // An error ends the scan and is its result.
  virtual absl::Status visit(const Chunk& chunk) = 0;
};

// Rows are handed out in blocks of this many, whatever the number of threads, so that what is
// computed for each block and then merged in the order of the blocks is always the same. Each part
// of a stored table begins a new block.
inline constexpr int64_t kBlockRows = 122'880;

// Makes the visitor of a block; `block` counts from 0 over the whole scan. Called on any thread,
// once for each block that has rows.
using BlockVisitorFactory = std::function<std::unique_ptr<ChunkVisitor>(int64_t block)>;
// Takes the visitors back, in the order of the blocks, one at a time, on any thread.
using BlockSink = std::function<absl::Status(int64_t block, std::unique_ptr<ChunkVisitor>)>;

}  // namespace cromford::table
