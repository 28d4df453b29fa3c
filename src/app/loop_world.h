#pragma once

// What the loop's state machine works on, made of the factory: jobs, the log and the endpoint's
// document (lifecycle/machine.h says what each member must keep to).
//
//   LoopWorld world(context, registry, set_traffic, looked, name, policy, stored);
//   TRY(lifecycle::Machine(rules_of(policy), world).run(state, watermark));
//
// Thread safety: used by one thread.

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "app/context.h"
#include "app/endpoint_policy.h"
#include "app/rounds.h"
#include "lifecycle/machine.h"
#include "serve/registry.h"

namespace cromford::app {

// Where the state of an endpoint's loop is kept.
store::DocumentKey loop_key(const std::string& project, const std::string& endpoint);

// A loop's state and the revision that it was read at; kMustNotExist where there is none yet.
struct StoredLoop {
  lifecycle::State state;
  int64_t revision = store::kMustNotExist;
};
absl::StatusOr<StoredLoop> read_loop(const Context& context, const std::string& project,
                                     const std::string& endpoint);
// Writes it where nobody was faster (ABORTED); what is new in its history goes into the audit log
// with it. `known`: how many entries the history had when it was read.
absl::StatusOr<int64_t> write_loop(const Context& context, const EndpointName& name,
                                   const lifecycle::State& state, int64_t revision, uint64_t known);

lifecycle::Rules rules_of(const EndpointPolicy& policy);

// What the endpoint's document says of its traffic. More than two versions: `candidate` names them
// all, so that it is nobody's but a person's.
lifecycle::Traffic traffic_of(const base::Json& endpoint);

using SetTraffic = std::function<absl::Status(const EndpointName&, const lifecycle::Traffic&)>;

// What was measured last, and at which state of the log; reading it again tells nothing new.
struct Looked {
  std::string at;
  lifecycle::Observation seen;
  int64_t window = -1;  // The last one whose quality was looked at.
};

class LoopWorld final : public lifecycle::World {
 public:
  // All but the policy must outlive it.
  LoopWorld(Context& context, const serve::Registry& registry, const SetTraffic& set_traffic,
            Looked& looked, EndpointName name, EndpointPolicy policy, const StoredLoop& stored)
      : context_(context),
        registry_(registry),
        set_traffic_(set_traffic),
        looked_(looked),
        name_(std::move(name)),
        policy_(std::move(policy)),
        revision_(stored.revision),
        known_(stored.state.noted) {}

  base::Time now() override { return context_.clock->now(); }
  std::string new_id() override { return context_.ids->next(); }
  absl::Status save(const lifecycle::State& state) override;
  absl::StatusOr<lifecycle::Traffic> traffic() override;
  absl::Status set_traffic(const lifecycle::Traffic& traffic, const std::string& reason) override;
  absl::Status start(const lifecycle::State& state) override;
  absl::StatusOr<lifecycle::Work> work(const std::string& job) override;
  void stop(const std::string& job) override;
  absl::StatusOr<std::optional<lifecycle::Trigger>> trigger(const lifecycle::State& state) override;
  absl::StatusOr<lifecycle::Observation> observe(const lifecycle::State& state) override;

 private:
  absl::StatusOr<flow::NewJob> job_of(const lifecycle::State& state) const;
  absl::StatusOr<base::Json> choosing(const lifecycle::State& state) const;
  absl::Status start_training(const lifecycle::State& state) const;
  // The columns of the log's dataset that are no inputs of the endpoint.
  absl::StatusOr<std::vector<std::string>> no_inputs(const std::string& dataset) const;
  // Rows up to here have their outcomes.
  base::Time mature_until(const lifecycle::State& state) const;
  absl::StatusOr<std::shared_ptr<const model::Package>> champion_package() const;
  absl::StatusOr<std::optional<lifecycle::Trigger>> worse_quality(const lifecycle::State& state);
  std::optional<lifecycle::Trigger> new_data(const lifecycle::State& state) const;
  void see_traffic(const lifecycle::State& state, lifecycle::Observation& seen) const;
  absl::Status see_rows(const lifecycle::State& state, lifecycle::Observation& seen) const;

  Context& context_;
  const serve::Registry& registry_;
  const SetTraffic& set_traffic_;
  Looked& looked_;
  EndpointName name_;
  EndpointPolicy policy_;
  int64_t revision_;
  uint64_t known_;
};

}  // namespace cromford::app
