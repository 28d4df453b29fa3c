#include "learn/search/workbench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "base/status.h"

namespace cromford::learn {
namespace {

constexpr size_t kAuditionRows = 30000;
// Rare categories and rare targets tell only in many rows whether their order matters.
constexpr size_t kInnerFoldRows = 100000;
constexpr size_t kAuditionCells = 2000000;  // About a second of one core.

double log_loss_of_row(std::span<const double> margins, double label) {
  if (margins.size() == 1) {
    return std::max(margins[0], 0.0) - margins[0] * label +
           std::log1p(std::exp(-std::abs(margins[0])));
  }
  const double highest = *std::max_element(margins.begin(), margins.end());
  double sum = 0;
  for (const double margin : margins) {
    sum += std::exp(margin - highest);
  }
  return highest + std::log(sum) - margins[static_cast<size_t>(label)];
}

}  // namespace

std::vector<uint32_t> sample_rows(std::span<const uint32_t> rows, size_t count, uint64_t seed) {
  std::vector<uint32_t> sample(rows.begin(), rows.end());
  if (sample.size() > count) {
    base::Random random = base::Random(seed).split(0x5a);
    random.shuffle(std::span(sample));
    sample.resize(count);
    std::sort(sample.begin(), sample.end());
  }
  return sample;
}

absl::StatusOr<std::unique_ptr<Workbench>> Workbench::create(const table::Table& table,
                                                             const Problem& problem,
                                                             const Split& split,
                                                             const WorkbenchOptions& options,
                                                             const Pace& pace) {
  std::unique_ptr<Workbench> bench(new Workbench(table, problem, split, options));
  TRY(bench->prepare(pace));
  return bench;
}

absl::Status Workbench::prepare(const Pace& pace) {
  TRY(plan_, plan_features(table_, problem_, split_.work));
  options_.with_boosting = options_.with_boosting && !plan_.tree_features.empty();
  options_.with_linear = options_.with_linear && !plan_.linear_features.empty();
  link_ = problem_.task == metric::Task::kBinary       ? model::Link::kLogistic
          : problem_.task == metric::Task::kMulticlass ? model::Link::kSoftmax
                                                       : model::Link::kIdentity;
  set_targets();
  set_scored();
  choose_ranking();
  TRY(prepare_matrix());
  if (options_.with_boosting) {
    TRY(choose_link(pace));
    TRY(choose_trends(pace));
    TRY(choose_inner_folds(pace));
  }
  for (const Fold& fold : split_.folds) {
    TRY(pace.cancel().check());
    FoldData data;
    TRY(prepare_fold(fold, data));
    folds_.push_back(std::move(data));
  }
  return absl::OkStatus();
}

void Workbench::set_targets() {
  targets_ = problem_.labels;
  if (link_ == model::Link::kLog1p) {
    for (double& target : targets_) {
      // Only rows of the test part, which nothing is fitted on, may be negative here.
      target = std::log1p(std::max(target, 0.0));
    }
  }
  StatisticUnits units{.keys = split_.keys};
  if (only_past_teaches_) {
    units.moments = split_.moments;
  }
  statistics_ = std::make_unique<TargetStatistics>(table_, problem_, plan_, targets_, units);
}

void Workbench::set_scored() {
  for (const Fold& fold : split_.folds) {
    scored_.insert(scored_.end(), fold.valid.begin(), fold.valid.end());
  }
  for (const uint32_t position : scored_) {
    scored_labels_.push_back(problem_.labels[position]);
  }
  scored_weights_ = weights_of(scored_);
}

void Workbench::choose_ranking() {
  ranked_by_ = problem_.metric;
  if (problem_.task == metric::Task::kRegression) {
    return;
  }
  const std::vector<double> flat(
      scored_.size() * (problem_.task == metric::Task::kMulticlass ? outputs() : 1), 0.5);
  const metric::Scored rows{.task = problem_.task,
                            .labels = scored_labels_,
                            .predictions = flat,
                            .class_count = problem_.classes.size(),
                            .weights = scored_weights_};
  // A constant model is perfectly calibrated, so calibration alone cannot choose a model.
  if (problem_.metric.name == "calibration_error" ||
      !metric::evaluate(problem_.metric.name, rows).ok()) {
    ranked_by_ = *metric::find_metric("log_loss", problem_.task);
  }
}

absl::Status Workbench::prepare_matrix() {
  if (!options_.with_boosting) {
    return absl::OkStatus();
  }
  TRY(const auto pipeline, model::FeaturePipeline::create(problem_.contract, plan_.tree_parts()));
  if (pipeline.feature_count() != plan_.tree_feature_count) {
    return base::internal("the feature plan and its pipeline disagree");
  }
  trees_ = make_matrix(table_, problem_, pipeline, split_.work, options_.threads);
  place_of_.assign(problem_.row_count(), 0);
  for (uint32_t i = 0; i < split_.work.size(); ++i) {
    place_of_[split_.work[i]] = i;
  }
  return absl::OkStatus();
}

std::vector<double> Workbench::targets_of(std::span<const uint32_t> positions) const {
  std::vector<double> result(positions.size());
  for (size_t i = 0; i < positions.size(); ++i) {
    result[i] = targets_[positions[i]];
  }
  return result;
}

std::vector<double> Workbench::weights_of(std::span<const uint32_t> positions) const {
  std::vector<double> result;
  for (size_t i = 0; i < positions.size() && !problem_.weights.empty(); ++i) {
    result.push_back(problem_.weights[positions[i]]);
  }
  return result;
}

Objective Workbench::objective() const {
  switch (problem_.task) {
    case metric::Task::kBinary:
      return Objective::kBinary;
    case metric::Task::kMulticlass:
      return Objective::kMulticlass;
    case metric::Task::kRegression:
      break;
  }
  const bool absolute = problem_.metric.name == "mae" || problem_.metric.name == "mape";
  return absolute ? Objective::kAbsoluteError : Objective::kSquaredError;
}

size_t Workbench::refit_rows_max() const {
  const size_t fitted = folds_.front().train.size();
  const bool sampled = fitted < split_.folds.front().train.size();
  return sampled ? 2 * fitted : split_.work.size();
}

double Workbench::refit_factor() const {
  const size_t rows = std::min(refit_rows_max(), split_.work.size());
  return 1.15 * static_cast<double>(rows) / static_cast<double>(folds_.front().train.size());
}

LinearLoss Workbench::linear_loss() const {
  switch (problem_.task) {
    case metric::Task::kBinary:
      return LinearLoss::kLogistic;
    case metric::Task::kMulticlass:
      return LinearLoss::kSoftmax;
    case metric::Task::kRegression:
      break;
  }
  return LinearLoss::kSquared;
}

std::vector<double> Workbench::base_margins(std::span<const uint32_t> positions) const {
  const size_t classes = problem_.task == metric::Task::kMulticlass ? outputs() : 2;
  std::vector<double> sums(classes, 0.0);
  double total = 0;
  for (const uint32_t i : positions) {
    const double weight = problem_.weights.empty() ? 1.0 : problem_.weights[i];
    total += weight;
    if (problem_.task == metric::Task::kRegression) {
      sums[0] += weight * targets_[i];
    } else {
      sums[static_cast<size_t>(problem_.labels[i])] += weight;
    }
  }
  switch (problem_.task) {
    case metric::Task::kRegression:
      return {total > 0 ? sums[0] / total : 0};
    case metric::Task::kBinary:
      return {std::log((sums[1] + 0.5) / (sums[0] + 0.5))};
    case metric::Task::kMulticlass:
      break;
  }
  for (double& each : sums) {
    each = std::log((each + 0.5) / (total + 0.5 * static_cast<double>(classes)));
  }
  return sums;
}

absl::StatusOr<std::unique_ptr<BoostingData>> Workbench::boosting_rows(
    std::span<const uint32_t> positions, std::span<const float> statistics, bool quantised,
    size_t threads) const {
  const std::vector<double> labels = targets_of(positions);
  const std::vector<double> weights = weights_of(positions);
  const std::vector<uint32_t>& chosen = plan_.tree_features;
  // Where each target statistic stands among the chosen features.
  std::vector<size_t> places;
  for (const uint32_t feature : statistics_->features()) {
    places.push_back(static_cast<size_t>(std::lower_bound(chosen.begin(), chosen.end(), feature) -
                                         chosen.begin()));
  }
  const auto fill = [&](size_t first, size_t count, std::span<float> out) {
    for (size_t i = 0; i < count; ++i) {
      const std::span<const float> row = trees_.row(place_of_[positions[first + i]]);
      float* to = out.data() + i * chosen.size();
      for (size_t f = 0; f < chosen.size(); ++f) {
        to[f] = row[chosen[f]];
      }
      for (size_t s = 0; s < places.size(); ++s) {
        to[places[s]] = statistics[(first + i) * places.size() + s];
      }
    }
  };
  const BoostingSource source{.row_count = positions.size(),
                              .column_count = chosen.size(),
                              .objective = objective(),
                              .base = base_margins(positions),
                              .labels = labels,
                              .weights = weights,
                              .fill = fill,
                              .threads = threads};
  return quantised ? BoostingData::create(source) : BoostingData::create_plain(source);
}

absl::StatusOr<std::unique_ptr<BoostingData>> Workbench::boosting_train(
    std::span<const uint32_t> positions, size_t threads) const {
  const std::vector<float> statistics = statistics_->out_of_fold(positions);
  return boosting_rows(positions, statistics, true, threads);
}

absl::StatusOr<Matrix> Workbench::linear_train(const StatisticTables& tables,
                                               std::span<const uint32_t> positions,
                                               std::vector<uint32_t>& rows) const {
  const size_t width = std::max<size_t>(1, plan_.linear_features.size());
  rows = sample_rows(positions, std::max<size_t>(2000, options_.linear_cells_max / width), 7);
  FeaturePlan plan = plan_;
  TargetStatistics::install(tables, plan);
  TRY(const auto pipeline, model::FeaturePipeline::create(problem_.contract, plan.all_parts()));
  Matrix all = make_matrix(table_, problem_, pipeline, rows, options_.threads);
  const std::vector<float> statistics = statistics_->out_of_fold(positions);
  const std::vector<uint32_t>& features = statistics_->features();
  // `rows` is a part of `positions`, both ascending.
  for (size_t i = 0, at = 0; i < rows.size() && !features.empty(); ++i) {
    while (positions[at] != rows[i]) {
      ++at;
    }
    for (size_t s = 0; s < features.size(); ++s) {
      all.values[i * all.column_count + features[s]] = statistics[at * features.size() + s];
    }
  }
  return all;
}

absl::Status Workbench::prepare_fold(const Fold& fold, FoldData& data) const {
  data.train = sample_rows(fold.train, options_.search_rows_max, 11);
  data.valid = fold.valid;
  data.tables = statistics_->fit(data.train);
  data.base = base_margins(data.train);
  if (options_.with_boosting) {
    TRY(data.boosting_train, boosting_train(data.train, options_.threads));
    std::vector<float> statistics(data.valid.size() * statistics_->width());
    for (size_t i = 0; i < data.valid.size(); ++i) {
      statistics_->look_up(
          data.tables, data.valid[i],
          std::span(statistics).subspan(i * statistics_->width(), statistics_->width()));
    }
    TRY(data.boosting_valid, boosting_rows(data.valid, statistics, false, options_.threads));
  }
  if (options_.with_linear) {
    TRY(const Matrix train, linear_train(data.tables, data.train, data.linear_rows));
    data.linear_train = choose_columns(train, plan_.linear_features);
    FeaturePlan plan = plan_;
    TargetStatistics::install(data.tables, plan);
    TRY(const auto pipeline, model::FeaturePipeline::create(problem_.contract, plan.all_parts()));
    data.linear_valid =
        choose_columns(make_matrix(table_, problem_, pipeline, data.valid, options_.threads),
                       plan_.linear_features);
  }
  return absl::OkStatus();
}

std::vector<double> Workbench::predictions(std::span<const double> margins) const {
  const size_t k = outputs();
  std::vector<double> result(margins.size());
  for (size_t i = 0; i < margins.size(); i += k) {
    if (problem_.task == metric::Task::kBinary) {
      double both[2];
      model::link_probabilities(link_, margins.subspan(i, 1), both);
      result[i] = both[1];
    } else if (problem_.task == metric::Task::kMulticlass) {
      model::link_probabilities(link_, margins.subspan(i, k), std::span(result).subspan(i, k));
    } else {
      result[i] = model::link_value(link_, margins[i]);
    }
  }
  return result;
}

absl::StatusOr<metric::Estimate> Workbench::estimate(std::span<const double> margins) const {
  const std::vector<double> predicted = predictions(margins);
  return metric::estimate(ranked_by_.name, {.task = problem_.task,
                                            .labels = scored_labels_,
                                            .predictions = predicted,
                                            .class_count = problem_.classes.size(),
                                            .weights = scored_weights_});
}

double Workbench::loss(std::span<const uint32_t> positions, std::span<const double> margins) const {
  const size_t k = outputs();
  const Objective fitted = objective();
  double sum = 0;
  double total = 0;
  for (size_t i = 0; i < positions.size(); ++i) {
    const double weight = problem_.weights.empty() ? 1.0 : problem_.weights[positions[i]];
    const double target = targets_[positions[i]];
    double each = 0;
    if (problem_.task != metric::Task::kRegression) {
      each = log_loss_of_row(margins.subspan(i * k, k), target);
    } else {
      const double gap = margins[i] - target;
      each = fitted == Objective::kAbsoluteError ? std::abs(gap) : gap * gap;
    }
    sum += weight * each;
    total += weight;
  }
  return total > 0 ? sum / total : 0;
}

// A short fit on the first fold, judged on the scale of the answer: the ground of choices that all
// trials share.
absl::StatusOr<double> Workbench::audition(const Pace& pace, size_t rows_max) const {
  const Fold& fold = split_.folds.front();
  const double cells = static_cast<double>(kAuditionCells) *
                       (pace.timed() ? std::min(1.0, pace.budget_s() / 20) : 1.0);
  const size_t rows = std::clamp<size_t>(
      static_cast<size_t>(cells) / (plan_.tree_features.size() * outputs()), 1000, rows_max);
  const std::vector<uint32_t> train = sample_rows(fold.train, rows, 3);
  const std::vector<uint32_t> valid = sample_rows(fold.valid, rows, 4);
  TRY(const auto data, boosting_train(train, options_.threads));
  const StatisticTables tables = statistics_->fit(train);
  std::vector<float> statistics(valid.size() * statistics_->width());
  for (size_t i = 0; i < valid.size(); ++i) {
    statistics_->look_up(
        tables, valid[i],
        std::span(statistics).subspan(i * statistics_->width(), statistics_->width()));
  }
  TRY(const auto judged, boosting_rows(valid, statistics, false, options_.threads));
  BoostOptions options;
  options.round_limit = 80;
  options.patience = 80;
  options.valid = judged.get();
  options.loss = [&](std::span<const double> margins) { return loss(valid, margins); };
  options.stop = [&pace] { return pace.cancelled(); };
  TRY(const Boosted boosted, boost(*data, {.learning_rate = 0.15, .depth = 5}, options));
  if (boosted.valid_margins.empty() || problem_.task != metric::Task::kRegression) {
    return boosted.valid_loss;
  }
  double sum = 0;
  double total = 0;
  const bool absolute = objective() == Objective::kAbsoluteError;
  for (size_t i = 0; i < valid.size(); ++i) {
    const double weight = problem_.weights.empty() ? 1.0 : problem_.weights[valid[i]];
    const double gap =
        model::link_value(link_, boosted.valid_margins[i]) - problem_.labels[valid[i]];
    sum += weight * (absolute ? std::abs(gap) : gap * gap);
    total += weight;
  }
  return total > 0 ? sum / total : 0;
}

absl::Status Workbench::choose_link(const Pace& pace) {
  if (problem_.task != metric::Task::kRegression) {
    return absl::OkStatus();
  }
  std::vector<double> sorted;
  for (const uint32_t position : split_.work) {
    sorted.push_back(problem_.labels[position]);
  }
  const auto [least, most] = std::minmax_element(sorted.begin(), sorted.end());
  const double lowest = *least;
  const double highest = *most;
  const size_t middle = sorted.size() / 2;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(middle), sorted.end());
  const double mean =
      std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(sorted.size());
  if (lowest < 0 || highest < 10 || mean < 1.15 * sorted[middle]) {
    return absl::OkStatus();
  }
  TRY(const double plain, audition(pace, kAuditionRows));
  link_ = model::Link::kLog1p;
  set_targets();
  TRY(const double logarithmic, audition(pace, kAuditionRows));
  if (!(logarithmic < 0.995 * plain)) {
    link_ = model::Link::kIdentity;
    set_targets();
  }
  return absl::OkStatus();
}

