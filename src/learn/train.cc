#include "learn/train.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <new>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/limits.h"
#include "base/log.h"
#include "base/name.h"
#include "base/status.h"
#include "learn/assemble.h"
#include "learn/calibrate.h"
#include "learn/ensemble.h"
#include "learn/leakage.h"
#include "learn/parallel.h"
#include "learn/problem.h"
#include "learn/report.h"
#include "learn/search/search.h"
#include "learn/size.h"
#include "learn/split.h"

namespace cromford::learn {
namespace {

constexpr double kCoverage = 0.9;
constexpr double kCheckpointEvery_s = 3;

bool wants(const TrainSettings& settings, const std::string& learner) {
  return settings.learners.empty() || std::find(settings.learners.begin(), settings.learners.end(),
                                                learner) != settings.learners.end();
}

// What the members become when they are fitted on all rows.
struct Final {
  std::vector<Refit> refits;
  std::vector<WeightedFit> members;
  std::vector<size_t> member_trials;
  StatisticTables tables;
};

// One run from beginning to end; run() calls the stages in order.
class Run {
 public:
  Run(const table::Table& table, const TrainSettings& settings, const TrainContext& context)
      : table_(table),
        settings_(settings),
        context_(context),
        threads_(settings.threads > 0 ? settings.threads
                                      : std::max(1U, std::thread::hardware_concurrency())),
        pace_(context.clock != nullptr ? *context.clock : base::system_clock(),
              settings.time_budget || settings.trials
                  ? settings.time_budget
                  : std::optional<std::chrono::nanoseconds>(std::chrono::seconds(60)),
              context.cancel) {}

  absl::StatusOr<TrainResult> run() {
    TRY(prepare());
    TRY(look_for_models());
    TRY(Final final_models, refit_members());
    return finish(final_models);
  }

 private:
  void say(std::string_view stage, double fraction) {
    if (!context_.progress) {
      return;
    }
    Progress progress{.stage = stage, .fraction = std::clamp(fraction, 0.0, 1.0)};
    progress.trials_done = trials_done_;
    progress.best_learner = best_learner_;
    progress.best_score = best_score_;
    progress.metric = bench_ ? std::string(bench_->ranked_by().name) : std::string();
    progress.eta_s = pace_.timed() ? std::max(0.0, pace_.left_until(pace_.budget_s())) : 0;
    context_.progress(progress);
  }

  // 0 to 1 by time or by trials.
  double fraction() const {
    if (pace_.timed()) {
      return std::min(0.99, pace_.elapsed_s() / pace_.budget_s());
    }
    return 0.1 + 0.7 * static_cast<double>(trials_done_) /
                     static_cast<double>(settings_.trials.value_or(1) + 1);
  }

  absl::Status prepare() {
    say("reading", 0);
    TRY(problem_, understand(table_, settings_));
    TRY(const SizePlan sizes,
        plan_sizes(table_, settings_, pace_.timed() ? pace_.budget_s() : 0, threads_, problem_));
    rate_least_ = sizes.rate_least;
    TRY(context_.cancel.check());
    const absl::StatusOr<TestPart> like =
        test_part_of(base::Json::parse(settings_.champion, nullptr, false));
    TRY(split_, split_rows(table_, problem_,
                           {.seed = settings_.seed,
                            .fold_rows_max = sizes.fold_rows_max,
                            .threads = threads_,
                            .like = like.ok() ? &*like : nullptr}));
    say("features", 0.02);
    find_leaks(table_, split_.work, problem_);
    warn_of_dates();
    const double before = pace_.elapsed_s();
    TRY(bench_, Workbench::create(table_, problem_, split_,
                                  {.threads = threads_,
                                   .with_linear = wants(settings_, "linear"),
                                   .with_boosting = wants(settings_, "boosting"),
                                   .search_rows_max = sizes.search_rows_max,
                                   .linear_cells_max = sizes.linear_cells_max},
                                  pace_));
    // What comes after the last fit (counting, testing, writing) costs a part of what preparing
    // did.
    const double prepared = pace_.elapsed_s() - before;
    timing_.prepare_s = pace_.elapsed_s();
    pace_.reserve(0.03 * pace_.budget_s() + 0.15 + 0.5 * prepared);
    return absl::OkStatus();
  }

