#pragma once

// What becomes of an endpoint's document when something is deployed to it, its traffic is split, a
// challenger is promoted, or the last change is taken back. Pure: from a body to the next one.
//
//   TRY(const base::Json after, plan_deployment(before, {.model = "late", .model_version = 3,
//   ...}));
//
// A body is {"name","state","task","columns","variants":[{model, model_version, weight, role}],
// "history":[{at, action, before}]}; weights are shares of 100. A change that leaves the variants
// as they are leaves the whole body as it is: there would be nothing to take back. The columns are
// the champion's; who commits a plan fills them in.
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
  std::string strategy = "direct";  // "direct", "canary", "shadow"
  int64_t percent = 10;             // Of a canary.
  std::string at;                   // The time of the change.
};

// Direct: the version becomes the only one. Canary: it takes `percent` of the traffic from the
// champion. Shadow: it scores all and answers nothing. The first version of an endpoint is its
// champion whatever the strategy. FAILED_PRECONDITION where the version serves another task.
absl::StatusOr<base::Json> plan_deployment(const base::Json& before, const Deployment& deployment);

// `request` is {"weights": {"3": 90, "4": 10}} by model version, or by "MODEL@VERSION" where two
// models have versions of one number; they must name every version that answers and sum to 100.
absl::StatusOr<base::Json> plan_split(const base::Json& before, const base::Json& request,
                                      const std::string& at);

// The challenger (or shadow) becomes the champion with all the traffic. FAILED_PRECONDITION where
// there is none.
absl::StatusOr<base::Json> plan_promotion(const base::Json& before, const std::string& at);

// What the loop wants served: a champion alone, or with a candidate beside it that answers `share`
// percent (0: as a shadow). A promotion can be rolled back to the champion before, alone, whatever
// steps led to it. INVALID_ARGUMENT where a name is no "model@version".
struct LoopTraffic {
  std::string champion;
  std::string candidate;
  int64_t share = 0;
  std::string at;
};
absl::StatusOr<base::Json> plan_loop(const base::Json& before, const LoopTraffic& wanted);

// The variants of the change before the last one come back. FAILED_PRECONDITION where there is
// none.
absl::StatusOr<base::Json> plan_rollback(const base::Json& before, const std::string& at);

// Whether the endpoint serves a version of the model, or would after a rollback.
bool refers_to_model(const base::Json& endpoint, const std::string& model);

// NOT_FOUND with the nearest name.
absl::StatusOr<store::Document> find_endpoint(const Context& context, const std::string& project,
                                              const std::string& name);

}  // namespace cromford::app
