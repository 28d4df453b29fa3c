#include "app/alerts_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "app/alert_sender.h"
#include "app/quality_store.h"
#include "app/resources.h"
#include "base/text.h"
#include "ingest/address_guard.h"

namespace cromford::app {
namespace {

constexpr std::chrono::hours kHour{1};
constexpr size_t kEmailsMax = 20;
constexpr double kQualityEvidence = 1e6;  // A million to one; monitor/loss_change.h.

store::DocumentKey clock_key(const EndpointName& name) {
  return {name.project, "alert_clock", name.endpoint};
}

std::string version_text(const std::string& model, int64_t version) {
  return fmt::format("{}@{}", model, version);
}

// The distribution that is farthest beyond what is ordinary.
const monitor::DistributionDrift* farthest(const monitor::DriftReport& report) {
  const monitor::DistributionDrift* most = nullptr;
  const auto look = [&](const std::vector<monitor::DistributionDrift>& family) {
    for (const monitor::DistributionDrift& each : family) {
      if (each.moved && (most == nullptr ||
                         each.drift.effect / each.ordinary > most->drift.effect / most->ordinary)) {
        most = &each;
      }
    }
  };
  look(report.prediction);
  look(report.columns);
  return most;
}

monitor::AlertSign drift_sign(const EndpointName& name, const WatchedVersion& version,
                              const monitor::JudgedWindow& judged) {
  const std::string who = version_text(version.model, version.version);
  monitor::AlertSign sign{.rule = "drift",
                          .subject = who,
                          .bad = judged.state == monitor::DriftState::kConfirmed,
                          .window_end = judged.window.end(),
                          .since = judged.since.value_or(judged.window.start)};
  if (const monitor::DistributionDrift* most = farthest(judged.report); most != nullptr) {
    sign.value = most->drift.effect;
    sign.limit = most->ordinary;
  }
  sign.what =
      fmt::format("what {} sees has moved away from its training: {}", who, judged.report.summary);
  sign.remedy = fmt::format(
      "look at: cromford monitor show {}; a column that changed its unit or went missing is mended "
      "at its source, a world that changed wants a model of newer rows",
      name.endpoint);
  return sign;
}

std::optional<monitor::AlertSign> error_sign(const EndpointName& name,
                                             const WatchedVersion& version,
                                             const monitor::StoredWindow& hour, double limit) {
  const uint64_t answered = std::accumulate(hour.latency.begin(), hour.latency.end(), uint64_t{0});
  const uint64_t total = answered + hour.errors;
  const std::optional<bool> bad = monitor::rate_is_bad(hour.errors, total, limit);
  if (!bad) {
    return std::nullopt;
  }
  const std::string who = version_text(version.model, version.version);
  const double rate = static_cast<double>(hour.errors) / static_cast<double>(total);
  return monitor::AlertSign{
      .rule = "errors",
      .subject = who,
      .bad = *bad,
      .window_end = hour.window.end(),
      .since = hour.window.start,
      .what =
          fmt::format("{:.1f}% of the requests to '{}' in an hour were refused or failed ({} of "
                      "{})",
                      100 * rate, name.endpoint, hour.errors, total),
      .value = rate,
      .limit = limit,
      .remedy =
          fmt::format("see what its callers are told: cromford endpoint show {}; go back with: "
                      "cromford endpoint rollback {}",
                      name.endpoint, name.endpoint)};
}

std::optional<monitor::AlertSign> latency_sign(const WatchedVersion& version,
                                               const monitor::StoredWindow& hour, double limit_ms) {
  const std::optional<double> p99 = p99_ms(hour);
  if (!p99) {
    return std::nullopt;
  }
  const std::string who = version_text(version.model, version.version);
  return monitor::AlertSign{
      .rule = "latency",
      .subject = who,
      .bad = *p99 > limit_ms,
      .window_end = hour.window.end(),
      .since = hour.window.start,
      .what = fmt::format("one in a hundred requests to {} took longer than {:.1f} ms", who, *p99),
      .value = *p99,
      .limit = limit_ms,
      .remedy = "see whether the machine is overloaded: /metrics; send smaller batches"};
}

bool serves(const serve::Endpoint* served, const std::string& subject) {
  return served != nullptr &&
         std::ranges::any_of(served->variants(), [&](const serve::Variant& variant) {
           return version_text(variant.spec.model, variant.spec.version) == subject;
         });
}

// One sign for each version that serves and whose loss is known well enough to speak of.
absl::StatusOr<std::vector<monitor::AlertSign>> quality_signs(const Context& context,
                                                              const RoundContext& round) {
  TRY(const QualityState state, read_quality_state(context, round.name));
  std::map<std::string, monitor::AlertSign> signs;  // By version, whatever its role was.
  for (const auto& [answerer, change] : state.changes) {
    const std::string who = version_text(answerer.model, answerer.version);
    if (answerer.variant == "shadow" || change.tolerated() == 0 ||
        !serves(round.served.get(), who)) {
      continue;
    }
    monitor::AlertSign& sign = signs[who];
    if (sign.bad) {
      continue;
    }
    const std::optional<base::Time> since = change.changed_at();
    sign = {
        .rule = "quality",
        .subject = who,
        .bad = change.alarm_at().has_value(),
        .window_end = *round.watermark,
        .since = since.value_or(*round.watermark),
        .what = fmt::format("the answers of {} have become worse than its test promised", who),
        .value = change.evidence(),
        .limit = kQualityEvidence,
        .remedy = fmt::format("see what was measured: cromford --json monitor show {}; train on "
                              "newer rows, or let the policy do so (retrain)",
                              round.name.endpoint)};
  }
  std::vector<monitor::AlertSign> out;
  for (auto& [who, sign] : signs) {
    out.push_back(std::move(sign));
  }
  return out;
}

}  // namespace

absl::StatusOr<AlertChannels> parse_alert_channels(const base::Json& alerts) {
  AlertChannels channels;
  TRY(monitor::parse_alert_rules(alerts));
  for (const auto& [key, value] : alerts.items()) {
    if (key == "webhook" && value.is_string()) {
      channels.webhook = value.get<std::string>();
      TRY(ingest::check_url(channels.webhook, ingest::AddressPolicy::kAny));
    } else if (key == "email" && value.is_array() && value.size() <= kEmailsMax) {
      for (const base::Json& each : value) {
        const std::string address = each.is_string() ? each.get<std::string>() : std::string();
        if (address.find('@') == std::string::npos ||
            address.find_first_of(" \t\r\n<>,;") != std::string::npos) {
          return base::invalid(fmt::format("'{}' is no e-mail address", address),
                               R"(write "email": ["name@example.org"])");
        }
        channels.emails.push_back(address);
      }
    } else if (key != "drift" && key != "quality" && key != "error_rate" &&
               key != "latency_p99_ms") {
      return base::invalid(fmt::format("there is no alert setting '{}' of this form", key),
                           "the settings are webhook (a URL), email (a list of addresses), drift, "
                           "quality, error_rate, latency_p99_ms");
    }
  }
  return channels;
}

AlertsStage::AlertsStage(Context& context, Monitoring& monitoring, std::function<void()> sent)
    : context_(context), monitoring_(monitoring), sent_(std::move(sent)) {}

absl::StatusOr<std::vector<monitor::AlertSign>> AlertsStage::signs(
    const RoundContext& round, const EndpointPolicy& policy, const monitor::AlertRules& rules,
    std::optional<base::Time> looked_at) {
  std::vector<monitor::AlertSign> out;
  const auto is_new = [&](base::Time end) {
    return end <= *round.watermark && (!looked_at || end > *looked_at);
  };
  const auto length = std::max<std::chrono::seconds>(
      kHour, std::chrono::floor<std::chrono::hours>(policy.monitor.window));
  if (rules.drift) {
    TRY(const MonitorView view,
        monitoring_.look(round.name, {.length = length, .from = looked_at}));
    monitoring_.remember(round.name, view);
    for (const WatchedVersion& version : view.versions) {
      for (const WatchedWindow& window : version.windows) {
        if (!version.shadow && window.drift && is_new(window.stored.window.end()) &&
            window.drift->state != monitor::DriftState::kUnknown) {
          out.push_back(drift_sign(round.name, version, *window.drift));
        }
      }
    }
  }
  TRY(const MonitorView hours, monitoring_.look(round.name, {.length = kHour, .from = looked_at}));
  for (const WatchedVersion& version : hours.versions) {
    for (const WatchedWindow& window : version.windows) {
      if (version.shadow || !is_new(window.stored.window.end())) {
        continue;
      }
      if (rules.error_rate) {
        if (auto sign = error_sign(round.name, version, window.stored, *rules.error_rate)) {
          out.push_back(*std::move(sign));
        }
      }
      if (rules.latency_p99_ms) {
        if (auto sign = latency_sign(version, window.stored, *rules.latency_p99_ms)) {
          out.push_back(*std::move(sign));
        }
      }
    }
  }
  std::ranges::stable_sort(out, {}, &monitor::AlertSign::window_end);
  return out;
}

void AlertsStage::note(const RoundContext& round, const monitor::AlertStep& step,
                       Changes& changes) const {
  if (!step.alert || !step.changed) {
    return;
  }
  if (step.told) {
    changes.told.push_back(*step.alert);
  }
  changes.writes.push_back(store::Write::put({round.name.project, "alert", step.alert->id},
                                             base::dump_json(monitor::to_json(*step.alert))));
}

absl::Status AlertsStage::follow_signs(const RoundContext& round,
                                       const std::vector<monitor::AlertSign>& signs,
                                       Changes& changes) {
  for (const monitor::AlertSign& sign : signs) {
    const auto known = std::ranges::find_if(changes.open, [&](const monitor::Alert& alert) {
      return alert.sign.rule == sign.rule && alert.sign.subject == sign.subject;
    });
    std::optional<monitor::Alert> before;
    if (known != changes.open.end()) {
      before = *known;
      changes.open.erase(known);
    }
    monitor::AlertStep step = monitor::follow(before, sign, round.at);
    if (step.alert && step.alert->id.empty()) {
      step.alert->id = context_.ids->next();
      step.alert->endpoint = round.name.endpoint;
    }
    note(round, step, changes);
    if (step.alert && step.alert->is_open()) {
      changes.open.push_back(*std::move(step.alert));
    }
  }
  return absl::OkStatus();
}

void AlertsStage::end_orphans(const RoundContext& round, Changes& changes) {
  for (monitor::Alert& alert : changes.open) {
    if (!serves(round.served.get(), alert.sign.subject) &&
        alert.sign.subject.find('@') != std::string::npos) {
      alert.state = monitor::AlertState::kResolved;
      alert.resolved_at = round.at;
      note(round, {.alert = alert, .changed = true, .told = true}, changes);
    }
  }
  std::erase_if(changes.open, [](const monitor::Alert& alert) { return !alert.is_open(); });
}

absl::Status AlertsStage::run(RoundContext& round) {
  if (!round.watermark) {
    return absl::OkStatus();
  }
  TRY(const EndpointPolicy policy, read_policy(context_, round.name.project, round.name.endpoint));
  TRY(const monitor::AlertRules rules, monitor::parse_alert_rules(policy.alerts));
  TRY(const AlertChannels channels, parse_alert_channels(policy.alerts));
  std::optional<base::Time> looked_at;
  const absl::StatusOr<store::Document> clock = context_.metadata->get(clock_key(round.name));
  if (clock.ok()) {
    TRY(const base::Json body, body_of(*clock));
    TRY(looked_at, base::parse_time(body.value("looked_at", std::string())));
  }
  Changes changes;
  TRY(changes.open, open_alerts(*context_.metadata, round.name));
  TRY(std::vector<monitor::AlertSign> found, signs(round, policy, rules, looked_at));
  if (rules.quality && (!looked_at || *looked_at < *round.watermark)) {
    TRY(const std::vector<monitor::AlertSign> quality, quality_signs(context_, round));
    found.insert(found.end(), quality.begin(), quality.end());
  }
  found.insert(found.end(), round.signs.begin(), round.signs.end());
  TRY(follow_signs(round, found, changes));
  end_orphans(round, changes);
  // The last word on each alert counts.
  std::ranges::reverse(changes.writes);
  std::vector<store::Write> writes;
  for (store::Write& write : changes.writes) {
    if (std::ranges::find(writes, write.key, &store::Write::key) == writes.end()) {
      writes.push_back(std::move(write));
    }
  }
  for (const monitor::Alert& alert : changes.told) {
    for (store::Write& write : deliveries(round.name, alert, channels, round.at)) {
      writes.push_back(std::move(write));
    }
  }
  round.found = {{"open", changes.open.size()}, {"told", changes.told.size()}};
  const base::Time seen = monitor::window_start(*round.watermark, kHour);
  if (writes.empty() && looked_at == seen) {
    return absl::OkStatus();
  }
  writes.push_back(store::Write::put(clock_key(round.name),
                                     base::dump_json({{"looked_at", base::format_time(seen)}})));
  TRY(context_.metadata->commit(writes));
  for (const monitor::Alert& alert : changes.told) {
    context_.events->publish(round.name.project, "alert/" + alert.id, "alert",
                             base::dump_json(monitor::to_json(alert)));
  }
  if (!changes.told.empty() && sent_) {
    sent_();
  }
  return absl::OkStatus();
}

}  // namespace cromford::app
