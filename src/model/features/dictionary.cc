#include "model/features/dictionary.h"

#include <fmt/format.h>

#include <bit>
#include <limits>

#include "base/hash.h"
#include "base/status.h"

namespace cromford::model {

absl::Status write_texts(std::span<const std::string> texts, ByteWriter& out) {
  std::vector<uint32_t> offsets = {0};
  std::string bytes;
  for (const std::string& text : texts) {
    bytes += text;
    if (bytes.size() > std::numeric_limits<uint32_t>::max()) {
      return base::invalid("the texts of a dictionary are longer than 4 GiB in all",
                           "keep fewer categories");
    }
    offsets.push_back(static_cast<uint32_t>(bytes.size()));
  }
  out.put(static_cast<uint32_t>(texts.size()));
  out.array<uint32_t>(offsets);
  out.array<char>(bytes);
  return absl::OkStatus();
}

absl::StatusOr<TextTable> TextTable::load(ByteReader& in) {
  TextTable table;
  const uint32_t count = in.count(sizeof(uint32_t) + 1);
  table.offsets_ = in.array<uint32_t>(size_t{count} + 1);
  if (!in.ok() || table.offsets_[0] != 0) {
    return base::damaged("the texts of a dictionary do not fit");
  }
  for (uint32_t i = 0; i < count; ++i) {
    if (table.offsets_[i] >= table.offsets_[i + 1]) {
      return base::damaged(fmt::format("the text {} of a dictionary is empty", i));
    }
  }
  table.bytes_ = in.array<char>(table.offsets_[count]);
  if (!in.ok()) {
    return base::damaged("the texts of a dictionary do not fit");
  }
  table.slots_.assign(std::bit_ceil(2 * size_t{count} + 1), 0);
  const size_t mask = table.slots_.size() - 1;
  for (uint32_t i = 0; i < count; ++i) {
    size_t slot = base::hash64(table[i]) & mask;
    for (; table.slots_[slot] != 0; slot = (slot + 1) & mask) {
      if (table[table.slots_[slot] - 1] == table[i]) {
        return base::damaged(
            fmt::format("'{}' stands twice in a dictionary", table[i].substr(0, 60)));
      }
    }
    table.slots_[slot] = i + 1;
  }
  return table;
}

std::optional<uint32_t> TextTable::find(std::string_view text) const {
  if (slots_.empty()) {
    return std::nullopt;
  }
  const size_t mask = slots_.size() - 1;
  for (size_t slot = base::hash64(text) & mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const uint32_t index = slots_[slot] - 1;
    if ((*this)[index] == text) {
      return index;
    }
  }
  return std::nullopt;
}

}  // namespace cromford::model