  void warn_of_dates() {
    if (problem_.time_column.has_value()) {
      if (problem_.time_found) {
        const std::string& name = table_.columns()[*problem_.time_column].name;
        problem_.warn("time_found", name,
                      fmt::format("the rows follow {}, so the latest were kept for the test; "
                                  "this is how a model that predicts the future is judged",
                                  name));
      }
      return;
    }
    for (const Field& field : problem_.fields) {
      if (field.role == Role::kTime) {
        const std::string& name = table_.columns()[field.column].name;
        problem_.warn("time_unused", name,
                      fmt::format("the split is at random although there is {}; if the model is to "
                                  "predict the future, name it with --time-column",
                                  name));
        return;
      }
    }
  }

  absl::Status look_for_models() {
    say("searching", fraction());
    SearchOptions options{.trials = settings_.trials,
                          .seed = settings_.seed,
                          .threads = threads_,
                          .linear = bench_->options().with_linear,
                          .boosting = bench_->options().with_boosting,
                          .rate_least = settings_.trials ? 0 : rate_least_,
                          .refit_factor = bench_->refit_factor()};
    options.done = [this](const Trial& trial) { return note(trial); };
    options.checkpoint = [this](const Trial& trial) {
      const absl::Status status = write_checkpoint(trial);
      if (!status.ok()) {
        base::log_warning("checkpoint failed", {{"reason", base::describe(status)}});
      }
    };
    TRY(trials_, search(*bench_, options, pace_));
    TRY(context_.cancel.check());
    timing_.search_s = pace_.elapsed_s() - timing_.prepare_s;
    say("ensembling", fraction());
    // A budget that is nearly used up allows no more than the best trial itself.
    const double left = pace_.left_until(pace_.fit_end_s());
    const double refit = best_of(trials_).fit_seconds * bench_->refit_factor();
    EnsembleOptions ensemble;
    if (pace_.timed()) {
      ensemble.members_max = static_cast<size_t>(
          std::clamp(left / std::max(refit, 1e-3) * static_cast<double>(threads_) * 0.8, 1.0, 4.0));
    }
    ensemble_ = choose_ensemble(*bench_, trials_, ensemble);
    say("calibrating", fraction());
    answer_ = answer_of(ensemble_.margins);
    return absl::OkStatus();
  }

  Answer answer_of(const std::vector<double>& margins) const {
    Answer answer;
    answer.shift = fit_smearing(*bench_, margins);
    std::vector<double> shifted = margins;
    for (double& margin : shifted) {
      margin += answer.shift;
    }
    answer.calibration = fit_calibration(*bench_, shifted);
    shifted = calibrated(answer.calibration, shifted, bench_->outputs());
    answer.interval = fit_interval(*bench_, shifted, kCoverage);
    answer.threshold = fit_threshold(*bench_, shifted);
    return answer;
  }

  // Called under the search's lock; true where the trial is to be left as a checkpoint.
  bool note(const Trial& trial) {
    ++trials_done_;
    const bool better = trial.complete && (!best_score_ || trial.loss < best_loss_);
    if (better) {
      best_loss_ = trial.loss;
      best_score_ = trial.score;
      best_learner_ = trial.spec.learner;
    }
    say("searching", fraction());
    const bool due =
        last_checkpoint_s_ < 0 || pace_.elapsed_s() - last_checkpoint_s_ > kCheckpointEvery_s;
    const bool wanted = better && due && context_.checkpoint && trial.spec.number > 0;
    if (wanted) {
      last_checkpoint_s_ = pace_.elapsed_s();
    }
    return wanted;
  }

  absl::Status write_checkpoint(const Trial& trial) const {
    const std::vector<Trial> only = {trial};
    ReportInput report = report_input({{.fitted = &trial.first, .name = trial.spec.learner}}, only);
    report.complete = false;
    report.member_trials = {trial.spec.number};
    model::PackageParts parts =
        assemble(*bench_, report.members, bench_->folds().front().tables, report.answer);
    parts.manifest = base::dump_json(make_report(report));
    TRY(const Written written, write_and_load(parts));
    context_.checkpoint(written.bytes);
    return absl::OkStatus();
  }

