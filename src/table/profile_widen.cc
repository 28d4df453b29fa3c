// Profiles of columns whose type has grown since: see ProfileBuilder::merge.

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <system_error>

#include "base/status.h"
#include "table/cell.h"
#include "table/profile_hash.h"
#include "table/profile_state.h"

namespace cromford::table {
namespace {

constexpr double kMicrosecondsPerDay = 86'400e6;

// As the data engine writes a value when it turns it into text.
std::string cast_text(ColumnType type, double value) {
  std::string text = value_text(type, value);
  if (type == ColumnType::kNumber && text.find_first_of(".en") == std::string::npos) {
    text += ".0";
  } else if (type == ColumnType::kTimestamp && text.size() > 11 && text.back() == 'Z') {
    text.pop_back();
    text[text.find('T')] = ' ';
  }
  return text;
}

// The value that the data engine would write as `text`, as a type and a key.
std::optional<uint64_t> hash_of_written(std::string_view text) {
  const char* const end = text.data() + text.size();
  int64_t integer = 0;
  if (const auto read = std::from_chars(text.data(), end, integer);
      read.ec == std::errc() && read.ptr == end) {
    const bool same = fmt::format_int(integer).size() == text.size();  // No leading zeros, no -0.
    return same ? std::optional(distinct_hash(ColumnType::kInteger, key_of_integer(integer)))
                : std::nullopt;
  }
  double number = 0;
  if (const auto read = std::from_chars(text.data(), end, number);
      read.ec == std::errc() && read.ptr == end) {
    return cast_text(ColumnType::kNumber, number) == text
               ? std::optional(distinct_hash(ColumnType::kNumber, key_of_number(number)))
               : std::nullopt;
  }
  constexpr size_t kDateSize = 10;  // 2001-01-31
  if (text.size() < kDateSize || text[4] != '-' || text[7] != '-') {
    return std::nullopt;
  }
  int32_t days = 0;
  int64_t time = 0;
  if (text.size() == kDateSize && parse_date(text, DateFormat::kYearMonthDay, days)) {
    return distinct_hash(ColumnType::kDate, key_of_integer(days));
  }
  if (parse_timestamp(text, DateFormat::kYearMonthDay, time) &&
      cast_text(ColumnType::kTimestamp, static_cast<double>(time)) == text) {
    return distinct_hash(ColumnType::kTimestamp, key_of_integer(time));
  }
  return std::nullopt;
}

ColumnState all_missing(ColumnType type, int64_t row_count) {
  if (type == ColumnType::kText) {
    TextState state;
    state.add_missing(row_count);
    return state;
  }
  NumberState state(type);
  state.add_missing(row_count);
  return state;
}

}  // namespace

uint64_t distinct_hash(std::string_view text, uint64_t hash) {
  constexpr size_t kWrittenMax = 32;
  const bool perhaps = !text.empty() && text.size() <= kWrittenMax &&
                       (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
  return perhaps ? hash_of_written(text).value_or(hash) : hash;
}

std::optional<NumberState> NumberState::widened(ColumnType to) const {
  const bool grows = to == type_ || to == ColumnType::kNumber ||
                     (type_ == ColumnType::kBoolean && to == ColumnType::kInteger);
  const bool in_time = type_ == ColumnType::kDate || type_ == ColumnType::kTimestamp;
  const bool to_timestamp = type_ == ColumnType::kDate && to == ColumnType::kTimestamp;
  if (!to_timestamp && (!grows || (in_time && to != type_))) {
    return std::nullopt;
  }
  const double factor = to_timestamp ? kMicrosecondsPerDay : 1;
  const auto moved = [&](uint64_t key) {
    if (to == ColumnType::kNumber) {
      return key_of_number(value_of(key));
    }
    return to_timestamp ? key_of_integer(static_cast<int64_t>(value_of(key) * factor)) : key;
  };
  NumberState wide(to);
  wide.missing_ = missing_;
  wide.present_ = present_;
  values_.for_each([&](const CountedKey& item) {
    const uint64_t key = moved(item.key);
    wide.values_.add(key, profile_hash(key), item.count);
  });
  wide.values_.add_error(values_.error());
  if (exact()) {
    return wide;
  }
  wide.sketch_ = std::make_unique<Sketch>();
  wide.sketch_->distinct = sketch_->distinct;
  wide.sketch_->quantiles = sketch_->quantiles;
  wide.sketch_->quantiles.scale(factor);
  const Moments moments = sketch_->all_moments();
  wide.sketch_->moments = {moments.count, moments.mean * factor, moments.m2 * factor * factor,
                           moments.m3 * factor * factor * factor};
  wide.sketch_->shift = wide.sketch_->moments.mean;
  wide.sketch_->key_min = moved(sketch_->key_min);
  wide.sketch_->key_max = moved(sketch_->key_max);
  wide.sketch_->zero = sketch_->zero;
  wide.sketch_->negative = sketch_->negative;
  return wide;
}

TextState TextState::from_numbers(const NumberState& numbers) {
  TextState state;
  state.missing_ = numbers.missing();
  state.present_ = numbers.present();
  for (const CountedKey& item : numbers.values().sorted()) {
    const std::string text = numbers.type() == ColumnType::kInteger
                                 ? fmt::format("{}", integer_of_key(item.key))
                                 : cast_text(numbers.type(), numbers.value_of(item.key));
    state.values_.add(text, profile_hash(std::string_view(text)), item.count);
  }
  state.values_.add_error(numbers.values().error());
  if (numbers.exact()) {
    return state;
  }
  state.sketch_ = std::make_unique<Sketch>();
  state.sketch_->distinct = numbers.sketch_->distinct;
  for (const WeightedNumber& item : numbers.items()) {
    const std::string text = cast_text(numbers.type(), item.value);
    state.sketch_->lengths.add(text, item.weight);
    state.sketch_->looks.add(text, item.weight);
  }
  return state;
}

absl::StatusOr<TableState> TableState::widened(const Schema& from, const Schema& to) const {
  TableState wide(to);
  wide.row_count = row_count;
  wide.rows = rows;
  for (size_t i = 0; i < to.columns.size(); ++i) {
    if (!from.find(to.columns[i].name)) {
      wide.columns[i] = all_missing(to.columns[i].type, row_count);
    }
  }
  for (size_t i = 0; i < from.columns.size(); ++i) {
    const ColumnSchema& column = from.columns[i];
    const auto at = to.find(column.name);
    if (!at) {
      return base::invalid(
          fmt::format("the column {} of the profile is not there any more", column.name),
          "profile all rows of the new version");
    }
    const ColumnType type = to.columns[*at].type;
    const auto* numbers = std::get_if<NumberState>(&columns[i]);
    if (type == column.type) {
      wide.columns[*at] = columns[i];
    } else if (numbers != nullptr && type == ColumnType::kText) {
      wide.columns[*at] = TextState::from_numbers(*numbers);
    } else if (auto grown = numbers == nullptr ? std::nullopt : numbers->widened(type)) {
      wide.columns[*at] = *std::move(grown);
    } else {
      return base::invalid(
          fmt::format("the column {} was {} and cannot be continued as {}", column.name,
                      column_type_name(column.type), column_type_name(type)),
          "profile all rows of the new version");
    }
  }
  return wide;
}

}  // namespace cromford::table
