// The workers' halves of the loop's own jobs: how far back to train, and champion against candidate
// on the latest rows.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "app/dataset_files.h"
#include "app/judge.h"
#include "app/retrain_kinds.h"
#include "app/worker.h"
#include "base/limits.h"
#include "base/text.h"
#include "learn/rows.h"
#include "learn/train.h"
#include "metric/metric.h"
#include "model/package.h"
#include "table/engine.h"
#include "table/scan.h"

namespace cromford::app {
namespace {

using std::chrono::nanoseconds;

// Kept for the gate: a fifth of the rows, within these.
constexpr size_t kGateRowsMin = 100;
constexpr size_t kGateRowsMax = 20'000;
// A window is worth trying with this many rows.
constexpr size_t kWindowRowsMin = 200;
constexpr std::chrono::seconds kTryTime{4};
// Fewer rows of a value of a column tell nothing of it.
constexpr size_t kSliceRowsMin = 50;
constexpr size_t kSlicesMax = 50;

using Package = std::shared_ptr<const model::Package>;

std::string time_literal(int64_t microseconds) {
  std::string text = base::format_time(base::Time(std::chrono::microseconds(microseconds)));
  text.pop_back();  // SQL has no Z.
  return fmt::format("TIMESTAMP '{}'", text);
}

// Of the rows that count at all.
std::string from_to(const base::Json& input, std::optional<int64_t> from,
                    std::optional<int64_t> to) {
  std::vector<std::string> parts = {input.value("mature", std::string("true"))};
  if (from.has_value()) {
    parts.push_back(fmt::format("\"{}\" >= {}", kEventColumn, time_literal(*from)));
  }
  if (to.has_value()) {
    parts.push_back(fmt::format("\"{}\" < {}", kEventColumn, time_literal(*to)));
  }
  return base::join(parts, " AND ");
}

absl::StatusOr<table::Table> read_rows(const base::Json& input, const std::string& where,
                                       flow::WorkerContext& context) {
  TRY(const table::StoredTable stored, stored_table_from(input.at("table")));
  TRY(const auto engine,
      table::Engine::create(
          {.memory_limit_bytes = input.value("memory_bytes", uint64_t{1} << 30) / 2,
           .temp_directory = context.work_dir() / "spill"}));
  return table::read_table(*engine, stored, {.where = where}, context.cancel());
}

absl::StatusOr<Package> open_package(const base::Json& input, const char* key) {
  return model::Package::open(input.at("packages").value(key, std::string()));
}

struct Scoring {
  Judged judged;
  double us_per_row = 0;
};

absl::StatusOr<Scoring> score(const table::Table& rows, const model::Package& package,
                              const std::vector<double>& labels, const std::vector<double>& weights,
                              const base::CancelToken& cancel) {
  TRY(const learn::ModelRows inputs, learn::ModelRows::create(rows, package.contract()));
  const auto start = std::chrono::steady_clock::now();
  TRY(const std::vector<double> predictions, predict_rows(inputs, package, cancel, {}));
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  return Scoring{
      .judged = judge(labels, predictions, weights, prediction_width(package)),
      .us_per_row = took.count() / static_cast<double>(std::max<size_t>(1, labels.size()))};
}

std::string loss_name(const model::Package& package) {
  return package.task() == model::Task::kRegression ? "rmse" : "log_loss";
}

// --- choose
// ---------------------------------------------------------------------------------------

struct Window {
  std::string name;
  std::optional<int64_t> from;
};

// The mean loss on the rows tried of a short training on the rows of a window.
absl::StatusOr<double> try_window(const base::Json& input, const Window& window, int64_t until,
                                  const table::Table& tried, const model::Package& champion,
                                  flow::WorkerContext& context) {
  TRY(const table::Table rows, read_rows(input, from_to(input, window.from, until), context));
  const base::Json& settings = input.at("settings");
  TRY(const metric::Task task, metric::parse_task(metric::task_name(metric_task(champion.task()))));
  const learn::TrainSettings training{
      .target = settings.value("target", std::string()),
      .task = task,
      .positive_class = settings.value("positive_class", std::string()),
      .time_budget = kTryTime,
      .memory_limit = input.value("memory_bytes", uint64_t{0}),
      .seed = 1,
      .ignore = settings.value("ignore", std::vector<std::string>()),
      .learners = {"boosting"}};
  TRY(const learn::TrainResult result, learn::train(rows, training, {.cancel = context.cancel()}));
  const auto bytes = std::as_bytes(std::span(result.package));
  TRY(const Package package,
      model::Package::load(std::vector<std::byte>(bytes.begin(), bytes.end())));
  TRY(const std::vector<double> labels, read_labels(*tried.find(training.target), *package));
  TRY(const Scoring scoring, score(tried, *package, labels, {}, context.cancel()));
  return metric::evaluate(loss_name(*package), scored_of(*package, scoring.judged));
}

// Where the rows are cut: [.., tried) teach, [tried, gate) try the windows, [gate, ..) judge.
struct Cuts {
  int64_t tried = 0;
  int64_t gate = 0;
  int64_t half = 0;
  int64_t quarter = 0;
  size_t taught = 0;
};

Cuts cut(const std::vector<int64_t>& times) {
  const size_t count = times.size();
  const size_t kept = std::clamp(count / 5, kGateRowsMin, kGateRowsMax);
  const size_t gate = count - kept;
  const size_t tried = gate - std::min(gate / 4, kept);
  return {.tried = times[tried],
          .gate = times[gate],
          .half = times[tried / 2],
          .quarter = times[tried - tried / 4],
          .taught = tried};
}

base::Json chosen(const base::Json& input, const std::optional<int64_t>& from, const Cuts& cuts,
                  base::Json tried, const std::string& reason) {
  return {{"where", from_to(input, from, cuts.gate)},
          {"gate_where", from_to(input, cuts.gate, std::nullopt)},
          {"tried", std::move(tried)},
          {"reason", reason}};
}

}  // namespace

absl::StatusOr<std::string> choose_window(std::string_view text, flow::WorkerContext& context) {
  TRY(const base::Json input, base::parse_json(text));
  TRY(const Package champion, open_package(input, "model"));
  context.progress("reading", 0, "");
  std::vector<int64_t> times;
  {
    TRY(const table::Table rows, read_rows(input, from_to(input, {}, {}), context));
    const table::Column* column = rows.find(kEventColumn);
    if (column == nullptr) {
      return base::internal("the loop's rows have lost their times");
    }
    times = column->integers;
  }
  std::sort(times.begin(), times.end());
  const auto needed = std::max(input.value("rows_min", size_t{0}), 2 * kGateRowsMin);
  if (times.size() < needed) {
    return base::refused(
        fmt::format("there are {} predictions with outcomes, {} are needed", times.size(), needed),
        "send outcomes, or lower retrain.budget.rows_min in the policy");
  }
  const Cuts cuts = cut(times);
  const std::string fixed = input.value("window", std::string("auto"));
  if (fixed != "auto") {
    TRY(const nanoseconds window, base::parse_duration(fixed));
    const int64_t from =
        cuts.gate - std::chrono::duration_cast<std::chrono::microseconds>(window).count();
    return base::dump_json(chosen(input, from, cuts, base::Json::array(),
                                  fmt::format("the policy wants the last {}", fixed)));
  }
  TRY(const table::Table tried, read_rows(input, from_to(input, cuts.tried, cuts.gate), context));
  base::Json found = base::Json::array();
  std::optional<Window> best;
  double best_loss = 0;
  for (const auto& [window, rows] : {std::pair(Window{"all", std::nullopt}, cuts.taught),
                                     std::pair(Window{"half", cuts.half}, cuts.taught / 2),
                                     std::pair(Window{"quarter", cuts.quarter}, cuts.taught / 4)}) {
    if (rows < kWindowRowsMin && window.from.has_value()) {
      continue;
    }
    context.progress("trying " + window.name, 0.3 * static_cast<double>(found.size()), "");
    const absl::StatusOr<double> loss =
        try_window(input, window, cuts.tried, tried, *champion, context);
    TRY(context.cancel().check());
    found.push_back({{"window", window.name}, {"rows", rows}});
    if (!loss.ok()) {
      found.back()["error"] = base::describe(loss.status());
      continue;
    }
    found.back()["loss"] = *loss;
    if (!best.has_value() || *loss < best_loss) {
      best = window;
      best_loss = *loss;
    }
  }
  if (!best.has_value()) {
    return base::refused("no window of the rows could be trained on", "look at the job's log");
  }
  return base::dump_json(chosen(input, best->from, cuts, found,
                                fmt::format("{} of the rows did best on the latest: {} {:.4f}",
                                            best->name, loss_name(*champion), best_loss)));
}

// --- judge
// ----------------------------------------------------------------------------------------

namespace {

base::Json quality_json(const model::Package& package, const Judged& judged) {
  const std::string name = loss_name(package);
  const absl::StatusOr<metric::Estimate> loss = metric::estimate(name, scored_of(package, judged));
  return loss.ok() ? base::Json{{"metric", name},
                                {"value", loss->value},
                                {"lower", loss->lower},
                                {"upper", loss->upper}}
                   : base::Json();
}

// The share of rows that the model says yes to (binary), or its mean prediction.
double selected(const model::Package& package, const std::vector<double>& predictions,
                const std::vector<size_t>& rows) {
  double sum = 0;
  for (const size_t row : rows) {
    sum += package.task() == model::Task::kBinary
               ? static_cast<double>(predictions[row] >= package.threshold())
               : predictions[row * prediction_width(package)];
  }
  return sum / static_cast<double>(rows.size());
}

// How the candidate does, value by value of some columns, against the champion.
class Slices {
 public:
  Slices(const table::Table& rows, const Package& package, const std::vector<double>& labels,
         const std::vector<double>& before, const std::vector<double>& after)
      : rows_(rows), package_(package), labels_(labels), before_(before), after_(after) {}