  ReportInput report_input(std::vector<WeightedFit> members,
                           const std::vector<Trial>& trials) const {
    ReportInput input;
    input.bench = bench_.get();
    input.trials = &trials;
    input.settings = &settings_;
    input.members = std::move(members);
    input.cap_struck = pace_.struck();
    return input;
  }

  absl::StatusOr<Final> refit_members() {
    say("refitting", fraction());
    Final result;
    bool boosting = false;
    bool linear = false;
    for (const Member& member : ensemble_.members) {
      boosting = boosting || trials_[member.trial].spec.learner == "boosting";
      linear = linear || trials_[member.trial].spec.learner == "linear";
    }
    std::vector<uint32_t> rows = split_.work;
    const size_t most = bench_->refit_rows_max();
    if (rows.size() > most) {
      rows = sample_rows(rows, most, 29);
      problem_.warn("refit_sampled", "",
                    fmt::format("the final model was fitted on {} of {} rows to keep the time "
                                "budget; a longer budget uses all",
                                rows.size(), split_.work.size()));
    }
    TRY(const RefitData data, prepare_refit(*bench_, std::move(rows), boosting, linear));
    result.tables = data.tables;
    const size_t count = ensemble_.members.size();
    std::vector<absl::StatusOr<Refit>> refits(count, absl::UnknownError("not fitted"));
    // More threads in one fit may change sums in the last bit, so that only a run that the clock
    // shapes anyway has them.
    const size_t each = pace_.timed() && !settings_.trials && count == 1 ? threads_ : 1;
    in_turn(count, threads_, [&](size_t m) {
      const Trial& trial = trials_[ensemble_.members[m].trial];
      refits[m] = refit(*bench_, data, trial, pace_,
                        settings_.seed * 1000003 + trial.spec.number * 101, each);
    });
    TRY(context_.cancel.check());
    bool cut = false;
    for (absl::StatusOr<Refit>& one : refits) {
      TRY(one);
      cut = cut || one->cut;
      result.refits.push_back(*std::move(one));
    }
    if (cut) {
      keep_fold_models(result);
    }
    for (size_t m = 0; m < count; ++m) {
      const Trial& trial = trials_[ensemble_.members[m].trial];
      result.members.push_back({.fitted = cut ? &trial.first : &result.refits[m].fitted,
                                .weight = ensemble_.members[m].weight,
                                .name = trial.spec.learner});
      result.member_trials.push_back(trial.spec.number);
    }
    timing_.refit_s = pace_.elapsed_s() - timing_.search_s - timing_.prepare_s;
    return result;
  }

  // A model that was fitted to its end on a part of the rows is worth more than one that the clock
  // cut on all of them.
  void keep_fold_models(Final& result) {
    pace_.strike();
    const FoldData& fold = bench_->folds().front();
    result.tables = fold.tables;
    problem_.warn("refit_cut", "",
                  fmt::format("the time did not allow a last fit on all {} rows; the model fitted "
                              "on {} of them was kept",
                              split_.work.size(), fold.train.size()));
  }

  metric::Scored test_rows(const std::vector<double>& labels, const std::vector<double>& weights,
                           const std::vector<double>& predictions) const {
    return {.task = problem_.task,
            .labels = labels,
            .predictions = predictions,
            .class_count = problem_.classes.size(),
            .weights = weights,
            .threshold = answer_.threshold};
  }

