#include "app/endpoint_policy.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/gate.h"
#include "app/request_reader.h"
#include "app/resources.h"
#include "base/limits.h"
#include "base/name.h"

namespace cromford::app {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;

constexpr nanoseconds kShortest = std::chrono::minutes(1);
constexpr nanoseconds kLongest = hours(24 * 3660);
constexpr size_t kColumnsMax = 16;
constexpr size_t kStepsMax = 20;

base::Json duration_json(const std::optional<nanoseconds>& duration) {
  return duration.has_value() ? base::Json(base::format_duration(*duration)) : base::Json();
}

std::vector<std::string> columns_of(RequestReader& reader, std::string_view key) {
  std::vector<std::string> columns = reader.texts_or_empty(key);
  if (columns.size() > kColumnsMax) {
    reader.fault(key, fmt::format("'{}' names more than {} columns", key, kColumnsMax));
  }
  return columns;
}

MonitorPolicy read_monitor(RequestReader& document) {
  RequestReader reader(document.object_or_empty("monitor"), "the monitoring", "/monitor");
  MonitorPolicy monitor;
  monitor.window = reader.duration_or("window", monitor.window, kShortest, hours(24 * 366));
  monitor.outcome_delay = reader.duration("outcome_delay", nanoseconds(0), hours(24 * 366));
  monitor.segments = columns_of(reader, "segments");
  monitor.sensitive = columns_of(reader, "sensitive");
  monitor.reference = reader.word_or("reference", "", {"", "training"});
  reader.finish(document);
  return monitor;
}

void read_trigger(RequestReader& reader, const base::Json& item, size_t position,
                  RetrainPolicy& retrain) {
  static const std::vector<std::string> kWords = {"quality", "drift", "new_data"};
  const std::string pointer = fmt::format("when/{}", position);
  if (item.is_object()) {
    RequestReader trigger(item, "the trigger", "/retrain/" + pointer);
    retrain.every = trigger.duration("every", kShortest, kLongest);
    if (!item.contains("every")) {
      trigger.fault("every", "'every' is missing; write {\"every\": \"14d\"}");
    }
    trigger.finish(reader);
    return;
  }
  const std::string word = item.is_string() ? item.get<std::string>() : std::string();
  retrain.on_quality = retrain.on_quality || word == "quality";
  retrain.on_drift = retrain.on_drift || word == "drift";
  retrain.on_new_data = retrain.on_new_data || word == "new_data";
  if (std::find(kWords.begin(), kWords.end(), word) == kWords.end()) {
    reader.fault(pointer, fmt::format("{} is no trigger; write quality, drift, new_data or "
                                      "{{\"every\": \"14d\"}}{}",
                                      base::dump_json(item), base::did_you_mean(word, kWords)));
  }
}

RetrainPolicy read_retrain(RequestReader& document) {
  RequestReader reader(document.object_or_empty("retrain"), "the retraining", "/retrain");
  RetrainPolicy retrain;
  const base::Json& when = reader.array_or_empty("when");
  for (size_t i = 0; i < when.size(); ++i) {
    read_trigger(reader, when[i], i, retrain);
  }
  if (!reader.is("window", "auto")) {
    retrain.window = reader.duration("window", kShortest, kLongest);
  }
  retrain.cooldown = reader.duration_or("cooldown", retrain.cooldown, nanoseconds(0), kLongest);
  RequestReader budget(reader.object_or_empty("budget"), "the budget", "/retrain/budget");
  retrain.rows_min = budget.integer_or("rows_min", retrain.rows_min, 10, 1'000'000'000);
  retrain.runs_max = budget.integer_or("runs_max", retrain.runs_max, 1, 1'000'000);
  retrain.runs_period = budget.duration_or("period", retrain.runs_period, kShortest, kLongest);
  budget.finish(reader);
  const base::Json& train = reader.object_or_empty("train");
  if (!train.empty()) {
    retrain.train = train;
  }
  reader.finish(document);
  return retrain;
}

void read_steps(RequestReader& reader, RolloutPolicy& rollout) {
  const base::Json& steps = reader.array_or_empty("steps");
  if (steps.empty()) {
    return;
  }
  rollout.steps.clear();
  bool right = steps.size() <= kStepsMax;
  for (const base::Json& item : steps) {
    const int64_t share = item.is_number_integer() ? item.get<int64_t>() : 0;
    right = right && share >= 1 && share <= 100 &&
            (rollout.steps.empty() || rollout.steps.back() < share);
    rollout.steps.push_back(share);
  }
  if (!right) {
    reader.fault("steps", fmt::format("'steps' must be up to {} whole numbers from 1 to 100, each "
                                      "larger than the one before, such as [5, 25, 50, 100]",
                                      kStepsMax));
  }
}

RolloutPolicy read_rollout(RequestReader& document) {
  RequestReader reader(document.object_or_empty("rollout"), "the rollout", "/rollout");
  RolloutPolicy rollout;
  rollout.strategy = reader.word_or("strategy", rollout.strategy, {"direct", "shadow", "canary"});
  read_steps(reader, rollout);
  rollout.step = reader.duration_or("step", rollout.step, nanoseconds(0), kLongest);
  rollout.shadow = reader.duration("shadow", nanoseconds(0), kLongest);
  rollout.key = reader.text_or("key", "");
  reader.finish(document);
  return rollout;
}

GuardPolicy read_guards(RequestReader& document) {
  RequestReader reader(document.object_or_empty("guards"), "the guards", "/guards");
  GuardPolicy guards;
  guards.error_rate_max = reader.number_or("error_rate_max", guards.error_rate_max, 0, 1);
  guards.latency_p99_ratio_max =
      reader.number_or("latency_p99_ratio_max", guards.latency_p99_ratio_max, 1, 1e6);
  guards.latency_p99_us_floor =
      reader.integer_or("latency_p99_us_floor", guards.latency_p99_us_floor, 0, 1'000'000'000);
  guards.prediction_psi_max =
      reader.number_or("prediction_psi_max", guards.prediction_psi_max, 0, 1e6);
  guards.confidence = reader.number_or("confidence", guards.confidence, 0.5, 0.9999);
  guards.rows_min = reader.integer_or("rows_min", guards.rows_min, 1, 1'000'000'000);
  reader.finish(document);
  return guards;
}

}  // namespace

absl::StatusOr<EndpointPolicy> parse_policy(const base::Json& document) {
  RequestReader reader(document, "the policy");
  EndpointPolicy policy;
  policy.monitor = read_monitor(reader);
  policy.gate = reader.array_or_empty("gate");
  check_gate_rules(policy.gate, reader);
  policy.retrain = read_retrain(reader);
  policy.rollout = read_rollout(reader);
  policy.approval_required = reader.word_or("approval", "none", {"none", "required"}) == "required";
  policy.guards = read_guards(reader);
  policy.alerts = reader.object_or_empty("alerts");
  TRY(reader.finish());
  return policy;
}

base::Json policy_json(const EndpointPolicy& policy) {
  base::Json when = base::Json::array();
  const RetrainPolicy& retrain = policy.retrain;
  for (const auto& [on, word] :
       {std::pair(retrain.on_quality, "quality"), std::pair(retrain.on_drift, "drift"),
        std::pair(retrain.on_new_data, "new_data")}) {
    if (on) {
      when.push_back(word);
    }
  }
  if (retrain.every.has_value()) {
    when.push_back({{"every", base::format_duration(*retrain.every)}});
  }
  return {{"monitor",
           {{"window", base::format_duration(policy.monitor.window)},
            {"outcome_delay", duration_json(policy.monitor.outcome_delay)},
            {"segments", policy.monitor.segments},
            {"sensitive", policy.monitor.sensitive},
            {"reference", policy.monitor.reference}}},
          {"gate", policy.gate},
          {"retrain",
           {{"when", std::move(when)},
            {"window", retrain.window.has_value() ? duration_json(retrain.window) : "auto"},
            {"cooldown", base::format_duration(retrain.cooldown)},
            {"budget",
             {{"rows_min", retrain.rows_min},
              {"runs_max", retrain.runs_max},
              {"period", base::format_duration(retrain.runs_period)}}},
            {"train", retrain.train}}},
          {"rollout",
           {{"strategy", policy.rollout.strategy},
            {"steps", policy.rollout.steps},
            {"step", base::format_duration(policy.rollout.step)},
            {"shadow", duration_json(policy.rollout.shadow)},
            {"key", policy.rollout.key}}},
          {"approval", policy.approval_required ? "required" : "none"},
          {"guards",
           {{"error_rate_max", policy.guards.error_rate_max},
            {"latency_p99_ratio_max", policy.guards.latency_p99_ratio_max},
            {"latency_p99_us_floor", policy.guards.latency_p99_us_floor},
            {"prediction_psi_max", policy.guards.prediction_psi_max},
            {"confidence", policy.guards.confidence},
            {"rows_min", policy.guards.rows_min}}},
          {"alerts", policy.alerts}};
}

store::DocumentKey policy_key(const std::string& project, const std::string& endpoint) {
  return {project, "endpoint_policy", endpoint};
}

absl::StatusOr<EndpointPolicy> read_policy(const Context& context, const std::string& project,
                                           const std::string& endpoint) {
  const absl::StatusOr<store::Document> document =
      context.metadata->get(policy_key(project, endpoint));
  if (document.status().code() == absl::StatusCode::kNotFound) {
    return EndpointPolicy();
  }
  TRY(document);
  TRY(const base::Json body, body_of(*document));
  return parse_policy(body);
}

absl::StatusOr<EndpointPolicy> with_pipeline_sections(const EndpointPolicy& before,
                                                      const base::Json& spec) {
  base::Json document = policy_json(before);
  for (const char* section : {"monitor", "retrain"}) {
    const base::Json given = spec.value(section, base::Json());
    if (given.is_object()) {
      document[section].update(given);
    }
  }
  const bool retrains = spec.value("retrain", base::Json()).is_object();
  for (const base::Json& step : spec.value("steps", base::Json::array())) {
    const std::string name = step.value("step", std::string());
    const base::Json settings = step.value("settings", base::Json::object());
    if (name == "gate") {
      document["gate"] = settings.value("rules", base::Json::array());
    } else if (name == "train" && retrains) {
      document["retrain"]["train"] = settings;
    } else if (name == "deploy" && retrains) {
      document["rollout"]["strategy"] = settings.value("strategy", std::string("canary"));
    }
  }
  return parse_policy(document);
}

}  // namespace cromford::app
