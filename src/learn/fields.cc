// Which columns are inputs, in which role, and which are left out.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/status.h"
#include "base/text.h"
#include "learn/problem.h"
#include "learn/rows.h"

namespace cromford::learn {
namespace {

using table::Column;
using table::ColumnType;

// What one pass over a column's usable cells says.
struct Glance {
  size_t filled = 0;
  size_t distinct = 0;       // Text: exactly. Others: 0, 1 or 2 (two or more).
  double mean_words = 0;     // Text: of its distinct values.
  bool consecutive = false;  // Whole numbers that rise by one from row to row.
  bool infinite = false;
};

double mean_words(const Column& column) {
  const size_t step = std::max<size_t>(1, column.dictionary.size() / 2000);
  double words = 0;
  double seen = 0;
  for (size_t i = 0; i < column.dictionary.size(); i += step) {
    bool inside = false;
    for (const char c : column.dictionary[i]) {
      const bool blank = c == ' ' || c == '\t' || c == '\n';
      words += !blank && !inside ? 1 : 0;
      inside = !blank;
    }
    ++seen;
  }
  return seen > 0 ? words / seen : 0;
}

Glance glance_text(const Column& column, const Problem& problem) {
  Glance result;
  std::vector<bool> seen(column.dictionary.size(), false);
  for (const uint32_t row : problem.rows) {
    if (!column.valid(row)) {
      continue;
    }
    ++result.filled;
    if (!seen[column.codes[row]]) {
      seen[column.codes[row]] = true;
      ++result.distinct;
    }
  }
  result.mean_words = mean_words(column);
  return result;
}

Glance glance_numbers(const Column& column, const Problem& problem) {
  Glance result;
  double first = std::numeric_limits<double>::quiet_NaN();
  double last = std::numeric_limits<double>::quiet_NaN();
  size_t steps_of_one = 0;
  for (const uint32_t row : problem.rows) {
    const double value = cell_number(column, row);
    if (std::isnan(value)) {
      continue;
    }
    result.infinite = result.infinite || std::isinf(value);
    first = result.filled == 0 ? value : first;
    result.distinct = std::max<size_t>(result.distinct, value == first ? 1 : 2);
    steps_of_one += value == last + 1 ? 1 : 0;
    last = value;
    ++result.filled;
  }
  result.consecutive = result.filled > 20 && steps_of_one * 20 >= (result.filled - 1) * 19;
  return result;
}

bool named_like_an_identifier(std::string_view name) {
  const std::string text = base::lower(name);
  for (const std::string_view exact : {"id", "uuid", "guid", "key", "index", "rownames", "row",
                                       "rowid", "instant", "unnamed: 0", "order", "pid"}) {
    if (text == exact) {
      return true;
    }
  }
  return text.ends_with("_id") || text.ends_with(" id") || text.ends_with("uuid") ||
         (name.size() > 2 && name.ends_with("Id")) || (name.size() > 2 && name.ends_with("ID"));
}

bool unique_numbers(const Column& column, const Problem& problem) {
  std::vector<double> values;
  values.reserve(problem.rows.size());
  for (const uint32_t row : problem.rows) {
    values.push_back(cell_number(column, row));
  }
  std::sort(values.begin(), values.end());
  return std::adjacent_find(values.begin(), values.end()) == values.end();
}

bool is_identifier(const Column& column, const Glance& glance, const Problem& problem) {
  if (column.type == ColumnType::kText) {
    return glance.filled >= 20 && glance.mean_words < 2 &&
           static_cast<double>(glance.distinct) > 0.95 * static_cast<double>(glance.filled);
  }
  if (column.type != ColumnType::kInteger || glance.filled < problem.rows.size()) {
    return false;
  }
  return (glance.consecutive || named_like_an_identifier(column.name)) &&
         unique_numbers(column, problem);
}

Role role_of(const Column& column, const Glance& glance) {
  switch (column.type) {
    case ColumnType::kBoolean:
      return Role::kBoolean;
    case ColumnType::kInteger:
    case ColumnType::kNumber:
      return Role::kNumber;
    case ColumnType::kDate:
    case ColumnType::kTimestamp:
      return Role::kTime;
    case ColumnType::kText:
      break;
  }
  const double share = static_cast<double>(glance.distinct) / static_cast<double>(glance.filled);
  const bool prose = glance.mean_words >= 2.5 && glance.distinct > 30 && share > 0.05;
  const bool phrases = glance.mean_words >= 1.9 && glance.distinct > 50 && share > 0.5;
  return prose || phrases ? Role::kText : Role::kCategory;
}

// Why a column is no input; empty when it is one.
std::string reason_to_ignore(const Column& column, const Glance& glance,
                             const TrainSettings& settings, Problem& problem) {
  if (std::find(settings.ignore.begin(), settings.ignore.end(), column.name) !=
      settings.ignore.end()) {
    return "asked for";
  }
  if (column.name == settings.group_column) {
    return "names the group";
  }
  if (column.name == settings.weight_column) {
    return "holds the weight";
  }
  if (glance.filled == 0) {
    return "empty";
  }
  if (glance.distinct == 1 && glance.filled == problem.rows.size()) {
    return "constant";
  }
  const bool is_time = problem.time_column.has_value() && column.name == settings.time_column;
  if (!is_time && is_identifier(column, glance, problem)) {
    problem.warn("identifier", column.name,
                 fmt::format("{} names the row (nearly every value is its own); it was left out, "
                             "because it cannot help with new rows",
                             column.name));
    return "identifier";
  }
  return "";
}

// The share of neighbouring rows whose time does not fall, and whether it changes often enough.
bool follows_file_order(const Column& column, const Problem& problem) {
  size_t rising = 0;
  size_t changes = 0;
  size_t pairs = 0;
  double last = std::numeric_limits<double>::quiet_NaN();
  for (const uint32_t row : problem.rows) {
    const double value = cell_number(column, row);
    if (std::isnan(value)) {
      continue;
    }
    if (!std::isnan(last)) {
      ++pairs;
      rising += value >= last ? 1 : 0;
      changes += value > last ? 1 : 0;
    }
    last = value;
  }
  return pairs > 0 && pairs + 1 >= problem.rows.size() * 9 / 10 && changes >= 20 &&
         static_cast<double>(rising) >= 0.98 * static_cast<double>(pairs);
}

absl::Status find_time_column(const table::Table& table, const TrainSettings& settings,
                              Problem& problem) {
  if (!settings.time_column.empty()) {
    TRY(problem.time_column, column_index(table, settings.time_column, "time"));
    const Column& column = table.columns()[*problem.time_column];
    if (column.type == ColumnType::kText || column.type == ColumnType::kBoolean) {
      return base::invalid(fmt::format("the time column {} is {}", column.name,
                                       table::column_type_name(column.type)),
                           "choose a date, timestamp or number, or convert it with --query");
    }
    return absl::OkStatus();
  }
  for (size_t i = 0; i < table.columns().size(); ++i) {
    const Column& column = table.columns()[i];
    const bool dated = column.type == ColumnType::kDate || column.type == ColumnType::kTimestamp;
    const bool ignored = std::find(settings.ignore.begin(), settings.ignore.end(), column.name) !=
                         settings.ignore.end();
    if (dated && !ignored && column.name != settings.target &&
        follows_file_order(column, problem)) {
      problem.time_column = i;
      problem.time_found = true;
      return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::Status check_group(const table::Table& table, const TrainSettings& settings,
                         Problem& problem) {
  if (settings.group_column.empty()) {
    return absl::OkStatus();
  }
  TRY(const size_t index, column_index(table, settings.group_column, "group"));
  const Column& column = table.columns()[index];
  const Glance glance = column.type == ColumnType::kText ? glance_text(column, problem)
                                                         : glance_numbers(column, problem);
  if (glance.distinct < 2) {
    return base::invalid(fmt::format("the group column {} has one group only", column.name),
                         "leave --group-column out, or choose a column with several groups");
  }
  problem.group_column = index;
  return absl::OkStatus();
}

absl::Status reject_infinities(const Column& column, const Glance& glance) {
  if (!glance.infinite) {
    return absl::OkStatus();
  }
  return base::invalid(fmt::format("the column {} holds infinite values", column.name),
                       "make them missing with --query, or leave the column out with --ignore");
}

}  // namespace

absl::Status choose_fields(const table::Table& table, const TrainSettings& settings,
                           Problem& problem) {
  TRY(find_time_column(table, settings, problem));
  TRY(check_group(table, settings, problem));
  for (size_t i = 0; i < table.columns().size(); ++i) {
    const Column& column = table.columns()[i];
    if (column.name == settings.target) {
      continue;
    }
    const Glance glance = column.type == ColumnType::kText ? glance_text(column, problem)
                                                           : glance_numbers(column, problem);
    const std::string reason = reason_to_ignore(column, glance, settings, problem);
    if (!reason.empty()) {
      problem.ignored.push_back({column.name, reason});
      continue;
    }
    TRY(reject_infinities(column, glance));
    problem.fields.push_back({.column = i, .role = role_of(column, glance)});
    problem.contract.push_back({.name = column.name, .type = input_type_of(column.type)});
  }
  if (problem.fields.empty()) {
    return base::invalid("no input column is left beside the target",
                         "add columns that differ between rows");
  }
  return absl::OkStatus();
}

}  // namespace cromford::learn
