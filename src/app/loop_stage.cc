#include "app/loop_stage.h"

#include <nlohmann/json.hpp>

#include "app/endpoint_policy.h"

namespace cromford::app {

absl::Status LoopStage::run(RoundContext& round) {
  const EndpointName& name = round.name;
  TRY(StoredLoop stored, read_loop(context_, name.project, name.endpoint));
  TRY(EndpointPolicy policy, read_policy(context_, name.project, name.endpoint));
  lifecycle::State& state = stored.state;
  const bool at_rest = state.stage == lifecycle::Stage::kIdle && state.asked.empty();
  if (round.served == nullptr || (at_rest && !policy.retrain.is_on())) {
    round.found = {{"stage", lifecycle::stage_name(state.stage)}};
    return absl::OkStatus();
  }
  Looked* looked = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    looked = &looked_[name];  // Rounds of one endpoint never overlap.
  }
  const lifecycle::Rules rules = rules_of(policy);
  LoopWorld world(context_, registry_, set_traffic_, *looked, name, std::move(policy), stored);
  const absl::Status turned = lifecycle::Machine(rules, world).run(state, round.watermark);
  round.found = {{"stage", lifecycle::stage_name(state.stage)},
                 {"candidate", state.candidate},
                 {"seen", lifecycle::to_json(looked->seen)}};
  return turned;
}

}  // namespace cromford::app
