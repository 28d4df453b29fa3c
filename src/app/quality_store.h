#pragma once

// Where the quality of an endpoint's answers is kept: counts by hour, version and variant of event
// time, counts of groups by day, how each version's loss goes, and how far the log was read for
// them: all of it changes in one commit, so that each prediction and outcome is counted once.
//
//   TRY(QualityState state, read_quality_state(context, name));
//   QualityTally tally;  ...  // what was counted on top
//   TRY(commit_quality(context, name, state, tally));
//   TRY(const auto hours, read_quality_hours(context, name, {.from = from, .to = to}));
//
// Thread safety: free functions; one round of an endpoint at a time.

#include <compare>
#include <map>
#include <string>
#include <vector>

#include "app/context.h"
#include "app/rounds.h"
#include "base/status.h"
#include "feedback/join_feed.h"
#include "monitor/group_counts.h"
#include "monitor/loss_change.h"
#include "monitor/quality_counts.h"
#include "monitor/window_store.h"

namespace cromford::app {

// Who answered.
struct Answerer {
  std::string model;
  int64_t version = 0;
  std::string variant;
  auto operator<=>(const Answerer&) const = default;
};
// And when what was asked for happened: a whole hour of quality, a whole day of groups.
struct CohortKey {
  Answerer answerer;
  base::Time start{};
  auto operator<=>(const CohortKey&) const = default;
};

struct QualityState {
  int64_t revision = store::kMustNotExist;
  feedback::JoinCursor cursor;
  std::map<Answerer, monitor::LossChange> changes;
};
struct QualityTally {
  std::map<CohortKey, monitor::QualityCounts> hours;
  std::map<CohortKey, monitor::GroupCounts> days;
};

absl::StatusOr<QualityState> read_quality_state(const Context& context, const EndpointName& name);
// Adds the tally to what is stored and replaces the state. ABORTED where another was faster.
absl::Status commit_quality(const Context& context, const EndpointName& name,
                            const QualityState& state, const QualityTally& tally);

// In order of answerer and time.
absl::StatusOr<std::map<CohortKey, monitor::QualityCounts>> read_quality_hours(
    const Context& context, const EndpointName& name, const monitor::Period& period);
absl::StatusOr<std::map<CohortKey, monitor::GroupCounts>> read_quality_days(
    const Context& context, const EndpointName& name, const monitor::Period& period);

}  // namespace cromford::app
