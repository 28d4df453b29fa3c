#include "ingest/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/name.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::ingest {
namespace {

using base::Json;

struct KindName {
  CheckKind kind;
  std::string_view key;
};
constexpr std::array<KindName, 10> kKinds = {{{CheckKind::kNotNull, "not_null"},
                                              {CheckKind::kBetween, "between"},
                                              {CheckKind::kIn, "in"},
                                              {CheckKind::kNotIn, "not_in"},
                                              {CheckKind::kMatches, "matches"},
                                              {CheckKind::kUnique, "unique"},
                                              {CheckKind::kMinLength, "min_length"},
                                              {CheckKind::kMaxLength, "max_length"},
                                              {CheckKind::kRowCount, "row_count"},
                                              {CheckKind::kSql, "sql"}}};
constexpr std::array<std::string_view, 3> kOnFail = {"warn", "quarantine", "reject"};
constexpr size_t kSetMax = 10'000;
constexpr size_t kTextMax = 10'000;
constexpr size_t kLengthMax = 1'000'000;

std::string_view key_of(CheckKind kind) {
  return kKinds[static_cast<size_t>(kind)].key;
}

const KindName* find_kind(std::string_view key) {
  const auto found = std::find_if(kKinds.begin(), kKinds.end(),
                                  [&](const KindName& known) { return known.key == key; });
  return found == kKinds.end() ? nullptr : &*found;
}

std::string value_text(const CheckValue& value) {
  if (const auto* number = std::get_if<double>(&value)) {
    std::string text;
    base::append_number(text, *number);
    return text;
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return *text;
  }
  const auto* flag = std::get_if<bool>(&value);
  return flag == nullptr ? "any" : (*flag ? "true" : "false");
}

std::string range_text(const Check& check) {
  const bool low = !std::holds_alternative<std::monostate>(check.values[0]);
  const bool high = !std::holds_alternative<std::monostate>(check.values[1]);
  if (low && high) {
    return fmt::format("between {} and {}", value_text(check.values[0]),
                       value_text(check.values[1]));
  }
  return low ? fmt::format("at least {}", value_text(check.values[0]))
             : fmt::format("at most {}", value_text(check.values[1]));
}

std::string set_text(const Check& check) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < std::min<size_t>(check.values.size(), 5); ++i) {
    texts.push_back(value_text(check.values[i]));
  }
  return fmt::format("({}{})", base::join(texts, ", "), check.values.size() > 5 ? ", ..." : "");
}

// What a rule is called where it has no name.
std::string name_of(const Check& check) {
  const std::string column = base::join(check.columns, ", ");
  switch (check.kind) {
    case CheckKind::kNotNull:
      return fmt::format("{} not null", column);
    case CheckKind::kBetween:
      return fmt::format("{} {}", column, range_text(check));
    case CheckKind::kIn:
      return fmt::format("{} in {}", column, set_text(check));
    case CheckKind::kNotIn:
      return fmt::format("{} not in {}", column, set_text(check));
    case CheckKind::kMatches:
      return fmt::format("{} matches {}", column, check.text);
    case CheckKind::kUnique:
      return fmt::format("{} unique", column);
    case CheckKind::kMinLength:
      return fmt::format("{} of at least {} characters", column, check.length);
    case CheckKind::kMaxLength:
      return fmt::format("{} of at most {} characters", column, check.length);
    case CheckKind::kRowCount:
      return fmt::format("row count {}", range_text(check));
    case CheckKind::kSql:
      break;
  }
  return check.text;
}

// Reads one rule; the first thing that is wrong with it ends up in `problem`.
class RuleReader {
 public:
  RuleReader(const Json& rule, std::string pointer) : rule_(rule) {
    check_.pointer = std::move(pointer);
  }

  std::optional<Check> read();
  const base::FieldError& problem() const { return problem_; }

