#include "lifecycle/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "base/status.h"

namespace cromford::lifecycle {
namespace {

constexpr size_t kHistoryMax = 500;
constexpr size_t kRunsMax = 1000;
// More steps than any run has; what goes on after them is a bug.
constexpr int kStepsMax = 100;

void note(State& state, base::Time at, std::string to, const std::string& reason) {
  state.history.push_back({.at = at,
                           .event_time = state.watermark,
                           .from = std::string(stage_name(state.stage)),
                           .to = std::move(to),
                           .reason = reason,
                           .model = state.candidate,
                           .evidence = state.evidence});
  ++state.noted;
  if (state.history.size() > kHistoryMax) {
    state.history.erase(state.history.begin());
  }
}

bool is_permanent(const absl::Status& status) {
  return status.code() == absl::StatusCode::kFailedPrecondition ||
         status.code() == absl::StatusCode::kInvalidArgument ||
         status.code() == absl::StatusCode::kNotFound;
}

// How long the stage has lasted by the endpoint's own clock.
std::chrono::nanoseconds lasted(const State& state) {
  return state.watermark.has_value() && state.since_event.has_value()
             ? *state.watermark - *state.since_event
             : std::chrono::nanoseconds(0);
}

absl::Status check_decision(const State& state, const std::string& evidence) {
  if (state.stage != Stage::kApproval || !state.approval.is_null()) {
    return base::refused(fmt::format("no candidate waits for approval; the loop is at '{}'",
                                     stage_name(state.stage)),
                         "look at the lifecycle again");
  }
  if (evidence != state.evidence) {
    return base::conflict(
        fmt::format("the evidence is {} by now, not {}", state.evidence, evidence),
        "look at the evidence as it is, then decide");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Machine::run(State& state, std::optional<base::Time> watermark) {
  if (watermark.has_value() && (!state.watermark || *watermark > *state.watermark)) {
    state.watermark = watermark;
  }
  if (state.watermark.has_value() && !state.begun_event.has_value()) {
    state.begun_event = state.watermark;
    TRY(world_.save(state));
  }
  for (int i = 0; i < kStepsMax; ++i) {
    TRY(const bool more, advance(state));
    if (!more) {
      return absl::OkStatus();
    }
  }
  return base::internal("the loop of an endpoint turns without end");
}

absl::StatusOr<bool> Machine::advance(State& state) {
  if (state.stage == Stage::kIdle) {
    return look_for_reason(state);
  }
  TRY(const Traffic now, world_.traffic());
  TRY(const bool taken, taken_over(state, now));
  if (taken) {
    return true;
  }
  if (is_work(state.stage)) {
    return go_on_with_work(state);
  }
  switch (state.stage) {
    case Stage::kApproval:
      return wait_for_person(state);
    case Stage::kPromoting:
      return hand_over(state);
    case Stage::kRollingBack:
      return give_back(state);
    default:
      return roll_out(state);
  }
}

// Why no run may begin by itself now, or "".
std::string Machine::resting(const State& state) const {
  if (!state.watermark.has_value()) {
    return "nothing was predicted yet";
  }
  if (!state.runs.empty() && *state.watermark < state.runs.back() + rules_.cooldown) {
    return fmt::format("the last run began less than {} ago",
                       base::format_duration(rules_.cooldown));
  }
  const auto recent = std::count_if(state.runs.begin(), state.runs.end(), [&](base::Time run) {
    return run > *state.watermark - rules_.runs_period;
  });
  if (recent >= rules_.runs_max) {
    return fmt::format("{} runs began within {}", recent,
                       base::format_duration(rules_.runs_period));
  }
  return {};
}

absl::StatusOr<bool> Machine::look_for_reason(State& state) {
  if (!state.asked.empty()) {
    return begin(state, {.name = "hand", .reason = state.asked});
  }
  if (!resting(state).empty()) {
    return false;
  }
  const base::Time last = state.runs.empty() ? *state.begun_event : state.runs.back();
  if (rules_.every.has_value() && *state.watermark >= last + *rules_.every) {
    return begin(state, {.name = "schedule",
                         .reason = fmt::format("every {}", base::format_duration(*rules_.every))});
  }
  TRY(const std::optional<Trigger> trigger, world_.trigger(state));
  if (!trigger.has_value()) {
    return false;
  }
  return begin(state, *trigger);
}

absl::StatusOr<bool> Machine::begin(State& state, const Trigger& trigger) {
  TRY(const Traffic now, world_.traffic());
  if (!now.candidate.empty()) {
    // Somebody drives a rollout by hand; a run of the loop would get in its way.
    return false;
  }
  state.run = world_.new_id();
  state.trigger = trigger.name;
  // Drift says that the rows are others, not that a new model would be better.
  state.needs_approval = rules_.approval_required || trigger.name == "drift";
  state.champion = now.champion;
  state.candidate.clear();
  state.dataset = nullptr;
  state.plan = nullptr;
  state.evidence.clear();
  state.approval = nullptr;
  state.step = 0;
  state.verdict.clear();
  state.asked.clear();
  if (state.watermark.has_value()) {
    state.runs.push_back(*state.watermark);
    if (state.runs.size() > kRunsMax) {
      state.runs.erase(state.runs.begin());
    }
  }
  return enter(state, Stage::kCollecting,
               fmt::format("asked for by {}: {}", trigger.name, trigger.reason));
}

// Saves the stage; what it wants done is done from the next step on.
absl::StatusOr<bool> Machine::enter(State& state, Stage stage, const std::string& reason) {
  note(state, world_.now(), std::string(stage_name(stage)), reason);
  state.stage = stage;
  state.job = is_work(stage) ? world_.new_id() : std::string();
  state.applied = false;
  state.since = world_.now();
  state.since_event = state.watermark;
  TRY(world_.save(state));
  return true;
}

absl::StatusOr<bool> Machine::finish(State& state, const std::string& outcome,
                                     const std::string& reason) {
  note(state, world_.now(), outcome, reason);
  state.stage = Stage::kIdle;
  state.job.clear();
  state.applied = false;
  state.since = world_.now();
  state.since_event = state.watermark;
  TRY(world_.save(state));
  return false;
}

Traffic Machine::wanted(const State& state) const {
  switch (state.stage) {
    case Stage::kShadow:
      return {.champion = state.champion, .candidate = state.candidate, .share = 0};
    case Stage::kCanary:
      return {.champion = state.champion,
              .candidate = state.candidate,
              .share = rules_.steps.at(std::min(state.step, rules_.steps.size() - 1))};
    case Stage::kPromoting:
      return {.champion = state.candidate};
    default:
      return {.champion = state.champion};
  }
}

absl::StatusOr<bool> Machine::taken_over(State& state, const Traffic& now) {
  std::string what;
  if (now.champion != state.champion &&
      !(state.stage == Stage::kPromoting && now.champion == state.candidate)) {
    what = fmt::format("{} became the champion by other hands", now.champion);
  } else if (state.applied && now != wanted(state)) {
    what = "the traffic was changed by hand";
  } else if (!now.candidate.empty() && now.candidate != state.candidate) {
    what = fmt::format("{} was deployed beside the champion by hand", now.candidate);
  }
  if (what.empty()) {
    return false;
  }
  if (!state.job.empty()) {
    world_.stop(state.job);
  }
  TRY(finish(state, "abandoned", what));
  return true;
}

absl::StatusOr<bool> Machine::go_on_with_work(State& state) {
  const absl::StatusOr<Work> work = world_.work(state.job);
  if (work.status().code() == absl::StatusCode::kNotFound) {
    const absl::Status started = world_.start(state);
    if (is_permanent(started)) {
      return finish(state, "failed", base::describe(started));
    }
    TRY(started);
    return false;
  }
  TRY(work);
  if (work->state == Work::State::kFailed) {
    return finish(state, "failed", fmt::format("{}: {}", stage_name(state.stage), work->reason));
  }
  if (work->state == Work::State::kDone) {
    return take_result(state, work->result);
  }
  const base::Time now = world_.now();
  if (now < state.since) {
    state.since = now;  // The clock was set back.
    TRY(world_.save(state));
  }
  if (now - state.since > rules_.work_limit) {
    world_.stop(state.job);
    return finish(state, "failed",
                  fmt::format("{} took longer than {}; missing evidence is never a pass",
                              stage_name(state.stage), base::format_duration(rules_.work_limit)));
  }
  return false;
}

absl::StatusOr<bool> Machine::take_result(State& state, const base::Json& result) {
  const std::string reason = result.value("reason", std::string());
  switch (state.stage) {
    case Stage::kCollecting:
      state.dataset = result;
      return enter(state, Stage::kChoosing, reason);
    case Stage::kChoosing:
      state.plan = result;
      return enter(state, Stage::kTraining, reason);
    case Stage::kTraining:
      state.candidate = result.value("model", std::string());
      if (state.candidate.empty()) {
        return finish(state, "failed", "training left no model");
      }
      return enter(state, Stage::kJudging, reason);
    default:
      break;
  }
  state.evidence = result.value("evidence", std::string());
  if (!result.value("passed", false) || state.evidence.empty()) {
    return finish(state, "rejected", reason.empty() ? "the gate left no evidence" : reason);
  }
  state.plan["quality"] = result.value("quality", base::Json());
  if (state.needs_approval) {
    return enter(state, Stage::kApproval, reason);
  }
  return enter_rollout(state, reason);
}

absl::StatusOr<bool> Machine::enter_rollout(State& state, const std::string& reason) {
  if (rules_.shadow.has_value() || rules_.strategy == "shadow") {
    return enter(state, Stage::kShadow, reason);
  }
  if (rules_.strategy == "canary" && !rules_.steps.empty()) {
    return enter(state, Stage::kCanary, reason);
  }
  return enter(state, Stage::kPromoting, reason);
}

absl::StatusOr<bool> Machine::wait_for_person(State& state) {
  if (!state.approval.is_object()) {
    return false;
  }
  const std::string note_text = state.approval.value("note", std::string());
  if (!state.approval.value("yes", false)) {
    return finish(state, "rejected",
                  fmt::format("a person said no{}{}", note_text.empty() ? "" : ": ", note_text));
  }
  return enter_rollout(
      state, fmt::format("a person approved{}{}", note_text.empty() ? "" : ": ", note_text));
}

absl::StatusOr<bool> Machine::roll_out(State& state) {
  if (!state.applied) {
    TRY(world_.set_traffic(wanted(state), fmt::format("the loop: {}", stage_name(state.stage))));
    state.applied = true;
    TRY(world_.save(state));
    return false;
  }
  TRY(const Observation seen, world_.observe(state));
  if (std::string broken = broken_guard(seen, rules_.guards); !broken.empty()) {
    state.verdict = broken;
    return enter(state, Stage::kRollingBack, broken);
  }
  const bool shadow = state.stage == Stage::kShadow;
  const auto length = shadow ? rules_.shadow.value_or(rules_.step) : rules_.step;
  if (lasted(state) < length || seen.candidate_rows < rules_.guards.rows_min) {
    return false;
  }
  const std::string proof = fmt::format("{} rows, no guard broke", seen.candidate_rows);
  if (shadow) {
    return enter(state, rules_.strategy == "canary" ? Stage::kCanary : Stage::kPromoting, proof);
  }
  if (state.step + 1 < rules_.steps.size()) {
    const int64_t before = rules_.steps[state.step];
    ++state.step;
    return enter(state, Stage::kCanary,
                 fmt::format("from {}% to {}%: {}", before, rules_.steps[state.step], proof));
  }
  return enter(state, Stage::kPromoting, proof);
}

absl::StatusOr<bool> Machine::hand_over(State& state) {
  TRY(world_.set_traffic(wanted(state), "the loop: promotion"));
  const std::string before = state.champion;
  state.champion = state.candidate;
  state.quality = state.plan.is_object() ? state.plan.value("quality", base::Json()) : base::Json();
  return finish(state, "promoted", fmt::format("it takes the place of {}", before));
}

absl::StatusOr<bool> Machine::give_back(State& state) {
  TRY(world_.set_traffic(wanted(state), "the loop: a guard broke"));
  return finish(state, "rolled_back", state.verdict);
}

absl::Status ask(State& state, const std::string& reason) {
  if (state.stage != Stage::kIdle || !state.asked.empty()) {
    return base::refused(
        fmt::format("a run is under way: the loop is at '{}'", stage_name(state.stage)),
        "wait until it has ended, or reject its candidate");
  }
  state.asked = reason.empty() ? "a person wants it" : reason;
  return absl::OkStatus();
}

absl::Status approve(State& state, const std::string& evidence, const std::string& note,
                     base::Time at) {
  TRY(check_decision(state, evidence));
  state.approval = {
      {"yes", true}, {"evidence", evidence}, {"note", note}, {"at", base::format_time(at)}};
  return absl::OkStatus();
}

absl::Status reject(State& state, const std::string& evidence, const std::string& note,
                    base::Time at) {
  TRY(check_decision(state, evidence));
  state.approval = {
      {"yes", false}, {"evidence", evidence}, {"note", note}, {"at", base::format_time(at)}};
  return absl::OkStatus();
}

}  // namespace cromford::lifecycle
