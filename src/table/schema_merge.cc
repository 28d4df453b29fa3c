#include "table/schema_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "table/duck.h"
#include "table/sandbox.h"

namespace cromford::table {
namespace {

ColumnType common_type(ColumnType a, ColumnType b) {
  const auto are = [a, b](ColumnType x, ColumnType y) {
    return (a == x && b == y) || (a == y && b == x);
  };
  if (a == b) {
    return a;
  }
  if (are(ColumnType::kInteger, ColumnType::kNumber)) {
    return ColumnType::kNumber;
  }
  if (are(ColumnType::kDate, ColumnType::kTimestamp)) {
    return ColumnType::kTimestamp;
  }
  return ColumnType::kText;
}

// Tables have thousands of columns, so nothing here looks for a name along all of them.
using Positions = std::unordered_map<std::string, size_t>;

Positions positions_of(const Schema& schema) {
  Positions positions;
  for (size_t i = 0; i < schema.columns.size(); ++i) {
    positions.emplace(schema.columns[i].name, i);
  }
  return positions;
}

constexpr size_t kNamesShownMax = 5;

std::string some_names(const std::vector<std::string>& names) {
  std::vector<std::string> shown(names.begin(), names.begin() + static_cast<ptrdiff_t>(std::min(
                                                                    names.size(), kNamesShownMax)));
  if (names.size() > shown.size()) {
    shown.push_back(fmt::format("and {} more", names.size() - shown.size()));
  }
  return base::join(shown, ", ");
}

std::vector<std::string> names_not_in(const Schema& schema, const Schema& other) {
  const Positions known = positions_of(other);
  std::vector<std::string> names;
  for (const ColumnSchema& column : schema.columns) {
    if (!known.contains(column.name)) {
      names.push_back(column.name);
    }
  }
  return names;
}

}  // namespace

Schema merge_schemas(std::span<const Schema> schemas) {
  Schema merged;
  Positions positions;
  for (const Schema& schema : schemas) {
    for (const ColumnSchema& column : schema.columns) {
      const auto [found, is_new] = positions.emplace(column.name, merged.columns.size());
      if (is_new) {
        merged.columns.push_back(column);
      } else {
        ColumnType& type = merged.columns[found->second].type;
        type = common_type(type, column.type);
      }
    }
  }
  return merged;
}

absl::StatusOr<Schema> extend_schema(const Schema& base, const Schema& added) {
  Schema result = base;
  const Positions positions = positions_of(base);
  const std::vector<std::string> fresh = names_not_in(added, base);
  if (!base.columns.empty() && fresh.size() == added.columns.size()) {
    return base::refused(
        fmt::format("the new rows share no column with the version appended to: it has {}, they "
                    "have {}",
                    some_names(base.names()), some_names(fresh)),
        "name the columns alike with --query, or add the rows as a new dataset");
  }
  for (const ColumnSchema& column : added.columns) {
    const auto found = positions.find(column.name);
    if (found == positions.end()) {
      result.columns.push_back(column);
      continue;
    }
    ColumnType& type = result.columns[found->second].type;
    const ColumnType common = common_type(type, column.type);
    if (common == ColumnType::kText && type != ColumnType::kText) {
      return base::refused(
          fmt::format("column {} is {} in the version appended to and {} in the new rows",
                      column.name, column_type_name(type), column_type_name(column.type)),
          "convert it with --query, or add the rows as a new dataset");
    }
    type = common;
  }
  return result;
}

std::string growth_of(const Schema& base, const Schema& added) {
  const std::vector<std::string> fresh = names_not_in(added, base);
  const std::vector<std::string> absent = names_not_in(base, added);
  std::vector<std::string> parts;
  if (!fresh.empty()) {
    parts.push_back(fmt::format("{} new column{} that the earlier rows lack: {}", fresh.size(),
                                fresh.size() == 1 ? "" : "s", some_names(fresh)));
  }
  if (!absent.empty()) {
    parts.push_back(fmt::format("{} column{} missing in the new rows: {}", absent.size(),
                                absent.size() == 1 ? "" : "s", some_names(absent)));
  }
  return base::join(parts, "; ");
}

std::string cast_columns(const Schema& wanted, const Schema& given) {
  const Positions positions = positions_of(given);
  std::vector<std::string> columns;
  for (const ColumnSchema& column : wanted.columns) {
    const std::string name = quote_name(column.name);
    columns.push_back(fmt::format("CAST({} AS {}) AS {}",
                                  positions.contains(column.name) ? name : "NULL",
                                  duck::sql_type(column.type), name));
  }
  return base::join(columns, ", ");
}

void widen_plans(const Schema& merged, std::vector<PlannedColumn>& columns) {
  const Positions positions = positions_of(merged);
  for (PlannedColumn& column : columns) {
    const auto found = positions.find(column.name);
    if (found != positions.end() && merged.columns[found->second].type == ColumnType::kText &&
        column.plan.type != ColumnType::kText) {
      column.plan = ColumnPlan{};
      column.plan.fixed = true;
    }
  }
}

void fit_plans(const Schema& base, std::vector<PlannedColumn>& columns) {
  const Positions positions = positions_of(base);
  for (PlannedColumn& column : columns) {
    const auto found = positions.find(column.name);
    if (found == positions.end()) {
      continue;
    }
    const ColumnType type = base.columns[found->second].type;
    ColumnPlan& plan = column.plan;
    if (common_type(type, plan.type) == ColumnType::kText && type != plan.type) {
      // Text where a type is wanted, or a type where text is.
      plan.type = type;
      plan.marks = type == ColumnType::kText ? kMarksOfText : kMarksOfTyped;
      plan.undetermined = false;
      plan.rivals = 0;
    }
    plan.fixed = true;
  }
}

}  // namespace cromford::table
