#include "monitor/alerts.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/status.h"

namespace cromford::monitor {
namespace {

constexpr int64_t kGoodWindows = 2;
constexpr double kZ = 3.0902;  // 99.9 % on one side.
constexpr uint64_t kFailedMin = 5;

base::Json time_json(const std::optional<base::Time>& time) {
  return time ? base::Json(base::format_time(*time)) : base::Json();
}

absl::StatusOr<std::optional<base::Time>> time_from(const base::Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_string()) {
    return std::optional<base::Time>();
  }
  TRY(const base::Time time, base::parse_time(found->get<std::string>()));
  return std::optional<base::Time>(time);
}

// Off with false or null.
absl::StatusOr<std::optional<double>> limit_of(const base::Json& json, const char* key,
                                               std::optional<double> absent) {
  const auto found = json.find(key);
  if (found == json.end()) {
    return absent;
  }
  if (found->is_null() || *found == false) {
    return std::optional<double>();
  }
  if (!found->is_number() || !(found->get<double>() > 0)) {
    return base::invalid(fmt::format("the alert rule '{}' is no number above 0", key),
                         "write a limit, or false to turn the rule off");
  }
  return std::optional<double>(found->get<double>());
}

}  // namespace

std::string_view state_name(AlertState state) {
  switch (state) {
    case AlertState::kFiring:
      return "firing";
    case AlertState::kAcknowledged:
      return "acknowledged";
    case AlertState::kResolved:
      break;
  }
  return "resolved";
}

AlertStep follow(const std::optional<Alert>& open, const AlertSign& sign, base::Time now) {
  if (!open) {
    if (!sign.bad) {
      return {};
    }
    return {.alert = Alert{.sign = sign, .fired_at = now, .last_window_end = sign.window_end},
            .changed = true,
            .told = true};
  }
  AlertStep step{.alert = open};
  if (sign.window_end <= open->last_window_end) {
    return step;
  }
  Alert& alert = *step.alert;
  step.changed = true;
  alert.last_window_end = sign.window_end;
  if (sign.bad) {
    const base::Time since = alert.sign.since;
    alert.sign = sign;
    alert.sign.since = since;
    alert.good_windows = 0;
    return step;
  }
  if (++alert.good_windows >= kGoodWindows) {
    alert.state = AlertState::kResolved;
    alert.resolved_at = now;
    step.told = true;
  }
  return step;
}

absl::StatusOr<Alert> acknowledge(Alert alert, base::Time now) {
  if (!alert.is_open()) {
    return base::refused(fmt::format("the alert {} is resolved already", alert.id));
  }
  if (alert.state == AlertState::kFiring) {
    alert.state = AlertState::kAcknowledged;
    alert.acknowledged_at = now;
  }
  return alert;
}

absl::StatusOr<Alert> silence(Alert alert, base::Time until) {
  if (!alert.is_open()) {
    return base::refused(fmt::format("the alert {} is resolved already", alert.id));
  }
  alert.silenced_until = until;
  return alert;
}

absl::StatusOr<AlertRules> parse_alert_rules(const base::Json& json) {
  AlertRules rules;
  if (!json.is_object()) {
    return rules;
  }
  for (const auto& [key, rule] :
       {std::pair("drift", &rules.drift), std::pair("quality", &rules.quality)}) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) {
      continue;
    }
    if (!found->is_boolean()) {
      return base::invalid(fmt::format("the alert rule '{}' is neither true nor false", key));
    }
    *rule = found->get<bool>();
  }
  TRY(rules.error_rate, limit_of(json, "error_rate", rules.error_rate));
  TRY(rules.latency_p99_ms, limit_of(json, "latency_p99_ms", rules.latency_p99_ms));
  return rules;
}

std::optional<bool> rate_is_bad(uint64_t failed, uint64_t total, double limit) {
  if (total == 0) {
    return std::nullopt;
  }
  // E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
  const auto n = static_cast<double>(total);
  const double rate = static_cast<double>(failed) / n;
  const double centre = rate + kZ * kZ / (2 * n);
  const double half = kZ * std::sqrt(rate * (1 - rate) / n + kZ * kZ / (4 * n * n));
  const double scale = 1 + kZ * kZ / n;
  if (failed >= kFailedMin && (centre - half) / scale > limit) {
    return true;
  }
  return rate <= limit / 2 ? std::optional<bool>(false) : std::nullopt;
}

base::Json to_json(const Alert& alert) {
  return {{"id", alert.id},
          {"endpoint", alert.endpoint},
          {"rule", alert.sign.rule},
          {"subject", alert.sign.subject},
          {"state", state_name(alert.state)},
          {"open", alert.is_open()},
          {"what", alert.sign.what},
          {"since", base::format_time(alert.sign.since)},
          {"value", alert.sign.value},
          {"limit", alert.sign.limit},
          {"remedy", alert.sign.remedy},
          {"window_end", base::format_time(alert.sign.window_end)},
          {"fired_at", base::format_time(alert.fired_at)},
          {"acknowledged_at", time_json(alert.acknowledged_at)},
          {"resolved_at", time_json(alert.resolved_at)},
          {"silenced_until", time_json(alert.silenced_until)},
          {"good_windows", alert.good_windows},
          {"last_window_end", base::format_time(alert.last_window_end)}};
}

absl::StatusOr<Alert> alert_from(const base::Json& json) {
  Alert alert{.id = json.value("id", std::string()),
              .endpoint = json.value("endpoint", std::string()),
              .sign = {.rule = json.value("rule", std::string()),
                       .subject = json.value("subject", std::string()),
                       .bad = true,
                       .what = json.value("what", std::string()),
                       .value = json.value("value", 0.0),
                       .limit = json.value("limit", 0.0),
                       .remedy = json.value("remedy", std::string())},
              .good_windows = json.value("good_windows", int64_t{0})};
  const std::string state = json.value("state", std::string());
  for (const AlertState each :
       {AlertState::kFiring, AlertState::kAcknowledged, AlertState::kResolved}) {
    alert.state = state == state_name(each) ? each : alert.state;
  }
  TRY(const auto since, time_from(json, "since"));
  TRY(const auto window_end, time_from(json, "window_end"));
  TRY(const auto fired_at, time_from(json, "fired_at"));
  TRY(const auto last_window_end, time_from(json, "last_window_end"));
  TRY(alert.acknowledged_at, time_from(json, "acknowledged_at"));
  TRY(alert.resolved_at, time_from(json, "resolved_at"));
  TRY(alert.silenced_until, time_from(json, "silenced_until"));
  if (!since || !window_end || !fired_at || !last_window_end) {
    return base::damaged(fmt::format("the alert {} is damaged", alert.id));
  }
  alert.sign.since = *since;
  alert.sign.window_end = *window_end;
  alert.fired_at = *fired_at;
  alert.last_window_end = *last_window_end;
  return alert;
}

}  // namespace cromford::monitor