  void look_at(const std::string& name, bool sensitive) {
    const table::Column* column = rows_.find(name);
    if (column == nullptr) {
      return;
    }
    std::map<std::string, std::vector<size_t>> groups;
    for (size_t i = 0; i < labels_.size(); ++i) {
      if (!std::isnan(labels_[i]) && column->valid(static_cast<int64_t>(i))) {
        groups[table::cell_text(*column, static_cast<int64_t>(i))].push_back(i);
      }
    }
    double least = 1;
    double most = 0;
    for (const auto& [value, members] : groups) {
      if (members.size() < kSliceRowsMin || found_.size() >= kSlicesMax) {
        continue;
      }
      add(name, value, members);
      const double share = selected(*package_, after_, members);
      least = std::min(least, share);
      most = std::max(most, share);
    }
    if (sensitive && most > 0 && package_->task() == model::Task::kBinary) {
      ratio_ = std::min(ratio_.value_or(1), least / most);
    }
  }
  const base::Json& found() const { return found_; }
  // The largest loss of a slice that is certain: the lower bound of its difference.
  double worst() const { return worst_; }
  std::optional<double> selection_rate_ratio() const { return ratio_; }

 private:
  std::vector<double> losses(const std::vector<double>& predictions,
                             const std::vector<size_t>& members) const {
    const size_t width = prediction_width(*package_);
    Judged some;
    for (const size_t row : members) {
      some.labels.push_back(labels_[row]);
      for (size_t k = 0; k < width; ++k) {
        some.predictions.push_back(predictions[row * width + k]);
      }
    }
    return metric::row_losses(loss_name(*package_), scored_of(*package_, some))
        .value_or(std::vector<double>());
  }
  void add(const std::string& column, const std::string& value,
           const std::vector<size_t>& members) {
    const absl::StatusOr<metric::Comparison> difference =
        metric::compare_losses(losses(before_, members), losses(after_, members));
    if (!difference.ok()) {
      return;
    }
    worst_ = std::max(worst_, difference->lower);
    found_.push_back({{"column", column},
                      {"value", value},
                      {"rows", members.size()},
                      {"difference", difference->difference},
                      {"lower", difference->lower},
                      {"upper", difference->upper}});
  }

