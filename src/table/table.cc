#include "table/table.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "base/text.h"

namespace cromford::table {

std::string_view column_type_name(ColumnType type) {
  switch (type) {
    case ColumnType::kBoolean:
      return "boolean";
    case ColumnType::kInteger:
      return "integer";
    case ColumnType::kNumber:
      return "number";
    case ColumnType::kDate:
      return "date";
    case ColumnType::kTimestamp:
      return "timestamp";
    case ColumnType::kText:
      break;
  }
  return "text";
}

std::optional<ColumnType> parse_column_type(std::string_view name) {
  for (const ColumnType type : {ColumnType::kBoolean, ColumnType::kInteger, ColumnType::kNumber,
                                ColumnType::kDate, ColumnType::kTimestamp, ColumnType::kText}) {
    if (column_type_name(type) == name) {
      return type;
    }
  }
  return std::nullopt;
}

std::optional<size_t> Schema::find(std::string_view name) const {
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == name) {
      return i;
    }
  }
  return std::nullopt;
}

std::vector<std::string> Schema::names() const {
  std::vector<std::string> result;
  result.reserve(columns.size());
  for (const ColumnSchema& column : columns) {
    result.push_back(column.name);
  }
  return result;
}

const Column* Table::find(std::string_view name) const {
  for (const Column& column : columns_) {
    if (column.name == name) {
      return &column;
    }
  }
  return nullptr;
}

Schema Table::schema() const {
  Schema result;
  result.columns.reserve(columns_.size());
  for (const Column& column : columns_) {
    result.columns.push_back({column.name, column.type});
  }
  return result;
}

std::string format_date(int64_t days) {
  const std::chrono::year_month_day date{
      std::chrono::sys_days{std::chrono::days{static_cast<int>(days)}}};
  const int year = static_cast<int>(date.year());
  return fmt::format("{}{:04}-{:02}-{:02}", year < 0 ? "-" : "", year < 0 ? -year : year,
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

std::string format_timestamp(int64_t microseconds) {
  constexpr int64_t kDay = 86'400'000'000;
  const int64_t days =
      microseconds >= 0 ? microseconds / kDay : -((kDay - 1 - microseconds) / kDay);
  const int64_t rest = microseconds - days * kDay;
  const int64_t seconds = rest / 1'000'000;
  const int64_t fraction = rest % 1'000'000;
  std::string text = fmt::format("{}T{:02}:{:02}:{:02}", format_date(days), seconds / 3600,
                                 seconds / 60 % 60, seconds % 60);
  if (fraction != 0) {
    text += fmt::format(".{:06}", fraction);
  }
  return text + "Z";
}

std::string cell_text(const Column& column, int64_t row) {
  if (!column.valid(row)) {
    return {};
  }
  const auto i = static_cast<size_t>(row);
  std::string text;
  switch (column.type) {
    case ColumnType::kBoolean:
      return column.integers[i] != 0 ? "true" : "false";
    case ColumnType::kInteger:
      base::append_number(text, column.integers[i]);
      return text;
    case ColumnType::kNumber:
      base::append_number(text, column.numbers[i]);
      return text;
    case ColumnType::kDate:
      return format_date(column.integers[i]);
    case ColumnType::kTimestamp:
      return format_timestamp(column.integers[i]);
    case ColumnType::kText:
      break;
  }
  return std::string(column.text(row));
}

}  // namespace cromford::table
