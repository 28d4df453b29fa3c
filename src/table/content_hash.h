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
  // Of all columns' streams; each is, row by row, a zero byte for a missing cell, else a one and
  // the value: 8 bytes (4 for dates, 1 for booleans) little-endian, or a text's length as 4 bytes
  // and its bytes.
  base::ContentHash finish();

 private:
  std::vector<base::ContentHasher> columns_;
  std::string scratch_;
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
