#include "app/quality_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "app/endpoint_policy.h"
#include "app/quality_store.h"
#include "monitor/window_counts.h"
#include "serve/prediction_log.h"

namespace cromford::app {
namespace {

// Of outcomes and of predictions in one commit, and of commits in one round: what is behind waits
// for the next one.
constexpr uint64_t kRecordsMax = 100'000;
constexpr int kCommitsMax = 50;
// Columns whose groups are counted without being asked for, so that a segment that does worse is
// found.
constexpr size_t kColumnsMax = 16;

// What a version promised when it was tested.
struct Promise {
  std::optional<double> loss;  // As monitor::bounded_loss has it.
  double error_scale = 1;      // Regression: the usual absolute error.
};

std::optional<double> metric_of(const base::Json& manifest, const char* name) {
  const auto metrics = manifest.find("metrics");
  if (metrics == manifest.end() || !metrics->is_object() || !metrics->contains(name)) {
    return std::nullopt;
  }
  const base::Json& metric = (*metrics)[name];
  const base::Json& value = metric.is_object() ? metric.value("value", base::Json()) : metric;
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

Promise promise_of(const model::Package& package) {
  const base::Json& manifest = package.manifest();
  if (package.classes().empty()) {
    const std::optional<double> error = metric_of(manifest, "mae");
    return error && *error > 0 ? Promise{0.25, *error} : Promise{};
  }
  const std::optional<double> brier = metric_of(manifest, "brier");
  return {brier && package.classes().size() > 2 ? std::optional(*brier / 2) : brier, 1};
}

metric::Task task_of(const feedback::Layout& layout) {
  return layout.classes.empty()       ? metric::Task::kRegression
         : layout.classes.size() == 2 ? metric::Task::kBinary
                                      : metric::Task::kMulticlass;
}

// What happened, in the words of a version; nothing where it does not know the class.
std::optional<monitor::Truth> truth_of(const feedback::Layout& layout,
                                       const feedback::OutcomeView& outcome) {
  if (layout.classes.empty()) {
    return outcome.is_number ? std::optional(monitor::Truth{.number = outcome.number})
                             : std::nullopt;
  }
  const auto found = std::find(layout.classes.begin(), layout.classes.end(), outcome.text);
  if (outcome.is_number || found == layout.classes.end()) {
    return std::nullopt;
  }
  return monitor::Truth{.label = static_cast<int32_t>(found - layout.classes.begin())};
}

class Counting final : public feedback::JoinVisitor {
 public:
  Counting(const RoundContext& round, const MonitorPolicy& policy, QualityState& state)
      : state_(state) {
    asked_.insert(policy.segments.begin(), policy.segments.end());
    asked_.insert(policy.sensitive.begin(), policy.sensitive.end());
    if (round.served != nullptr) {
      for (const serve::Variant& variant : round.served->variants()) {
        promises_[{variant.spec.model, variant.spec.version}] = promise_of(*variant.spec.package);
      }
    }
  }

  absl::Status predicted(const feedback::LoggedRow& row) override {
    ++predictions;
    const monitor::Answered answered{row.values->answer, row.prediction.label};
    hour_of(row).add_answer(answered);
    monitor::GroupCounts& groups = day_of(row);
    for_each_group(row, [&](const std::string& column, const std::string& value) {
      groups.add_answer(column, value, {.selected = is_selected(row)});
    });
    return absl::OkStatus();
  }

  absl::Status joined(const feedback::LoggedRow& row, const feedback::OutcomeView* before,
                      const feedback::OutcomeView& after) override {
    ++outcomes;
    if (before != nullptr) {
      ++corrections;
      add(row, *before, -1);
    }
    add(row, after, 1);
    if (const auto truth = truth_of(*row.layout, after); before == nullptr && truth) {
      observe(row, *truth);
    }
    return absl::OkStatus();
  }

  QualityTally tally;
  uint64_t predictions = 0;
  uint64_t outcomes = 0;
  uint64_t corrections = 0;

 private:
  static Answerer answerer_of(const feedback::LoggedRow& row) {
    return {row.layout->model, row.layout->model_version, row.layout->variant};
  }
  static bool is_selected(const feedback::LoggedRow& row) {
    return row.layout->classes.size() == 2 && row.prediction.label == 1;
  }
  monitor::QualityCounts& hour_of(const feedback::LoggedRow& row) {
    const CohortKey key{answerer_of(row),
                        monitor::window_start(row.prediction.event_time, std::chrono::hours(1))};
    return tally.hours
        .try_emplace(key, monitor::quality_counts(task_of(*row.layout), row.layout->classes.size()))
        .first->second;
  }
  monitor::GroupCounts& day_of(const feedback::LoggedRow& row) {
    return tally.days[{answerer_of(row),
                       monitor::window_start(row.prediction.event_time, std::chrono::hours(24))}];
  }
  const Promise& promise_of_row(const feedback::LoggedRow& row) {
    return promises_[{row.layout->model, row.layout->model_version}];
  }

  void add(const feedback::LoggedRow& row, const feedback::OutcomeView& outcome, double sign);
  void observe(const feedback::LoggedRow& row, const monitor::Truth& truth);
  template <typename Visit>
  void for_each_group(const feedback::LoggedRow& row, const Visit& visit) const;

  QualityState& state_;
  std::set<std::string> asked_;
  std::map<std::pair<std::string, int64_t>, Promise> promises_;
};

void Counting::add(const feedback::LoggedRow& row, const feedback::OutcomeView& outcome,
                   double sign) {
  const std::optional<monitor::Truth> truth = truth_of(*row.layout, outcome);
  if (!truth) {
    return;
  }
  const monitor::Answered answered{row.values->answer, row.prediction.label};
  hour_of(row).add_truth(answered, *truth, sign);
  const double loss = monitor::bounded_loss(answered, *truth, task_of(*row.layout),
                                            promise_of_row(row).error_scale);
  monitor::GroupCounts& groups = day_of(row);
  for_each_group(row, [&](const std::string& column, const std::string& value) {
    groups.add_truth(column, value,
                     {.selected = is_selected(row), .positive = truth->label == 1, .loss = loss},
                     sign);
  });
}

void Counting::observe(const feedback::LoggedRow& row, const monitor::Truth& truth) {
  const Promise& promise = promise_of_row(row);
  const monitor::Answered answered{row.values->answer, row.prediction.label};
  state_.changes.try_emplace(answerer_of(row), promise.loss)
      .first->second.observe(
          monitor::bounded_loss(answered, truth, task_of(*row.layout), promise.error_scale),
          row.prediction.event_time);
}

template <typename Visit>
void Counting::for_each_group(const feedback::LoggedRow& row, const Visit& visit) const {
  size_t number = 0;
  size_t text = 0;
  size_t counted = 0;
  for (const table::ColumnSchema& column : row.layout->columns) {
    const bool is_text = column.type == table::ColumnType::kText;
    const bool is_boolean = column.type == table::ColumnType::kBoolean;
    const std::string_view words = is_text ? row.values->texts[text++] : std::string_view();
    const double value = is_text ? 0 : row.values->numbers[number++];
    const bool asked = asked_.contains(column.name);
    if (!asked && (!(is_text || is_boolean) || counted == kColumnsMax)) {
      continue;
    }
    counted += asked ? 0 : 1;
    const bool missing = is_text ? words.data() == nullptr : !std::isfinite(value);
    visit(column.name, missing      ? std::string(monitor::GroupCounts::kMissing)
                       : is_text    ? std::string(words)
                       : is_boolean ? std::string(value != 0 ? "true" : "false")
                                    : fmt::format("{:g}", value));
  }
}

}  // namespace

absl::Status QualityStage::run(RoundContext& round) {
  TRY(const EndpointPolicy policy, read_policy(context_, round.name.project, round.name.endpoint));
  const std::string key = serve::log_key(round.name.project, round.name.endpoint);
  uint64_t predictions = 0;
  uint64_t outcomes = 0;
  uint64_t corrections = 0;
  bool more = true;
  for (int commits = 0; more && commits < kCommitsMax; ++commits) {
    TRY(QualityState state, read_quality_state(context_, round.name));
    Counting counting(round, policy.monitor, state);
    TRY(more, feedback::read_joins(*context_.log, key, kRecordsMax, state.cursor, counting));
    if (counting.predictions + counting.outcomes > 0) {
      TRY(commit_quality(context_, round.name, state, counting.tally));
    }
    predictions += counting.predictions;
    outcomes += counting.outcomes;
    corrections += counting.corrections;
  }
  round.found = {{"predictions", predictions},
                 {"outcomes", outcomes},
                 {"corrections", corrections},
                 {"more", more}};
  return absl::OkStatus();
}

}  // namespace cromford::app
