#include "store/sqlite_list.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

namespace cromford::store::sqlite {
namespace {

// Longer texts are ordered by their first characters, which keeps page tokens short.
constexpr int kOrderedCharactersMax = 256;

// One term of the order: an SQL expression and its direction.
struct Term {
  std::string expression;
  bool descending;
};

class Compiler {
 public:
  ListStatement compile(const ListQuery& query, const list::Plan& plan) {
    // Placed before everything else, so that their parameters come first.
    std::vector<Term> terms;
    for (const list::OrderKey& key : plan.order) {
      add_terms(key, terms);
    }
    std::string sql = "select project, kind, name, body, revision, created_at, updated_at";
    for (const Term& term : terms) {
      sql += ", " + term.expression;
    }
    sql += " from documents where kind = " + parameter(query.kind);
    if (query.project) {
      sql += " and project = " + parameter(*query.project);
    }
    add_prefix(query.name_prefix, sql);
    for (const list::Comparison& comparison : plan.filter) {
      sql += " and " + condition(comparison);
    }
    if (!plan.after.empty()) {
      sql += " and " + after(terms, plan.after, 0);
    }
    sql += " order by ";
    for (size_t i = 0; i < terms.size(); ++i) {
      sql += fmt::format("{}{}{}", i == 0 ? "" : ", ", terms[i].expression,
                         terms[i].descending ? " desc" : "");
    }
    sql += " limit " + parameter(int64_t{plan.page_size} + 1);
    return {std::move(sql), std::move(parameters_)};
  }

 private:
  // A numbered parameter, so that an expression may be repeated.
  std::string parameter(Value value) {
    parameters_.push_back(std::move(value));
    return fmt::format("?{}", parameters_.size());
  }

  static std::string_view column_name(list::Column column) {
    switch (column) {
      case list::Column::kName:
        return "name";
      case list::Column::kProject:
        return "project";
      case list::Column::kCreatedAt:
        return "created_at";
      case list::Column::kUpdatedAt:
        return "updated_at";
      case list::Column::kRevision:
        return "revision";
      case list::Column::kBody:
        break;
    }
    return "body";
  }

  std::string path(const list::Field& field) {
    std::string text = "$";
    for (const std::string& part : field.path) {
      text += fmt::format(".\"{}\"", part);
    }
    return parameter(std::move(text));
  }

  void add_terms(const list::OrderKey& key, std::vector<Term>& terms) {
    if (key.field.column != list::Column::kBody) {
      terms.push_back({std::string(column_name(key.field.column)), key.descending});
      return;
    }
    const std::string at = path(key.field);
    terms.push_back({fmt::format("case json_type(body, {}) when 'true' then 1 when 'false' then 1 "
                                 "when 'integer' then 2 when 'real' then 2 when 'text' then 3 "
                                 "else 0 end",
                                 at),
                     key.descending});
    terms.push_back(
        {fmt::format("case json_type(body, {0}) when 'text' then "
                     "substr(json_extract(body, {0}), 1, {1}) when 'array' then 0 "
                     "when 'object' then 0 else coalesce(json_extract(body, {0}), 0) end",
                     at, kOrderedCharactersMax),
         key.descending});
  }

  void add_prefix(const std::string& prefix, std::string& sql) {
    if (prefix.empty()) {
      return;
    }
    sql += " and name >= " + parameter(prefix);
    // The first text after all that begin with the prefix.
    std::string end = prefix;
    while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) {
      end.pop_back();
    }
    if (!end.empty()) {
      end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
      sql += " and name < " + parameter(std::move(end));
    }
  }

  static std::string_view sign(list::Operator op) {
    switch (op) {
      case list::Operator::kLess:
        return "<";
      case list::Operator::kLessEqual:
        return "<=";
      case list::Operator::kGreater:
        return ">";
      case list::Operator::kGreaterEqual:
        return ">=";
      case list::Operator::kEqual:
      case list::Operator::kNotEqual:
      case list::Operator::kContains:
        break;
    }
    return "=";
  }

