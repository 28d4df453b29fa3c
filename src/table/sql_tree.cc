#include "table/sql_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"
#include "table/duck.h"
#include "table/sandbox.h"

namespace cromford::table {
namespace {

using Tree = nlohmann::json;

constexpr std::string_view kAllowed =
    "a query is one SELECT over the table input, with joins, subqueries, WITH, windows and "
    "aggregates as you like";

std::unordered_set<std::string> words(std::string_view text) {
  std::unordered_set<std::string> all;
  for (const std::string_view word : base::split(text, ' ')) {
    all.emplace(word);
  }
  return all;
}

// Functions that tell of the machine, its settings or other sessions, wait, or keep state.
const std::unordered_set<std::string>& denied_functions() {
  static const std::unordered_set<std::string> names = words(
      "add_parquet_key current_catalog current_connection_id current_database current_query "
      "current_query_id current_role current_schema current_schemas current_setting "
      "current_transaction_id current_user currval getenv get_block_size getvariable "
      "in_search_path json_deserialize_sql json_execute_serialized_sql json_serialize_plan "
      "json_serialize_sql nextval obj_description col_description shobj_description "
      "parse_duckdb_log_message query query_table session_user setseed sleep_ms stats "
      "txid_current user vector_type version which_secret write_log");
  return names;
}
constexpr std::array<std::string_view, 5> kDeniedPrefixes = {"pg_", "has_", "inet_", "duckdb_",
                                                             "pragma_"};
const std::unordered_set<std::string>& allowed_table_functions() {
  static const std::unordered_set<std::string> names = {"unnest", "range", "generate_series"};
  return names;
}

// With one of these a row of the result is made of several rows of the input.
const std::unordered_set<std::string>& aggregates() {
  static const std::unordered_set<std::string> names = words(
      "any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max "
      "arg_max_null arg_max_nulls_last arg_min arg_min_null arg_min_nulls_last argmax argmin "
      "array_agg avg bit_and bit_or bit_xor bitstring_agg bool_and bool_or corr count count_if "
      "count_star countif covar_pop covar_samp entropy favg first fsum geomean geometric_mean "
      "group_concat histogram histogram_exact json_group_array json_group_object "
      "json_group_structure kahan_sum kurtosis kurtosis_pop last list listagg mad max max_by mean "
      "median min min_by mode product quantile quantile_cont quantile_disc regr_avgx regr_avgy "
      "regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile "
      "sem skewness stddev stddev_pop stddev_samp string_agg sum sum_no_overflow sumkahan var_pop "
      "var_samp variance wavg weighted_avg");
  return names;
}

// Nodes of the tree that are neither expressions nor literals, and whether they keep rows apart.
struct NodeKind {
  std::string_view type;
  bool row_wise;
};
constexpr std::array<NodeKind, 17> kNodes = {{{"SELECT_NODE", true},
                                              {"SET_OPERATION_NODE", false},
                                              {"RECURSIVE_CTE_NODE", false},
                                              {"CTE_NODE", false},
                                              {"EMPTY", false},
                                              {"EMPTY_FROM", false},
                                              {"BASE_TABLE", true},
                                              {"SUBQUERY", true},
                                              {"JOIN", false},
                                              {"TABLE_FUNCTION", false},
                                              {"EXPRESSION_LIST", false},
                                              {"PIVOT", false},
                                              {"LIMIT_MODIFIER", true},
                                              {"LIMIT_PERCENT_MODIFIER", false},
                                              {"ORDER_MODIFIER", false},
                                              {"DISTINCT_MODIFIER", false},
                                              {"RECURSIVE_CTE", false}}};

absl::Status not_allowed(std::string_view what) {
  return base::invalid(fmt::format("{} is not allowed in a query", what), kAllowed);
}

bool is_plain_name(std::string_view name) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  if (name.empty() || !is_letter(name.front())) {
    return false;
  }
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

// Whether a name could be that of a system table, so that no WITH clause may hide it.
bool is_system_name(const std::string& name) {
  constexpr std::array<std::string_view, 6> kPrefixes = {"duckdb_", "pg_",    "sqlite_",
                                                         "pragma_", "system", "information_"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&name](std::string_view prefix) { return name.starts_with(prefix); });
}

std::string text_of(const Tree& node, const char* key) {
  const auto found = node.find(key);
  return found != node.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_filled(const Tree& node, const char* key) {
  const auto found = node.find(key);
  return found != node.end() && !found->is_null() && !(found->is_array() && found->empty());
}

class Inspector {
 public:
  absl::Status inspect(const Tree& tree) { return walk(tree, {}); }
  bool row_wise() const { return row_wise_; }

 private:
  using Names = std::vector<std::string>;

  // NOLINTNEXTLINE(misc-no-recursion): the engine limits the depth of the tree to 1000.
  absl::Status walk(const Tree& node, const Names& visible) {
    if (node.is_array()) {
      for (const Tree& child : node) {
        TRY(walk(child, visible));
      }
      return absl::OkStatus();
    }
    if (!node.is_object()) {
      return absl::OkStatus();
    }
    Names names = visible;
    TRY(add_with_names(node, names));
    TRY(node.contains("class") ? check_expression(node) : check_node(node, names));
    // Literals hold neither tables nor functions, but texts that could look like nodes.
    if (text_of(node, "class") == "CONSTANT") {
      return absl::OkStatus();
    }
    for (const auto& [key, child] : node.items()) {
      if (key != "cast_type") {
        TRY(walk(child, names));
      }
    }
    return absl::OkStatus();
  }

  absl::Status add_with_names(const Tree& node, Names& names) {
    const auto map = node.find("cte_map");
    if (map != node.end() && map->contains("map")) {
      for (const Tree& entry : (*map)["map"]) {
        TRY(add_with_name(text_of(entry, "key"), names));
      }
    }
    for (const char* key : {"cte_name", "ctename"}) {
      if (const std::string name = text_of(node, key); !name.empty()) {
        TRY(add_with_name(name, names));
      }
    }
    return absl::OkStatus();
  }

  absl::Status add_with_name(const std::string& name, Names& names) {
    const std::string lower = base::lower(name);
    if (!is_plain_name(lower) || is_system_name(lower)) {
      return base::invalid(fmt::format("\"{}\" cannot be the name of a WITH clause here", name),
                           "use letters, digits and _ and no name of a system table");
    }
    names.push_back(lower);
    row_wise_ = false;
    return absl::OkStatus();
  }

  absl::Status check_expression(const Tree& node) {
    const std::string kind = text_of(node, "class");
    if (kind == "PARAMETER") {
      return not_allowed("a parameter ($1, ?)");
    }
    if (kind == "WINDOW" || kind == "SUBQUERY") {
      row_wise_ = false;
    }
    if (!node.contains("function_name")) {
      return absl::OkStatus();
    }
    const std::string name = base::lower(text_of(node, "function_name"));
    const std::string schema = base::lower(text_of(node, "schema"));
    const std::string catalog = base::lower(text_of(node, "catalog"));
    const bool known_place = (schema.empty() || schema == "main") && catalog.empty();
    const bool denied =
        denied_functions().contains(name) ||
        std::any_of(kDeniedPrefixes.begin(), kDeniedPrefixes.end(),
                    [&name](std::string_view prefix) { return name.starts_with(prefix); });
    if (!known_place || denied) {
      return not_allowed(
          fmt::format("the function {}{}{}()", schema, schema.empty() ? "" : ".", name));
    }
    row_wise_ = row_wise_ && !aggregates().contains(name);
    return absl::OkStatus();
  }

  absl::Status check_node(const Tree& node, const Names& names) {
    const auto type_entry = node.find("type");
    if (type_entry == node.end() || !type_entry->is_string()) {
      return absl::OkStatus();
    }
    const std::string type = type_entry->get<std::string>();
    if (is_order_entry(node, type)) {
      return absl::OkStatus();
    }
    const auto* const kind = std::find_if(kNodes.begin(), kNodes.end(),
                                          [&type](const NodeKind& k) { return k.type == type; });
    if (kind == kNodes.end()) {
      return not_allowed(type == "SHOW_REF" ? "SHOW, DESCRIBE or SUMMARIZE" : type);
    }
    row_wise_ = row_wise_ && (kind->row_wise || is_empty_order(node, type));
    if (type == "SELECT_NODE" &&
        (is_filled(node, "group_expressions") || is_filled(node, "having") ||
         is_filled(node, "qualify") || is_filled(node, "sample"))) {
      row_wise_ = false;
    }
    row_wise_ = row_wise_ && !is_filled(node, "sample");
    if (type == "BASE_TABLE") {
      return check_table(node, names);
    }
    if (type == "TABLE_FUNCTION") {
      const auto function = node.find("function");
      const std::string name =
          function == node.end() ? "" : base::lower(text_of(*function, "function_name"));
      if (!allowed_table_functions().contains(name)) {
        return not_allowed(fmt::format("the table function {}()", name));
      }
    }
    return absl::OkStatus();
  }

  // Every function call carries an order of its arguments, empty as a rule.
  static bool is_empty_order(const Tree& node, const std::string& type) {
    return type == "ORDER_MODIFIER" && !is_filled(node, "orders");
  }

  static bool is_order_entry(const Tree& node, const std::string& type) {
    return node.contains("null_order") &&
           (type == "ORDER_DEFAULT" || type == "ASCENDING" || type == "DESCENDING");
  }

  absl::Status check_table(const Tree& node, const Names& names) {
    const std::string name = base::lower(text_of(node, "table_name"));
    const bool bare = text_of(node, "schema_name").empty() &&
                      text_of(node, "catalog_name").empty() && !is_filled(node, "at_clause");
    if (bare && (name == "input" || std::find(names.begin(), names.end(), name) != names.end())) {
      return absl::OkStatus();
    }
    return base::invalid(
        fmt::format("there is no table \"{}\" here", text_of(node, "table_name")),
        "the rows are the table input; WITH clauses may make further tables from it");
  }

  bool row_wise_ = true;
};

absl::StatusOr<std::string> serialize(std::string_view sql) {
  EngineOptions options;
  options.threads = 1;
  TRY(auto engine, Engine::create(options));
  TRY(auto connection, duck::connect(*engine));
  TRY(auto result, connection.run(fmt::format("SELECT json_serialize_sql({})", quote_text(sql)), {},
                                  duck::Origin::kUser));
  return result.text(0, 0);
}

}  // namespace

std::string_view trim_query(std::string_view sql) {
  sql = base::trim(sql);
  while (sql.ends_with(';')) {
    sql = base::trim(sql.substr(0, sql.size() - 1));
  }
  return sql;
}

absl::StatusOr<QueryShape> inspect_query(std::string_view sql) {
  const base::Limits limits;
  sql = trim_query(sql);
  if (sql.empty()) {
    return base::invalid("the query is empty", kAllowed);
  }
  if (sql.size() > limits.query_bytes) {
    return base::exhausted(
        fmt::format("the query is longer than {}", base::format_size(limits.query_bytes)));
  }
  if (sql.find('\0') != std::string_view::npos || !base::is_utf8(sql)) {
    return base::invalid("the query is not UTF-8 text", kAllowed);
  }
  TRY(const std::string text, serialize(sql));
  const Tree tree = Tree::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!tree.is_object() || !tree.contains("error")) {
    return base::internal("the data engine gave no tree for a query");
  }
  if (tree["error"] == true) {
    const std::string type = text_of(tree, "error_type");
    if (type == "not implemented") {
      return base::invalid("the query is not a SELECT", kAllowed);
    }
    return base::invalid(
        fmt::format("the query cannot be read: {}", text_of(tree, "error_message")), kAllowed);
  }
  const auto statements = tree.find("statements");
  if (statements == tree.end() || !statements->is_array() || statements->size() != 1) {
    return base::invalid("there is more than one statement, or none", kAllowed);
  }
  Inspector inspector;
  TRY(inspector.inspect((*statements)[0]));
  return QueryShape{.row_wise = inspector.row_wise()};
}

}  // namespace cromford::table
