#pragma once

// Boosted trees by XGBoost, behind our own interface: data in, our own forest out. Nothing of
// XGBoost is visible beyond this folder, and no model is ever used in its form: what is fitted here
// is turned into model::ForestParts, which gives the same margins (tested to 1e-6).
//
//   TRY(auto data, BoostingData::create({.row_count = n, .column_count = 8, .labels = y,
//                                       .fill = fill}));
//   TRY(Boosted boosted, boost(*data, config, {.round_limit = 300}));
//   boosted.forest.trees.size();
//
// Thread safety: one BoostingData may serve several boost() calls at once.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/forest/parts.h"

namespace cromford::learn {

enum class Objective { kBinary, kMulticlass, kSquaredError, kAbsoluteError };

struct BoostingConfig {
  double learning_rate = 0.1;
  uint32_t depth = 6;       // 0: no limit, then `leaves` counts.
  uint32_t leaves = 0;      // 0: grown level by level; else leaf by leaf up to so many.
  double least_weight = 1;  // Of second derivatives in a leaf.
  double row_share = 1;     // Drawn anew for each tree.
  double column_share = 1;  // For each tree.
  double level_share = 1;   // For each level.
  double l2 = 1;
  double l1 = 0;
  double least_gain = 0;
};

// What a caller hands over. `fill` writes rows [first, first + count) row-major; NaN is missing. It
// is called from one thread, twice for each row.
struct BoostingSource {
  size_t row_count = 0;
  size_t column_count = 0;
  Objective objective = Objective::kBinary;
  // Margin of every row before the first tree, one value per output (multiclass: per class).
  std::vector<double> base = {0.0};
  std::span<const double> labels = {};  // Classes 0.., or values.
  std::span<const double> weights = {};
  std::function<void(size_t first, size_t count, std::span<float> out)> fill;
  size_t threads = 1;
  uint32_t bin_count = 256;
};

class BoostingData {
 public:
  // Quantised rows to fit on: a byte or two per value.
  static absl::StatusOr<std::unique_ptr<BoostingData>> create(const BoostingSource& source);
  // Plain rows to score: eight bytes per value.
  static absl::StatusOr<std::unique_ptr<BoostingData>> create_plain(const BoostingSource& source);
  ~BoostingData();
  BoostingData(const BoostingData&) = delete;
  BoostingData& operator=(const BoostingData&) = delete;

  size_t row_count() const { return row_count_; }
  size_t column_count() const { return column_count_; }
  uint32_t bin_count() const { return bin_count_; }
  Objective objective() const { return objective_; }
  const std::vector<double>& base() const { return base_; }
  void* handle() const { return handle_; }

 private:
  explicit BoostingData(const BoostingSource& source);

  void* handle_ = nullptr;
  size_t row_count_ = 0;
  size_t column_count_ = 0;
  uint32_t bin_count_ = 256;
  Objective objective_ = Objective::kBinary;
  std::vector<double> base_;
};

struct BoostOptions {
  uint32_t round_limit = 100;
  uint64_t seed = 0;
  size_t threads = 1;
  // With validation rows: stop after `patience` rounds without a lower loss and keep the best
  // round.
  const BoostingData* valid = nullptr;
  uint32_t patience = 50;
  std::function<double(std::span<const double> margins)> loss;
  // Asked before each round; true ends the fit with the rounds so far.
  std::function<bool()> stop;
  // False: a stopped fit has no forest, which spares the time of reading it.
  bool forest_when_stopped = true;
};

struct Boosted {
  model::ForestParts forest;  // The rounds kept.
  std::vector<double> gain;   // Of each column, summed over its splits.
  uint32_t rounds = 0;        // Kept.
  uint32_t rounds_fitted = 0;
  std::vector<double> valid_margins;  // Of the rounds kept: [rows x outputs].
  double valid_loss = 0;
  bool stopped = false;  // By `stop`.
};

// INTERNAL with XGBoost's own message when it fails; RESOURCE_EXHAUSTED when memory runs out.
absl::StatusOr<Boosted> boost(const BoostingData& data, const BoostingConfig& config,
                              const BoostOptions& options);

// The forest of the first `rounds` rounds of a model in XGBoost's JSON; `gain` may be null.
absl::StatusOr<model::ForestParts> forest_from_json(std::string_view json, uint32_t output_count,
                                                    uint32_t rounds, std::vector<double>* gain);

}  // namespace cromford::learn
