// The worker's half of a training run: reads the rows, searches for the best model within the
// budget, and leaves the package; a checkpoint of the best so far is kept for the case that this
// process is killed.

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "app/dataset_files.h"
#include "app/judge.h"
#include "app/ordinary_windows.h"
#include "app/worker.h"
#include "base/file_system.h"
#include "base/limits.h"
#include "learn/rows.h"
#include "learn/train.h"
#include "model/package.h"
#include "table/engine.h"
#include "table/scan.h"

namespace cromford::app {
namespace {

// Kept back from the time budget for storing the package and starting the process.
constexpr std::chrono::milliseconds kReserve{500};

absl::StatusOr<learn::TrainSettings> read_settings(const base::Json& input) {
  const base::Json& settings = input.at("settings");
  learn::TrainSettings result{.target = settings.value("target", std::string()),
                              .metric = settings.value("metric", std::string()),
                              .positive_class = settings.value("positive_class", std::string()),
                              .memory_limit = input.value("memory_bytes", uint64_t{0}),
                              .seed = settings.value("seed", uint64_t{0}),
                              .time_column = settings.value("time_column", std::string()),
                              .group_column = settings.value("group_column", std::string()),
                              .weight_column = settings.value("weight_column", std::string()),
                              .ignore = settings.value("ignore", std::vector<std::string>()),
                              .learners = settings.value("learners", std::vector<std::string>()),
                              .lineage = base::dump_json(input.at("lineage"))};
  if (const std::string task = settings.value("task", std::string()); !task.empty()) {
    TRY(result.task, metric::parse_task(task));
  }
  const base::Json& budget = settings.at("budget");
  if (const std::string time = budget.value("time", std::string()); !time.empty()) {
    TRY(const std::chrono::nanoseconds parsed, base::parse_duration(time));
    result.time_budget = parsed;
  }
  if (const auto trials = budget.value("trials", size_t{0}); trials > 0) {
    result.trials = trials;
  }
  if (!result.time_budget && !result.trials) {
    result.time_budget = std::chrono::seconds(60);
  }
  return result;
}

std::string progress_detail(const learn::Progress& progress) {
  base::Json detail = {{"trials_done", progress.trials_done},
                       {"metric", progress.metric},
                       {"eta_s", progress.eta_s}};
  if (progress.best_score.has_value()) {
    detail["best"] = {{"learner", progress.best_learner}, {"score", *progress.best_score}};
  }
  return base::dump_json(detail);
}

// What the package tells of itself stands in for the report that a killed run never wrote.
absl::StatusOr<std::string> report_of(const std::string& package) {
  const auto bytes = std::as_bytes(std::span(package));
  TRY(const auto loaded, model::Package::load(std::vector<std::byte>(bytes.begin(), bytes.end())));
  return base::dump_json(loaded->manifest());
}

// What is serving now, which the new model is compared with.
struct Champion {
  std::string name;
  absl::StatusOr<std::shared_ptr<const model::Package>> package = base::internal("not read");
};

std::optional<Champion> read_champion(const base::Json& input) {
  const base::Json& champion = input.at("champion");
  if (!champion.is_object()) {
    return std::nullopt;
  }
  return Champion{.name = champion.value("name", std::string()),
                  .package = model::Package::open(champion.value("package", std::string()))};
}

// The time that comparing will take: what the champion takes for some rows, for the test part, and
// as much again and half for the new model.
absl::StatusOr<std::chrono::nanoseconds> comparison_time(const table::Table& rows,
                                                         const model::Package& champion,
                                                         const base::CancelToken& cancel) {
  constexpr uint32_t sampled = 1000;
  constexpr double test_share = 0.2;
  std::vector<uint32_t> some(std::min<size_t>(sampled, static_cast<size_t>(rows.row_count())));
  std::iota(some.begin(), some.end(), 0U);
  const auto start = std::chrono::steady_clock::now();
  TRY(const learn::ModelRows inputs, learn::ModelRows::create(rows, champion.contract(), some));
  TRY(const std::vector<double> ignored, predict_rows(inputs, champion, cancel, {}));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const double per_row = took.count() / static_cast<double>(std::max<size_t>(1, ignored.size())) *
                         static_cast<double>(prediction_width(champion));
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(
      2.5 * test_share * per_row * static_cast<double>(rows.row_count())));
}

// {"champion": name} with the figures, or with the reason why there are none: a model that cannot
// be compared is still a model. CANCELLED alone ends the run.
absl::StatusOr<base::Json> compare_with(const Champion& champion, const table::Table& rows,
                                        const std::vector<uint32_t>& tested,
                                        const std::filesystem::path& package,
                                        const base::CancelToken& cancel) {
  const auto compare = [&]() -> absl::StatusOr<base::Json> {
    TRY(const auto incumbent, champion.package);
    TRY(const auto fresh, model::Package::open(package.string()));
    return compare_packages(rows, tested, *incumbent, *fresh, cancel);
  };
  absl::StatusOr<base::Json> comparison = compare();
  TRY(cancel.check());
  if (!comparison.ok()) {
    comparison = base::Json{{"metrics", base::Json::object()},
                            {"error", base::describe(comparison.status())}};
  }
  (*comparison)["champion"] = champion.name;
  return comparison;
}

// What drift reports of the model will tolerate. Without it they are stricter; no reason to lose a
// model.
base::Json ordinary_drift(const table::Table& rows, const std::string& time_column,
                          const std::filesystem::path& package, flow::WorkerContext& context) {
  const auto measure = [&]() -> absl::StatusOr<base::Json> {
    TRY(const auto fresh, model::Package::open(package.string()));
    return ordinary_windows(rows, time_column, *fresh, context.cancel());
  };
  absl::StatusOr<base::Json> effects = measure();
  if (!effects.ok()) {
    context.log(fmt::format("how much single days differ was not measured: {}",
                            base::describe(effects.status())));
    return base::Json::object();
  }
  return *std::move(effects);
}

// Tells of each trial as it is done.
class TrialLog {
 public:
  explicit TrialLog(flow::WorkerContext& context) : context_(context) {}

