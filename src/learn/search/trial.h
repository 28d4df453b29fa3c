#pragma once

// One configuration tried: fitted on every fold, judged on the rows that the fold left out.
//
//   TrialSpec spec{.number = 2, .learner = "boosting", .boosting = {.learning_rate = 0.1}};
//   TRY(Trial trial, run_trial(bench, spec, pace, seed));
//   trial.score; trial.margins;      // of bench.scored()
//
// Thread safety: run_trial() may be called by several threads on one bench.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "learn/search/workbench.h"
#include "model/forest/parts.h"
#include "model/linear/linear.h"

namespace cromford::learn {

struct TrialSpec {
  size_t number = 0;                 // 0 is the baseline.
  std::string learner = "baseline";  // baseline, linear, boosting
  BoostingConfig boosting;
  uint32_t round_limit = 2000;
  double l2 = 1;  // Of linear.

  // "learning_rate 0.1, depth 6, ..." for the leaderboard, in the words of XGBoost's parameters.
  std::string describe() const;
};

// A fitted predictor; `features` are numbers in the plan.
struct Fitted {
  std::variant<model::ForestParts, model::LinearParts> body = model::LinearParts{};
  std::vector<uint32_t> features;
  std::vector<double> gain;  // Share of each of `features` in what was learned, not normalised.
};

struct Trial {
  TrialSpec spec;
  bool complete = false;  // Every fold was scored.
  bool cut = false;       // The clock ended it before its time.
  double score = 0;       // In the measure that trials are ranked by.
  double spread = 0;      // Standard error of the score.
  double loss = 0;        // Lower is better, whatever the measure: score, or minus the score.
  double seconds = 0;
  double fit_seconds = 0;           // Of the longest fold.
  uint32_t rounds = 0;              // Of boosting: the mean of the folds' best.
  std::vector<double> fold_losses;  // As the fits go by.
  std::vector<double> margins;      // [scored rows x outputs]
  Fitted first;                     // Of the first fold, for checkpoints.
};

absl::StatusOr<Trial> run_trial(const Workbench& bench, const TrialSpec& spec, const Pace& pace,
                                uint64_t seed);

// Fits the trial's configuration on all of `positions` with its number of rounds. `tables` are the
// statistics of these rows.
struct RefitData {
  std::vector<uint32_t> positions;
  StatisticTables tables;
  std::unique_ptr<BoostingData> boosting;
  Matrix linear;
  std::vector<uint32_t> linear_rows;
};
absl::StatusOr<RefitData> prepare_refit(const Workbench& bench, std::vector<uint32_t> positions,
                                        bool boosting, bool linear);
struct Refit {
  Fitted fitted;
  bool cut = false;
};
absl::StatusOr<Refit> refit(const Workbench& bench, const RefitData& data, const Trial& trial,
                            const Pace& pace, uint64_t seed, size_t threads);

}  // namespace cromford::learn
