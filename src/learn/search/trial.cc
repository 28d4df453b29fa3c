#include "learn/search/trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/status.h"

namespace cromford::learn {
namespace {

// When a fit has to end so that the folds that are left, and the fit on all rows, get as much time
// as it had: a short budget then cuts all folds alike.
class Turn {
 public:
  Turn(const Workbench& bench, const Pace& pace, size_t folds_left)
      : pace_(pace),
        started_(pace.elapsed_s()),
        after_(static_cast<double>(folds_left) + bench.refit_factor()) {}

  bool over() const {
    if (!pace_.timed()) {
      return false;
    }
    const double had = pace_.elapsed_s() - started_;
    return pace_.left_until(pace_.fit_end_s()) < after_ * had;
  }

 private:
  const Pace& pace_;
  double started_;
  double after_;
};

// How many rounds may pass without gain: small steps need more of them.
uint32_t patience_of(const BoostingConfig& config) {
  return static_cast<uint32_t>(std::clamp(4.0 / config.learning_rate, 20.0, 150.0));
}

// The margins of the constant model.
void add_baseline(const Workbench& bench, const FoldData& fold, Trial& trial) {
  for (size_t i = 0; i < fold.valid.size(); ++i) {
    trial.margins.insert(trial.margins.end(), fold.base.begin(), fold.base.end());
  }
  const size_t count = fold.valid.size() * bench.outputs();
  trial.fold_losses.push_back(bench.loss(fold.valid, std::span(trial.margins).last(count)));
  if (trial.first.features.empty()) {
    trial.first.body = model::LinearParts{.output_count = static_cast<uint32_t>(bench.outputs()),
                                          .bias = fold.base,
                                          .mean = {},
                                          .impute = {},
                                          .weights = {}};
  }
}

LinearOptions linear_options(const Workbench& bench, const TrialSpec& spec) {
  return {.loss = bench.linear_loss(),
          .output_count = static_cast<uint32_t>(bench.outputs()),
          .l2 = spec.l2};
}

// How much each feature moves the margin: |weight| times its spread, summed over outputs.
std::vector<double> linear_gain(const model::LinearParts& parts, const Matrix& rows) {
  std::vector<double> squares(rows.column_count, 0.0);
  for (size_t i = 0; i < rows.row_count; ++i) {
    const std::span<const float> row = rows.row(i);
    for (size_t f = 0; f < rows.column_count; ++f) {
      const double gap = std::isnan(row[f]) ? 0 : row[f] - parts.mean[f];
      squares[f] += gap * gap;
    }
  }
  std::vector<double> gain(rows.column_count, 0.0);
  for (size_t f = 0; f < rows.column_count; ++f) {
    const double spread =
        std::sqrt(squares[f] / static_cast<double>(std::max<size_t>(1, rows.row_count)));
    for (size_t o = 0; o < parts.output_count; ++o) {
      gain[f] += std::abs(parts.weights[o * rows.column_count + f]) * spread;
    }
  }
  return gain;
}

absl::Status add_linear(const Workbench& bench, const FoldData& fold, const Pace& pace,
                        const Turn& turn, Trial& trial) {
  const std::vector<double> labels = bench.targets_of(fold.linear_rows);
  const std::vector<double> weights = bench.weights_of(fold.linear_rows);
  LinearOptions options = linear_options(bench, trial.spec);
  options.labels = labels;
  options.weights = weights;
  options.stop = [&] {
    const bool late = turn.over();
    trial.cut = trial.cut || late;
    return late || pace.cancelled();
  };
  const model::LinearParts parts = fit_linear(fold.linear_train, options);
  std::vector<double> margins(fold.valid.size() * bench.outputs());
  for (size_t i = 0; i < fold.valid.size(); ++i) {
    linear_margins(parts, fold.linear_valid.row(i),
                   std::span(margins).subspan(i * bench.outputs(), bench.outputs()));
  }
  trial.fold_losses.push_back(bench.loss(fold.valid, margins));
  trial.margins.insert(trial.margins.end(), margins.begin(), margins.end());
  if (trial.first.features.empty()) {
    trial.first = {.body = parts,
                   .features = bench.plan().linear_features,
                   .gain = linear_gain(parts, fold.linear_train)};
  }
  return absl::OkStatus();
}

absl::Status add_boosting(const Workbench& bench, const FoldData& fold, const Pace& pace,
                          const Turn& turn, uint64_t seed, Trial& trial) {
  BoostOptions options;
  options.round_limit = trial.spec.round_limit;
  options.seed = seed;
  options.valid = fold.boosting_valid.get();
  options.patience = patience_of(trial.spec.boosting);
  options.loss = [&](std::span<const double> margins) { return bench.loss(fold.valid, margins); };
  options.stop = [&] { return pace.cancelled() || turn.over(); };
  TRY(Boosted boosted, boost(*fold.boosting_train, trial.spec.boosting, options));
  trial.cut = trial.cut || boosted.stopped;
  if (boosted.valid_margins.empty()) {
    return absl::OkStatus();  // Not one round: the fold stays unscored.
  }
  trial.fold_losses.push_back(boosted.valid_loss);
  trial.margins.insert(trial.margins.end(), boosted.valid_margins.begin(),
                       boosted.valid_margins.end());
  trial.rounds += boosted.rounds;
  if (trial.first.features.empty()) {
    trial.first = {.body = std::move(boosted.forest),
                   .features = bench.plan().tree_features,
                   .gain = std::move(boosted.gain)};
  }
  return absl::OkStatus();
}

absl::Status judge(const Workbench& bench, Trial& trial) {
  trial.complete = trial.margins.size() == bench.scored().size() * bench.outputs();
  if (!trial.complete) {
    return absl::OkStatus();
  }
  TRY(const metric::Estimate estimate, bench.estimate(trial.margins));
  trial.score = estimate.value;
  trial.spread = (estimate.upper - estimate.lower) / (2 * 1.959964);
  trial.loss = bench.ranked_by().greater_is_better ? -estimate.value : estimate.value;
  return absl::OkStatus();
}

}  // namespace

std::string TrialSpec::describe() const {
  if (learner == "linear") {
    return fmt::format("l2 {:.4g}", l2);
  }
  if (learner != "boosting") {
    return "constant";
  }
  const std::string shape = boosting.leaves > 0 ? fmt::format("leaves {}", boosting.leaves)
                                                : fmt::format("depth {}", boosting.depth);
  return fmt::format(
      "learning_rate {:.3g}, {}, min_child_weight {:.3g}, subsample {:.2g}, "
      "colsample_bytree {:.2g}, l2 {:.3g}, l1 {:.3g}",
      boosting.learning_rate, shape, boosting.least_weight, boosting.row_share,
      boosting.column_share, boosting.l2, boosting.l1);
}

absl::StatusOr<Trial> run_trial(const Workbench& bench, const TrialSpec& spec, const Pace& pace,
                                uint64_t seed) {
  Trial trial;
  trial.spec = spec;
  const double started = pace.elapsed_s();
  for (size_t f = 0; f < bench.folds().size(); ++f) {
    TRY(pace.cancel().check());
    const FoldData& fold = bench.folds()[f];
    const double fold_started = pace.elapsed_s();
    const Turn turn(bench, pace, bench.folds().size() - 1 - f);
    const size_t scored = trial.fold_losses.size();
    if (spec.learner == "baseline") {
      add_baseline(bench, fold, trial);
    } else if (spec.learner == "linear") {
      TRY(add_linear(bench, fold, pace, turn, trial));
    } else {
      TRY(add_boosting(bench, fold, pace, turn, seed + f, trial));
    }
    trial.fit_seconds = std::max(trial.fit_seconds, pace.elapsed_s() - fold_started);
    if (trial.fold_losses.size() == scored) {
      break;  // Not even one round.
    }
  }
  if (!trial.fold_losses.empty()) {
    trial.rounds =
        std::max<uint32_t>(1, trial.rounds / static_cast<uint32_t>(trial.fold_losses.size()));
  }
  trial.seconds = pace.elapsed_s() - started;
  TRY(pace.cancel().check());
  TRY(judge(bench, trial));
  return trial;
}

absl::StatusOr<RefitData> prepare_refit(const Workbench& bench, std::vector<uint32_t> positions,
                                        bool boosting, bool linear) {
  RefitData data;
  data.positions = std::move(positions);
  data.tables = bench.statistics().fit(data.positions);
  if (boosting) {
    TRY(data.boosting, bench.boosting_train(data.positions, bench.options().threads));
  }
  if (linear) {
    TRY(const Matrix all, bench.linear_train(data.tables, data.positions, data.linear_rows));
    data.linear = choose_columns(all, bench.plan().linear_features);
  }
  return data;
}

absl::StatusOr<Refit> refit(const Workbench& bench, const RefitData& data, const Trial& trial,
                            const Pace& pace, uint64_t seed, size_t threads) {
  Refit result;
  const auto late = [&] {
    result.cut = result.cut || (pace.timed() && pace.left_until(pace.fit_end_s()) < 0);
    return result.cut || pace.cancelled();
  };
  if (trial.spec.learner == "baseline") {
    result.fitted = trial.first;
    std::get<model::LinearParts>(result.fitted.body).bias = bench.base_margins(data.positions);
    return result;
  }
  if (trial.spec.learner == "linear") {
    const std::vector<double> labels = bench.targets_of(data.linear_rows);
    const std::vector<double> weights = bench.weights_of(data.linear_rows);
    LinearOptions options = linear_options(bench, trial.spec);
    options.labels = labels;
    options.weights = weights;
    options.stop = late;
    model::LinearParts parts = fit_linear(data.linear, options);
    result.fitted.gain = linear_gain(parts, data.linear);
    result.fitted.body = std::move(parts);
    result.fitted.features = bench.plan().linear_features;
    return result;
  }
  BoostOptions options;
  options.round_limit = trial.rounds;
  options.seed = seed;
  options.threads = threads;
  options.stop = late;
  options.forest_when_stopped = false;
  TRY(Boosted boosted, boost(*data.boosting, trial.spec.boosting, options));
  result.fitted = {.body = std::move(boosted.forest),
                   .features = bench.plan().tree_features,
                   .gain = std::move(boosted.gain)};
  return result;
}

}  // namespace cromford::learn
