#pragma once

// Small packages of every task, with every kind of transform, predictor, calibration and interval,
// for tests, fuzzers and the golden file; and rows for them. Test-only.
//
//   TRY(std::vector<std::byte> bytes, write_package(sample_binary()));
//   RowBuffer rows(sample_contract());
//   std::vector<std::string> texts;
//   fill_sample_rows(random, 100, rows, texts);
//
// Thread safety: pure functions but for the generator.

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "model/forest/random_forest.h"
#include "model/package_writer.h"
#include "model/row_batch.h"

namespace cromford::model {

inline Contract sample_contract() {
  return {{"origin", InputType::kText},       {"distance", InputType::kNumber},
          {"weekend", InputType::kBoolean},   {"booked", InputType::kDate},
          {"departs", InputType::kTimestamp}, {"remark", InputType::kText}};
}

// 36 features; those of `distance - booked` and of the two dates belong to two columns.
inline PipelineParts sample_pipeline() {
  PipelineParts parts;
  parts.dictionaries.push_back(
      {.column = 0, .entries = {"ATL", "ORD", "DFW", "rare", "r\xc3\xa9union"}, .kept_count = 3});
  parts.transforms.emplace_back(NumberTransform{.column = 1, .low = 0.0, .high = 5000.0});
  parts.transforms.emplace_back(NumberTransform{.column = 1, .scale = NumberScale::kSignedLog});
  parts.transforms.emplace_back(NumberTransform{.column = 2});
  parts.transforms.emplace_back(MissingFlag{.column = 1});
  parts.transforms.emplace_back(MissingFlag{.column = 0});
  parts.transforms.emplace_back(
      CategoryTable{.column = 0,
                    .kind = CategoryTableKind::kTarget,
                    .width = 2,
                    .values = {0.1F, 0.9F, 0.2F, 0.8F, 0.3F, 0.7F, 0.25F, 0.75F, 0.5F, 0.5F}});
  parts.transforms.emplace_back(CategoryTable{
      .column = 0,
      .kind = CategoryTableKind::kCount,
      .width = 1,
      .values = {100.0F, 90.0F, 80.0F, 2.0F, std::numeric_limits<float>::quiet_NaN()}});
  parts.transforms.emplace_back(OneHot{.column = 0, .width = 5});
  parts.transforms.emplace_back(DateParts{
      .column = 4,
      .parts = {DatePart::kEpochDays, DatePart::kYear, DatePart::kMonth, DatePart::kDay,
                DatePart::kWeekday, DatePart::kHour, DatePart::kMinute, DatePart::kDayOfYear,
                DatePart::kYearSine, DatePart::kYearCosine, DatePart::kWeekSine,
                DatePart::kWeekCosine, DatePart::kDaySine, DatePart::kDayCosine}});
  parts.transforms.emplace_back(
      PairTransform{.left = 4, .right = 3, .operation = PairOperation::kDifference});
  parts.transforms.emplace_back(
      PairTransform{.left = 1, .right = 2, .operation = PairOperation::kRatio});
  parts.transforms.emplace_back(
      TextTokens{.column = 5, .width = 2, .vocabulary = {"late", "snow"}, .idf = {1.5F, 2.5F}});
  parts.transforms.emplace_back(TextTokens{.column = 5,
                                           .kind = TokenKind::kCharacterGrams3,
                                           .width = 3,
                                           .normalize = false,
                                           .idf = {1.0F, 1.0F, 0.5F}});
  parts.transforms.emplace_back(TextLength{.column = 5});
  return parts;
}

constexpr uint32_t kSampleFeatureCount = 36;

inline std::vector<uint32_t> sample_features(std::mt19937_64& random, uint32_t count) {
  std::vector<uint32_t> features(kSampleFeatureCount);
  for (uint32_t f = 0; f < kSampleFeatureCount; ++f) {
    features[f] = f;
  }
  for (uint32_t f = 0; f < count; ++f) {
    std::swap(features[f], features[f + random() % (kSampleFeatureCount - f)]);
  }
  features.resize(count);
  return features;
}

inline LinearParts sample_linear(std::mt19937_64& random, uint32_t outputs, uint32_t features) {
  const auto values = [&random](size_t count, double scale) {
    std::vector<double> result(count);
    for (double& value : result) {
      value = static_cast<double>(static_cast<int>(random() % 2001) - 1000) / 1000.0 * scale;
    }
    return result;
  };
  return {.output_count = outputs,
          .bias = values(outputs, 0.5),
          .mean = values(features, 10.0),
          .impute = values(features, 10.0),
          .weights = values(size_t{outputs} * features, 0.0001)};
}

// Two forests and a linear predictor, each on its own features.
inline std::vector<PredictorParts> sample_predictors(std::mt19937_64& random, uint32_t outputs,
                                                     bool vector_leaves) {
  RandomForestOptions options{.tree_count = 9, .feature_count = 12, .output_count = outputs};
  std::vector<PredictorParts> predictors;
  predictors.push_back({.name = "trees",
                        .weight = 0.5,
                        .features = sample_features(random, 12),
                        .body = random_forest(random, options)});
  options.vector_leaves = vector_leaves;
  options.depth_max = 5;
  options.feature_count = kSampleFeatureCount;
  predictors.push_back({.name = "more trees",
                        .weight = 0.25,
                        .features = sample_features(random, kSampleFeatureCount),
                        .body = random_forest(random, options)});
  predictors.push_back({.name = "linear",
                        .weight = 0.25,
                        .features = sample_features(random, 20),
                        .body = sample_linear(random, outputs, 20)});
  return predictors;
}

inline Baseline sample_baseline(size_t series_count) {
  Baseline baseline;
  baseline.columns.resize(6);
  baseline.columns[0] = {.category_count = 2, .counts = {10, 9, 3, 0, 1}};
  baseline.columns[1] = {.edges = {100.0, 500.0, 1000.0}, .counts = {1, 2, 3, 4, 5}};
  baseline.columns[2] = {.edges = {0.0, 1.0}, .counts = {0, 5, 6, 0}};
  baseline.columns[3] = {.edges = {0.0}, .counts = {}};
  baseline.columns[5] = {.edges = {5.0, 20.0}, .counts = {1, 1, 1, 20}};
  baseline.prediction.edges = {0.25, 0.5, 0.75};
  baseline.prediction.counts.assign(series_count * 4, 7);
  return baseline;
}

inline PackageParts sample_common(Task task, std::mt19937_64& random, uint32_t outputs) {
  PackageParts parts;
  parts.task = task;
  parts.target = "late";
  parts.contract = sample_contract();
  parts.pipeline = sample_pipeline();
  parts.predictors = sample_predictors(random, outputs, task == Task::kMulticlass);
  parts.baseline = sample_baseline(outputs);
  parts.manifest = R"({"lineage":{"dataset":"flights@1","seed":7},"metrics":{"auc":0.7}})";
  return parts;
}

inline PackageParts sample_binary() {
  std::mt19937_64 random(101);
  PackageParts parts = sample_common(Task::kBinary, random, 1);
  parts.classes = {"false", "true"};
  parts.link = Link::kLogistic;
  parts.calibration = {
      .kind = CalibrationKind::kQuadratic, .scale = {1.25}, .offset = {-0.5}, .square = 0.125};
  parts.threshold = 0.375;
  return parts;
}

inline PackageParts sample_multiclass() {
  std::mt19937_64 random(102);
  PackageParts parts = sample_common(Task::kMulticlass, random, 3);
  parts.classes = {"red", "green", "blue"};
  parts.link = Link::kSoftmax;
  parts.calibration = {
      .kind = CalibrationKind::kVector, .scale = {0.75, 1.0, 1.5}, .offset = {0.0, 0.25, -0.25}};
  return parts;
}

inline PackageParts sample_regression() {
  std::mt19937_64 random(103);
  PackageParts parts = sample_common(Task::kRegression, random, 1);
  parts.link = Link::kLog1p;
  parts.interval = {
      .kind = IntervalKind::kScaled, .coverage = 0.9, .below = 1.0, .above = 1.5, .floor = 0.01};
  parts.predictors.push_back(
      {.name = "scale",
       .role = PredictorRole::kScale,
       .features = sample_features(random, 5),
       .body = random_forest(random, {.tree_count = 3, .feature_count = 5})});
  return parts;
}

// Known, rare, unseen and missing values of all columns. `texts` owns what the rows point to.
inline void fill_sample_rows(std::mt19937_64& random, size_t row_count, RowBuffer& rows,
                             std::vector<std::string>& texts) {
  static const std::vector<std::string> origins = {"ATL", "ORD", "DFW", "rare", "XXX", ""};
  static const std::vector<std::string> remarks = {"late, snow", "Snow! snow LATE", "", "?",
                                                   "fog at the a\xc3\xa9roport, late"};
  texts.clear();
  texts.reserve(2 * row_count);
  rows.reset(row_count);
  for (size_t row = 0; row < row_count; ++row) {
    texts.push_back(origins[random() % origins.size()]);
    rows.set_text(row, 0, texts.back());
    texts.push_back(remarks[random() % remarks.size()]);
    rows.set_text(row, 5, texts.back());
    if (random() % 5 != 0) {
      rows.set_number(row, 1, static_cast<double>(random() % 60000) / 8.0 - 500.0);
    }
    if (random() % 5 != 0) {
      rows.set_number(row, 2, static_cast<double>(random() % 2));
    }
    if (random() % 5 != 0) {
      rows.set_number(row, 3, 86400.0 * static_cast<double>(random() % 20000));
    }
    if (random() % 5 != 0) {
      rows.set_number(row, 4, static_cast<double>(random() % 2000000000) + 0.5);
    }
  }
}

}  // namespace cromford::model
