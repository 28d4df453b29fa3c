#pragma once

// Columns in memory for the tests of profiles.
//
//   const Column ages = integers("age", {31, 47});
//
// Thread safety: pure functions.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "table/table.h"

namespace cromford::table {

inline Column integers(std::string name, std::vector<int64_t> values,
                       ColumnType type = ColumnType::kInteger) {
  Column column;
  column.name = std::move(name);
  column.type = type;
  column.integers = std::move(values);
  return column;
}

inline Column numbers(std::string name, std::vector<double> values) {
  Column column;
  column.name = std::move(name);
  column.type = ColumnType::kNumber;
  column.numbers = std::move(values);
  return column;
}

inline Column texts(std::string name, const std::vector<std::string>& values) {
  Column column;
  column.name = std::move(name);
  for (const std::string& value : values) {
    column.codes.push_back(static_cast<uint32_t>(column.dictionary.size()));
    column.dictionary.push_back(value);
  }
  return column;
}

}  // namespace cromford::table
