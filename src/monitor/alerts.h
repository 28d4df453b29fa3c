#pragma once

// Alerts: what is off with an endpoint, since when, how much, and what to do. A rule gives signs,
// one for each closed window; an alert fires at the first bad one and is resolved by two good
// windows in a row, so that what wavers around a limit does not ring twice. While it is open, the
// same rule fires no other for the same thing. Rules are quiet by themselves: a drift is only a bad
// sign once two windows in a row have confirmed it.
//
//   const AlertRules rules = ...;
//   AlertStep step = follow(open_alert, sign, now);
//   if (step.changed) { store(step.alert); }  if (step.told) { deliver(step.alert); }
//
// Thread safety: values and pure functions.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"

namespace cromford::monitor {

// What a rule says of one thing (a version, a column) at the end of one window.
struct AlertSign {
  std::string rule;     // "drift", "errors", "latency", ...
  std::string subject;  // What it is about within the endpoint: "late@3".
  bool bad = false;
  base::Time window_end{};  // Of the window that it was seen in.
  base::Time since{};       // For a bad one: since when, in event time.
  std::string what;         // One sentence.
  double value = 0;         // How much,
  double limit = 0;         // and where the limit is.
  std::string remedy;       // What to do.
};

enum class AlertState : uint8_t { kFiring, kAcknowledged, kResolved };
// "firing", "acknowledged", "resolved".
std::string_view state_name(AlertState state);

struct Alert {
  std::string id;
  std::string endpoint;
  AlertSign sign;  // The last bad one, with the `since` of the first.
  AlertState state = AlertState::kFiring;
  base::Time fired_at{};  // The time of day, as the next two.
  std::optional<base::Time> acknowledged_at = std::nullopt;
  std::optional<base::Time> resolved_at = std::nullopt;
  std::optional<base::Time> silenced_until = std::nullopt;
  int64_t good_windows = 0;      // In a row, the last ones.
  base::Time last_window_end{};  // That was looked at.

  bool is_open() const { return state != AlertState::kResolved; }
};

struct AlertStep {
  std::optional<Alert> alert = std::nullopt;  // As it is now; nothing where there is none.
  bool changed = false;                       // To be stored.
  bool told = false;  // Somebody should hear of it: it fires, or is resolved.
};

// What becomes of the open alert of a rule and subject (or of none) when a sign is seen. The same
// window changes nothing twice.
AlertStep follow(const std::optional<Alert>& open, const AlertSign& sign, base::Time now);

// From a person. FAILED_PRECONDITION for a resolved one.
absl::StatusOr<Alert> acknowledge(Alert alert, base::Time now);
absl::StatusOr<Alert> silence(Alert alert, base::Time until);

// When it rings: a bad rate must be beyond the limit for certain (Wilson's interval at 99.9 %), so
// that few requests ring nothing.
struct AlertRules {
  bool drift = true;
  bool quality = true;
  std::optional<double> error_rate = 0.05;  // Nothing: not watched; so below.
  std::optional<double> latency_p99_ms = std::nullopt;
};
// Reads {"drift", "quality", "error_rate", "latency_p99_ms"}, false or null for off; other keys are
// of others.
absl::StatusOr<AlertRules> parse_alert_rules(const base::Json& json);

// Bad above the limit with 99.9 % certainty, good at half of it or below, nothing in between.
std::optional<bool> rate_is_bad(uint64_t failed, uint64_t total, double limit);

base::Json to_json(const Alert& alert);
absl::StatusOr<Alert> alert_from(const base::Json& json);

}  // namespace cromford::monitor
