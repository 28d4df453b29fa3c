#pragma once

// The AutoML run: a table and a target column in, a model package and a report out. This is the one
// public door of the folder.
//
//   learn::TrainSettings settings{.target = "late", .time_column = "date"};
//   settings.time_budget = std::chrono::seconds(60);
//   TRY(learn::TrainResult result, learn::train(table, settings, {.progress = show, .cancel =
//   stop})); write(result.package);   // loads with model::Package
//
// The order of work: find task and metric; take the test part away; alarms for leaks; a constant
// baseline; a linear model; boosted trees; random search; a small ensemble if it pays; calibration;
// one look at the test part; refit on all rows that are not test rows.
//
// Budget: with `time_budget` the package is ready by then (within 2%) and the report says which
// trials the clock cut (`cap_struck`). With `trials` alone the work is counted, not timed: the same
// table, settings and seed give the same package bit for bit, whatever `threads` is.
//
// Thread safety: train() may run several times at once; progress and checkpoint are
// called one at a time, but not always from the calling thread.

#include <absl/status/statusor.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/json.h"
#include "metric/metric.h"
#include "table/table.h"

namespace cromford::learn {

struct TrainSettings {
  std::string target;
  std::optional<metric::Task> task;  // Found from the target when absent.
  std::string metric;                // metric::metrics_of(task).front() when empty.
  // The class whose probability is `probability`. Empty: true/yes/1 and the like, else the rarer.
  std::string positive_class;

  // Wall clock until the package is there. Absent together with `trials`: 60 s.
  std::optional<std::chrono::nanoseconds> time_budget;
  // Configurations tried besides the baseline.
  std::optional<size_t> trials;
  // Bytes that the run may hold; above it, rows are sampled (with a warning). 0: 4 GiB.
  uint64_t memory_limit = 0;
  uint64_t seed = 0;
  size_t threads = 0;  // 0: as many as there are cores.

  std::string time_column;   // Split by time; "" = found, see split.h.
  std::string group_column;  // Rows of a group stay on one side of every split.
  std::string weight_column;
  std::vector<std::string> ignore;
  std::vector<std::string> learners;  // Of learner_names(); empty = all.

  // The manifest of the model that this one will be compared with, a JSON object in text; may be
  // empty. Both then keep the same rows for testing, as far as the table allows.
  std::string champion;

  // Facts for the package: dataset, dataset_version, where, code_version ... Stored as they are; a
  // JSON object in text.
  std::string lineage = "{}";
};

struct Progress {
  std::string_view
      stage;            // reading, features, searching, ensembling, calibrating, testing, refitting
  double fraction = 0;  // Of the whole run.
  size_t trials_done = 0;
  std::string best_learner;
  std::optional<double> best_score;  // In `metric`, on validation rows.
  std::string metric;
  double eta_s = 0;  // Seconds that remain by the budget; 0 when the budget is in trials.
};

struct TrainContext {
  std::function<void(const Progress&)> progress = {};  // May be empty.
  base::CancelToken cancel = {};
  const base::Clock* clock = nullptr;  // The system's when absent.
  // Called with a package each time a better model is found, so that a killed run leaves one. May
  // be empty.
  std::function<void(const std::string& package)> checkpoint = {};
};

// "linear", "boosting".
const std::vector<std::string>& learner_names();
// INVALID_ARGUMENT names the learners and the nearest of them.
absl::Status check_learner(const std::string& name);

struct TrainResult {
  std::string package;  // Bytes; model::Package loads them.
  // A JSON object in text: task, metric, target, classes, positive_class, columns, ignored, split,
  // trials, ensemble, calibration, metrics, baseline_metrics, warnings, importance, timing,
  // cap_struck. README.md describes each field.
  std::string report;
  // The rows of the table that made up the test part: what the final model never saw.
  std::vector<uint32_t> test_rows;
};

// INVALID_ARGUMENT: no such target (nearest name given); one class; all missing; fewer than 20
// rows; more than 200 classes; infinities; negative weights; a group column with one group; names
// in `ignore`, `learners`, columns that do not exist. CANCELLED: by the token. RESOURCE_EXHAUSTED:
// not even a sample fits `memory_limit`.
absl::StatusOr<TrainResult> train(const table::Table& table, const TrainSettings& settings,
                                  const TrainContext& context = {});

}  // namespace cromford::learn
