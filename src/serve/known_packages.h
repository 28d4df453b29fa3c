#pragma once

// Packages whose answers can be computed by hand, for the tests, fuzzers and benchmarks of serve.
// Test-only.
//
//   const auto late = late_package();              // binary: classes "false", "true"
//   late_probability(612.0, "ORD");                // what it answers
//
// Thread safety: pure functions.

#include <array>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/forest/random_forest.h"
#include "model/package.h"
#include "model/package_writer.h"

namespace cromford::serve {

inline std::shared_ptr<const model::Package> load_known(const model::PackageParts& parts) {
  auto bytes = model::write_package(parts);
  if (!bytes.ok()) {
    std::abort();
  }
  auto package = model::Package::load(*std::move(bytes));
  if (!package.ok()) {
    std::abort();
  }
  return *std::move(package);
}

// Binary over a column of each type, of which only two matter:
// margin = slope * (distance - 500) + (origin is ORD ? 1 : 0); a missing distance counts as 500.
inline model::PackageParts late_parts(double slope = 0.01) {
  model::PackageParts parts;
  parts.task = model::Task::kBinary;
  parts.target = "late";
  parts.contract = {{"origin", model::InputType::kText},
                    {"distance", model::InputType::kNumber},
                    {"weekend", model::InputType::kBoolean},
                    {"booked", model::InputType::kDate},
                    {"departs", model::InputType::kTimestamp}};
  parts.pipeline.dictionaries.push_back({.column = 0, .entries = {"ORD", "ATL"}, .kept_count = 2});
  parts.pipeline.transforms.emplace_back(model::NumberTransform{.column = 1});
  parts.pipeline.transforms.emplace_back(model::OneHot{.column = 0, .width = 1});
  parts.pipeline.transforms.emplace_back(model::NumberTransform{.column = 2});
  parts.predictors.push_back({.name = "linear",
                              .features = {0, 1, 2},
                              .body = model::LinearParts{.output_count = 1,
                                                         .bias = {0.0},
                                                         .mean = {500.0, 0.0, 0.0},
                                                         .impute = {500.0, 0.0, 0.0},
                                                         .weights = {slope, 1.0, 0.0}}});
  parts.classes = {"false", "true"};
  parts.link = model::Link::kLogistic;
  return parts;
}

inline std::shared_ptr<const model::Package> late_package(double slope = 0.01) {
  model::PackageParts parts = late_parts(slope);
  parts.baseline.columns = {{.category_count = 2},
                            {.edges = {200.0, 500.0, 1000.0}},
                            {.edges = {0.0, 1.0}},
                            {.edges = {0.0}},
                            {.edges = {0.0}}};
  parts.baseline.prediction.edges = {0.25, 0.5, 0.75};
  return load_known(parts);
}

inline double late_probability(double distance, std::string_view origin, double slope = 0.01) {
  const double known = std::isnan(distance) ? 500.0 : distance;
  const double margin = slope * (known - 500.0) + (origin == "ORD" ? 1.0 : 0.0);
  std::array<double, 2> probabilities{};
  model::link_probabilities(model::Link::kLogistic, {&margin, 1}, probabilities);
  return probabilities[1];
}

// Regression of numbers only: value = 10 + 2 * x0 - x1, interval [value - 1, value + 3].
inline std::shared_ptr<const model::Package> sum_package() {
  model::PackageParts parts;
  parts.task = model::Task::kRegression;
  parts.target = "sum";
  parts.contract = {{"x0", model::InputType::kNumber},
                    {"x1", model::InputType::kNumber},
                    {"x2", model::InputType::kBoolean}};
  for (uint32_t column = 0; column < 3; ++column) {
    parts.pipeline.transforms.emplace_back(model::NumberTransform{.column = column});
  }
  parts.predictors.push_back({.name = "linear",
                              .features = {0, 1, 2},
                              .body = model::LinearParts{.output_count = 1,
                                                         .bias = {10.0},
                                                         .mean = {0.0, 0.0, 0.0},
                                                         .impute = {0.0, 0.0, 0.0},
                                                         .weights = {2.0, -1.0, 0.0}}});
  parts.interval = {.kind = model::IntervalKind::kConstant, .below = 1.0, .above = 3.0};
  return load_known(parts);
}

// Three classes, one of which has a name that JSON must escape: margins {x, 0, -x}.
inline std::shared_ptr<const model::Package> colour_package() {
  model::PackageParts parts;
  parts.task = model::Task::kMulticlass;
  parts.target = "colour";
  parts.contract = {{"x", model::InputType::kNumber}};
  parts.pipeline.transforms.emplace_back(model::NumberTransform{.column = 0});
  parts.predictors.push_back({.name = "linear",
                              .features = {0},
                              .body = model::LinearParts{.output_count = 3,
                                                         .bias = {0.0, 0.0, 0.0},
                                                         .mean = {0.0},
                                                         .impute = {0.0},
                                                         .weights = {1.0, 0.0, -1.0}}});
  parts.classes = {"red", "\"green\"", "blau/grün"};
  parts.link = model::Link::kSoftmax;
  return load_known(parts);
}

// A binary model as large as those that are served: the numbers x0, x1, ... and trees of depth 6.
inline std::shared_ptr<const model::Package> forest_package(uint32_t column_count = 20,
                                                            uint32_t tree_count = 200) {
  model::PackageParts parts;
  parts.task = model::Task::kBinary;
  parts.target = "y";
  std::vector<uint32_t> features;
  for (uint32_t column = 0; column < column_count; ++column) {
    parts.contract.push_back({"x" + std::to_string(column), model::InputType::kNumber});
    parts.pipeline.transforms.emplace_back(model::NumberTransform{.column = column});
    features.push_back(column);
    model::ColumnBaseline& bins = parts.baseline.columns.emplace_back();
    for (int edge = 0; edge < 20; ++edge) {
      bins.edges.push_back(edge / 10.0 - 1.0);
    }
  }
  std::mt19937_64 random(7);
  parts.predictors.push_back({.name = "trees",
                              .features = features,
                              .body = model::random_forest(random, {.tree_count = tree_count,
                                                                    .feature_count = column_count,
                                                                    .depth_max = 6,
                                                                    .leaf_chance = 0.0})});
  parts.classes = {"false", "true"};
  parts.link = model::Link::kLogistic;
  return load_known(parts);
}

}  // namespace cromford::serve
