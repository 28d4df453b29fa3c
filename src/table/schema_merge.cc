#include "table/schema_merge.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/status.h"

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

}  // namespace

Schema merge_schemas(std::span<const Schema> schemas) {
  Schema merged;
  for (const Schema& schema : schemas) {
    for (const ColumnSchema& column : schema.columns) {
      if (const auto found = merged.find(column.name)) {
        ColumnType& type = merged.columns[*found].type;
        type = common_type(type, column.type);
      } else {
        merged.columns.push_back(column);
      }
    }
  }
  return merged;
}

absl::StatusOr<Schema> extend_schema(const Schema& base, const Schema& added) {
  Schema result = base;
  for (const ColumnSchema& column : added.columns) {
    const auto found = result.find(column.name);
    if (!found) {
      result.columns.push_back(column);
      continue;
    }
    ColumnType& type = result.columns[*found].type;
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

void widen_plans(const Schema& merged, std::vector<PlannedColumn>& columns) {
  for (PlannedColumn& column : columns) {
    const auto found = merged.find(column.name);
    if (found && merged.columns[*found].type == ColumnType::kText &&
        column.plan.type != ColumnType::kText) {
      column.plan = ColumnPlan{};
      column.plan.fixed = true;
    }
  }
}

void fit_plans(const Schema& base, std::vector<PlannedColumn>& columns) {
  for (PlannedColumn& column : columns) {
    const auto found = base.find(column.name);
    if (!found) {
      continue;
    }
    const ColumnType type = base.columns[*found].type;
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
