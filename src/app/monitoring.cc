#include "app/monitoring.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <tuple>
#include <utility>

#include "app/ordinary_windows.h"
#include "app/quality_report.h"
#include "app/resources.h"
#include "base/limits.h"
#include "base/log.h"
#include "serve/traffic.h"

namespace cromford::app {
namespace {

constexpr int kWindowsByDefault = 31;
constexpr int64_t kWindowsMax = 2000;
// Windows before the first that is asked for: since when something has moved is seen from them.
constexpr int kWindowsBefore = 14;
constexpr std::chrono::hours kLongest{24 * 31};

absl::StatusOr<std::optional<base::Time>> read_time(std::string_view name,
                                                    const std::string& text) {
  if (text.empty()) {
    return std::optional<base::Time>();
  }
  const absl::StatusOr<base::Time> time = base::parse_time(text);
  if (!time.ok()) {
    return base::invalid(fmt::format("'{}' is not a time, in '{}'", text, name),
                         "write a date or a time, like 2001-02-28 or 2001-02-28T10:00:00Z");
  }
  return std::optional<base::Time>(*time);
}

// The end of the window that holds the last moment before `time`.
base::Time whole_end(base::Time time, std::chrono::seconds length) {
  const base::Time start = monitor::window_start(time, length);
  return start == time ? time : start + length;
}

double share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

uint64_t sum_of(std::span<const uint64_t> counts) {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

serve::LatencyHistogram histogram_of(const monitor::StoredWindow& stored) {
  serve::LatencyHistogram histogram;
  std::copy_n(stored.latency.begin(), std::min(stored.latency.size(), histogram.counts.size()),
              histogram.counts.begin());
  histogram.sum_ns = stored.latency_sum_ns;
  return histogram;
}

base::Json latency_json(const monitor::StoredWindow& stored) {
  const serve::LatencyHistogram histogram = histogram_of(stored);
  if (histogram.count() == 0) {
    return {};
  }
  return {{"p50", histogram.quantile_ns(0.5) / 1000},
          {"p90", histogram.quantile_ns(0.9) / 1000},
          {"p99", histogram.quantile_ns(0.99) / 1000}};
}

std::vector<uint64_t> counts_of(model::BinRange range, const std::vector<uint64_t>& all) {
  const std::span<const uint64_t> counts = range.of(all);
  return {counts.begin(), counts.end()};
}

// The histogram of each series of the prediction, and the mean confidence.
base::Json prediction_json(const model::Package& package, const monitor::WindowCounts& window) {
  const model::BinLayout& layout = package.bin_layout();
  const std::vector<uint64_t> before = monitor::baseline_counts(package);
  base::Json series = base::Json::array();
  for (size_t i = 0; i < layout.series_count(); ++i) {
    const bool named = layout.series_count() > 1;
    series.push_back({{"name", named ? package.classes()[i] : package.target()},
                      {"counts", counts_of(layout.prediction(i), window.counts)},
                      {"counts_before", counts_of(layout.prediction(i), before)}});
  }
  base::Json out = {{"edges", package.baseline().prediction.edges}, {"series", std::move(series)}};
  const std::span<const uint64_t> confidence = layout.confidence().of(window.counts);
  if (const uint64_t rows = sum_of(confidence); rows > 0) {
    double sum = 0;
    for (size_t i = 0; i < confidence.size(); ++i) {
      sum += (static_cast<double>(i) + 0.5) * static_cast<double>(confidence[i]);
    }
    out["confidence"] = sum / static_cast<double>(confidence.size()) / static_cast<double>(rows);
  }
  return out;
}

// Means over the columns.
base::Json shares_json(const monitor::DriftReport& report) {
  double missing = 0;
  double unseen = 0;
  double below = 0;
  for (const monitor::DistributionDrift& column : report.columns) {
    missing += column.missing;
    unseen += column.unseen;
    below += column.below;
  }
  const double count = std::max<double>(1, static_cast<double>(report.columns.size()));
  return {{"missing", missing / count}, {"unseen", unseen / count}, {"below", below / count}};
}

base::Json drift_json(const monitor::JudgedWindow& judged) {
  base::Json out = monitor::to_json(judged.report);
  out["state"] = monitor::state_name(judged.state);
  out["confirmed"] = judged.confirmed;
  out["since"] = judged.since ? base::Json(base::format_time(*judged.since)) : base::Json();
  out["windows_in_a_row"] = judged.in_a_row;
  return out;
}

base::Json version_json(const WatchedVersion& version, const WatchedWindow& window) {
  const monitor::StoredWindow& stored = window.stored;
  base::Json out = {{"model", version.model},
                    {"model_version", version.version},
                    {"shadow", version.shadow},
                    {"rows", stored.window.rows},
                    {"requests", sum_of(stored.latency)},
                    {"errors", stored.errors},
                    {"error_rate", share(stored.errors, stored.errors + sum_of(stored.latency))},
                    {"latency_us", latency_json(stored)},
                    {"inputs", nullptr},
                    {"prediction", nullptr},
                    {"drift", nullptr}};
  if (window.drift) {
    out["drift"] = drift_json(*window.drift);
    out["prediction"] = prediction_json(*version.package, stored.window);
    if (!window.drift->report.columns.empty()) {
      out["inputs"] = shares_json(window.drift->report);
    }
  }
  return out;
}

base::Json view_json(const EndpointName& name, const MonitorView& view) {
  std::map<base::Time, base::Json> windows;
  for (const WatchedVersion& version : view.versions) {
    for (const WatchedWindow& each : version.windows) {
      const base::Time start = each.stored.window.start;
      base::Json& window = windows[start];
      if (window.is_null()) {
        const base::Time end = start + view.length;
        window = {{"start", base::format_time(start)},
                  {"end", base::format_time(end)},
                  {"closed", view.watermark && *view.watermark >= end},
                  {"rows", uint64_t{0}},
                  {"versions", base::Json::array()}};
      }
      if (!version.shadow) {
        window["rows"] = window["rows"].get<uint64_t>() + each.stored.window.rows;
      }
      window["versions"].push_back(version_json(version, each));
    }
  }
  base::Json list = base::Json::array();
  for (auto& [start, window] : windows) {
    list.push_back(std::move(window));
  }
  return {
      {"endpoint", name.endpoint},
      {"window", base::format_duration(view.length)},
      {"watermark", view.watermark ? base::Json(base::format_time(*view.watermark)) : base::Json()},
      {"from", base::format_time(view.from)},
      {"to", base::format_time(view.to)},
      {"windows", std::move(list)}};
}

// The hours by version and role, added up to windows. Old hours are days by now, and in no shorter
// window.
absl::StatusOr<std::vector<WatchedVersion>> group(std::vector<monitor::StoredWindow> stored,
                                                  std::chrono::seconds length) {
  using Key = std::tuple<std::string, int32_t, bool>;
  std::map<Key, std::map<base::Time, monitor::StoredWindow>> groups;
  for (monitor::StoredWindow& each : stored) {
    if (each.window.length > length) {
      continue;
    }
    const Key key{each.window.model, each.window.version, each.shadow};
    const base::Time start = monitor::window_start(each.window.start, length);
    auto [at, fresh] = groups[key].try_emplace(start, std::move(each));
    if (!fresh) {
      TRY(monitor::merge(each, at->second));
    }
    at->second.window.start = start;
    at->second.window.length = length;
  }
  std::vector<WatchedVersion> out;
  for (auto& [key, windows] : groups) {
    WatchedVersion version{
        .model = std::get<0>(key), .version = std::get<1>(key), .shadow = std::get<2>(key)};
    for (auto& [start, window] : windows) {
      version.windows.push_back({.stored = std::move(window)});
    }
    out.push_back(std::move(version));
  }
  return out;
}

}  // namespace

absl::StatusOr<std::chrono::seconds> parse_window_length(const std::string& text) {
  const absl::StatusOr<std::chrono::nanoseconds> length = base::parse_duration(text);
  if (!length.ok() || *length < std::chrono::hours(1) || *length > kLongest ||
      *length % std::chrono::hours(1) != std::chrono::nanoseconds(0)) {
    return base::invalid(fmt::format("'{}' is not the length of a window", text),
                         "write whole hours or days, up to 31d: 1h, 6h, 1d, 7d");
  }
  return std::chrono::duration_cast<std::chrono::seconds>(*length);
}

Monitoring::Monitoring(const Context& context, const serve::Registry& registry)
    : context_(context), registry_(registry), windows_(*context.metadata), packages_(context) {}

std::shared_ptr<const model::Package> Monitoring::package_of(const EndpointName& name,
                                                             const WatchedVersion& version) {
  if (const auto served = registry_.get(name.project, name.endpoint)) {
    for (const serve::Variant& variant : served->variants()) {
      if (variant.spec.model == version.model && variant.spec.version == version.version) {
        return variant.spec.package;
      }
    }
  }
  const auto found =
      find_version(context_, "model", name.project, version.model, std::to_string(version.version));
  if (!found.ok()) {
    return nullptr;  // Deleted; its counts are still shown.
  }
  auto package = packages_.load(*found);
  return package.ok() ? *std::move(package) : nullptr;
}

absl::Status Monitoring::judge(const EndpointName& name, std::optional<base::Time> watermark,
                               std::chrono::seconds length, WatchedVersion& version) {
  version.package = package_of(name, version);
  const size_t bins = version.package == nullptr ? 0 : version.package->bin_layout().bin_count();
  std::vector<monitor::WindowCounts> counts;
  for (const WatchedWindow& window : version.windows) {
    if (window.stored.window.counts.size() != bins) {
      version.package = nullptr;  // Of another model of this name.
    }
    counts.push_back(window.stored.window);
  }
  if (version.package == nullptr) {
    return absl::OkStatus();
  }
  monitor::DriftOptions options;
  if (const auto found = find_version(context_, "model", name.project, version.model,
                                      std::to_string(version.version));
      found.ok()) {
    TRY(const base::Json body, body_of(found->document));
    options.ordinary = ordinary_for(body.value("ordinary_drift", base::Json()), length);
  }
  TRY(std::vector<monitor::JudgedWindow> judged,
      monitor::judge_windows(*version.package, counts, watermark, options));
  for (size_t i = 0; i < judged.size(); ++i) {
    version.windows[i].drift = std::move(judged[i]);
  }
  return absl::OkStatus();
}

absl::StatusOr<MonitorView> Monitoring::look(const EndpointName& name, const Request& request) {
  const base::Time now = context_.clock->now();
  MonitorView view{.length = request.length};
  TRY(view.watermark, windows_.watermark(name.project, name.endpoint, now));
  const base::Time last = view.watermark ? *view.watermark + std::chrono::hours(1) : now;
  view.to = whole_end(request.to.value_or(last), view.length);
  view.from = monitor::window_start(
      request.from.value_or(view.to - kWindowsByDefault * view.length), view.length);
  if ((view.to - view.from) / view.length > kWindowsMax) {
    return base::invalid(
        fmt::format("more than {} windows lie between 'from' and 'to'", kWindowsMax),
        "ask for a shorter time, or for longer windows");
  }
  TRY(std::vector<monitor::StoredWindow> stored,
      windows_.list(name.project, name.endpoint,
                    {.from = view.from - kWindowsBefore * view.length, .to = view.to}));
  TRY(view.versions, group(std::move(stored), view.length));
  for (WatchedVersion& version : view.versions) {
    TRY(judge(name, view.watermark, view.length, version));
    std::erase_if(version.windows, [&](const WatchedWindow& window) {
      return window.stored.window.start < view.from;
    });
  }
  return view;
}

void Monitoring::remember(const EndpointName& name, const MonitorView& view) {
  std::vector<DriftFigure> figures;
  for (const WatchedVersion& version : view.versions) {
    const auto last = std::find_if(
        version.windows.rbegin(), version.windows.rend(), [](const WatchedWindow& window) {
          return window.drift && window.drift->closed && !window.drift->report.columns.empty();
        });
    if (version.shadow || last == version.windows.rend()) {
      continue;
    }
    const auto add = [&](const monitor::DistributionDrift& drift, const std::string& distribution) {
      if (drift.judged) {
        figures.push_back({.endpoint = name,
                           .model = version.model,
                           .version = version.version,
                           .distribution = distribution,
                           .effect = drift.drift.effect,
                           .tolerated = drift.ordinary,
                           .confirmed = std::ranges::find(last->drift->confirmed, distribution) !=
                                        last->drift->confirmed.end()});
      }
    };
    for (const monitor::DistributionDrift& series : last->drift->report.prediction) {
      add(series, "prediction " + series.name);
    }
    for (const monitor::DistributionDrift& column : last->drift->report.columns) {
      add(column, column.name);
    }
  }
  const std::scoped_lock lock(mutex_);
  figures_[name] = std::move(figures);
}

std::vector<DriftFigure> Monitoring::drift_figures() const {
  const std::scoped_lock lock(mutex_);
  std::vector<DriftFigure> all;
  for (const auto& [name, figures] : figures_) {
    if (registry_.find(name.project, name.endpoint)) {
      all.insert(all.end(), figures.begin(), figures.end());
    }
  }
  return all;
}

absl::StatusOr<base::Json> Monitoring::show(const EndpointName& name, const std::string& from,
                                            const std::string& to, const std::string& window) {
  Request request;
  TRY(request.from, read_time("from", from));
  TRY(request.to, read_time("to", to));
  if (!window.empty()) {
    TRY(request.length, parse_window_length(window));
  }
  TRY(const MonitorView view, look(name, request));
  base::Json shown = view_json(name, view);
  const auto served = registry_.get(name.project, name.endpoint);
  TRY(const base::Json quality,
      quality_sections(context_, name,
                       {.period = {.from = view.from, .to = view.to}, .length = view.length},
                       served.get()));
  shown.update(quality);
  return shown;
}

}  // namespace cromford::app