  void note(const learn::Progress& progress) {
    if (progress.stage != stage_) {
      stage_ = progress.stage;
      context_.log(stage_);
    }
    if (progress.trials_done <= trials_done_) {
      return;
    }
    trials_done_ = progress.trials_done;
    context_.log(progress.best_score.has_value()
                     ? fmt::format("trials done: {}; best so far: {} with {} {:.6g} on validation "
                                   "rows",
                                   trials_done_, progress.best_learner, progress.metric,
                                   *progress.best_score)
                     : fmt::format("trials done: {}", trials_done_));
  }

 private:
  flow::WorkerContext& context_;
  std::string stage_;
  size_t trials_done_ = 0;
};

// What the report holds, for the job's log.
void tell(const base::Json& report, flow::WorkerContext& context) {
  for (const base::Json& ignored : report.value("ignored", base::Json::array())) {
    context.log(fmt::format("left out {}: {}", ignored.value("column", std::string()),
                            ignored.value("reason", std::string())));
  }
  for (const base::Json& warning : report.value("warnings", base::Json::array())) {
    context.log(fmt::format("warning: {}", warning.value("text", std::string())));
  }
  const std::string measure = report.value("ranked_by", std::string());
  for (const base::Json& trial : report.value("trials", base::Json::array())) {
    const std::string score = trial.contains("score")
                                  ? fmt::format("{} {:.6g}", measure, trial.value("score", 0.0))
                                  : std::string("not finished");
    context.log(fmt::format("trial {}: {} ({}): {}", trial.value("trial", int64_t{0}),
                            trial.value("learner", std::string()),
                            trial.value("settings", std::string()), score));
  }
  const base::Json metrics = report.value("metrics", base::Json::object());
  for (const auto& [name, estimate] : metrics.items()) {
    context.log(fmt::format("on test rows: {} {:.6g}", name, estimate.value("value", 0.0)));
  }
}

}  // namespace

absl::StatusOr<std::string> train_model(std::string_view text, flow::WorkerContext& context) {
  const auto start = std::chrono::steady_clock::now();
  TRY(const base::Json input, base::parse_json(text));
  TRY(learn::TrainSettings settings, read_settings(input));
  TRY(const table::StoredTable stored, stored_table_from(input.at("table")));
  context.progress("reading", 0, "");
  absl::StatusOr<table::Table> rows = base::internal("not read");
  {
    TRY(const auto engine, table::Engine::create({.memory_limit_bytes = settings.memory_limit / 2,
                                                  .temp_directory = context.work_dir() / "spill"}));
    rows = table::read_table(*engine, stored,
                             {.where = input.at("settings").value("where", std::string())},
                             context.cancel());
  }
  TRY(rows);
  context.log(fmt::format("read {} rows of {} columns", base::with_thousands(rows->row_count()),
                          stored.schema.columns.size()));
  TrialLog trials(context);
  const std::optional<Champion> champion = read_champion(input);
  std::chrono::nanoseconds comparing{0};
  if (champion.has_value() && champion->package.ok()) {
    settings.champion = base::dump_json((*champion->package)->manifest());
    const auto expected = comparison_time(*rows, **champion->package, context.cancel());
    comparing = expected.ok() ? *expected : comparing;
  }
  if (settings.time_budget.has_value()) {
    const auto spent = std::chrono::steady_clock::now() - start + kReserve + comparing;
    settings.time_budget = std::max<std::chrono::nanoseconds>(*settings.time_budget - spent,
                                                              std::chrono::milliseconds(200));
  }
  base::FileSystem& files = base::system_files();
  const std::filesystem::path& folder = context.work_dir();
  learn::TrainContext training{
      .progress =
          [&context, &trials](const learn::Progress& progress) {
            trials.note(progress);
            context.progress(progress.stage, progress.fraction, progress_detail(progress));
          },
      .cancel = context.cancel(),
      .checkpoint =
          [&](const std::string& package) {
            const absl::StatusOr<std::string> report = report_of(package);
            if (report.ok() &&
                base::write_atomically(files, folder / "checkpoint.package", package).ok() &&
                base::write_atomically(files, folder / "checkpoint.json", *report).ok()) {
              context.log("kept the best model so far as a checkpoint");
            }
          }};
  TRY(const learn::TrainResult result, learn::train(*rows, settings, training));
  TRY(base::write_atomically(files, folder / "model.package", result.package));
  TRY(base::Json report, base::parse_json(result.report));
  report["lineage"] = input.at("lineage");
  report["ordinary_drift"] =
      ordinary_drift(*rows, settings.time_column, folder / "model.package", context);
  tell(report, context);
  context.log(fmt::format("wrote the package, {}", base::format_size(result.package.size())));
  if (champion.has_value()) {
    context.progress("comparing", 0.99, "");
    TRY(report["comparison"], compare_with(*champion, *rows, result.test_rows,
                                           folder / "model.package", context.cancel()));
    context.log(fmt::format("compared with {}{}", champion->name,
                            report["comparison"].contains("error")
                                ? ": " + report["comparison"].value("error", std::string())
                                : std::string()));
  }
  return base::dump_json(report);
}

}  // namespace cromford::app