  std::string condition(const list::Comparison& comparison) {
    if (comparison.op == list::Operator::kNotEqual) {
      list::Comparison equal = comparison;
      equal.op = list::Operator::kEqual;
      return fmt::format("not coalesce({}, 0)", condition(equal));
    }
    if (comparison.field.column != list::Column::kBody) {
      return column_condition(comparison);
    }
    return comparison.op == list::Operator::kContains ? contains(comparison) : compares(comparison);
  }

  std::string column_condition(const list::Comparison& comparison) {
    const std::string_view column = column_name(comparison.field.column);
    if (comparison.op == list::Operator::kContains) {
      return fmt::format("instr(lower({}), lower({})) > 0", column,
                         parameter(comparison.literal.spelling));
    }
    if (const auto* number = std::get_if<int64_t>(&comparison.literal.value)) {
      return fmt::format("{} {} {}", column, sign(comparison.op), parameter(*number));
    }
    return fmt::format("{} {} {}", column, sign(comparison.op),
                       parameter(comparison.literal.spelling));
  }

  // The literal as a bound number; nothing for other kinds.
  std::optional<std::string> number(const list::Literal& literal) {
    if (const auto* integer = std::get_if<int64_t>(&literal.value)) {
      return parameter(*integer);
    }
    if (const auto* real = std::get_if<double>(&literal.value)) {
      return parameter(*real);
    }
    return std::nullopt;
  }

  std::string compares(const list::Comparison& comparison) {
    const std::string at = path(comparison.field);
    const list::Literal& literal = comparison.literal;
    if (std::holds_alternative<list::Null>(literal.value)) {
      return fmt::format("coalesce(json_type(body, {}), 'null') = 'null'", at);
    }
    if (const auto* truth = std::get_if<bool>(&literal.value)) {
      return fmt::format("json_type(body, {}) = '{}'", at, *truth ? "true" : "false");
    }
    const std::string_view op = sign(comparison.op);
    const auto bound = number(literal);
    std::string result = "(";
    if (bound) {
      result += fmt::format(
          "(json_type(body, {0}) in ('integer', 'real') and json_extract(body, {0}) {1} {2})", at,
          op, *bound);
    }
    if (!bound || comparison.op == list::Operator::kEqual) {
      result +=
          fmt::format("{0}(json_type(body, {1}) = 'text' and json_extract(body, {1}) {2} {3})",
                      bound ? " or " : "", at, op, parameter(literal.spelling));
    }
    return result + ")";
  }

  std::string contains(const list::Comparison& comparison) {
    const std::string at = path(comparison.field);
    const std::string text = parameter(comparison.literal.spelling);
    std::string element = fmt::format("(item.type = 'text' and item.value = {})", text);
    if (const auto bound = number(comparison.literal)) {
      element += fmt::format(" or (item.type in ('integer', 'real') and item.value = {})", *bound);
    } else if (const auto* truth = std::get_if<bool>(&comparison.literal.value)) {
      element += fmt::format(" or item.type = '{}'", *truth ? "true" : "false");
    } else if (std::holds_alternative<list::Null>(comparison.literal.value)) {
      element += " or item.type = 'null'";
    }
    return fmt::format(
        "((json_type(body, {0}) = 'text' and instr(lower(json_extract(body, {0})), lower({1})) > 0)"
        " or (json_type(body, {0}) = 'array' and exists (select 1 from json_each(body, {0}) as item"
        " where {2})))",
        at, text, element);
  }

  // The rows behind `keys` in the order of `terms`, from the term `from` on.
  std::string after(const std::vector<Term>& terms, const std::vector<list::KeyValue>& keys,
                    size_t from) {
    const Term& term = terms[from];
    const std::string key = parameter(keys[from]);
    const std::string_view op = term.descending ? "<" : ">";
    if (from + 1 == terms.size()) {
      return fmt::format("{} {} {}", term.expression, op, key);
    }
    // The first comparison alone can be answered by an index.
    return fmt::format("({0} {1}= {2} and ({0} {1} {2} or {3}))", term.expression, op, key,
                       after(terms, keys, from + 1));
  }

  std::vector<Value> parameters_;
};

}  // namespace

ListStatement compile(const ListQuery& query, const list::Plan& plan) {
  return Compiler().compile(query, plan);
}

}  // namespace cromford::store::sqlite
