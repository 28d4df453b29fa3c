#include "table/content_hash.h"

#include <fmt/format.h>

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

template <typename T>
void append_value(std::string& out, const T& value) {
  const size_t at = out.size();
  out.resize(at + 1 + sizeof(T));
  out[at] = '\1';
  std::memcpy(out.data() + at + 1, &value, sizeof(T));
}

template <typename T>
void append_values(std::string& out, std::span<const T> values, const ColumnView& view) {
  if (!view.all_valid()) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (view.valid(i)) {
        append_value(out, values[i]);
      } else {
        out.push_back('\0');
      }
    }
    return;
  }
  const size_t begin = out.size();
  constexpr size_t kStep = 1 + sizeof(T);
  out.resize(begin + values.size() * kStep);
  char* at = out.data() + begin;
  for (const T& value : values) {
    *at = '\1';
    std::memcpy(at + 1, &value, sizeof(T));
    at += kStep;
  }
}

void append_texts(std::string& out, const ColumnView& view) {
  for (size_t i = 0; i < view.texts.size(); ++i) {
    if (!view.valid(i)) {
      out.push_back('\0');
      continue;
    }
    append_value(out, static_cast<uint32_t>(view.texts[i].size()));
    out.append(view.texts[i]);
  }
}

}  // namespace

void BlockHasher::add(const Chunk& chunk) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    const ColumnView& view = chunk.column(i);
    scratch_.clear();
    switch (view.type) {
      case ColumnType::kNumber:
        append_values(scratch_, view.numbers, view);
        break;
      case ColumnType::kInteger:
      case ColumnType::kTimestamp:
        append_values(scratch_, view.integers, view);
        break;
      case ColumnType::kDate:
        append_values(scratch_, view.days, view);
        break;
      case ColumnType::kBoolean:
        append_values(scratch_, view.booleans, view);
        break;
      case ColumnType::kText:
        append_texts(scratch_, view);
        break;
    }
    columns_[i].update(scratch_);
  }
}

base::ContentHash BlockHasher::finish() {
  base::ContentHasher all;
  for (base::ContentHasher& column : columns_) {
    const base::ContentHash hash = column.finish();
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
