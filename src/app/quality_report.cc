#include "app/quality_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/endpoint_policy.h"
#include "serve/prediction_log.h"

namespace cromford::app {
namespace {

// Above this share of rows that training never saw the like of, an estimate is worth nothing.
constexpr double kUnseenMax = 0.05;
// Of probabilities that are off by more than that, an estimate is off as well.
constexpr double kCalibrationErrorMax = 0.05;
// Of a window's rows, before its measured quality may judge the estimate.
constexpr double kCoverageMin = 0.5;
constexpr double kKnownMin = 200;
constexpr double kDelayQuantile = 0.95;

base::Json estimate_json(const std::optional<metric::Estimate>& estimate) {
  return estimate ? base::Json{{"value", estimate->value},
                               {"lower", estimate->lower},
                               {"upper", estimate->upper}}
                  : base::Json();
}

base::Json answerer_json(const Answerer& answerer) {
  return {{"model", answerer.model},
          {"model_version", answerer.version},
          {"variant", answerer.variant}};
}

base::Json window_json(const QualityWindow& window) {
  base::Json json = answerer_json(window.answerer);
  json["start"] = base::format_time(window.start);
  json["end"] = base::format_time(window.end);
  json["rows"] = window.counts.answered;
  return json;
}

base::Json seconds_or_null(std::optional<std::chrono::microseconds> duration) {
  return duration ? base::Json(std::chrono::duration<double>(*duration).count()) : base::Json();
}

base::Json lag_json(const feedback::LagHistogram& lag) {
  return {{"p50_s", seconds_or_null(lag.quantile(0.5))},
          {"p95_s", seconds_or_null(lag.quantile(0.95))},
          {"p99_s", seconds_or_null(lag.quantile(0.99))}};
}

base::Json measured_json(const QualityWindow& window) {
  base::Json json = window_json(window);
  const monitor::QualityCounts& counts = window.counts;
  json["known"] = counts.known;
  json["coverage"] = counts.answered > 0 ? counts.known / counts.answered : 0.0;
  json["state"] = window.mature ? "mature" : "provisional";
  json["metrics"] = base::Json::object();
  for (const monitor::Measure& measure : monitor::measures(counts)) {
    json["metrics"][measure.name] = estimate_json(measure.measured);
  }
  if (counts.task == metric::Task::kRegression) {
    for (const auto& [name, q] : {std::pair{"p50", 0.5}, std::pair{"p90", 0.9}}) {
      const auto error = monitor::error_quantile(counts, q);
      json["errors"][name] = error ? base::Json(*error) : base::Json();
    }
  } else {
    json["confusion"] = counts.confusion;
  }
  return json;
}

base::Json changes_json(const QualityState& state) {
  base::Json all = base::Json::array();
  for (const auto& [answerer, change] : state.changes) {
    base::Json json = answerer_json(answerer);
    json["rows"] = change.rows();
    json["tolerated_loss"] = change.tolerated();
    json["evidence"] = change.evidence();
    const auto alarm = change.alarm_at();
    json["state"] = change.tolerated() == 0 ? "learning" : alarm ? "worse" : "steady";
    json["noticed_at"] = alarm ? base::Json(base::format_time(*alarm)) : base::Json();
    json["since"] =
        change.changed_at() ? base::Json(base::format_time(*change.changed_at())) : base::Json();
    all.push_back(std::move(json));
  }
  return all;
}

// The largest share, among the columns, of values that training never saw.
std::optional<double> unseen_share(const model::Package& package,
                                   const std::vector<monitor::StoredWindow>& windows,
                                   const QualityWindow& wanted) {
  const model::BinLayout& layout = package.bin_layout();
  std::vector<double> unseen(layout.column_count());
  double rows = 0;
  for (const monitor::StoredWindow& stored : windows) {
    const monitor::WindowCounts& window = stored.window;
    if (stored.shadow || window.model != wanted.answerer.model ||
        window.version != wanted.answerer.version || window.start < wanted.start ||
        window.start >= wanted.end || window.counts.size() != layout.bin_count()) {
      continue;
    }
    rows += static_cast<double>(window.rows);
    for (size_t c = 0; c < unseen.size(); ++c) {
      if (layout.has_dictionary(c)) {
        const auto counts = layout.column(c).of(window.counts);
        unseen[c] += static_cast<double>(counts[layout.unseen_bin(c)]);
      }
    }
  }
  if (rows == 0 || unseen.empty()) {
    return std::nullopt;
  }
  return *std::max_element(unseen.begin(), unseen.end()) / rows;
}

// How the estimates of one answerer fared so far.
struct TrackRecord {
  monitor::QualityCounts known;                     // Of all mature windows.
  std::map<std::string, std::pair<int, int>> held;  // By metric: inside the band, of so many.
};

class Estimates {
 public:
  Estimates(const std::vector<QualityWindow>& windows, const serve::Endpoint* served,
            std::vector<monitor::StoredWindow> seen)
      : windows_(windows), served_(served), seen_(std::move(seen)) {}