  const table::Table& rows_;
  const Package& package_;
  const std::vector<double>& labels_;
  const std::vector<double>& before_;
  const std::vector<double>& after_;
  base::Json found_ = base::Json::array();
  double worst_ = 0;
  std::optional<double> ratio_;
};

}  // namespace

absl::StatusOr<std::string> judge_candidate(std::string_view text, flow::WorkerContext& context) {
  TRY(const base::Json input, base::parse_json(text));
  TRY(const Package champion, open_package(input, "champion"));
  TRY(const Package candidate, open_package(input, "candidate"));
  if (champion->task() != candidate->task() || champion->classes() != candidate->classes()) {
    return base::refused("the candidate predicts other classes than the champion",
                         "deploy it to an endpoint of its own");
  }
  TRY(const table::Table rows, read_rows(input, input.value("where", std::string()), context));
  const table::Column* target = rows.find(candidate->target());
  if (target == nullptr || rows.row_count() == 0) {
    return base::refused("there is no row to judge the candidate on", "send outcomes");
  }
  context.log(fmt::format("both models on {} rows that neither learnt from",
                          base::with_thousands(rows.row_count())));
  TRY(const std::vector<double> labels, read_labels(*target, *candidate));
  const std::vector<double> weights = read_weights(rows, *candidate);
  TRY(const Scoring before, score(rows, *champion, labels, weights, context.cancel()));
  TRY(const Scoring after, score(rows, *candidate, labels, weights, context.cancel()));
  TRY(base::Json comparison, compare_judged(*champion, before.judged, *candidate, after.judged));
  TRY(const std::vector<metric::NamedEstimate> estimates,
      metric::estimate_all(scored_of(*candidate, after.judged)));
  base::Json metrics = estimates_json(estimates);
  const auto add = [&metrics](const char* name, double value) {
    metrics[name] = {{"value", value}};
  };
  add("latency_ratio", after.us_per_row / std::max(before.us_per_row, 1e-6));
  std::error_code error;
  const auto bytes = [&](const char* key) {
    return static_cast<double>(
        std::filesystem::file_size(input.at("packages").value(key, std::string()), error));
  };
  add("size_ratio", bytes("candidate") / std::max(bytes("champion"), 1.0));
  base::Json slices = base::Json::array();
  if (before.judged.left_out + after.judged.left_out == 0) {
    Slices look(rows, candidate, labels, before.judged.predictions, after.judged.predictions);
    for (const char* kind : {"segments", "sensitive"}) {
      for (const base::Json& name : input.value(kind, base::Json::array())) {
        look.look_at(name.get<std::string>(), std::string_view(kind) == "sensitive");
      }
    }
    slices = look.found();
    add("slice_loss", look.worst());
    if (look.selection_rate_ratio().has_value()) {
      add("selection_rate_ratio", *look.selection_rate_ratio());
    }
  }
  return base::dump_json({{"task", metric::task_name(metric_task(candidate->task()))},
                          {"metrics", std::move(metrics)},
                          {"comparison", std::move(comparison)},
                          {"slices", std::move(slices)},
                          {"quality", quality_json(*candidate, after.judged)},
                          {"row_count", after.judged.labels.size()}});
}

}  // namespace cromford::app
