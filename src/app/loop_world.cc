#include "app/loop_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/audit.h"
#include "app/endpoint_log.h"
#include "app/resources.h"
#include "app/retrain_kinds.h"
#include "app/train_kind.h"
#include "base/limits.h"
#include "base/log.h"
#include "govern/audit.h"
#include "serve/prediction_log.h"

namespace cromford::app {
namespace {

using lifecycle::Stage;

std::string variant_name(const base::Json& variant) {
  return version_name(variant.value("model", std::string()),
                      variant.value("model_version", int64_t{0}));
}

std::string model_of(const std::string& reference) {
  return reference.substr(0, reference.rfind('@'));
}

std::string sql_time(base::Time time) {
  std::string text = base::format_time(time);
  text.pop_back();
  return text;
}

govern::AuditEvent audit_of(const EndpointName& name, const lifecycle::Transition& entry) {
  return {.project = name.project,
          .action = "loop." + entry.to,
          .object = "endpoint/" + name.endpoint,
          .actor = std::string(govern::kLoop),
          .reason = entry.reason,
          .evidence = base::dump_json({{"evidence", entry.evidence}}),
          .details = base::dump_json({{"from", entry.from}, {"model", entry.model}})};
}

// How the champion was trained, as far as it holds for its successor: the settings of its run.
base::Json settings_of_champion(const Context& context, const std::string& project,
                                const std::string& champion) {
  const absl::StatusOr<Versioned> version = find_reference(context, "model", project, champion);
  const absl::StatusOr<base::Json> body =
      version.ok() ? body_of(version->document) : version.status();
  if (!body.ok()) {
    return base::Json::object();
  }
  base::Json settings = base::Json::object();
  const std::string run = body->value("lineage", base::Json::object()).value("run", std::string());
  const absl::StatusOr<store::Document> document = context.metadata->get({project, "run", run});
  if (document.ok()) {
    const absl::StatusOr<base::Json> of_run = body_of(*document);
    settings = of_run.ok() ? of_run->value("settings", settings) : settings;
  }
  settings["task"] = body->value("task", std::string());
  settings["positive_class"] = body->value("positive_class", std::string());
  return settings;
}

}  // namespace

store::DocumentKey loop_key(const std::string& project, const std::string& endpoint) {
  return {project, "endpoint_loop", endpoint};
}

absl::StatusOr<StoredLoop> read_loop(const Context& context, const std::string& project,
                                     const std::string& endpoint) {
  const absl::StatusOr<store::Document> document =
      context.metadata->get(loop_key(project, endpoint));
  if (document.status().code() == absl::StatusCode::kNotFound) {
    return StoredLoop();
  }
  TRY(document);
  TRY(const base::Json body, body_of(*document));
  TRY(lifecycle::State state, lifecycle::state_from(body));
  return StoredLoop{.state = std::move(state), .revision = document->revision};
}

absl::StatusOr<int64_t> write_loop(const Context& context, const EndpointName& name,
                                   const lifecycle::State& state, int64_t revision,
                                   uint64_t known) {
  std::vector<store::Write> writes = {store::Write::put(
      loop_key(name.project, name.endpoint), base::dump_json(lifecycle::to_json(state)), revision)};
  if (state.noted != known && !state.history.empty()) {
    TRY(writes,
        context.auditor->with_entry(std::move(writes), audit_of(name, state.history.back())));
  }
  return context.metadata->commit(writes);
}

lifecycle::Rules rules_of(const EndpointPolicy& policy) {
  return {.strategy = policy.rollout.strategy,
          .steps = policy.rollout.steps,
          .step = policy.rollout.step,
          .shadow = policy.rollout.shadow,
          .approval_required = policy.approval_required,
          .every = policy.retrain.every,
          .cooldown = policy.retrain.cooldown,
          .runs_max = policy.retrain.runs_max,
          .runs_period = policy.retrain.runs_period,
          .guards = {.error_rate_max = policy.guards.error_rate_max,
                     .latency_p99_ratio_max = policy.guards.latency_p99_ratio_max,
                     .latency_p99_us_floor = policy.guards.latency_p99_us_floor,
                     .prediction_psi_max = policy.guards.prediction_psi_max,
                     .rows_min = policy.guards.rows_min}};
}

lifecycle::Traffic traffic_of(const base::Json& endpoint) {
  lifecycle::Traffic traffic;
  for (const base::Json& variant : endpoint.value("variants", base::Json::array())) {
    if (variant.value("role", std::string()) == "champion") {
      traffic.champion = variant_name(variant);
      continue;
    }
    traffic.candidate += (traffic.candidate.empty() ? "" : ", ") + variant_name(variant);
    traffic.share += variant.value("weight", int64_t{0});
  }
  return traffic;
}

absl::Status LoopWorld::save(const lifecycle::State& state) {
  TRY(revision_, write_loop(context_, name_, state, revision_, known_));
  known_ = state.noted;
  context_.events->publish(name_.project, "endpoint/" + name_.endpoint, "lifecycle",
                           base::dump_json({{"stage", lifecycle::stage_name(state.stage)},
                                            {"candidate", state.candidate}}));
  return absl::OkStatus();
}

absl::StatusOr<lifecycle::Traffic> LoopWorld::traffic() {
  TRY(const store::Document document,
      context_.metadata->get({name_.project, "endpoint", name_.endpoint}));
  TRY(const base::Json body, body_of(document));
  return traffic_of(body);
}

absl::Status LoopWorld::set_traffic(const lifecycle::Traffic& traffic, const std::string& reason) {
  const ActingFor acting({.actor = std::string(govern::kLoop), .reason = reason});
  return set_traffic_(name_, traffic);
}

base::Time LoopWorld::mature_until(const lifecycle::State& state) const {
  const base::Time clock = state.watermark.value_or(base::Time{});
  if (policy_.monitor.outcome_delay.has_value()) {
    return clock -
           std::chrono::duration_cast<std::chrono::microseconds>(*policy_.monitor.outcome_delay);
  }
  const feedback::EndpointStatistics counts =
      context_.log->statistics(serve::log_key(name_.project, name_.endpoint));
  return clock - counts.event_lag.quantile(0.95).value_or(std::chrono::microseconds(0));
}

absl::StatusOr<std::vector<std::string>> LoopWorld::no_inputs(const std::string& dataset) const {
  TRY(const Versioned version, find_reference(context_, "dataset", name_.project, dataset));
  TRY(const base::Json rows, body_of(version.document));
  TRY(const store::Document document,
      context_.metadata->get({name_.project, "endpoint", name_.endpoint}));
  TRY(const base::Json endpoint, body_of(document));
  std::vector<std::string> inputs;
  for (const base::Json& column : endpoint.value("columns", base::Json::array())) {
    inputs.push_back(column.value("name", std::string()));
  }
  std::vector<std::string> others;
  for (const base::Json& column : rows.value("schema", base::Json::array())) {
    const std::string name = column.value("name", std::string());
    if (const auto found = std::find(inputs.begin(), inputs.end(), name); found != inputs.end()) {
      inputs.erase(found);
    } else if (name != kOutcomeColumn) {
      others.push_back(name);
    }
  }
  for (const base::Json& column : rows.value("schema", base::Json::array())) {
    const std::string name = column.value("name", std::string());
    if (name.starts_with("input_") &&
        std::find(inputs.begin(), inputs.end(), name.substr(6)) != inputs.end()) {
      return base::refused(
          fmt::format("the input '{}' is called '{}' in the log, so a model trained on the log "
                      "would ask for another column",
                      name.substr(6), name),
          "rename the column in the endpoint's dataset");
    }
  }
  return others;
}

absl::StatusOr<base::Json> LoopWorld::choosing(const lifecycle::State& state) const {
  const std::string dataset = version_name(state.dataset.value("dataset", std::string()),
                                           state.dataset.value("version", int64_t{0}));
  TRY(const std::vector<std::string> ignore, no_inputs(dataset));
  return base::Json{
      {"dataset", dataset},
      {"model", state.champion},
      {"window", policy_.retrain.window.has_value() ? base::format_duration(*policy_.retrain.window)
                                                    : std::string("auto")},
      {"rows_min", policy_.retrain.rows_min},
      {"mature", fmt::format("\"{}\" IS NOT NULL AND \"{}\" < TIMESTAMP '{}'", kOutcomeColumn,
                             kEventColumn, sql_time(mature_until(state)))},
      {"settings", {{"target", kOutcomeColumn}, {"ignore", ignore}}}};
}

absl::Status LoopWorld::start_training(const lifecycle::State& state) const {
  const std::string dataset = version_name(state.dataset.value("dataset", std::string()),
                                           state.dataset.value("version", int64_t{0}));
  TRY(std::vector<std::string> ignore, no_inputs(dataset));
  const base::Json before = settings_of_champion(context_, name_.project, state.champion);
  base::Json request = {{"dataset", dataset},
                        {"target", kOutcomeColumn},
                        {"model", model_of(state.champion)},
                        {"where", state.plan.value("where", std::string())},
                        {"task", before.value("task", std::string())},
                        {"positive_class", before.value("positive_class", std::string())},
                        // Tested on what came last, and told how single days differ.
                        {"time_column", kEventColumn},
                        {"ignore", ignore}};
  for (const base::Json& settings : {before, policy_.retrain.train}) {
    for (const char* key : {"metric", "seed", "learners", "budget"}) {
      if (settings.is_object() && settings.contains(key)) {
        request[key] = settings[key];
      }
    }
  }
  // As stored, an absent limit is an empty one.
  if (request.contains("budget")) {
    std::erase_if(request["budget"].get_ref<base::Json::object_t&>(), [](const auto& entry) {
      return entry.second == base::Json("") || entry.second == base::Json(0);
    });
  }
  TRY(TrainJob train, make_train_job(context_, name_.project, request, ""));
  return submit_train_job(context_, name_.project, train, state.job).status();
}

absl::StatusOr<flow::NewJob> LoopWorld::job_of(const lifecycle::State& state) const {
  if (state.stage == Stage::kCollecting) {
    flow::NewJob job = compaction_job(name_.project, name_.endpoint);
    job.id = state.job;
    return job;
  }
  if (state.stage == Stage::kChoosing) {
    TRY(const base::Json payload, choosing(state));
    return flow::NewJob{.project = name_.project,
                        .kind = "choose",
                        .title = fmt::format("{}: how far back to train", name_.endpoint),
                        .payload = base::dump_json(payload),
                        .id = state.job};
  }
  const std::string dataset = version_name(state.dataset.value("dataset", std::string()),
                                           state.dataset.value("version", int64_t{0}));
  const base::Json payload = {{"dataset", dataset},
                              {"where", state.plan.value("gate_where", std::string())},
                              {"champion", state.champion},
                              {"candidate", state.candidate},
                              {"rules", policy_.gate},
                              {"segments", policy_.monitor.segments},
                              {"sensitive", policy_.monitor.sensitive}};
  return flow::NewJob{
      .project = name_.project,
      .kind = "judge",
      .title = fmt::format("{}: {} against {}", name_.endpoint, state.candidate, state.champion),
      .payload = base::dump_json(payload),
      .id = state.job};
}

absl::Status LoopWorld::start(const lifecycle::State& state) {
  if (state.stage == Stage::kTraining) {
    return start_training(state);
  }
  TRY(flow::NewJob job, job_of(state));
  return context_.runner->submit(std::move(job)).status();
}

absl::StatusOr<lifecycle::Work> LoopWorld::work(const std::string& id) {
  TRY(const flow::Job job, context_.runner->get(name_.project, id));
  lifecycle::Work work;
  if (!flow::is_final(job.state)) {
    return work;
  }
  if (job.state != flow::JobState::kSucceeded) {
    work.state = lifecycle::Work::State::kFailed;
    work.reason = base::describe(job.error);
    return work;
  }
  work.state = lifecycle::Work::State::kDone;
  TRY(work.result, base::parse_json(job.result));
  if (job.kind == "train") {
    work.result["model"] = version_name(work.result.value("model", std::string()),
                                        work.result.value("model_version", int64_t{0}));
    work.result["reason"] = "trained " + work.result.value("model", std::string());
  }
  if (job.kind == "compact") {
    // What the next run by new data is measured against.
    work.result["joined"] =
        context_.log->statistics(serve::log_key(name_.project, name_.endpoint)).joined;
    work.result["reason"] =
        fmt::format("{}@{} holds the log", work.result.value("dataset", std::string()),
                    work.result.value("version", int64_t{0}));
  }
  return work;
}

void LoopWorld::stop(const std::string& job) {
  // It may have ended meanwhile, which is as good.
  (void)context_.runner->cancel(name_.project, job);
}

}  // namespace cromford::app
