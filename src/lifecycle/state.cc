#include "lifecycle/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/status.h"

namespace cromford::lifecycle {
namespace {

constexpr std::array<std::string_view, 10> kNames = {
    "idle",     "collecting", "choosing", "training",  "judging",
    "approval", "shadow",     "canary",   "promoting", "rolling_back"};

base::Json time_json(const std::optional<base::Time>& time) {
  return time.has_value() ? base::Json(base::format_time(*time)) : base::Json();
}

absl::StatusOr<std::optional<base::Time>> time_from(const base::Json& document, const char* key) {
  const base::Json value = document.value(key, base::Json());
  if (!value.is_string()) {
    return std::optional<base::Time>();
  }
  TRY(const base::Time time, base::parse_time(value.get<std::string>()));
  return std::optional<base::Time>(time);
}

base::Json transition_json(const Transition& entry) {
  return {{"at", base::format_time(entry.at)},
          {"event_time", time_json(entry.event_time)},
          {"from", entry.from},
          {"to", entry.to},
          {"reason", entry.reason},
          {"model", entry.model},
          {"evidence", entry.evidence}};
}

absl::StatusOr<Transition> transition_from(const base::Json& document) {
  TRY(const std::optional<base::Time> at, time_from(document, "at"));
  TRY(const std::optional<base::Time> event_time, time_from(document, "event_time"));
  return Transition{.at = at.value_or(base::Time{}),
                    .event_time = event_time,
                    .from = document.value("from", std::string()),
                    .to = document.value("to", std::string()),
                    .reason = document.value("reason", std::string()),
                    .model = document.value("model", std::string()),
                    .evidence = document.value("evidence", std::string())};
}

}  // namespace

std::string_view stage_name(Stage stage) {
  return kNames[static_cast<size_t>(stage)];
}

bool is_work(Stage stage) {
  return stage == Stage::kCollecting || stage == Stage::kChoosing || stage == Stage::kTraining ||
         stage == Stage::kJudging;
}

base::Json to_json(const State& state) {
  base::Json runs = base::Json::array();
  for (const base::Time run : state.runs) {
    runs.push_back(base::format_time(run));
  }
  base::Json history = base::Json::array();
  for (const Transition& entry : state.history) {
    history.push_back(transition_json(entry));
  }
  return {{"stage", stage_name(state.stage)},
          {"run", state.run},
          {"job", state.job},
          {"trigger", state.trigger},
          {"needs_approval", state.needs_approval},
          {"champion", state.champion},
          {"candidate", state.candidate},
          {"dataset", state.dataset},
          {"plan", state.plan},
          {"evidence", state.evidence},
          {"approval", state.approval},
          {"step", state.step},
          {"applied", state.applied},
          {"verdict", state.verdict},
          {"since", base::format_time(state.since)},
          {"since_event", time_json(state.since_event)},
          {"watermark", time_json(state.watermark)},
          {"begun_event", time_json(state.begun_event)},
          {"runs", std::move(runs)},
          {"asked", state.asked},
          {"quality", state.quality},
          {"history", std::move(history)},
          {"noted", state.noted}};
}

absl::StatusOr<State> state_from(const base::Json& document) {
  const std::string name = document.value("stage", std::string());
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) {
    return base::damaged(fmt::format("a loop has the unknown stage '{}'", name));
  }
  State state{.stage = static_cast<Stage>(found - kNames.begin()),
              .run = document.value("run", std::string()),
              .job = document.value("job", std::string()),
              .trigger = document.value("trigger", std::string()),
              .needs_approval = document.value("needs_approval", false),
              .champion = document.value("champion", std::string()),
              .candidate = document.value("candidate", std::string()),
              .dataset = document.value("dataset", base::Json()),
              .plan = document.value("plan", base::Json()),
              .evidence = document.value("evidence", std::string()),
              .approval = document.value("approval", base::Json()),
              .step = document.value("step", size_t{0}),
              .applied = document.value("applied", false),
              .verdict = document.value("verdict", std::string()),
              .asked = document.value("asked", std::string()),
              .quality = document.value("quality", base::Json()),
              .noted = document.value("noted", uint64_t{0})};
  TRY(const std::optional<base::Time> since, time_from(document, "since"));
  state.since = since.value_or(base::Time{});
  TRY(state.since_event, time_from(document, "since_event"));
  TRY(state.watermark, time_from(document, "watermark"));
  TRY(state.begun_event, time_from(document, "begun_event"));
  for (const base::Json& run : document.value("runs", base::Json::array())) {
    TRY(state.runs.emplace_back(), base::parse_time(run.get<std::string>()));
  }
  for (const base::Json& entry : document.value("history", base::Json::array())) {
    TRY(state.history.emplace_back(), transition_from(entry));
  }
  return state;
}

}  // namespace cromford::lifecycle
