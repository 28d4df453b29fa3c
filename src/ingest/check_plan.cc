// Rules as SQL, and the verdict over what they found.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/name.h"
#include "base/status.h"
#include "base/text.h"
#include "ingest/check.h"
#include "table/sandbox.h"

namespace cromford::ingest {
namespace {

using table::ColumnType;
using table::quote_name;
using table::quote_text;

absl::Status blame(const Check& check, const std::string& detail, std::string_view remedy = {}) {
  return base::with_field_error(
      base::invalid(fmt::format("the check '{}': {}", check.name, detail), remedy),
      {check.pointer, detail});
}

absl::StatusOr<ColumnType> type_of(const Check& check, const std::string& column,
                                   const table::Schema& schema) {
  const auto index = schema.find(column);
  if (!index) {
    return blame(check, fmt::format("there is no column {}{}", column,
                                    base::did_you_mean(column, schema.names())));
  }
  return schema.columns[*index].type;
}

std::string number_sql(double number) {
  std::string text;
  base::append_number(text, number);
  return fmt::format("CAST({} AS DOUBLE)", text);
}

// A constant that can be compared with a column of the type; numbers of text columns are compared
// as texts.
absl::StatusOr<std::string> constant_sql(const Check& check, const CheckValue& value,
                                         ColumnType type) {
  const auto* number = std::get_if<double>(&value);
  const auto* text = std::get_if<std::string>(&value);
  const auto* flag = std::get_if<bool>(&value);
  switch (type) {
    case ColumnType::kInteger:
    case ColumnType::kNumber:
      if (number != nullptr) {
        return number_sql(*number);
      }
      break;
    case ColumnType::kBoolean:
      if (flag != nullptr) {
        return std::string(*flag ? "true" : "false");
      }
      break;
    case ColumnType::kDate:
    case ColumnType::kTimestamp:
      if (text != nullptr && base::parse_time(*text).ok()) {
        return fmt::format("CAST({} AS TIMESTAMP)",
                           quote_text(base::format_time(*base::parse_time(*text))));
      }
      break;
    case ColumnType::kText:
      if (text != nullptr) {
        return quote_text(*text);
      }
      if (number != nullptr) {
        std::string digits;
        base::append_number(digits, *number);
        return quote_text(digits);
      }
      break;
  }
  return blame(check,
               fmt::format("the column {} is of the type {}, which cannot be compared with this "
                           "value",
                           check.columns[0], table::column_type_name(type)),
               type == ColumnType::kDate || type == ColumnType::kTimestamp
                   ? "write dates as \"2001-01-31\" and times as \"2001-01-31T10:00:00Z\""
                   : "");
}

// The value of a row as it is compared with constants.
std::string compared_sql(const Check& check, const std::string& column, ColumnType type) {
  if (type == ColumnType::kDate) {
    return fmt::format("CAST({} AS TIMESTAMP)", column);
  }
  const bool with_number =
      std::any_of(check.values.begin(), check.values.end(),
                  [](const CheckValue& value) { return std::holds_alternative<double>(value); });
  if (type == ColumnType::kText && check.kind == CheckKind::kBetween && with_number) {
    return fmt::format("TRY_CAST({} AS DOUBLE)", column);
  }
  return column;
}

absl::StatusOr<std::string> between_holds(const Check& check, const std::string& column,
                                          ColumnType type) {
  if (type == ColumnType::kBoolean) {
    return blame(check, fmt::format("the column {} is boolean and has no order", check.columns[0]));
  }
  const std::string value = compared_sql(check, column, type);
  std::vector<std::string> conditions;
  for (size_t i = 0; i < 2; ++i) {
    const CheckValue& end = check.values[i];
    if (std::holds_alternative<std::monostate>(end)) {
      continue;
    }
    // Texts that should be numbers are compared as numbers, and fail where they are none.
    const bool as_number = type == ColumnType::kText && std::holds_alternative<double>(end);
    TRY(const std::string constant,
        constant_sql(check, end, as_number ? ColumnType::kNumber : type));
    conditions.push_back(fmt::format("{} {} {}", value, i == 0 ? ">=" : "<=", constant));
  }
  return base::join(conditions, " AND ");
}

absl::StatusOr<std::string> set_holds(const Check& check, const std::string& column,
                                      ColumnType type) {
  std::vector<std::string> constants;
  for (const CheckValue& value : check.values) {
    TRY(std::string constant, constant_sql(check, value, type));
    constants.push_back(std::move(constant));
  }
  return fmt::format("{} {} ({})", compared_sql(check, column, type),
                     check.kind == CheckKind::kNotIn ? "NOT IN" : "IN",
                     base::join(constants, ", "));
}

// The first of equal rows stays; rows are counted by `kRowNumberColumn`.
std::string repeats(const std::vector<std::string>& columns) {
  std::vector<std::string> present;
  for (const std::string& column : columns) {
    present.push_back(fmt::format("{} IS NOT NULL", column));
  }
  return fmt::format("{} AND row_number() OVER (PARTITION BY {} ORDER BY {}) > 1",
                     base::join(present, " AND "), base::join(columns, ", "),
                     quote_name(kRowNumberColumn));
}

absl::StatusOr<std::string> fails_sql(const Check& check, const table::Schema& schema) {
  if (check.kind == CheckKind::kSql) {
    TRY(base::annotate(table::check_condition(check.text),
                       fmt::format("the check '{}'", check.name)));
    return fmt::format("coalesce(NOT CAST((\n{}\n) AS BOOLEAN), false)", check.text);
  }
  std::vector<std::string> quoted;
  for (const std::string& column : check.columns) {
    TRY(type_of(check, column, schema));
    quoted.push_back(quote_name(column));
  }
  TRY(const ColumnType type, type_of(check, check.columns[0], schema));
  const std::string& column = quoted[0];
  std::string holds;
  switch (check.kind) {
    case CheckKind::kNotNull:
      return fmt::format("{} IS NULL", column);
    case CheckKind::kUnique:
      return repeats(quoted);
    case CheckKind::kBetween: {
      TRY(holds, between_holds(check, column, type));
      break;
    }
    case CheckKind::kIn:
    case CheckKind::kNotIn: {
      TRY(holds, set_holds(check, column, type));
      break;
    }
    case CheckKind::kMatches:
      holds =
          fmt::format("regexp_full_match(CAST({} AS VARCHAR), {})", column, quote_text(check.text));
      break;
    default:
      holds = fmt::format("length(CAST({} AS VARCHAR)) {} {}", column,
                          check.kind == CheckKind::kMinLength ? ">=" : "<=", check.length);
  }
  return fmt::format("{} IS NOT NULL AND NOT coalesce({}, false)", column, holds);
}

std::string example_sql(const Check& check) {
  if (check.kind == CheckKind::kNotNull || check.kind == CheckKind::kSql) {
    return {};
  }
  std::vector<std::string> values;
  for (const std::string& column : check.columns) {
    values.push_back(fmt::format("CAST({} AS VARCHAR)", quote_name(column)));
  }
  return fmt::format("left(concat_ws(', ', {}), 100)", base::join(values, ", "));
}

// "distance between 10 and 6000: 3 of 100 rows fail, with values such as 9, 6001".
std::string finding(const Check& check, int64_t failed, const CheckTally& tally,
                    const std::vector<std::string>& examples) {
  if (check.kind == CheckKind::kRowCount) {
    return fmt::format("{}: there are {} rows", check.name, tally.row_count);
  }
  std::string text = fmt::format("{}: {} of {} rows fail", check.name, failed, tally.row_count);
  if (!examples.empty()) {
    text += fmt::format(", with values such as {}", base::join(examples, "; "));
  }
  return text;
}

bool row_count_holds(const Check& check, int64_t row_count) {
  const auto rows = static_cast<double>(row_count);
  const auto* low = std::get_if<double>(&check.values[0]);
  const auto* high = std::get_if<double>(&check.values[1]);
  return (low == nullptr || rows >= *low) && (high == nullptr || rows <= *high);
}

struct Judged {
  int64_t failed = 0;
  bool within = true;    // No more than the tolerance.
  bool rejects = false;  // The whole version.
};

Judged judge(const Check& check, int64_t failed, int64_t row_count) {
  Judged judged{.failed = failed};
  const double allowed = check.tolerance.value_or(0) * static_cast<double>(row_count);
  judged.within = static_cast<double>(failed) <= allowed;
  judged.rejects = !judged.within && (check.on_fail == OnFail::kReject ||
                                      (check.on_fail == OnFail::kQuarantine && check.tolerance));
  return judged;
}

}  // namespace

absl::StatusOr<CheckPlan> plan_checks(const CheckList& checks, const table::Schema& schema) {
  CheckPlan plan;
  for (size_t i = 0; i < checks.size(); ++i) {
    const Check& check = checks[i];
    if (check.kind == CheckKind::kRowCount) {
      continue;
    }
    TRY(std::string fails, fails_sql(check, schema));
    plan.rows.push_back({.check = i,
                         .fails_sql = std::move(fails),
                         .value_sql = example_sql(check),
                         .reason = check.name,
                         .quarantine = check.on_fail == OnFail::kQuarantine,
                         .looks_back = check.kind == CheckKind::kUnique});
  }
  return plan;
}

absl::StatusOr<CheckVerdict> judge_checks(const CheckList& checks, const CheckPlan& plan,
                                          const CheckTally& tally) {
  CheckVerdict verdict;
  std::vector<std::string> rejections;
  std::vector<base::FieldError> blamed;
  for (size_t i = 0; i < checks.size(); ++i) {
    const Check& check = checks[i];
    Judged judged;
    std::vector<std::string> examples;
    const auto row = std::find_if(plan.rows.begin(), plan.rows.end(),
                                  [i](const RowRule& rule) { return rule.check == i; });
    if (row != plan.rows.end()) {
      const auto index = static_cast<size_t>(row - plan.rows.begin());
      judged = judge(check, tally.failed_rows[index], tally.row_count);
      examples = tally.examples[index];
    } else if (!row_count_holds(check, tally.row_count)) {
      judged = {.failed = 0, .within = false, .rejects = check.on_fail == OnFail::kReject};
    }
    verdict.results.push_back({.check = check.name,
                               .column = base::join(check.columns, ", "),
                               .on_fail = std::string(on_fail_name(check.on_fail)),
                               .failed_rows = judged.failed,
                               .passed = judged.within});
    if (judged.within) {
      continue;
    }
    verdict.sentences.push_back(finding(check, judged.failed, tally, examples));
    if (judged.rejects) {
      rejections.push_back(verdict.sentences.back());
      blamed.push_back({check.pointer, verdict.sentences.back()});
    }
  }
  if (rejections.empty()) {
    return verdict;
  }
  absl::Status status = base::refused(
      fmt::format("the rows are rejected by {} of {} checks: {}", rejections.size(), checks.size(),
                  base::join(rejections, " | ")),
      "mend the rows at their source, or let the check set failing rows aside (on_fail: "
      "quarantine)");
  for (const base::FieldError& error : blamed) {
    status = base::with_field_error(status, error);
  }
  return status;
}

}  // namespace cromford::ingest
