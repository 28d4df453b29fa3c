#pragma once

// The stage of a round that counts how good answers were: predictions and outcomes that became
// known since the last round (feedback/join_feed.h), by hour of event time and version.
//
//   rounds.add(std::make_unique<QualityStage>(context));
//
// Thread safety: as RoundStage.

#include <string_view>

#include "app/context.h"
#include "app/rounds.h"

namespace cromford::app {

class QualityStage final : public RoundStage {
 public:
  explicit QualityStage(Context& context) : context_(context) {}

  std::string_view name() const override { return "quality"; }
  absl::Status run(RoundContext& round) override;

 private:
  Context& context_;
};

}  // namespace cromford::app
