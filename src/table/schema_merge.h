#pragma once

// One schema for several files, and for what is appended to a version. For import.cc.
//
// Types widen without loss: integer to number, date to timestamp, anything to text.
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <span>
#include <string>
#include <vector>

#include "table/block_converter.h"
#include "table/table.h"

namespace cromford::table {

// All columns in the order of their first appearance, each with the narrowest type that holds all.
Schema merge_schemas(std::span<const Schema> schemas);

// The schema of a version of `base` to which rows of `added` are appended. FAILED_PRECONDITION
// when a column of `base` would have to become text, and when the two share no column.
absl::StatusOr<Schema> extend_schema(const Schema& base, const Schema& added);
// What such an append adds and leaves empty, in words; "" when the columns are the same.
std::string growth_of(const Schema& base, const Schema& added);

// SQL for the columns of `wanted`, each cast to its type; those that `given` lacks are NULL.
std::string cast_columns(const Schema& wanted, const Schema& given);

// Reads the columns of a text file as the types of `merged` where only its text tells all: text.
void widen_plans(const Schema& merged, std::vector<PlannedColumn>& columns);

// Plans the columns of a text file so that they can be appended to `base`: of its types, whatever a
// sample says; cells that do not fit are bad.
void fit_plans(const Schema& base, std::vector<PlannedColumn>& columns);

}  // namespace cromford::table