 private:
  std::optional<Check> fail(std::string_view key, std::string detail) {
    problem_ = {key.empty() ? check_.pointer : fmt::format("{}/{}", check_.pointer, key),
                std::move(detail)};
    return std::nullopt;
  }
  bool read_kind();
  bool read_columns();
  bool read_value(const Json& value, CheckValue& out, std::string_view key);
  bool read_ends(const Json& ends, std::string_view key);
  bool read_set(const Json& set, std::string_view key);
  bool read_what(const Json& what, std::string_view key);
  bool read_common();
  bool read_tolerance(const Json& tolerance);

  const Json& rule_;
  Check check_;
  base::FieldError problem_;
};

bool RuleReader::read_kind() {
  std::vector<std::string_view> known = {"column", "columns", "on_fail", "tolerance", "name"};
  for (const KindName& kind : kKinds) {
    known.push_back(kind.key);
  }
  std::string_view found;
  for (const auto& [key, value] : rule_.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      const std::string near = base::nearest(key, known);
      fail(key, fmt::format("'{}' is not known in a rule{}", key,
                            near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near)));
      return false;
    }
    const KindName* kind = find_kind(key);
    if (kind == nullptr) {
      continue;
    }
    if (!found.empty()) {
      fail(key, fmt::format("a rule says one thing, not both '{}' and '{}'; write two rules", found,
                            key));
      return false;
    }
    found = kind->key;
    check_.kind = kind->kind;
  }
  if (found.empty()) {
    fail("",
         "the rule does not say what must hold: add not_null, between, in, not_in, matches, "
         "unique, min_length, max_length, row_count or sql");
    return false;
  }
  return true;
}

bool RuleReader::read_columns() {
  const bool of_table = check_.kind == CheckKind::kRowCount || check_.kind == CheckKind::kSql;
  if (of_table) {
    for (const char* key : {"column", "columns"}) {
      if (rule_.contains(key)) {
        fail(key, fmt::format("a rule with '{}' is about no single column", key_of(check_.kind)));
        return false;
      }
    }
    return true;
  }
  if (rule_.contains("columns")) {
    const Json& columns = rule_["columns"];
    const bool texts = columns.is_array() && !columns.empty() &&
                       std::all_of(columns.begin(), columns.end(), [](const Json& column) {
                         return column.is_string() && !column.get_ref<const std::string&>().empty();
                       });
    if (check_.kind != CheckKind::kUnique || rule_.contains("column") || !texts) {
      fail("columns", "'columns' is a list of names, for 'unique' only and in place of 'column'");
      return false;
    }
    check_.columns = columns.get<std::vector<std::string>>();
    return true;
  }
  if (!rule_.contains("column") || !rule_["column"].is_string() ||
      rule_["column"].get_ref<const std::string&>().empty()) {
    fail("column",
         fmt::format("a rule with '{}' needs 'column': the name of a column", key_of(check_.kind)));
    return false;
  }
  check_.columns = {rule_["column"].get<std::string>()};
  return true;
}

bool RuleReader::read_value(const Json& value, CheckValue& out, std::string_view key) {
  if (value.is_boolean()) {
    out = value.get<bool>();
  } else if (value.is_number() && std::isfinite(value.get<double>())) {
    out = value.get<double>();
  } else if (value.is_string() && value.get_ref<const std::string&>().size() <= kTextMax) {
    out = value.get<std::string>();
  } else {
    fail(key, fmt::format("'{}' takes numbers, texts and true or false", key));
    return false;
  }
  return true;
}

bool RuleReader::read_ends(const Json& ends, std::string_view key) {
  if (!ends.is_array() || ends.size() != 2 || (ends[0].is_null() && ends[1].is_null())) {
    fail(key, fmt::format("'{}' takes two ends, as in [10, 6000]; null leaves one open", key));
    return false;
  }
  check_.values.resize(2);
  for (size_t i = 0; i < 2; ++i) {
    if (!ends[i].is_null() && !read_value(ends[i], check_.values[i], key)) {
      return false;
    }
    if (std::holds_alternative<bool>(check_.values[i])) {
      fail(key, fmt::format("'{}' takes numbers, dates or texts, not true or false", key));
      return false;
    }
  }
  const bool both = !ends[0].is_null() && !ends[1].is_null();
  if (both && check_.values[0].index() != check_.values[1].index()) {
    fail(key, fmt::format("the two ends of '{}' are of different kinds", key));
    return false;
  }
  if (both && check_.values[1] < check_.values[0]) {
    fail(key, fmt::format("'{}' must begin with the smaller end", key));
    return false;
  }
  return true;
}

