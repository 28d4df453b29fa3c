#include "flow/check_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/name.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::flow {
namespace {

using base::Json;
using Kind = YamlNode::Kind;

const std::vector<std::string>& on_fails() {
  static const std::vector<std::string> words{"warn", "quarantine", "reject"};
  return words;
}

// What a kind of check wants as its value.
enum class CheckValue { kTrue, kRange, kSet, kText, kLength };
enum class CheckColumns { kOne, kOneOrMore, kNone };
struct CheckKind {
  std::string_view key;
  CheckValue value;
  CheckColumns columns;
};
constexpr std::array<std::string_view, 5> kOtherKeys = {"column", "columns", "on_fail", "name",
                                                        "tolerance"};
constexpr std::array kCheckKinds{
    CheckKind{"not_null", CheckValue::kTrue, CheckColumns::kOne},
    CheckKind{"between", CheckValue::kRange, CheckColumns::kOne},
    CheckKind{"in", CheckValue::kSet, CheckColumns::kOne},
    CheckKind{"not_in", CheckValue::kSet, CheckColumns::kOne},
    CheckKind{"matches", CheckValue::kText, CheckColumns::kOne},
    CheckKind{"unique", CheckValue::kTrue, CheckColumns::kOneOrMore},
    CheckKind{"min_length", CheckValue::kLength, CheckColumns::kOne},
    CheckKind{"max_length", CheckValue::kLength, CheckColumns::kOne},
    CheckKind{"row_count", CheckValue::kRange, CheckColumns::kNone},
    CheckKind{"sql", CheckValue::kText, CheckColumns::kNone},
};

void read_check_value(SectionReader& rule, const CheckKind& kind, Json& out) {
  const YamlNode& node = *rule.node().find(kind.key);
  const std::string key(kind.key);
  out[key] = yaml_to_json(node);
  const Json& value = out[key];
  const auto is_scalar = [](const YamlNode& item) {
    return item.kind == Kind::kScalar || item.kind == Kind::kNull;
  };
  const bool scalars = std::all_of(node.items.begin(), node.items.end(), is_scalar);
  switch (kind.value) {
    case CheckValue::kTrue:
      if (value != Json(true)) {
        rule.problem(key, "here should stand true");
      }
      break;
    case CheckValue::kRange:
      if (node.kind != Kind::kSequence || node.items.size() != 2 || !scalars ||
          (value[0].is_null() && value[1].is_null())) {
        rule.problem(key, "here should stand the two ends, like [10, 6000] or [10, null]");
      }
      break;
    case CheckValue::kSet:
      if (node.kind != Kind::kSequence || node.items.empty() || !scalars) {
        rule.problem(key, "here should stand a list of values");
      }
      break;
    case CheckValue::kText:
      if (!scalar_text(node)) {
        rule.problem(key, "here should stand a text");
      } else {
        out[key] = node.scalar;
      }
      break;
    case CheckValue::kLength:
      if (!value.is_number_integer() || value.get<int64_t>() < 0) {
        rule.problem(key, "here should stand a number of characters");
      }
      break;
  }
}

void read_check_columns(SectionReader& rule, const CheckKind* kind, Json& out) {
  const bool has_column = rule.text(out, "column");
  const bool has_columns = rule.texts(out, "columns");
  if (kind == nullptr) {
    return;
  }
  if (kind->columns == CheckColumns::kNone && (has_column || has_columns)) {
    rule.problem(has_column ? "column" : "columns",
                 fmt::format("a rule with {} speaks of no single column", kind->key));
  }
  if (kind->columns == CheckColumns::kOne && has_columns) {
    rule.problem("columns", fmt::format("a rule with {} takes one column", kind->key),
                 "write a rule for each column");
  }
  if (kind->columns != CheckColumns::kNone && rule.take("column") == nullptr &&
      rule.take("columns") == nullptr) {
    rule.problem("column", "this key is missing");
  }
}

Json read_check(Problems& problems, const YamlNode& node, const KeyPath& path) {
  SectionReader rule(problems, node, path);
  Json out = Json::object();
  const CheckKind* found = nullptr;
  size_t count = 0;
  for (const CheckKind& kind : kCheckKinds) {
    if (rule.take(kind.key) != nullptr) {
      found = &kind;
      ++count;
      read_check_value(rule, kind, out);
    }
  }
  read_check_columns(rule, count == 1 ? found : nullptr, out);
  rule.word(out, "on_fail", on_fails());
  rule.text(out, "name");
  if (const YamlNode* const tolerance = rule.take("tolerance")) {
    const Json value = scalar_to_json(*tolerance);
    std::string_view text = tolerance->scalar;
    const bool is_percent = text.ends_with('%');
    text.remove_suffix(is_percent ? 1 : 0);
    const double share = base::to_number<double>(text).value_or(-1) / (is_percent ? 100 : 1);
    if (share < 0 || share >= 1) {
      rule.problem("tolerance", "here should stand a share from 0 to below 1, like 0.01 or 1%");
    }
    out["tolerance"] = value;
  }
  rule.done();
  std::vector<std::string> keys;
  keys.reserve(kCheckKinds.size());
  for (const CheckKind& kind : kCheckKinds) {
    keys.emplace_back(kind.key);
  }
  // Of a rule whose kind is misspelt, that is said already.
  const bool misspelt =
      std::any_of(node.entries.begin(), node.entries.end(), [&](const YamlEntry& entry) {
        return std::find(kOtherKeys.begin(), kOtherKeys.end(), entry.key) == kOtherKeys.end() &&
               !base::nearest(entry.key, keys).empty();
      });
  if (node.kind == Kind::kMapping && (count > 1 || (count == 0 && !misspelt))) {
    problems.add(node.line, path,
                 fmt::format("a rule needs exactly one of {}", base::join(keys, ", ")));
  }
  return out;
}

}  // namespace

Json read_check_list(Problems& problems, const YamlNode& node, const KeyPath& path) {
  Json rules = Json::array();
  if (node.kind != Kind::kSequence) {
    problems.add(node.line, path, "here should stand a list of rules");
    return rules;
  }
  for (size_t i = 0; i < node.items.size(); ++i) {
    rules.push_back(read_check(problems, node.items[i], path.item(i)));
  }
  return rules;
}

namespace {

absl::StatusOr<Json> read_checks_file(const YamlNode& document) {
  Problems problems;
  const KeyPath path{"checks", "/checks"};
  Json rules = Json::array();
  if (document.kind == Kind::kMapping) {
    SectionReader file(problems, document, {});
    if (const YamlNode* const checks = file.take("checks", Need::kRequired)) {
      rules = read_check_list(problems, *checks, path);
    }
    file.done();
  } else {
    rules = read_check_list(problems, document, path);
  }
  TRY(problems.status("the file of checks"));
  return rules;
}

}  // namespace

absl::StatusOr<Json> parse_checks_file(std::string_view text) {
  absl::StatusOr<YamlNode> document = parse_yaml(text);
  if (!document.ok()) {
    // Nearly all JSON is YAML, but not all (tabs, some escapes).
    absl::StatusOr<Json> rules = base::parse_json(text);
    if (!rules.ok()) {
      return base::with_remedy(base::annotate(document.status(), "the file of checks"),
                               "write a list of rules, like - {column: id, not_null: true}");
    }
    return rules;
  }
  return read_checks_file(*document);
}

}  // namespace cromford::flow