  // The one look at the test part.
  absl::Status test(const model::Package& package, ReportInput& report) {
    std::vector<double> labels;
    for (const uint32_t position : split_.test) {
      labels.push_back(problem_.labels[position]);
    }
    const std::vector<double> weights = bench_->weights_of(split_.test);
    const Answers answers = answer_rows(package, table_, problem_, split_.test, threads_);
    TRY(report.metrics, metric::estimate_all(test_rows(labels, weights, answers.predictions)));
    std::vector<double> constant;
    const std::vector<double> base = bench_->base_margins(split_.work);
    for (size_t i = 0; i < labels.size(); ++i) {
      constant.insert(constant.end(), base.begin(), base.end());
    }
    TRY(report.baseline_metrics,
        metric::estimate_all(test_rows(labels, weights, bench_->predictions(constant))));
    if (!answers.lower.empty()) {
      double inside = 0;
      double total = 0;
      for (size_t i = 0; i < labels.size(); ++i) {
        const double weight = weights.empty() ? 1 : weights[i];
        inside += answers.lower[i] <= labels[i] && labels[i] <= answers.upper[i] ? weight : 0;
        total += weight;
      }
      report.interval_coverage = total > 0 ? inside / total : -1;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<TrainResult> finish(const Final& final_models) {
    say("testing", fraction());
    ReportInput report = report_input(final_models.members, trials_);
    report.member_trials = final_models.member_trials;
    report.answer = answer_;
    model::PackageParts parts =
        assemble(*bench_, final_models.members, final_models.tables, answer_);
    std::vector<double> margins = ensemble_.margins;
    for (double& margin : margins) {
      margin += answer_.shift;
    }
    margins = calibrated(answer_.calibration, margins, bench_->outputs());
    TRY(parts.baseline, make_baseline(*bench_, parts, margins));
    TRY(report.importance, importance(*bench_, final_models.members));
    {
      TRY(const Written untested, write_and_load(parts));
      TRY(test(*untested.package, report));
    }
    warn_of_results(report);
    if (pace_.struck()) {
      problem_.warn("cap_struck", "",
                    "the time budget ended the search or a fit early; another run may differ, and "
                    "a longer one may find a better model");
    }
    parts.manifest = base::dump_json(make_report(report));
    TRY(const std::vector<std::byte> bytes, model::write_package(parts));
    report.with_timing = true;
    timing_.total_s = pace_.elapsed_s();
    report.timing = timing_;
    say("done", 1);
    TrainResult result{
        .package = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
        .report = base::dump_json(make_report(report))};
    for (const uint32_t position : split_.test) {
      result.test_rows.push_back(problem_.rows[position]);
    }
    return result;
  }

  void warn_of_results(const ReportInput& report) {
    if (split_.test.size() < 50) {
      problem_.warn("few_test_rows", "",
                    fmt::format("the test part has {} rows only; read the intervals, not the "
                                "figures",
                                split_.test.size()));
    }
    if (report.members.front().name == "baseline") {
      problem_.warn("no_better_than_constant", "",
                    "no model was better than a constant answer: the columns may not tell the "
                    "target, or there are too few rows");
    }
  }

  const table::Table& table_;
  const TrainSettings& settings_;
  const TrainContext& context_;
  const size_t threads_;
  Pace pace_;
  Problem problem_;
  Split split_;
  std::unique_ptr<Workbench> bench_;
  std::vector<Trial> trials_;
  Ensemble ensemble_;
  Answer answer_;
  Timing timing_;
  double rate_least_ = 0;
  size_t trials_done_ = 0;
  std::string best_learner_;
  std::optional<double> best_score_;
  double best_loss_ = 0;
  double last_checkpoint_s_ = -1;
};

}  // namespace

const std::vector<std::string>& learner_names() {
  static const std::vector<std::string> names{"linear", "boosting"};
  return names;
}

absl::Status check_learner(const std::string& name) {
  const std::vector<std::string>& names = learner_names();
  if (std::find(names.begin(), names.end(), name) != names.end()) {
    return absl::OkStatus();
  }
  return base::invalid(
      fmt::format("there is no learner '{}'{}", name, base::did_you_mean(name, names)),
      fmt::format("use {}", fmt::join(names, " or ")));
}

absl::StatusOr<TrainResult> train(const table::Table& table, const TrainSettings& settings,
                                  const TrainContext& context) {
  try {
    return Run(table, settings, context).run();
  } catch (const std::bad_alloc&) {
    return memory_ran_out();
  }
}

}  // namespace cromford::learn
