#pragma once

// The stage of the round that turns the loop of each endpoint (lifecycle/machine.h).
//
//   rounds.add(std::make_unique<LoopStage>(context, registry, set_traffic));
//
// Thread safety: as RoundStage.

#include <map>
#include <mutex>
#include <string_view>

#include "app/loop_world.h"
#include "app/rounds.h"

namespace cromford::app {

class LoopStage final : public RoundStage {
 public:
  // Both must outlive it. `set_traffic` changes the endpoint's document and what is served.
  LoopStage(Context& context, const serve::Registry& registry, SetTraffic set_traffic)
      : context_(context), registry_(registry), set_traffic_(std::move(set_traffic)) {}

  std::string_view name() const override { return "lifecycle"; }
  absl::Status run(RoundContext& round) override;

 private:
  Context& context_;
  const serve::Registry& registry_;
  SetTraffic set_traffic_;
  std::mutex mutex_;
  std::map<EndpointName, Looked> looked_;
};

}  // namespace cromford::app
