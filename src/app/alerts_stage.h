#pragma once

// The stage of a round that turns what others found into alerts (monitor/alerts.h): drift and
// errors from the windows of counts, and the signs that earlier stages left in the round. Alerts,
// the clock up to which windows were looked at, and what is to be sent are committed together, so
// that each window rings once.
//
// Thread safety: as a RoundStage.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/endpoint_policy.h"
#include "app/monitoring.h"
#include "app/rounds.h"
#include "monitor/alerts.h"

namespace cromford::app {

class AlertsStage final : public RoundStage {
 public:
  // All must outlive it. `sent` is called after something was laid out for sending.
  AlertsStage(Context& context, Monitoring& monitoring, std::function<void()> sent);

  std::string_view name() const override { return "alerts"; }
  absl::Status run(RoundContext& round) override;

 private:
  // What one round writes.
  struct Changes {
    std::vector<store::Write> writes;
    std::vector<monitor::Alert> told;
    std::vector<monitor::Alert> open;
  };

  // The signs of all windows that closed since the last round, in order of time.
  absl::StatusOr<std::vector<monitor::AlertSign>> signs(const RoundContext& round,
                                                        const EndpointPolicy& policy,
                                                        const monitor::AlertRules& rules,
                                                        std::optional<base::Time> looked_at);
  absl::Status follow_signs(const RoundContext& round, const std::vector<monitor::AlertSign>& signs,
                            Changes& changes);
  // Alerts of versions that serve no more are over.
  void end_orphans(const RoundContext& round, Changes& changes);
  void note(const RoundContext& round, const monitor::AlertStep& step, Changes& changes) const;

  Context& context_;
  Monitoring& monitoring_;
  std::function<void()> sent_;
};

// How alerts of an endpoint leave the factory: the policy's `alerts`.
struct AlertChannels {
  std::string webhook;              // Empty: none.
  std::vector<std::string> emails;  // Addresses.
};
// INVALID_ARGUMENT names what is wrong in `alerts` of a policy, rules included.
absl::StatusOr<AlertChannels> parse_alert_channels(const base::Json& alerts);

}  // namespace cromford::app
