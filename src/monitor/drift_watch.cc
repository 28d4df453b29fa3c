#include "monitor/drift_watch.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "base/status.h"

namespace cromford::monitor {
namespace {

constexpr size_t kGoodWindowsMin = 5;
// The farthest of a month of good days is not yet the farthest of all good days.
constexpr double kBeyondTheFarthest = 1.5;

std::vector<std::string> names_of_moved(const DriftReport& report) {
  std::vector<std::string> names;
  for (const DistributionDrift& each : report.prediction) {
    if (each.moved) {
      names.push_back("prediction " + each.name);
    }
  }
  for (const DistributionDrift& each : report.columns) {
    if (each.moved) {
      names.push_back(each.name);
    }
  }
  std::ranges::sort(names);
  return names;
}

// What the judged windows before left behind.
struct Run {
  std::vector<std::string> moved;
  std::optional<base::Time> since;
  size_t length = 0;
};

void follow(Run& run, JudgedWindow& judged) {
  if (judged.report.verdict == DriftVerdict::kSteady) {
    judged.state = DriftState::kSteady;
    run = {};
    return;
  }
  std::vector<std::string> moved = names_of_moved(judged.report);
  std::ranges::set_intersection(moved, run.moved, std::back_inserter(judged.confirmed));
  if (judged.confirmed.empty()) {
    run.since = judged.window.start;
    run.length = 0;
  }
  ++run.length;
  run.moved = std::move(moved);
  judged.since = run.since;
  judged.in_a_row = run.length;
  judged.state = judged.confirmed.empty() ? DriftState::kSuspected : DriftState::kConfirmed;
}

void widen(const std::vector<DistributionDrift>& found, std::map<std::string, double>& ordinary) {
  for (const DistributionDrift& each : found) {
    if (each.judged) {
      double& effect = ordinary[each.name];
      effect = std::max(effect, kBeyondTheFarthest * each.drift.effect);
    }
  }
}

std::map<std::string, double> numbers_of(const base::Json& json, const char* key) {
  std::map<std::string, double> out;
  const auto found = json.find(key);
  if (found != json.end() && found->is_object()) {
    for (const auto& [name, effect] : found->items()) {
      if (effect.is_number()) {
        out[name] = effect.get<double>();
      }
    }
  }
  return out;
}

}  // namespace

std::string_view state_name(DriftState state) {
  switch (state) {
    case DriftState::kUnknown:
      return "unknown";
    case DriftState::kSteady:
      return "steady";
    case DriftState::kSuspected:
      return "suspected";
    case DriftState::kConfirmed:
      return "confirmed";
  }
  return "";
}

absl::StatusOr<std::vector<JudgedWindow>> judge_windows(const model::Package& package,
                                                        std::span<const WindowCounts> windows,
                                                        std::optional<base::Time> watermark,
                                                        const DriftOptions& options) {
  std::vector<JudgedWindow> out;
  out.reserve(windows.size());
  Run run;
  for (const WindowCounts& window : windows) {
    JudgedWindow judged{.window = window, .closed = watermark && *watermark >= window.end()};
    TRY(judged.report, drift_report(package, {}, window, options));
    const bool says_something = judged.report.verdict == DriftVerdict::kSteady ||
                                judged.report.verdict == DriftVerdict::kMoved;
    if (says_something && judged.closed) {
      follow(run, judged);
    } else if (says_something) {
      Run open = run;
      follow(open, judged);
      judged.state = std::min(judged.state, DriftState::kSuspected);
    }
    out.push_back(std::move(judged));
  }
  return out;
}

absl::StatusOr<OrdinaryEffects> ordinary_effects(const model::Package& package,
                                                 std::span<const WindowCounts> good_windows,
                                                 const DriftOptions& options) {
  OrdinaryEffects effects;
  size_t judged = 0;
  for (const WindowCounts& window : good_windows) {
    TRY(const DriftReport report, drift_report(package, {}, window, options));
    judged += report.columns.empty() && report.prediction.empty() ? 0 : 1;
    widen(report.prediction, effects.prediction);
    widen(report.columns, effects.columns);
  }
  return judged < kGoodWindowsMin ? OrdinaryEffects() : effects;
}

base::Json to_json(const OrdinaryEffects& effects) {
  return {{"prediction", effects.prediction}, {"columns", effects.columns}};
}

OrdinaryEffects ordinary_effects_from(const base::Json& json) {
  if (!json.is_object()) {
    return {};
  }
  return {.prediction = numbers_of(json, "prediction"), .columns = numbers_of(json, "columns")};
}

}  // namespace cromford::monitor
