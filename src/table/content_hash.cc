#include "table/content_hash.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>

namespace cromford::table {
namespace {

static_assert(std::endian::native == std::endian::little,
              "values are hashed as they lie in memory");

std::string schema_text(const Schema& schema) {
  std::string text;
  for (const ColumnSchema& column : schema.columns) {
    text +=
        fmt::format("{}:{}:{}\n", column.name.size(), column.name, column_type_name(column.type));
  }
  return text;
}

}  // namespace

template <typename T>
void BlockHasher::add_values(ColumnStream& stream, std::span<const T> values,
                             const ColumnView& view) {
  if (view.all_valid()) {
    stream.hasher.update(std::as_bytes(values));
    return;
  }
  scratch_.resize(values.size_bytes());
  std::memcpy(scratch_.data(), values.data(), values.size_bytes());
  for (size_t i = 0; i < values.size(); ++i) {
    if (!view.valid(i)) {
      std::memset(scratch_.data() + i * sizeof(T), 0, sizeof(T));
      stream.missing.push_back(row_count_ + static_cast<uint32_t>(i));
    }
  }
  stream.hasher.update(scratch_);
}

void BlockHasher::add_texts(ColumnStream& stream, const ColumnView& view) {
  scratch_.clear();
  for (size_t i = 0; i < view.texts.size(); ++i) {
    if (view.valid(i)) {
      scratch_.append(view.texts[i]);
      stream.lengths.push_back(static_cast<uint32_t>(view.texts[i].size()));
    } else {
      stream.lengths.push_back(0);
      stream.missing.push_back(row_count_ + static_cast<uint32_t>(i));
    }
  }
  stream.hasher.update(scratch_);
}

void BlockHasher::add(const Chunk& chunk) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    const ColumnView& view = chunk.column(i);
    switch (view.type) {
      case ColumnType::kNumber:
        add_values(columns_[i], view.numbers, view);
        break;
      case ColumnType::kInteger:
      case ColumnType::kTimestamp:
        add_values(columns_[i], view.integers, view);
        break;
      case ColumnType::kDate:
        add_values(columns_[i], view.days, view);
        break;
      case ColumnType::kBoolean:
        add_values(columns_[i], view.booleans, view);
        break;
      case ColumnType::kText:
        add_texts(columns_[i], view);
        break;
    }
  }
  row_count_ += static_cast<uint32_t>(chunk.row_count());
}

base::ContentHash BlockHasher::finish() {
  base::ContentHasher all;
  for (ColumnStream& stream : columns_) {
    const std::array<uint64_t, 2> counts = {row_count_, stream.missing.size()};
    stream.hasher.update(std::as_bytes(std::span(stream.lengths)));
    stream.hasher.update(std::as_bytes(std::span(stream.missing)));
    stream.hasher.update(std::as_bytes(std::span(counts)));
    const base::ContentHash hash = stream.hasher.finish();
    all.update(std::as_bytes(std::span(hash.bytes)));
  }
  return all.finish();
}

PartHasher::PartHasher(const Schema& schema) {
  hasher_.update(fmt::format("cromford part 1\n{}", schema_text(schema)));
}

void PartHasher::add_block(const base::ContentHash& block) {
  hasher_.update(std::as_bytes(std::span(block.bytes)));
}

std::string PartHasher::finish(int64_t row_count) {
  hasher_.update(fmt::format("\nrows {}", row_count));
  return hasher_.finish().text();
}

std::string hash_of_parts(const Schema& schema, std::span<const HashedPart> parts) {
  std::string text = fmt::format("cromford table 1\n{}", schema_text(schema));
  for (const HashedPart& part : parts) {
    text += fmt::format("{} {}\n", part.row_count, part.content_hash);
  }
  return base::content_hash(text).text();
}

}  // namespace cromford::table
