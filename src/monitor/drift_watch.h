#pragma once

// The windows of a version one after the other: since when has what moved? One window that moved is
// a suspicion; the same distribution in two in a row is a drift. So much chance is left out, and
// one odd day raises no alarm.
//
//   TRY(const std::vector<JudgedWindow> days, judge_windows(*package, windows, watermark,
//   options)); days.back().state == DriftState::kConfirmed; days.back().since;
//   days.back().report.summary;
//
// Thread safety: pure functions.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "monitor/drift_report.h"
#include "monitor/window_counts.h"

namespace cromford::monitor {

enum class DriftState : uint8_t { kUnknown, kSteady, kSuspected, kConfirmed };
// "unknown", "steady", "suspected", "confirmed".
std::string_view state_name(DriftState state);

struct JudgedWindow {
  WindowCounts window;
  DriftReport report;
  // Whether the clock of the endpoint has passed its end. An open one is shown and judged, but
  // confirms nothing.
  bool closed = false;
  DriftState state = DriftState::kUnknown;
  std::vector<std::string> confirmed;  // What moved here and in the judged window before.
  // Where it moved: the start of the first of the windows in a row that did.
  std::optional<base::Time> since = std::nullopt;
  size_t in_a_row = 0;
};

// `windows`: of one version, of one length, in order of time. Windows with too few rows are passed
// over: they neither confirm nor end anything.
absl::StatusOr<std::vector<JudgedWindow>> judge_windows(const model::Package& package,
                                                        std::span<const WindowCounts> windows,
                                                        std::optional<base::Time> watermark,
                                                        const DriftOptions& options = {});

// The effects that windows of `length` ordinarily show on each distribution: how far good windows,
// such as the days that a model was trained on, are from all of them together. Some: the weekday of
// a single day is never that of a month. Empty below five windows with enough rows.
absl::StatusOr<OrdinaryEffects> ordinary_effects(const model::Package& package,
                                                 std::span<const WindowCounts> good_windows,
                                                 const DriftOptions& options = {});

base::Json to_json(const OrdinaryEffects& effects);
OrdinaryEffects ordinary_effects_from(const base::Json& json);

}  // namespace cromford::monitor
