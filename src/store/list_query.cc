#include "store/list_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::store::list {
namespace {

constexpr std::string_view kFilterRemedy =
    "write comparisons joined by AND, like: state = running AND rows > 100";
constexpr std::string_view kTokenRemedy =
    "pass next_page_token as it was given, with the same filter and order_by, or start anew "
    "without a page_token";

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || static_cast<unsigned char>(c) >= 0x80;
}

Column column_of(const std::vector<std::string>& path) {
  static constexpr std::array<std::pair<std::string_view, Column>, 5> kColumns = {
      {{"name", Column::kName},
       {"project", Column::kProject},
       {"created_at", Column::kCreatedAt},
       {"updated_at", Column::kUpdatedAt},
       {"revision", Column::kRevision}}};
  if (path.size() == 1) {
    for (const auto& [name, column] : kColumns) {
      if (path.front() == name) {
        return column;
      }
    }
  }
  return Column::kBody;
}

// Reads the text of a filter or of an order from left to right.
class Reader {
 public:
  Reader(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) {
      ++at_;
    }
  }
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }

  bool take(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) {
      return false;
    }
    at_ += expected.size();
    return true;
  }

  std::string_view word() {
    const size_t start = at_;
    while (at_ < text_.size() && is_word(text_[at_])) {
      ++at_;
    }
    return text_.substr(start, at_ - start);
  }

  // A run without blanks, quotes, parentheses and comparison signs: an unquoted value.
  std::string_view bare_value() {
    const size_t start = at_;
    while (at_ < text_.size() && !is_space(text_[at_]) &&
           std::string_view("\"'`()=<>!").find(text_[at_]) == std::string_view::npos) {
      ++at_;
    }
    return text_.substr(start, at_ - start);
  }

  // What stands between `quote`s, with \ before a quote or another \.
  absl::StatusOr<std::string> quoted(char quote) {
    const size_t start = at_++;
    std::string result;
    while (at_ < text_.size() && text_[at_] != quote) {
      at_ += text_[at_] == '\\' && at_ + 1 < text_.size() ? 1 : 0;
      result += text_[at_++];
    }
    if (at_end()) {
      at_ = start;
      return error(fmt::format("the {} that opens here is not closed", quote));
    }
    ++at_;
    return result;
  }

  absl::StatusOr<Field> field() {
    Field field;
    const size_t start = at_;
    do {
      std::string part;
      if (peek() == '`') {
        TRY(part, quoted('`'));
        // SQLite's paths know no escapes.
        if (part.find_first_of("\"\\") != std::string::npos) {
          return error("a field's name cannot have a quotation mark or a backslash");
        }
      } else {
        part = word();
      }
      if (std::any_of(part.begin(), part.end(), [](char c) { return c >= 0 && c < ' '; })) {
        return error("a field's name cannot have control characters");
      }
      if (part.empty()) {
        return error("a field's name is expected");
      }
      field.path.push_back(std::move(part));
    } while (take("."));
    field.column = column_of(field.path);
    field.text = text_.substr(start, at_ - start);
    return field;
  }

  absl::Status error(std::string_view detail) const {
    const std::string_view rest = base::clip_utf8(text_.substr(std::min(at_, text_.size())), 20);
    const std::string place = at_end() ? "at its end" : fmt::format("before '{}'", rest);
    return base::invalid(
        fmt::format("{} '{}': {}, {}", what_, text_, detail, place),
        what_ == "filter" ? kFilterRemedy : "write fields joined by commas, like: rows desc, name");
  }

 private:
  std::string_view text_;
  std::string_view what_;
  size_t at_ = 0;
};

absl::StatusOr<Operator> read_operator(Reader& reader) {
  static constexpr std::array<std::pair<std::string_view, Operator>, 7> kOperators = {
      {{"!=", Operator::kNotEqual},
       {"<=", Operator::kLessEqual},
       {">=", Operator::kGreaterEqual},
       {"=", Operator::kEqual},
       {"<", Operator::kLess},
       {">", Operator::kGreater},
       {":", Operator::kContains}}};
  for (const auto& [sign, op] : kOperators) {
    if (reader.take(sign)) {
      return op;
    }
  }
  return reader.error("one of = != < <= > >= : is expected");
}

