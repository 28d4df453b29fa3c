// The worker's half of a training run: reads the rows, searches for the best model within the
// budget, and leaves the package; a checkpoint of the best so far is kept for the case that this
// process is killed.

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "app/dataset_files.h"
#include "app/judge.h"
#include "app/worker.h"
#include "base/file_system.h"
#include "base/limits.h"
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
  if (settings.time_budget.has_value()) {
    const auto spent = std::chrono::steady_clock::now() - start + kReserve;
    settings.time_budget = std::max<std::chrono::nanoseconds>(*settings.time_budget - spent,
                                                              std::chrono::milliseconds(200));
  }
  base::FileSystem& files = base::system_files();
  const std::filesystem::path& folder = context.work_dir();
  learn::TrainContext training{
      .progress =
          [&context](const learn::Progress& progress) {
            context.progress(progress.stage, progress.fraction, progress_detail(progress));
          },
      .cancel = context.cancel(),
      .checkpoint =
          [&](const std::string& package) {
            const absl::StatusOr<std::string> report = report_of(package);
            if (report.ok() &&
                base::write_atomically(files, folder / "checkpoint.package", package).ok()) {
              (void)base::write_atomically(files, folder / "checkpoint.json", *report);
            }
          }};
  TRY(const learn::TrainResult result, learn::train(*rows, settings, training));
  TRY(base::write_atomically(files, folder / "model.package", result.package));
  TRY(base::Json report, base::parse_json(result.report));
  report["lineage"] = input.at("lineage");
  if (const base::Json& champion = input.at("champion"); champion.is_object()) {
    context.progress("comparing", 0.99, "");
    TRY(const auto incumbent, model::Package::open(champion.value("package", std::string())));
    TRY(const auto fresh, model::Package::open((folder / "model.package").string()));
    TRY(report["comparison"],
        compare_packages(*rows, result.test_rows, *incumbent, *fresh, context.cancel()));
    report["comparison"]["champion"] = champion.at("name");
  }
  return base::dump_json(report);
}

}  // namespace cromford::app