bool RuleReader::read_set(const Json& set, std::string_view key) {
  if (!set.is_array() || set.empty() || set.size() > kSetMax) {
    fail(key, fmt::format("'{}' takes a list of 1 to {} values", key, kSetMax));
    return false;
  }
  check_.values.resize(set.size());
  for (size_t i = 0; i < set.size(); ++i) {
    if (!read_value(set[i], check_.values[i], key)) {
      return false;
    }
  }
  return true;
}

bool RuleReader::read_what(const Json& what, std::string_view key) {
  switch (check_.kind) {
    case CheckKind::kNotNull:
    case CheckKind::kUnique:
      if (what != Json(true)) {
        fail(key, fmt::format("'{}' must be true; leave the rule out otherwise", key));
        return false;
      }
      return true;
    case CheckKind::kBetween:
      return read_ends(what, key);
    case CheckKind::kRowCount:
      if (!read_ends(what, key)) {
        return false;
      }
      for (const CheckValue& end : check_.values) {
        const auto* number = std::get_if<double>(&end);
        if (std::holds_alternative<std::string>(end) ||
            (number != nullptr && (*number < 0 || *number != std::floor(*number)))) {
          fail(key, "'row_count' takes whole numbers from 0");
          return false;
        }
      }
      return true;
    case CheckKind::kIn:
    case CheckKind::kNotIn:
      return read_set(what, key);
    case CheckKind::kMinLength:
    case CheckKind::kMaxLength:
      if (!what.is_number_integer() || what < 0 || what > kLengthMax) {
        fail(key, fmt::format("'{}' takes a whole number from 0 to {}", key, kLengthMax));
        return false;
      }
      check_.length = what.get<int64_t>();
      return true;
    case CheckKind::kMatches:
    case CheckKind::kSql:
      break;
  }
  if (!what.is_string() || base::trim(what.get_ref<const std::string&>()).empty() ||
      what.get_ref<const std::string&>().size() > kTextMax) {
    fail(key, fmt::format("'{}' takes a text of at most {} bytes", key, kTextMax));
    return false;
  }
  check_.text = what.get<std::string>();
  return true;
}

bool RuleReader::read_tolerance(const Json& tolerance) {
  double share = -1;
  if (tolerance.is_number()) {
    share = tolerance.get<double>();
  } else if (tolerance.is_string()) {
    std::string_view text = tolerance.get_ref<const std::string&>();
    if (text.ends_with('%')) {
      text.remove_suffix(1);
      share = base::to_number<double>(base::trim(text)).value_or(-100) / 100;
    }
  }
  if (!(share >= 0 && share < 1)) {
    fail("tolerance", "'tolerance' is the share of rows that may fail, such as 0.01 or \"1%\"");
    return false;
  }
  if (check_.kind == CheckKind::kRowCount) {
    fail("tolerance", "'row_count' has no tolerance: widen its ends");
    return false;
  }
  check_.tolerance = share;
  return true;
}

