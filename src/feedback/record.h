#pragma once

// What the log keeps: a prediction with the row that it answers, and an outcome. What is constant
// from prediction to prediction of one served version (its columns, its classes) is a `Layout`,
// declared once; a record refers to it by number.
//
//   const uint32_t layout = log.declare({.endpoint = "default/late", .model = "late",
//                                        .model_version = 3, .variant = "champion",
//                                        .classes = {"false", "true"},
//                                        .columns = {{"origin", ColumnType::kText},
//                                                    {"distance", ColumnType::kNumber}}});
//   writer.add({.layout = layout, .id = "order-17", .event_time = at, .arrival_time = now,
//               .numbers = {{612.0}}, .texts = {{"ORD"}}, .answer = {{0.69, 0.31}}, .label = 0});
//
// Thread safety: values.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "table/table.h"

namespace cromford::feedback {

using ColumnType = table::ColumnType;

// Who answers and what is asked of it.
struct Layout {
  // The key under which predictions and outcomes meet: the same id at two endpoints is two
  // predictions. The caller's to choose, for example "default/late".
  std::string endpoint;
  std::string model;
  int64_t model_version = 0;
  std::string variant;               // "champion", "challenger", "canary", "shadow"
  std::vector<std::string> classes;  // empty: a regression
  std::vector<table::ColumnSchema> columns;
  bool operator==(const Layout&) const = default;
};

// One answered row on its way into the log; nothing is copied before `PredictionWriter::add`.
struct PredictionRecord {
  uint32_t layout = 0;       // from Log::declare
  std::string_view id = {};  // 1 to 128 bytes
  base::Time event_time{};   // when what is predicted was known; the caller's `at`
  base::Time arrival_time{};
  std::string_view key = {};         // what the traffic split sticks to, if not the id
  std::string_view request_id = {};  // at most 128 bytes, like `key`
  uint32_t latency_us = 0;
  // The raw row. `numbers`: the columns that are not text, in the order of the layout (booleans 0
  // and 1; dates and timestamps in seconds since 1970 UTC; missing: NaN). `texts`: the text
  // columns, in the order of the layout (missing: a view without data).
  std::span<const double> numbers = {};
  std::span<const std::string_view> texts = {};
  // One probability for each class, in their order; of a regression the value, or the value, its
  // lower and its upper bound.
  std::span<const double> answer = {};
  int32_t label = -1;  // which class was answered; -1 of a regression
};

// One prediction as it was logged.
struct Prediction {
  Layout layout;
  std::string id;
  base::Time event_time{};
  base::Time arrival_time{};
  std::string key;
  std::string request_id;
  uint32_t latency_us = 0;
  std::vector<double> numbers;
  std::vector<std::optional<std::string>> texts;
  std::vector<double> answer;
  int32_t label = -1;
};

// What really happened: the name of a class, or a number.
struct OutcomeValue {
  std::string_view text = {};  // of a classification
  double number = 0;           // of a regression
};

// One outcome on its way in.
struct OutcomeRecord {
  std::string_view id;
  OutcomeValue value;
  std::optional<base::Time> at = std::nullopt;  // when it happened, where that is told
};

// One outcome as it was logged.
struct Outcome {
  std::string id;
  bool is_number = false;
  std::string text;
  double number = 0;
  base::Time at{};  // `arrival_time` where it was not told
  base::Time arrival_time{};
};

}  // namespace cromford::feedback
