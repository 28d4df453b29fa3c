#pragma once

// Which features are made of which columns: the pipeline of the package in the making. What does
// not look at the target (dictionaries, clipping, vocabularies) is fitted once on all rows but the
// test rows; target statistics are filled per fold (target_statistics.h).
//
//   TRY(FeaturePlan plan, plan_features(table, problem, split.work));
//   TRY(auto trees, model::FeaturePipeline::create(problem.contract, plan.tree_parts()));
//
// Thread safety: values and pure functions.

#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "learn/problem.h"
#include "model/features/parts.h"
#include "table/table.h"

namespace cromford::learn {

// Who reads a transform. The transforms of trees come first, so that the features of trees keep
// their numbers whether the others are there or not.
enum class Reader : uint8_t { kTrees, kBoth, kLinear };

struct PlannedTransform {
  model::Transform transform;
  Reader reader = Reader::kBoth;
  uint32_t width = 1;  // Features it yields.
  bool trend = false;  // Rises with time without end: may mislead when the future is predicted.
};

// A target statistic: which transform holds the table, over which dictionary.
struct StatisticSlot {
  size_t transform = 0;  // In FeaturePlan::transforms.
  uint32_t field = 0;    // In problem.fields.
  uint32_t dictionary = 0;
  uint32_t first_feature = 0;
  uint32_t width = 1;
};

struct FeaturePlan {
  std::vector<model::Dictionary> dictionaries;
  // First kTrees and kBoth, then kLinear.
  std::vector<PlannedTransform> transforms;
  std::vector<StatisticSlot> statistics;

  uint32_t tree_feature_count = 0;  // Features of kTrees and kBoth.
  uint32_t feature_count = 0;
  std::vector<uint32_t> tree_features;    // What trees read; all, or without trends.
  std::vector<uint32_t> linear_features;  // What linear models read.

  // The transforms of trees alone, or all of them.
  model::PipelineParts tree_parts() const;
  model::PipelineParts all_parts() const;
  std::vector<uint32_t> trend_features() const;
};

absl::StatusOr<FeaturePlan> plan_features(const table::Table& table, const Problem& problem,
                                          const std::vector<uint32_t>& positions);

// A dictionary of the column: the most frequent values first (ties by text), those seen at least
// `fewest` times kept, at most `kept_max` of them and 50,000 entries in all.
model::Dictionary make_dictionary(const table::Column& column, uint32_t field,
                                  const Problem& problem, const std::vector<uint32_t>& positions);

// The most frequent words of a text column that are in at least 5 texts (or 2 in 500), with their
// inverse document frequency log((1 + n) / (1 + df)) + 1.
model::TextTokens make_tokens(const table::Column& column, uint32_t field, const Problem& problem,
                              const std::vector<uint32_t>& positions, size_t width_max);

}  // namespace cromford::learn