bool RuleReader::read_common() {
  if (rule_.contains("on_fail")) {
    const Json& on_fail = rule_["on_fail"];
    const std::string word = on_fail.is_string() ? on_fail.get<std::string>() : on_fail.dump();
    const auto known = std::find(kOnFail.begin(), kOnFail.end(), word);
    if (known == kOnFail.end()) {
      const std::string near = base::nearest(word, kOnFail);
      fail("on_fail", fmt::format("'on_fail' is warn, quarantine or reject, not '{}'{}", word,
                                  near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near)));
      return false;
    }
    check_.on_fail = static_cast<OnFail>(known - kOnFail.begin());
  }
  if (check_.kind == CheckKind::kRowCount && check_.on_fail == OnFail::kQuarantine) {
    fail("on_fail", "'row_count' is about no single row, so there is none to quarantine");
    return false;
  }
  if (rule_.contains("tolerance") && !read_tolerance(rule_["tolerance"])) {
    return false;
  }
  check_.name = name_of(check_);
  if (rule_.contains("name")) {
    const Json& name = rule_["name"];
    if (!name.is_string() || name.get_ref<const std::string&>().empty() ||
        name.get_ref<const std::string&>().size() > 200) {
      fail("name", "'name' takes a text of 1 to 200 bytes");
      return false;
    }
    check_.name = name.get<std::string>();
  }
  return true;
}

std::optional<Check> RuleReader::read() {
  if (!rule_.is_object()) {
    return fail("", "a rule is an object such as {\"column\": \"id\", \"not_null\": true}");
  }
  if (!read_kind() || !read_columns()) {
    return std::nullopt;
  }
  const std::string key(key_of(check_.kind));
  if (!read_what(rule_[key], key) || !read_common()) {
    return std::nullopt;
  }
  return check_;
}

Json value_json(const CheckValue& value) {
  if (const auto* number = std::get_if<double>(&value)) {
    return *number;
  }
  if (const auto* flag = std::get_if<bool>(&value)) {
    return *flag;
  }
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? Json(nullptr) : Json(*text);
}

Json what_json(const Check& check) {
  switch (check.kind) {
    case CheckKind::kNotNull:
    case CheckKind::kUnique:
      return true;
    case CheckKind::kMinLength:
    case CheckKind::kMaxLength:
      return check.length;
    case CheckKind::kMatches:
    case CheckKind::kSql:
      return check.text;
    default:
      break;
  }
  Json values = Json::array();
  for (const CheckValue& value : check.values) {
    values.push_back(value_json(value));
  }
  return values;
}

}  // namespace

std::string_view on_fail_name(OnFail on_fail) {
  return kOnFail[static_cast<size_t>(on_fail)];
}

absl::StatusOr<CheckList> parse_checks(const Json& document, std::string_view pointer) {
  if (!document.is_array()) {
    return base::with_field_error(
        base::invalid("checks must be a list of rules",
                      "write them as in [{\"column\": \"id\", \"not_null\": true}]"),
        {std::string(pointer), "must be a list"});
  }
  if (document.size() > kChecksMax) {
    return base::invalid(
        fmt::format("there are {} checks, more than the limit of {}", document.size(), kChecksMax));
  }
  CheckList checks;
  std::vector<base::FieldError> problems;
  for (size_t i = 0; i < document.size(); ++i) {
    RuleReader reader(document[i], fmt::format("{}/{}", pointer, i));
    if (std::optional<Check> check = reader.read()) {
      checks.push_back(*std::move(check));
    } else {
      problems.push_back(reader.problem());
    }
  }
  if (problems.empty()) {
    return checks;
  }
  absl::Status status = base::invalid(
      fmt::format("the check at {} is wrong: {}", problems[0].pointer, problems[0].detail));
  for (const base::FieldError& problem : problems) {
    status = base::with_field_error(status, problem);
  }
  return status;
}

Json to_json(const CheckList& checks) {
  Json list = Json::array();
  for (const Check& check : checks) {
    Json rule = {{key_of(check.kind), what_json(check)}, {"on_fail", on_fail_name(check.on_fail)}};
    if (check.columns.size() > 1) {
      rule["columns"] = check.columns;
    } else if (!check.columns.empty()) {
      rule["column"] = check.columns[0];
    }
    if (check.tolerance) {
      rule["tolerance"] = *check.tolerance;
    }
    if (check.name != name_of(check)) {
      rule["name"] = check.name;
    }
    list.push_back(std::move(rule));
  }
  return list;
}

}  // namespace cromford::ingest
