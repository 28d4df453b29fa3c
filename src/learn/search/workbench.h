#pragma once

// Everything that trials share, prepared once: the feature plan, the rows of every fold in the form
// that each learner wants, the labels on the scale of the margin, and how margins are judged.
//
//   TRY(auto bench, Workbench::create(table, problem, split, options));
//   bench->score(margins);          // of all validation rows, in bench->scored() order
//
// Thread safety: const functions may be called by several threads.

#include <absl/status/statusor.h>

#include <memory>
#include <span>
#include <vector>

#include "learn/boosting/booster.h"
#include "learn/features/plan.h"
#include "learn/features/target_statistics.h"
#include "learn/linear/linear_fit.h"
#include "learn/problem.h"
#include "learn/reader.h"
#include "learn/search/pace.h"
#include "learn/split.h"
#include "model/calibration/calibration.h"

namespace cromford::learn {

// The rows of one fold as the learners want them.
struct FoldData {
  std::vector<uint32_t> train;  // Positions; perhaps a sample of the fold's.
  std::vector<uint32_t> valid;
  StatisticTables tables;  // Fitted on `train`.
  std::unique_ptr<BoostingData> boosting_train;
  std::unique_ptr<BoostingData> boosting_valid;
  Matrix linear_train;  // Of linear_rows.
  Matrix linear_valid;
  std::vector<uint32_t> linear_rows;  // Positions, a part of `train`.
  std::vector<double> base;           // Margins of the constant model.
};

struct WorkbenchOptions {
  size_t threads = 1;
  bool with_linear = true;
  bool with_boosting = true;
  // Training rows of a fold above which a sample is fitted in the search.
  size_t search_rows_max = SIZE_MAX;
  // Cells (rows x features) above which linear models see a sample of the rows.
  size_t linear_cells_max = 10000000;
};

class Workbench {
 public:
  static absl::StatusOr<std::unique_ptr<Workbench>> create(const table::Table& table,
                                                           const Problem& problem,
                                                           const Split& split,
                                                           const WorkbenchOptions& options,
                                                           const Pace& pace);

  const table::Table& table() const { return table_; }
  const Problem& problem() const { return problem_; }
  const Split& split() const { return split_; }
  const FeaturePlan& plan() const { return plan_; }
  const WorkbenchOptions& options() const { return options_; }
  const std::vector<FoldData>& folds() const { return folds_; }
  model::Link link() const { return link_; }
  size_t outputs() const { return problem_.output_count(); }
  Objective objective() const;
  LinearLoss linear_loss() const;
  // What the trials are ranked by: the run's metric, or log loss where that cannot be computed.
  const metric::MetricInfo& ranked_by() const { return ranked_by_; }

  // Validation rows of all folds, one after the other, with their labels and weights.
  const std::vector<uint32_t>& scored() const { return scored_; }
  const std::vector<double>& scored_labels() const { return scored_labels_; }
  const std::vector<double>& scored_weights() const { return scored_weights_; }

  // The label of a row on the scale of the margin (the link's inverse for regression).
  double target(uint32_t position) const { return targets_[position]; }
  std::vector<double> targets_of(std::span<const uint32_t> positions) const;
  std::vector<double> weights_of(std::span<const uint32_t> positions) const;

  // Probabilities or values of margins, as metric::Scored wants them.
  std::vector<double> predictions(std::span<const double> margins) const;
  // The run's own measure of margins of scored() rows with its interval.
  absl::StatusOr<metric::Estimate> estimate(std::span<const double> margins) const;
  // The mean loss that fits go by (log loss; squared or absolute error) on the given rows.
  double loss(std::span<const uint32_t> positions, std::span<const double> margins) const;

  // Quantised rows with target statistics that do not know their own target.
  absl::StatusOr<std::unique_ptr<BoostingData>> boosting_train(std::span<const uint32_t> positions,
                                                               size_t threads) const;
  // Linear features of a sample of the rows, and which rows.
  absl::StatusOr<Matrix> linear_train(const StatisticTables& tables,
                                      std::span<const uint32_t> positions,
                                      std::vector<uint32_t>& rows) const;
  // Margins of the constant model fitted on the rows: prior log odds, or the mean.
  std::vector<double> base_margins(std::span<const uint32_t> positions) const;
  // On how many rows the final fit may be done: so many more than a fold has that it still fits the
  // time left for it.
  size_t refit_rows_max() const;
  // How much longer the final fit takes than that of a fold, with a margin.
  double refit_factor() const;
  const TargetStatistics& statistics() const { return *statistics_; }
  // Whether each row's statistics are learned from earlier rows only; by time, where it pays.
  bool only_past_teaches() const { return only_past_teaches_; }

 private:
  Workbench(const table::Table& table, const Problem& problem, const Split& split,
            const WorkbenchOptions& options)
      : table_(table), problem_(problem), split_(split), options_(options) {}

  absl::Status prepare(const Pace& pace);
  void set_targets();
  void choose_ranking();
  absl::Status prepare_matrix();
  absl::Status prepare_fold(const Fold& fold, FoldData& data) const;
  absl::Status choose_link(const Pace& pace);
  absl::Status choose_trends(const Pace& pace);
  absl::Status choose_inner_folds(const Pace& pace);
  absl::StatusOr<double> audition(const Pace& pace, size_t rows_max) const;
  absl::StatusOr<std::unique_ptr<BoostingData>> boosting_rows(std::span<const uint32_t> positions,
                                                              std::span<const float> statistics,
                                                              bool quantised, size_t threads) const;
  void set_scored();

  const table::Table& table_;
  const Problem& problem_;
  const Split& split_;
  WorkbenchOptions options_;
  FeaturePlan plan_;
  model::Link link_ = model::Link::kIdentity;
  metric::MetricInfo ranked_by_{};
  std::vector<double> targets_;
  bool only_past_teaches_ = false;
  std::unique_ptr<TargetStatistics> statistics_;
  Matrix trees_;                    // Of split.work, in its order.
  std::vector<uint32_t> place_of_;  // Of each position, its row in trees_.
  std::vector<FoldData> folds_;
  std::vector<uint32_t> scored_;
  std::vector<double> scored_labels_;
  std::vector<double> scored_weights_;
};

// At most `count` of the rows, spread evenly but not periodically; the same in every run.
std::vector<uint32_t> sample_rows(std::span<const uint32_t> rows, size_t count, uint64_t seed);

}  // namespace cromford::learn