absl::Status Workbench::choose_trends(const Pace& pace) {
  const std::vector<uint32_t> trends = plan_.trend_features();
  if (!split_.method.ends_with("time") || trends.empty()) {
    return absl::OkStatus();
  }
  const std::vector<uint32_t> all = plan_.tree_features;
  TRY(const double with, audition(pace, kAuditionRows));
  std::erase_if(plan_.tree_features, [&trends](uint32_t feature) {
    return std::find(trends.begin(), trends.end(), feature) != trends.end();
  });
  if (plan_.tree_features.empty()) {
    plan_.tree_features = all;
    return absl::OkStatus();
  }
  TRY(const double without, audition(pace, kAuditionRows));
  if (with < 0.995 * without) {
    plan_.tree_features = all;
  }
  return absl::OkStatus();
}

absl::Status Workbench::choose_inner_folds(const Pace& pace) {
  if (split_.moments.empty() || statistics_->empty()) {
    return absl::OkStatus();
  }
  TRY(const double unordered, audition(pace, kInnerFoldRows));
  only_past_teaches_ = true;
  set_targets();
  TRY(const double forward, audition(pace, kInnerFoldRows));
  if (!(forward < 0.995 * unordered)) {
    only_past_teaches_ = false;
    set_targets();
  }
  return absl::OkStatus();
}

}  // namespace cromford::learn
