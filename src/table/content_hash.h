#pragma once

// The content hash of tables: BLAKE2b-256 over schema and values, block by block, so that several
// threads can compute it and appended tables need not be read again. docs/formats/manifest.md
// defines it.
//
//   BlockHasher hasher(schema);          // for rows [0, kBlockRows)
//   hasher.add(chunk);
//   part.add_block(hasher.finish());     // in the order of the blocks
//   const std::string hash = part.finish(row_count);
//
// Thread safety: each object belongs to one thread.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "table/chunk.h"
#include "table/table.h"

namespace cromford::table {

class BlockHasher {
 public:
  explicit BlockHasher(size_t column_count) : columns_(column_count) {}
  void add(const Chunk& chunk);
  // Of all columns, each hashed by itself: the values of the rows in order (8 bytes, 4 for dates, 1
  // for booleans, little-endian, zero where missing; the bytes of texts), then for texts the
  // lengths as 4 bytes each, then the positions in the block of the missing rows as 4 bytes each,
  // then the numbers of rows and of missing ones as 8 bytes each.
  base::ContentHash finish();

 private:
  struct ColumnStream {
    base::ContentHasher hasher;
    std::vector<uint32_t> lengths;
    std::vector<uint32_t> missing;
  };
  template <typename T>
  void add_values(ColumnStream& stream, std::span<const T> values, const ColumnView& view);
  void add_texts(ColumnStream& stream, const ColumnView& view);

  std::vector<ColumnStream> columns_;
  std::string scratch_;
  uint32_t row_count_ = 0;
};

class PartHasher {
 public:
  explicit PartHasher(const Schema& schema);
  void add_block(const base::ContentHash& block);
  // The hash of the part as 64 hexadecimal digits.
  std::string finish(int64_t row_count);

 private:
  base::ContentHasher hasher_;
};

// The hash of a table of these parts; what `combined_hash` of a manifest gives.
struct HashedPart {
  int64_t row_count = 0;
  std::string content_hash;
};
std::string hash_of_parts(const Schema& schema, std::span<const HashedPart> parts);

}  // namespace cromford::table
