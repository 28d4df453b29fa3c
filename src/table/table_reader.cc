#include "table/table_reader.h"

#include <limits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/status.h"

namespace cromford::table {
namespace {

// Distinct texts of a column, numbered in the order of their first appearance. Keys are the
// positions in the column's dictionary, so that no text is kept twice.
class Dictionary {
 public:
  explicit Dictionary(std::vector<std::string>& words) : words_(words), slots_(kSlots, kFree) {}

  uint32_t code(std::string_view text) {
    const uint64_t hash = base::hash64(text);
    size_t slot = hash & (slots_.size() - 1);
    while (slots_[slot] != kFree) {
      const uint32_t code = slots_[slot];
      if (words_[code] == text) {
        return code;
      }
      slot = (slot + 1) & (slots_.size() - 1);
    }
    const auto code = static_cast<uint32_t>(words_.size());
    words_.emplace_back(text);
    slots_[slot] = code;
    if (words_.size() * 2 > slots_.size()) {
      grow();
    }
    return code;
  }

 private:
  static constexpr size_t kSlots = 1024;
  static constexpr uint32_t kFree = UINT32_MAX;

  void grow() {
    std::vector<uint32_t> slots(slots_.size() * 4, kFree);
    for (uint32_t code = 0; code < words_.size(); ++code) {
      size_t slot = base::hash64(words_[code]) & (slots.size() - 1);
      while (slots[slot] != kFree) {
        slot = (slot + 1) & (slots.size() - 1);
      }
      slots[slot] = code;
    }
    slots_ = std::move(slots);
  }

  std::vector<std::string>& words_;
  std::vector<uint32_t> slots_;
};

// Appends the rows of chunks to one column.
class ColumnBuilder {
 public:
  ColumnBuilder(const ColumnSchema& schema, Column& column)
      : column_(column), dictionary_(column.dictionary) {
    column_.name = schema.name;
    column_.type = schema.type;
  }

  void append(const ColumnView& view, size_t rows) {
    switch (view.type) {
      case ColumnType::kNumber:
        append_values(column_.numbers, view.numbers, view,
                      std::numeric_limits<double>::quiet_NaN());
        break;
      case ColumnType::kInteger:
      case ColumnType::kTimestamp:
        append_values(column_.integers, view.integers, view, int64_t{0});
        break;
      case ColumnType::kDate:
        append_values(column_.integers, view.days, view, int64_t{0});
        break;
      case ColumnType::kBoolean:
        append_values(column_.integers, view.booleans, view, int64_t{0});
        break;
      case ColumnType::kText:
        for (size_t i = 0; i < rows; ++i) {
          column_.codes.push_back(view.valid(i) ? dictionary_.code(view.texts[i])
                                                : Column::kMissingCode);
        }
        break;
    }
    append_validity(view, rows);
    row_count_ += rows;
  }

 private:
  template <typename Out, typename In>
  static void append_values(std::vector<Out>& out, std::span<const In> values,
                            const ColumnView& view, Out missing) {
    if (view.all_valid()) {
      out.insert(out.end(), values.begin(), values.end());
      return;
    }
    for (size_t i = 0; i < values.size(); ++i) {
      out.push_back(view.valid(i) ? static_cast<Out>(values[i]) : missing);
    }
  }

  void append_validity(const ColumnView& view, size_t rows) {
    int64_t missing = 0;
    for (size_t i = 0; !view.all_valid() && i < rows; ++i) {
      missing += view.valid(i) ? 0 : 1;
    }
    if (missing == 0 && column_.validity.empty()) {
      return;
    }
    column_.missing_count += missing;
    constexpr size_t kBits = 64;
    if (column_.validity.empty()) {
      column_.validity.assign(row_count_ / kBits + 1, ~uint64_t{0});
    }
    column_.validity.resize((row_count_ + rows) / kBits + 1, ~uint64_t{0});
    for (size_t i = 0; missing > 0 && i < rows; ++i) {
      if (!view.valid(i)) {
        const size_t row = row_count_ + i;
        column_.validity[row / kBits] &= ~(uint64_t{1} << (row % kBits));
      }
    }
  }

  Column& column_;
  Dictionary dictionary_;
  size_t row_count_ = 0;
};

}  // namespace

absl::StatusOr<Table> collect_table(duck::Connection& connection, const std::string& select,
                                    const Schema& schema, const base::CancelToken& cancel,
                                    duck::Origin origin) {
  std::vector<Column> columns(schema.columns.size());
  std::vector<ColumnBuilder> builders;
  std::vector<ColumnType> types;
  builders.reserve(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    builders.emplace_back(schema.columns[i], columns[i]);
    types.push_back(schema.columns[i].type);
  }
  duck::ChunkViews views(types);
  int64_t row_count = 0;
  TRY(connection.stream(select, cancel, origin, [&](duck::DataChunk chunk) {
    const size_t rows = duckdb_data_chunk_get_size(chunk.get());
    const auto columns_of_chunk = views.view(chunk.get());
    for (size_t i = 0; i < builders.size(); ++i) {
      builders[i].append(columns_of_chunk[i], rows);
    }
    row_count += static_cast<int64_t>(rows);
    return absl::OkStatus();
  }));
  return Table(std::move(columns), row_count);
}

}  // namespace cromford::table
