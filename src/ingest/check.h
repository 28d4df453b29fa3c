#pragma once

// Data-quality rules of a dataset: read strictly, turned into SQL that is evaluated for all rules
// in one pass, and judged.
//
//   TRY(const base::Json document, base::parse_json(text));
//   TRY(const CheckList checks, parse_checks(document, "/dataset/checks"));
//   TRY(const CheckOutcome outcome, run_checks(checks, {.input = rows, .work = directory}));
//   // ingest/check_run.h, which is made of the two steps below:
//   TRY(const CheckPlan plan, plan_checks(checks, schema));           // SQL per rule
//   TRY(const CheckVerdict verdict, judge_checks(checks, plan, tally));
//
// A rule is an object with exactly one kind:
//   {"column": "distance", "between": [10, 6000]}     ends included; null leaves an end open
//   {"column": "origin", "not_null": true}
//   {"column": "state", "in": ["open", "closed"]}     also "not_in"
//   {"column": "code", "matches": "[A-Z]{3}"}         the whole text (RE2 syntax)
//   {"column": "id", "unique": true}                  or "columns": [...] together; the first stays
//   {"column": "name", "min_length": 1}               also "max_length", in characters
//   {"row_count": [1000, null]}
//   {"sql": "arrival >= departure"}                   an expression over the row
// and, optionally, "on_fail": "warn" (default), "quarantine" or "reject", "tolerance": the share of
// rows that may fail (0.01, or "1%"), and "name". A missing value passes every rule but not_null.
//
// What `on_fail` does with failing rows: warn keeps them and tells; quarantine sets each aside with
// its reasons, and rejects the whole version where a tolerance is given and exceeded; reject
// rejects the whole version where more than the tolerance (default: none) fails.
//
// Thread safety: functions and values.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "table/manifest.h"
#include "table/table.h"

namespace cromford::ingest {

enum class CheckKind {
  kNotNull,
  kBetween,
  kIn,
  kNotIn,
  kMatches,
  kUnique,
  kMinLength,
  kMaxLength,
  kRowCount,
  kSql,
};
enum class OnFail { kWarn, kQuarantine, kReject };

// A constant in a rule: nothing (an open end), a boolean, a number or a text.
using CheckValue = std::variant<std::monostate, bool, double, std::string>;

struct Check {
  CheckKind kind = CheckKind::kNotNull;
  std::string name;  // As given, else made of the rule: "distance between 10 and 6000".
  std::vector<std::string> columns;  // One; several only for kUnique; none for kRowCount and kSql.
  std::vector<CheckValue> values;    // kBetween and kRowCount: two ends; kIn, kNotIn: the set.
  std::string text;                  // kMatches: the pattern; kSql: the expression.
  int64_t length = 0;                // kMinLength, kMaxLength.
  OnFail on_fail = OnFail::kWarn;
  std::optional<double> tolerance;  // A share of the rows, in [0, 1).
  std::string pointer;              // Where it stands in the document, for messages.
};
using CheckList = std::vector<Check>;

inline constexpr size_t kChecksMax = 1000;

// A column beside those of the rows that rules of CheckPlan may name: the number of the row.
inline constexpr std::string_view kRowNumberColumn = "cromford row number";

std::string_view on_fail_name(OnFail on_fail);

// `document` is an array of rules; `pointer` is where it stands in the request or file.
// INVALID_ARGUMENT with field errors for every rule that is wrong (all at once), and the nearest
// known key where one is misspelt.
absl::StatusOr<CheckList> parse_checks(const base::Json& document, std::string_view pointer = "");

// The same rules as a document; `parse_checks` gives them back.
base::Json to_json(const CheckList& checks);

// SQL for the rules that speak of single rows.
struct RowRule {
  size_t check = 0;       // Index into the list.
  std::string fails_sql;  // A boolean expression over the row that is never NULL; true: it fails.
  std::string value_sql;  // The offending value as text, for examples; empty: there is none.
  std::string reason;     // Why a row is set aside: "distance between 10 and 6000".
  bool quarantine = false;
  bool looks_back = false;  // Compares rows (unique), also with those of earlier versions.
};
struct CheckPlan {
  std::vector<RowRule> rows;
};

// INVALID_ARGUMENT where a rule names a column that `schema` does not have (with the nearest name),
// or a constant that the column's type cannot be compared with, or an expression that is no
// condition.
absl::StatusOr<CheckPlan> plan_checks(const CheckList& checks, const table::Schema& schema);

// What the one pass found.
struct CheckTally {
  int64_t row_count = 0;                           // Before anything was set aside.
  std::vector<int64_t> failed_rows;                // By CheckPlan::rows.
  std::vector<std::vector<std::string>> examples;  // By CheckPlan::rows: some smallest values.
};

struct CheckVerdict {
  std::vector<table::CheckResult> results;  // One per check, in order.
  std::vector<std::string> sentences;       // One for each check that did not pass.
};

// FAILED_PRECONDITION (base::refused) where a rule rejects the version: it names rule, column,
// count and examples of every rejecting rule.
absl::StatusOr<CheckVerdict> judge_checks(const CheckList& checks, const CheckPlan& plan,
                                          const CheckTally& tally);

}  // namespace cromford::ingest
