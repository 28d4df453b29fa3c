#pragma once

// What its owner wants of an endpoint beyond answering: how it is watched, when a successor is
// trained, what that one must prove, how it gets the traffic, and whether a person decides. One
// document for each endpoint; where none was written, the defaults hold.
//
//   TRY(const EndpointPolicy policy, read_policy(context, "default", "late"));
//   if (policy.monitor.outcome_delay) { ... }
//   TRY(const EndpointPolicy wanted, parse_policy(request));     // all faults, with pointers
//   policy_json(wanted)                                          // defaults filled in
//
// All durations count in event time (docs/loop.md).
//
// Thread safety: values and free functions.

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/context.h"
#include "base/json.h"
#include "base/status.h"

namespace cromford::app {

struct MonitorPolicy {
  std::chrono::nanoseconds window = std::chrono::hours(24);
  // After the end of a window, until its outcomes are taken to be there; absent: learnt from the
  // delays seen.
  std::optional<std::chrono::nanoseconds> outcome_delay = std::nullopt;
  std::vector<std::string> segments = {};   // Columns whose values are watched by themselves.
  std::vector<std::string> sensitive = {};  // Columns whose groups are compared for bias.
  // What windows are compared with: "training", or "" for the default, which is the same.
  std::string reference = {};
};

struct RetrainPolicy {
  bool on_quality = false;   // Measured on mature cohorts.
  bool on_drift = false;     // Prepares a candidate; a person promotes it.
  bool on_new_data = false;  // Enough outcomes that no version has learnt from.
  std::optional<std::chrono::nanoseconds> every = std::nullopt;
  // How far back the training rows reach; absent: tried out.
  std::optional<std::chrono::nanoseconds> window = std::nullopt;
  std::chrono::nanoseconds cooldown = std::chrono::hours(72);  // Between two candidates.
  int64_t rows_min = 500;  // Fewer mature rows since the last training start none.
  int64_t runs_max = 20;   // Within `runs_period`; the budget.
  std::chrono::nanoseconds runs_period = std::chrono::hours(24 * 30);
  base::Json train = nullptr;  // As the body of POST runs; null: as the champion was trained.

  bool is_on() const { return on_quality || on_drift || on_new_data || every.has_value(); }
};

struct RolloutPolicy {
  std::string strategy = "canary";  // "direct", "shadow", "canary"
  // The challenger's share at each step in percent, growing; after the last one it is promoted.
  std::vector<int64_t> steps = {5, 25, 50, 100};
  std::chrono::nanoseconds step = std::chrono::hours(24);         // Each lasts at least so long.
  std::optional<std::chrono::nanoseconds> shadow = std::nullopt;  // Before the first step.
  // The column that keeps a user with one version; "": the prediction's id.
  std::string key = {};
};

// What breaks off a shadow or a canary and gives the traffic back to the champion.
struct GuardPolicy {
  double error_rate_max = 0.01;
  double latency_p99_ratio_max = 2.0;   // Against the champion's.
  int64_t latency_p99_us_floor = 2000;  // Below that no ratio counts.
  double prediction_psi_max = 0.5;      // The two distributions of predictions.
  double confidence = 0.95;  // With which worse quality is told, however often one looks.
  int64_t rows_min = 100;    // Of the challenger, before a step may end.
};

struct EndpointPolicy {
  MonitorPolicy monitor = {};
  base::Json gate = base::Json::array();  // Rules as in app/gate.h.
  RetrainPolicy retrain = {};
  RolloutPolicy rollout = {};
  bool approval_required = false;
  GuardPolicy guards = {};
  base::Json alerts = base::Json::object();  // Read by the alerts' own code.
};

// Reads a policy as clients write it; absent parts get their defaults. INVALID_ARGUMENT names every
// fault with its pointer and, for a misspelt key, the nearest one.
absl::StatusOr<EndpointPolicy> parse_policy(const base::Json& document);
// The same back, with everything spelt out.
base::Json policy_json(const EndpointPolicy& policy);

// Where the policy of an endpoint is kept.
store::DocumentKey policy_key(const std::string& project, const std::string& endpoint);
// As it was written, or the defaults.
absl::StatusOr<EndpointPolicy> read_policy(const Context& context, const std::string& project,
                                           const std::string& endpoint);

// What the sections of a pipeline file say of the endpoint that it deploys to, put over `before`;
// what the file does not mention stays. `spec` is flow::to_json of the file.
absl::StatusOr<EndpointPolicy> with_pipeline_sections(const EndpointPolicy& before,
                                                      const base::Json& spec);

}  // namespace cromford::app
