#include "learn/rows.h"

#include <fmt/format.h>

#include <limits>

#include "base/status.h"

namespace cromford::learn {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr double kSecondsPerDay = 86400.0;
constexpr double kMicrosecondsPerSecond = 1e6;

// The value of a cell that is not text, in the units of model/contract.h.
double number_of(const table::Column& column, int64_t row) {
  const auto index = static_cast<size_t>(row);
  switch (column.type) {
    case table::ColumnType::kNumber:
      return column.numbers[index];
    case table::ColumnType::kDate:
      return static_cast<double>(column.integers[index]) * kSecondsPerDay;
    case table::ColumnType::kTimestamp:
      return static_cast<double>(column.integers[index]) / kMicrosecondsPerSecond;
    default:
      return static_cast<double>(column.integers[index]);
  }
}

bool is_time(table::ColumnType type) {
  return type == table::ColumnType::kDate || type == table::ColumnType::kTimestamp;
}

absl::Status check_types(const table::Column& column, const model::InputColumn& input) {
  if (column.type == table::ColumnType::kText || input.type == model::InputType::kText) {
    return absl::OkStatus();
  }
  const bool wants_time =
      input.type == model::InputType::kDate || input.type == model::InputType::kTimestamp;
  if (wants_time != is_time(column.type)) {
    return base::invalid(
        fmt::format("column '{}' is of type {}, but the model wants a {}", input.name,
                    table::column_type_name(column.type), model::input_type_name(input.type)),
        "convert it with --query when the data is added");
  }
  return absl::OkStatus();
}

}  // namespace

model::InputType input_type_of(table::ColumnType type) {
  switch (type) {
    case table::ColumnType::kBoolean:
      return model::InputType::kBoolean;
    case table::ColumnType::kDate:
      return model::InputType::kDate;
    case table::ColumnType::kTimestamp:
      return model::InputType::kTimestamp;
    case table::ColumnType::kText:
      return model::InputType::kText;
    default:
      return model::InputType::kNumber;
  }
}

template <typename RowOf>
absl::StatusOr<ModelRows::InputValues> ModelRows::convert(const table::Column* column,
                                                          const model::InputColumn& input,
                                                          size_t row_count, RowOf row_of,
                                                          std::deque<std::string>& pool) {
  InputValues values{.is_text = input.type == model::InputType::kText};
  if (values.is_text) {
    values.texts.resize(row_count);
  } else {
    values.numbers.assign(row_count, kMissing);
  }
  if (column == nullptr) {
    return values;
  }
  TRY(check_types(*column, input));
  const bool from_text = column->type == table::ColumnType::kText;
  for (size_t i = 0; i < row_count; ++i) {
    const int64_t row = row_of(i);
    if (!column->valid(row)) {
      continue;
    }
    if (values.is_text && from_text) {
      const std::string_view text = column->text(row);
      values.texts[i] = text.empty() ? std::string_view() : text;
    } else if (values.is_text) {
      values.texts[i] = pool.emplace_back(table::cell_text(*column, row));
    } else if (from_text) {
      const absl::StatusOr<model::Value> value = model::parse_value(input.type, column->text(row));
      if (!value.ok()) {
        return base::annotate(value.status(),
                              fmt::format("column '{}', row {}", input.name, row + 1));
      }
      values.numbers[i] = value->number;
    } else {
      values.numbers[i] = number_of(*column, row);
    }
  }
  return values;
}

template <typename RowOf>
absl::StatusOr<ModelRows> ModelRows::create_of(const table::Table& table,
                                               const model::Contract& contract, size_t row_count,
                                               RowOf row_of) {
  ModelRows rows;
  rows.row_count_ = row_count;
  for (const model::InputColumn& input : contract) {
    const table::Column* column = table.find(input.name);
    if (column == nullptr) {
      rows.missing_columns_.push_back(input.name);
    }
    TRY(InputValues values, convert(column, input, row_count, row_of, rows.pool_));
    rows.columns_.push_back(std::move(values));
  }
  return rows;
}

absl::StatusOr<ModelRows> ModelRows::create(const table::Table& table,
                                            const model::Contract& contract) {
  return create_of(table, contract, static_cast<size_t>(table.row_count()),
                   [](size_t i) { return static_cast<int64_t>(i); });
}

absl::StatusOr<ModelRows> ModelRows::create(const table::Table& table,
                                            const model::Contract& contract,
                                            std::span<const uint32_t> rows) {
  return create_of(table, contract, rows.size(), [rows](size_t i) { return int64_t{rows[i]}; });
}

model::RowBatch ModelRows::batch(size_t first, size_t count, BatchViews& views) const {
  views.resize(columns_.size());
  for (size_t i = 0; i < columns_.size(); ++i) {
    const InputValues& values = columns_[i];
    if (values.is_text) {
      views[i] = {.texts = std::span(values.texts).subspan(first, count)};
    } else {
      views[i] = {.numbers = std::span(values.numbers).subspan(first, count)};
    }
  }
  return {count, views};
}

}  // namespace cromford::learn