  base::Json json() {
    base::Json all = base::Json::array();
    for (const QualityWindow& window : windows_) {
      all.push_back(window_estimate(window));
    }
    return {{"windows", std::move(all)}, {"band_coverage", coverage_json()}};
  }

 private:
  base::Json window_estimate(const QualityWindow& window);
  std::string doubt(const QualityWindow& window, const TrackRecord& record) const;
  base::Json coverage_json() const;

  const std::vector<QualityWindow>& windows_;
  const serve::Endpoint* const served_;
  const std::vector<monitor::StoredWindow> seen_;
  std::map<Answerer, TrackRecord> records_;
};

// Only what was known before the window judges its estimate, as it was when it was issued.
base::Json Estimates::window_estimate(const QualityWindow& window) {
  TrackRecord& record =
      records_
          .try_emplace(
              window.answerer,
              TrackRecord{monitor::quality_counts(window.counts.task, window.counts.classes), {}})
          .first->second;
  base::Json json = window_json(window);
  const std::string why = doubt(window, record);
  json["reliable"] = why.empty();
  json["doubt"] = why.empty() ? base::Json() : base::Json(why);
  json["metrics"] = base::Json::object();
  const bool judges = window.mature && window.counts.known >= kKnownMin &&
                      window.counts.known >= kCoverageMin * window.counts.answered;
  for (const monitor::Measure& m :
       monitor::measures(window.counts, monitor::error_scale_of(record.known))) {
    if (!m.expected) {
      continue;
    }
    base::Json one = estimate_json(m.expected);
    one["measured"] = judges && m.measured ? base::Json(m.measured->value) : base::Json();
    if (judges && m.measured) {
      auto& [held, of] = record.held[m.name];
      ++of;
      held += m.expected->lower <= m.measured->value && m.measured->value <= m.expected->upper;
    }
    json["metrics"][m.name] = std::move(one);
  }
  if (judges) {
    (void)record.known.merge(window.counts);
  }
  return json;
}

std::string Estimates::doubt(const QualityWindow& window, const TrackRecord& record) const {
  if (served_ != nullptr) {
    for (const serve::Variant& variant : served_->variants()) {
      if (variant.spec.model != window.answerer.model ||
          variant.spec.version != window.answerer.version) {
        continue;
      }
      const auto share = unseen_share(*variant.spec.package, seen_, window);
      if (share && *share > kUnseenMax) {
        return fmt::format("{:.0f}% of the rows hold a category that training never saw",
                           100 * *share);
      }
    }
  }
  const auto error = metric::calibration_error_of(record.known.positives, record.known.negatives);
  if (window.counts.task == metric::Task::kBinary && error && error->lower > kCalibrationErrorMax) {
    return fmt::format("the probabilities were off by {:.2f} where outcomes are known",
                       error->value);
  }
  return {};
}

base::Json Estimates::coverage_json() const {
  base::Json all = base::Json::array();
  for (const auto& [answerer, record] : records_) {
    base::Json json = answerer_json(answerer);
    json["metrics"] = base::Json::object();
    for (const auto& [name, counts] : record.held) {
      json["metrics"][name] = {{"held", counts.first}, {"windows", counts.second}};
    }
    all.push_back(std::move(json));
  }
  return all;
}

using DayCounts = std::map<CohortKey, monitor::GroupCounts>;

// By answerer and window.
base::Json bias_json(const DayCounts& days, const std::vector<std::string>& columns,
                     std::chrono::seconds window_length) {
  const std::chrono::seconds length =
      std::max<std::chrono::seconds>(window_length, std::chrono::hours(24));
  DayCounts windows;
  for (const auto& [key, counts] : days) {
    windows[{key.answerer, monitor::window_start(key.start, length)}].merge(counts);
  }
  base::Json all = base::Json::array();
  for (const auto& [key, counts] : windows) {
    for (const monitor::ColumnBias& bias : monitor::bias_of(counts, columns)) {
      base::Json json = answerer_json(key.answerer);
      json["start"] = base::format_time(key.start);
      json["end"] = base::format_time(key.start + length);
      json.update(monitor::to_json(bias));
      all.push_back(std::move(json));
    }
  }
  return all;
}

// Found in all days but the last that has outcomes, confirmed by that one.
base::Json segments_json(const DayCounts& days) {
  std::map<Answerer, std::pair<monitor::GroupCounts, monitor::GroupCounts>> split;
  for (const auto& [key, counts] : days) {  // In order of time.
    auto& [earlier, latest] = split[key.answerer];
    earlier.merge(latest);
    latest = counts;
  }
  base::Json all = base::Json::array();
  for (const auto& [answerer, counts] : split) {
    for (const monitor::WorseSegment& segment :
         monitor::worse_segments(counts.first, counts.second)) {
      base::Json json = answerer_json(answerer);
      json.update(monitor::to_json(segment));
      all.push_back(std::move(json));
    }
  }
  return all;
}

absl::StatusOr<std::chrono::seconds> window_length(const Context& context, const EndpointName& name,
                                                   const QualityRequest& request) {
  if (request.length) {
    return *request.length;
  }
  TRY(const EndpointPolicy policy, read_policy(context, name.project, name.endpoint));
  return std::chrono::duration_cast<std::chrono::seconds>(policy.monitor.window);
}

}  // namespace

absl::StatusOr<std::optional<std::chrono::microseconds>> outcome_delay(const Context& context,
                                                                       const EndpointName& name) {
  TRY(const EndpointPolicy policy, read_policy(context, name.project, name.endpoint));
  if (policy.monitor.outcome_delay) {
    return std::optional(
        std::chrono::duration_cast<std::chrono::microseconds>(*policy.monitor.outcome_delay));
  }
  return context.log->statistics(serve::log_key(name.project, name.endpoint))
      .event_lag.quantile(kDelayQuantile);
}

absl::StatusOr<std::vector<QualityWindow>> quality_windows(const Context& context,
                                                           const EndpointName& name,
                                                           const QualityRequest& request) {
  TRY(const std::chrono::seconds length, window_length(context, name, request));
  TRY(const std::optional<std::chrono::microseconds> delay, outcome_delay(context, name));
  TRY(const std::optional<base::Time> watermark,
      monitor::WindowStore(*context.metadata)
          .watermark(name.project, name.endpoint, context.clock->now()));
  monitor::Period whole = request.period;
  if (whole.from) {
    whole.from = monitor::window_start(*whole.from, length);
  }
  TRY(const auto hours, read_quality_hours(context, name, whole));
  std::map<CohortKey, monitor::QualityCounts> windows;
  for (const auto& [key, counts] : hours) {
    const CohortKey window{key.answerer, monitor::window_start(key.start, length)};
    monitor::QualityCounts& sum =
        windows.try_emplace(window, monitor::quality_counts(counts.task, counts.classes))
            .first->second;
    TRY(sum.merge(counts));
  }
  std::vector<QualityWindow> all;
  for (auto& [key, counts] : windows) {
    const base::Time end = key.start + length;
    all.push_back({.answerer = key.answerer,
                   .start = key.start,
                   .end = end,
                   .counts = std::move(counts),
                   .mature = watermark && delay && end + *delay <= *watermark});
  }
  return all;
}

absl::StatusOr<base::Json> quality_sections(const Context& context, const EndpointName& name,
                                            const QualityRequest& request,
                                            const serve::Endpoint* served) {
  TRY(const EndpointPolicy policy, read_policy(context, name.project, name.endpoint));
  TRY(const std::vector<QualityWindow> windows, quality_windows(context, name, request));
  TRY(const std::optional<std::chrono::microseconds> delay, outcome_delay(context, name));
  TRY(const QualityState state, read_quality_state(context, name));
  TRY(const DayCounts days, read_quality_days(context, name, request.period));
  TRY(std::vector<monitor::StoredWindow> seen,
      monitor::WindowStore(*context.metadata).list(name.project, name.endpoint, request.period));
  const feedback::EndpointStatistics counts =
      context.log->statistics(serve::log_key(name.project, name.endpoint));
  base::Json measured = base::Json::array();
  for (const QualityWindow& window : windows) {
    measured.push_back(measured_json(window));
  }
  TRY(const std::chrono::seconds length, window_length(context, name, request));
  return base::Json{{"quality",
                     {{"windows", std::move(measured)},
                      {"outcome_delay_s", seconds_or_null(delay)},
                      {"label_lag", lag_json(counts.event_lag)},
                      {"arrival_lag", lag_json(counts.arrival_lag)},
                      {"changes", changes_json(state)}}},
                    {"estimate", Estimates(windows, served, std::move(seen)).json()},
                    {"bias", bias_json(days, policy.monitor.sensitive, length)},
                    {"segments", segments_json(days)}};
}

}  // namespace cromford::app
