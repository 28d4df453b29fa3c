#pragma once

// What becomes of an endpoint's document when something is deployed to it, its traffic is split, a
// challenger is promoted, or the last change is taken back. Pure: from a body to the next one.
//
//   TRY(const base::Json after, plan_deployment(before, {.model = "late", .model_version = 3,
//   ...}));
//
// A body is {"name","state","task","columns","variants":[{model, model_version, weight, role}],
// "history":[{at, action, variants}]}; weights are shares of 100.
//
// Thread safety: pure functions.

#include <cstdint>
#include <string>

#include "app/context.h"
#include "base/json.h"
#include "base/status.h"

namespace cromford::app {

struct Deployment {
  std::string model;
  int64_t model_version = 0;
  std::string task;
  base::Json columns;
  std::string strategy = "direct";  // "direct", "canary", "shadow"
  int64_t percent = 10;             // Of a canary.
  std::string at;                   // The time of the change.
};

// Direct: the version becomes the only one. Canary: it takes `percent` of the traffic from the
// champion. Shadow: it scores all and answers nothing. The first version of an endpoint is its
// champion whatever the strategy. FAILED_PRECONDITION where the version serves another task.
absl::StatusOr<base::Json> plan_deployment(const base::Json& before, const Deployment& deployment);

// `request` is {"weights": {"3": 90, "4": 10}} by model version; they must name every version that
// answers and sum to 100.
absl::StatusOr<base::Json> plan_split(const base::Json& before, const base::Json& request,
                                      const std::string& at);

// The challenger (or shadow) becomes the champion with all the traffic. FAILED_PRECONDITION where
// there is none.
absl::StatusOr<base::Json> plan_promotion(const base::Json& before, const std::string& at);

// The variants of the change before the last one come back. FAILED_PRECONDITION where there is
// none.
absl::StatusOr<base::Json> plan_rollback(const base::Json& before, const std::string& at);

// NOT_FOUND with the nearest name.
absl::StatusOr<store::Document> find_endpoint(const Context& context, const std::string& project,
                                              const std::string& name);

}  // namespace cromford::app
