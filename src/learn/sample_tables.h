#pragma once

// Tables with a known truth, for the tests of this folder.
//
//   const table::Table table = binary_table(500, 1);   // x, z, colour -> late
//
// Thread safety: pure functions.

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "table/table.h"

namespace cromford::learn {

inline table::Column number_column(std::string name, std::vector<double> values) {
  table::Column column;
  column.name = std::move(name);
  column.type = table::ColumnType::kNumber;
  column.validity.assign((values.size() + 63) / 64, 0);
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) {
      ++column.missing_count;
    } else {
      column.validity[i / 64] |= uint64_t{1} << (i % 64);
    }
  }
  column.numbers = std::move(values);
  return column;
}

inline table::Column integer_column(std::string name, table::ColumnType type,
                                    std::vector<int64_t> values) {
  table::Column column;
  column.name = std::move(name);
  column.type = type;
  column.integers = std::move(values);
  return column;
}

// Empty texts are missing.
inline table::Column text_column(std::string name, const std::vector<std::string>& values) {
  table::Column column;
  column.name = std::move(name);
  column.type = table::ColumnType::kText;
  column.validity.assign((values.size() + 63) / 64, 0);
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].empty()) {
      column.codes.push_back(table::Column::kMissingCode);
      ++column.missing_count;
      continue;
    }
    column.validity[i / 64] |= uint64_t{1} << (i % 64);
    uint32_t code = 0;
    while (code < column.dictionary.size() && column.dictionary[code] != values[i]) {
      ++code;
    }
    if (code == column.dictionary.size()) {
      column.dictionary.push_back(values[i]);
    }
    column.codes.push_back(code);
  }
  return column;
}

inline table::Table table_of(std::vector<table::Column> columns) {
  const table::Column& first = columns.front();
  const auto rows = static_cast<int64_t>(
      std::max({first.numbers.size(), first.integers.size(), first.codes.size()}));
  return {std::move(columns), rows};
}

// Inputs that the sample tables share, and a score that the targets are made of.
struct SampleInputs {
  std::vector<double> x;
  std::vector<double> z;  // A tenth is missing.
  std::vector<std::string> colour;
  std::vector<double> score;
};

inline SampleInputs sample_inputs(size_t rows, base::Random& random) {
  SampleInputs inputs;
  const std::vector<std::string> colours = {"red",  "green", "blue",  "white", "black",
                                            "grey", "pink",  "brown", "teal"};
  for (size_t i = 0; i < rows; ++i) {
    const double x = random.normal();
    const double z = random.uniform() * 10;
    const uint64_t c = random.below(colours.size());
    inputs.x.push_back(x);
    inputs.z.push_back(random.uniform() < 0.1 ? std::numeric_limits<double>::quiet_NaN() : z);
    inputs.colour.push_back(colours[c]);
    inputs.score.push_back(1.5 * x + (z > 5 ? 1 : -1) * (c % 2 == 0 ? 1 : -1) +
                           0.3 * static_cast<double>(c) - 1.2);
  }
  return inputs;
}

inline table::Table binary_table(size_t rows, uint64_t seed) {
  base::Random random(seed);
  SampleInputs inputs = sample_inputs(rows, random);
  std::vector<int64_t> late;
  for (const double score : inputs.score) {
    late.push_back(random.uniform() < 1 / (1 + std::exp(-score)) ? 1 : 0);
  }
  return table_of({number_column("x", inputs.x), number_column("z", inputs.z),
                   text_column("colour", inputs.colour),
                   integer_column("late", table::ColumnType::kBoolean, late)});
}

inline table::Table regression_table(size_t rows, uint64_t seed) {
  base::Random random(seed);
  SampleInputs inputs = sample_inputs(rows, random);
  std::vector<double> price;
  for (const double score : inputs.score) {
    price.push_back(100 + 10 * score + 3 * random.normal());
  }
  return table_of({number_column("x", inputs.x), number_column("z", inputs.z),
                   text_column("colour", inputs.colour), number_column("price", price)});
}

inline table::Table multiclass_table(size_t rows, uint64_t seed) {
  base::Random random(seed);
  SampleInputs inputs = sample_inputs(rows, random);
  std::vector<std::string> grade;
  for (const double score : inputs.score) {
    const double noisy = score + 0.7 * random.normal();
    grade.push_back(noisy < -1.5 ? "poor" : noisy < 1 ? "fair" : "good");
  }
  return table_of({number_column("x", inputs.x), number_column("z", inputs.z),
                   text_column("colour", inputs.colour), text_column("grade", grade)});
}

}  // namespace cromford::learn
