#pragma once

// Texts with numbers, looked up by hashing: the categories of a column, or a vocabulary of tokens.
// The texts stay where they were loaded from; only the hash slots are built.
//
//   ByteWriter out;
//   write_texts(entries, out);
//   TRY(TextTable table, TextTable::load(in));
//   const std::optional<uint32_t> index = table.find("ORD");
//
// Thread safety: immutable after creation.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/bytes.h"

namespace cromford::model {

// u32 count, u32 offsets[count + 1], then the bytes of all texts.
absl::Status write_texts(std::span<const std::string> texts, ByteWriter& out);

class TextTable {
 public:
  TextTable() = default;
  // Texts that are distinct and not empty, else DATA_LOSS. Keeps views of the reader's bytes.
  static absl::StatusOr<TextTable> load(ByteReader& in);

  uint32_t size() const {
    return offsets_.empty() ? 0 : static_cast<uint32_t>(offsets_.size() - 1);
  }
  std::string_view operator[](uint32_t index) const {
    return {bytes_.data() + offsets_[index], offsets_[index + 1] - offsets_[index]};
  }
  std::optional<uint32_t> find(std::string_view text) const;
  size_t memory_bytes() const { return slots_.size() * sizeof(uint32_t); }

 private:
  std::span<const uint32_t> offsets_;
  std::span<const char> bytes_;
  std::vector<uint32_t> slots_;  // index + 1, or 0; a power of two, at most half full
};

}  // namespace cromford::model
