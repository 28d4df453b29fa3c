// What the loop sees of an endpoint: triggers and guards (the other half of LoopWorld).

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "app/live_rows.h"
#include "app/loop_world.h"
#include "app/resources.h"
#include "metric/drift.h"
#include "serve/prediction_log.h"

namespace cromford::app {
namespace {

using lifecycle::Stage;

constexpr size_t kCohortRowsMin = 100;
// One false alarm in a thousand looks; looks are as many as windows.
constexpr double kTriggerConfidence = 0.998;
constexpr size_t kPsiBins = 10;
constexpr base::Time kEndOfTime = std::chrono::sys_days(std::chrono::year(9999) / 1 / 1);

metric::Task task_of(const model::Package& package) {
  switch (package.task()) {
    case model::Task::kBinary:
      return metric::Task::kBinary;
    case model::Task::kMulticlass:
      return metric::Task::kMulticlass;
    default:
      return metric::Task::kRegression;
  }
}

metric::Scored scored_of(const VersionRows& rows, const model::Package& package) {
  return {.task = task_of(package),
          .labels = rows.labels,
          .predictions = rows.predictions,
          .class_count = std::max<size_t>(2, package.classes().size()),
          .threshold = package.threshold()};
}

// How far the two distributions of scores lie apart, without what chance would make of it.
std::optional<double> psi_of(const std::vector<double>& champion,
                             const std::vector<double>& candidate, int64_t rows_min) {
  if (static_cast<int64_t>(std::min(champion.size(), candidate.size())) < rows_min) {
    return std::nullopt;
  }
  std::vector<double> sorted = champion;
  std::sort(sorted.begin(), sorted.end());
  std::array<uint64_t, kPsiBins> before{};
  std::array<uint64_t, kPsiBins> after{};
  const auto count = [&](const std::vector<double>& scores, std::array<uint64_t, kPsiBins>& bins) {
    for (const double score : scores) {
      size_t bin = 0;
      while (bin + 1 < kPsiBins && score >= sorted[(bin + 1) * sorted.size() / kPsiBins]) {
        ++bin;
      }
      ++bins[bin];
    }
  };
  count(champion, before);
  count(candidate, after);
  const absl::StatusOr<metric::Drift> drift =
      metric::drift({.reference = before, .current = after});
  return drift.ok() ? std::optional<double>(drift->effect) : std::nullopt;
}

lifecycle::Observation::Loss loss_json(const metric::Interval& interval, uint64_t candidate,
                                       uint64_t champion) {
  return {.candidate_outcomes = static_cast<int64_t>(candidate),
          .champion_outcomes = static_cast<int64_t>(champion),
          .difference = interval.value,
          .lower = interval.lower,
          .upper = interval.upper};
}

const serve::Variant* find_variant(const serve::Endpoint& endpoint, const std::string& name) {
  for (const serve::Variant& variant : endpoint.variants()) {
    if (version_name(variant.spec.model, variant.spec.version) == name) {
      return &variant;
    }
  }
  return nullptr;
}

// A rule of the gate that the cohort breaks with certainty, or "".
std::string broken_rule(const base::Json& rules, const metric::Scored& cohort) {
  for (const base::Json& rule : rules) {
    const std::string name = rule.value("metric", std::string());
    const absl::StatusOr<metric::Estimate> found =
        name.empty() ? base::not_found("no threshold", "")
                     : metric::estimate(name, cohort, kTriggerConfidence);
    if (!found.ok()) {
      continue;
    }
    const double wanted = rule.value("value", 0.0);
    const bool at_least = rule.value("comparison", std::string(">=")).starts_with(">");
    if (at_least ? found->upper < wanted : found->lower > wanted) {
      return fmt::format("{} is {:.4f} ({:.4f} to {:.4f}), the gate wants {} {:g}", name,
                         found->value, found->lower, found->upper, at_least ? ">=" : "<=", wanted);
    }
  }
  return {};
}

}  // namespace

absl::StatusOr<std::shared_ptr<const model::Package>> LoopWorld::champion_package() const {
  const std::shared_ptr<const serve::Endpoint> served =
      registry_.get(name_.project, name_.endpoint);
  if (served == nullptr) {
    return base::not_found(fmt::format("endpoint '{}' is not served", name_.endpoint), "deploy it");
  }
  return served->champion().spec.package;
}

std::optional<lifecycle::Trigger> LoopWorld::new_data(const lifecycle::State& state) const {
  const auto joined = static_cast<int64_t>(
      context_.log->statistics(serve::log_key(name_.project, name_.endpoint)).joined);
  const int64_t known = state.dataset.is_object() ? state.dataset.value("joined", int64_t{0}) : 0;
  const int64_t fresh = joined - known;
  if (fresh < std::max(policy_.retrain.rows_min, known / 10)) {
    return std::nullopt;
  }
  return lifecycle::Trigger{
      .name = "new_data",
      .reason = fmt::format("{} outcomes that no model has learnt from", fresh)};
}

absl::StatusOr<std::optional<lifecycle::Trigger>> LoopWorld::worse_quality(
    const lifecycle::State& state) {
  using Quiet = std::optional<lifecycle::Trigger>;
  const auto window = std::chrono::duration_cast<std::chrono::microseconds>(policy_.monitor.window);
  const int64_t number = mature_until(state).time_since_epoch() / window;
  if (number == looked_.window) {
    return Quiet();
  }
  TRY(const std::shared_ptr<const model::Package> package, champion_package());
  TRY(const lifecycle::Traffic now, traffic());
  TRY(const LiveRows rows, read_live_rows(context_,
                                          {.key = serve::log_key(name_.project, name_.endpoint),
                                           .from = base::Time((number - 1) * window),
                                           .to = base::Time(number * window)},
                                          *package));
  looked_.window = number;
  const auto found = rows.versions.find(now.champion);
  if (found == rows.versions.end() || found->second.losses.count() < kCohortRowsMin) {
    return Quiet();
  }
  const metric::Scored cohort = scored_of(found->second, *package);
  if (std::string broken = broken_rule(policy_.gate, cohort); !broken.empty()) {
    return Quiet({.name = "quality", .reason = std::move(broken)});
  }
  const std::string name = package->task() == model::Task::kRegression ? "rmse" : "log_loss";
  base::Json usual = state.quality;
  if (!usual.is_object()) {
    TRY(const Versioned model, find_reference(context_, "model", name_.project, now.champion));
    TRY(const base::Json body, body_of(model.document));
    usual = body.value("metrics", base::Json::object()).value(name, base::Json());
  }
  const absl::StatusOr<metric::Estimate> loss = metric::estimate(name, cohort, kTriggerConfidence);
  if (!usual.is_object() || !loss.ok() || loss->lower <= usual.value("upper", 1e300)) {
    return Quiet();
  }
  return Quiet({.name = "quality",
                .reason = fmt::format("{} is {:.4f} ({:.4f} to {:.4f}) over {} outcomes; when it "
                                      "was tested it was {:.4f}",
                                      name, loss->value, loss->lower, loss->upper,
                                      found->second.losses.count(), usual.value("value", 0.0))});
}

absl::StatusOr<std::optional<lifecycle::Trigger>> LoopWorld::trigger(
    const lifecycle::State& state) {
  if (policy_.retrain.on_quality) {
    TRY(std::optional<lifecycle::Trigger> worse, worse_quality(state));
    if (worse.has_value()) {
      return worse;
    }
  }
  return policy_.retrain.on_new_data ? new_data(state) : std::nullopt;
}

void LoopWorld::see_traffic(const lifecycle::State& state, lifecycle::Observation& seen) const {
  const std::shared_ptr<const serve::Endpoint> served =
      registry_.get(name_.project, name_.endpoint);
  if (served == nullptr) {
    return;
  }
  if (const serve::Variant* candidate = find_variant(*served, state.candidate)) {
    const serve::Traffic traffic = candidate->counters->read();
    seen.candidate_requests = static_cast<int64_t>(traffic.requests);
    seen.candidate_errors = static_cast<int64_t>(traffic.errors);
    seen.candidate_p99_us = static_cast<int64_t>(traffic.latency.quantile_ns(0.99) / 1000);
  }
  if (const serve::Variant* champion = find_variant(*served, state.champion)) {
    seen.champion_p99_us =
        static_cast<int64_t>(champion->counters->read().latency.quantile_ns(0.99) / 1000);
  }
}

absl::Status LoopWorld::see_rows(const lifecycle::State& state,
                                 lifecycle::Observation& seen) const {
  TRY(const std::shared_ptr<const model::Package> package, champion_package());
  const std::string key = serve::log_key(name_.project, name_.endpoint);
  const bool shadow = state.stage == Stage::kShadow;
  LiveQuery query{.key = key,
                  .from = state.since_event.value_or(base::Time{}),
                  .to = kEndOfTime,
                  .with_ids = shadow};
  TRY(LiveRows answered, read_live_rows(context_, query, *package));
  const VersionRows champion = answered.versions[state.champion];
  VersionRows candidate = answered.versions[state.candidate];
  if (shadow) {
    query.key = fmt::format("{}/shadow/{}", key, state.candidate);
    TRY(LiveRows scored, read_live_rows(context_, query, *package));
    candidate = scored.versions[state.candidate];
    int64_t pairs = 0;
    int64_t differ = 0;
    for (const auto& [id, row] : scored.by_id) {
      if (const auto other = answered.by_id.find(id); other != answered.by_id.end()) {
        ++pairs;
        differ += other->second.value != row.value ? 1 : 0;
      }
    }
    if (pairs > 0 && package->task() != model::Task::kRegression) {
      seen.disagreement = static_cast<double>(differ) / static_cast<double>(pairs);
    }
  }
  seen.candidate_rows = candidate.row_count;
  seen.champion_rows = champion.row_count;
  seen.prediction_psi = psi_of(champion.scores, candidate.scores, policy_.guards.rows_min);
  if (std::min(champion.losses.count(), candidate.losses.count()) >= metric::kSequenceRowsMin) {
    // Each step looks at rows of its own and may err, so each has its part of what may go wrong.
    const double parts = static_cast<double>(policy_.rollout.steps.size() + 1);
    const double confidence = 1 - (1 - policy_.guards.confidence) / parts;
    seen.loss =
        loss_json(metric::difference_at_any_time(candidate.losses, champion.losses, confidence),
                  candidate.losses.count(), champion.losses.count());
  }
  return absl::OkStatus();
}

absl::StatusOr<lifecycle::Observation> LoopWorld::observe(const lifecycle::State& state) {
  const feedback::EndpointStatistics counts =
      context_.log->statistics(serve::log_key(name_.project, name_.endpoint));
  const std::string at =
      fmt::format("{}/{}/{}/{}/{}", state.run, lifecycle::stage_name(state.stage), state.step,
                  counts.predictions, counts.joined + counts.corrections);
  lifecycle::Observation seen = looked_.seen;
  if (looked_.at != at) {
    seen = {};
    TRY(see_rows(state, seen));
    looked_.at = at;
  }
  see_traffic(state, seen);
  looked_.seen = seen;
  return seen;
}

}  // namespace cromford::app
