#pragma once

// Tables in memory and what their columns are. Six column types are enough for everything that
// models and people look at; what files hold beyond them is mapped on the way in (decimals, floats
// and huge integers to numbers; times, blobs and nested values to text).
//
//   TRY(const table::Table flights, table::read_table(engine, snapshot, {.columns = {"delay"}}));
//   const table::Column* delay = flights.find("delay");
//   for (int64_t row = 0; row < flights.row_count(); ++row) {
//     if (delay->valid(row)) sum += delay->integers[static_cast<size_t>(row)];
//   }
//
// Thread safety: values; concurrent reading is fine.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cromford::table {

enum class ColumnType {
  kBoolean,    // "boolean": 0 or 1
  kInteger,    // "integer": 64 bits, signed
  kNumber,     // "number": IEEE double, always finite; what is not finite is missing
  kDate,       // "date": days since 1970-01-01
  kTimestamp,  // "timestamp": microseconds since 1970-01-01T00:00:00Z
  kText,       // "text": UTF-8
};

// "boolean", "integer", "number", "date", "timestamp", "text".
std::string_view column_type_name(ColumnType type);
// nullopt for any other word.
std::optional<ColumnType> parse_column_type(std::string_view name);

struct ColumnSchema {
  std::string name;  // not empty, UTF-8; unique in its table, also when case is ignored
  ColumnType type = ColumnType::kText;
  bool operator==(const ColumnSchema&) const = default;
};

struct Schema {
  std::vector<ColumnSchema> columns;

  // The position of the column of exactly this name.
  std::optional<size_t> find(std::string_view name) const;
  std::vector<std::string> names() const;
  bool operator==(const Schema&) const = default;
};

// One column in memory. Which vector is filled follows from the type; all filled ones have one
// entry for each row. The value of a missing cell is 0, NaN (numbers) or `kMissingCode` (text).
struct Column {
  static constexpr uint32_t kMissingCode = UINT32_MAX;

  std::string name;
  ColumnType type = ColumnType::kText;
  std::vector<double> numbers;          // kNumber
  std::vector<int64_t> integers;        // kBoolean, kInteger, kDate, kTimestamp
  std::vector<uint32_t> codes;          // kText: positions in `dictionary`
  std::vector<std::string> dictionary;  // kText: distinct values in order of first appearance
  std::vector<uint64_t> validity;       // bit row % 64 of word row / 64; empty: nothing is missing
  int64_t missing_count = 0;

  bool valid(int64_t row) const {
    return validity.empty() ||
           ((validity[static_cast<size_t>(row) / 64] >> (static_cast<size_t>(row) % 64)) & 1U) != 0;
  }
  // The text of a valid cell of a text column.
  std::string_view text(int64_t row) const { return dictionary[codes[static_cast<size_t>(row)]]; }
};

class Table {
 public:
  Table() = default;
  // Every column has `row_count` rows.
  Table(std::vector<Column> columns, int64_t row_count)
      : columns_(std::move(columns)), row_count_(row_count) {}

  const std::vector<Column>& columns() const { return columns_; }
  std::vector<Column>& mutable_columns() { return columns_; }
  int64_t row_count() const { return row_count_; }
  // nullptr when there is no column of exactly this name.
  const Column* find(std::string_view name) const;
  Schema schema() const;

 private:
  std::vector<Column> columns_;
  int64_t row_count_ = 0;
};

// A cell as people read it: numbers in their shortest form, "true"/"false", ISO dates and UTC
// timestamps; a missing cell gives an empty text.
std::string cell_text(const Column& column, int64_t row);

// "2001-02-01" from days since 1970-01-01.
std::string format_date(int64_t days);
// "2001-02-01T10:00:00Z", with a fraction of six digits where it is not zero.
std::string format_timestamp(int64_t microseconds);

}  // namespace cromford::table