absl::StatusOr<Literal> read_literal(Reader& reader) {
  Literal literal;
  if (const char quote = reader.peek(); quote == '"' || quote == '\'') {
    TRY(literal.spelling, reader.quoted(quote));
    literal.value = literal.spelling;
    return literal;
  }
  literal.spelling = reader.bare_value();
  if (literal.spelling.empty()) {
    return reader.error("a value is expected");
  }
  const std::string& text = literal.spelling;
  if (text == "null") {
    literal.value = Null{};
  } else if (text == "true" || text == "false") {
    literal.value = text == "true";
  } else if (const auto integer = base::to_number<int64_t>(text)) {
    literal.value = *integer;
  } else if (const auto number = base::to_number<double>(text)) {
    literal.value = *number;
  } else {
    literal.value = text;
  }
  return literal;
}

bool is_order(Operator op) {
  return op != Operator::kEqual && op != Operator::kNotEqual && op != Operator::kContains;
}

// Replaces the literal by what its column is made of; refuses what can never be meant.
absl::Status fit(Comparison& comparison, const Reader& reader) {
  const bool plain = std::holds_alternative<Null>(comparison.literal.value) ||
                     std::holds_alternative<bool>(comparison.literal.value);
  if (plain && comparison.field.column == Column::kBody && is_order(comparison.op)) {
    return reader.error(fmt::format("{} has no order; use = or !=", comparison.literal.spelling));
  }
  switch (comparison.field.column) {
    case Column::kName:
    case Column::kProject:
      comparison.literal.value = comparison.literal.spelling;
      return absl::OkStatus();
    case Column::kCreatedAt:
    case Column::kUpdatedAt: {
      const auto time = base::parse_time(comparison.literal.spelling);
      if (!time.ok() || comparison.op == Operator::kContains) {
        return reader.error(
            fmt::format("{} is compared by = != < <= > >= with a time like "
                        "2001-02-01T10:00:00Z",
                        comparison.field.text));
      }
      comparison.literal.value = int64_t{time->time_since_epoch().count()};
      return absl::OkStatus();
    }
    case Column::kRevision:
      if (!std::holds_alternative<int64_t>(comparison.literal.value) ||
          comparison.op == Operator::kContains) {
        return reader.error("revision is compared by = != < <= > >= with a whole number");
      }
      return absl::OkStatus();
    case Column::kBody:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::StatusOr<Comparison> read_comparison(Reader& reader) {
  Comparison comparison;
  TRY(comparison.field, reader.field());
  reader.skip_space();
  TRY(comparison.op, read_operator(reader));
  reader.skip_space();
  TRY(comparison.literal, read_literal(reader));
  TRY(fit(comparison, reader));
  return comparison;
}

uint64_t fingerprint(const ListQuery& query) {
  // Length-prefixed, so that no two different queries give the same text.
  std::string all =
      query.project ? fmt::format("{}:{}", query.project->size(), *query.project) : "-";
  for (const std::string* part :
       {&query.kind, &query.name_prefix, &query.filter, &query.order_by}) {
    all += fmt::format("{}:{}", part->size(), *part);
  }
  return base::hash64(all);
}

// A token is base64url of ["FINGERPRINT", key, key, ...].
absl::StatusOr<std::vector<KeyValue>> read_token(const Plan& plan, std::string_view token) {
  const auto wrong = [](std::string_view why) {
    return base::invalid(fmt::format("the page_token {}", why), kTokenRemedy);
  };
  const auto text = base::from_base64url(token);
  if (!text) {
    return wrong("is not one that a list gave");
  }
  const auto json = base::parse_json(*text);
  if (!json.ok() || !json->is_array() || json->empty() || !json->front().is_string()) {
    return wrong("is not one that a list gave");
  }
  if (json->front().get<std::string>() != fmt::format("{:016x}", plan.fingerprint)) {
    return wrong("belongs to a list with other arguments");
  }
  std::vector<KeyValue> keys;
  for (size_t i = 1; i < json->size(); ++i) {
    const base::Json& value = (*json)[i];
    if (value.is_number_integer() && !(value.is_number_unsigned() && value > INT64_MAX)) {
      keys.emplace_back(value.get<int64_t>());
    } else if (value.is_number_float()) {
      keys.emplace_back(value.get<double>());
    } else if (value.is_string()) {
      keys.emplace_back(value.get<std::string>());
    }
  }
  size_t expected = 0;
  for (const OrderKey& key : plan.order) {
    expected += value_count(key);
  }
  if (keys.size() != expected) {
    return wrong("is not one that a list gave");
  }
  return keys;
}

}  // namespace

size_t value_count(const OrderKey& key) {
  return key.field.column == Column::kBody ? 2 : 1;
}

absl::StatusOr<std::vector<Comparison>> parse_filter(std::string_view filter) {
  if (filter.size() > kFilterBytesMax) {
    return base::invalid(
        fmt::format("the filter has {} bytes, the limit is {}", filter.size(), kFilterBytesMax),
        "ask for less at a time");
  }
  if (!base::is_utf8(filter)) {
    return base::invalid("the filter is not UTF-8", kFilterRemedy);
  }
  std::vector<Comparison> comparisons;
  Reader reader(filter, "filter");
  reader.skip_space();
  while (!reader.at_end()) {
    if (comparisons.size() == kComparisonsMax) {
      return reader.error(fmt::format("there are more than {} comparisons", kComparisonsMax));
    }
    TRY(comparisons.emplace_back(), read_comparison(reader));
    reader.skip_space();
    if (reader.at_end()) {
      break;
    }
    if (base::lower(reader.word()) != "and") {
      return reader.error("comparisons are joined by AND only; a value with blanks is quoted");
    }
    reader.skip_space();
    if (reader.at_end()) {
      return reader.error("a comparison is expected after AND");
    }
  }
  return comparisons;
}

absl::StatusOr<std::vector<OrderKey>> parse_order(std::string_view order_by) {
  if (order_by.size() > kFilterBytesMax || !base::is_utf8(order_by)) {
    return base::invalid(fmt::format("order_by is not UTF-8 of at most {} bytes", kFilterBytesMax));
  }
  std::vector<OrderKey> keys;
  Reader reader(order_by, "order_by");
  reader.skip_space();
  bool total = false;
  while (!reader.at_end()) {
    OrderKey key;
    TRY(key.field, reader.field());
    reader.skip_space();
    const std::string direction = base::lower(reader.word());
    if (!direction.empty() && direction != "asc" && direction != "desc") {
      return reader.error("after a field comes asc, desc or a comma");
    }
    key.descending = direction == "desc";
    reader.skip_space();
    if (!reader.at_end() && !reader.take(",")) {
      return reader.error("after a field comes asc, desc or a comma");
    }
    reader.skip_space();
    total = total || key.field.column == Column::kName;
    keys.push_back(std::move(key));
    if (keys.size() > kOrderKeysMax) {
      return reader.error(fmt::format("there are more than {} fields", kOrderKeysMax));
    }
  }
  if (!total) {
    keys.push_back({.field = {.column = Column::kName, .path = {}, .text = "name"}});
  }
  keys.push_back({.field = {.column = Column::kProject, .path = {}, .text = "project"}});
  return keys;
}

absl::StatusOr<Plan> plan(const ListQuery& query) {
  Plan plan;
  if (query.page_size < 0) {
    return base::invalid(fmt::format("page_size is {}", query.page_size),
                         fmt::format("give a number from 1 to {}", kPageSizeMax));
  }
  plan.page_size =
      query.page_size == 0 ? kPageSizeDefault : std::min(query.page_size, kPageSizeMax);
  TRY(plan.filter, parse_filter(query.filter));
  TRY(plan.order, parse_order(query.order_by));
  plan.fingerprint = fingerprint(query);
  if (!query.page_token.empty()) {
    TRY(plan.after, read_token(plan, query.page_token));
  }
  return plan;
}

std::string make_token(const Plan& plan, const std::vector<KeyValue>& keys) {
  base::Json json = base::Json::array({fmt::format("{:016x}", plan.fingerprint)});
  for (const KeyValue& key : keys) {
    std::visit([&json](const auto& value) { json.push_back(value); }, key);
  }
  return base::to_base64url(base::dump_json(json));
}

}  // namespace cromford::store::list
