// The figures of the factory in the Prometheus exposition format, with base units and the names
// that its users expect: X_total counters, histograms in seconds.

#include <fmt/format.h>

#include <array>
#include <functional>
#include <string>
#include <string_view>

#include "app/factory.h"
#include "serve/prediction_log.h"

namespace cromford::app {
namespace {

// Of the histogram's buckets (serve/traffic.h, four for each doubling) the ends of these are given.
constexpr size_t kBucketStep = 4;

// Names of columns and models are the users' own.
std::string label_value(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') {
      out += '\\';
    }
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

// One metric with its lines.
class Family {
 public:
  Family(std::string_view name, std::string_view type, std::string_view help)
      : name_(name), text_(fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help)) {}

  template <typename Number>
  void add(std::string_view labels, Number value) {
    text_ += fmt::format("{}{{{}}} {}\n", name_, labels, value);
  }
  void add_histogram(std::string_view labels, const serve::LatencyHistogram& histogram) {
    uint64_t below = 0;
    for (size_t bucket = 0; bucket < histogram.counts.size(); ++bucket) {
      below += histogram.counts[bucket];
      if (bucket % kBucketStep == kBucketStep - 1) {
        const double end = static_cast<double>(serve::LatencyHistogram::upper_ns(bucket)) * 1e-9;
        text_ += fmt::format("{}_bucket{{{},le=\"{:.6g}\"}} {}\n", name_, labels, end, below);
      }
    }
    text_ +=
        fmt::format("{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_sum{{{1}}} {3}\n{0}_count{{{1}}} {2}\n",
                    name_, labels, below, static_cast<double>(histogram.sum_ns) * 1e-9);
  }
  const std::string& text() const { return text_; }

 private:
  std::string_view name_;
  std::string text_;
};

std::string endpoint_labels(const serve::Endpoint& endpoint) {
  return fmt::format("project=\"{}\",endpoint=\"{}\"", endpoint.project(), endpoint.name());
}

std::string version_labels(const serve::Endpoint& endpoint, const serve::Variant& variant) {
  return fmt::format("{},model=\"{}\",version=\"{}\",role=\"{}\"", endpoint_labels(endpoint),
                     variant.spec.model, variant.spec.version, serve::role_name(variant.spec.role));
}

// What each version of each endpoint did.
std::string traffic_text(const serve::Registry& registry) {
  Family requests("cromford_endpoint_requests_total", "counter",
                  "Prediction requests that were answered.");
  Family rows("cromford_endpoint_rows_total", "counter", "Rows that were predicted.");
  Family errors("cromford_endpoint_errors_total", "counter",
                "Prediction requests that were refused or failed.");
  Family refused("cromford_endpoint_refused_total", "counter",
                 "Prediction requests that were refused before a version was chosen.");
  Family unseen("cromford_endpoint_unseen_total", "counter",
                "Categories in answered rows that training never saw.");
  Family left_out("cromford_endpoint_left_out_total", "counter",
                  "Rows that a shadow did not score in time.");
  Family duration("cromford_endpoint_request_duration_seconds", "histogram",
                  "Time from a request's body to its answer.");
  for (const auto& endpoint : registry.list()) {
    refused.add(endpoint_labels(*endpoint), endpoint->refused().read().errors);
    for (const serve::Variant& variant : endpoint->variants()) {
      const serve::Traffic traffic = variant.counters->read();
      const std::string labels = version_labels(*endpoint, variant);
      requests.add(labels, traffic.requests);
      rows.add(labels, traffic.rows);
      errors.add(labels, traffic.errors);
      if (variant.spec.role == serve::Role::kShadow) {
        left_out.add(labels, traffic.left_out);
      }
      const model::Contract& contract = variant.spec.package->contract();
      for (size_t column = 0; column < contract.size(); ++column) {
        if (const uint64_t count = variant.counters->unseen(column); count > 0) {
          unseen.add(fmt::format("{},column=\"{}\"", labels, label_value(contract[column].name)),
                     count);
        }
      }
      duration.add_histogram(labels, traffic.latency);
    }
  }
  return requests.text() + rows.text() + errors.text() + refused.text() + left_out.text() +
         unseen.text() + duration.text();
}

// What the log holds of each endpoint.
std::string log_text(const serve::Registry& registry, feedback::Log& log) {
  Family predictions("cromford_log_predictions_total", "counter", "Predictions in the log.");
  Family lost("cromford_log_predictions_lost_total", "counter",
              "Predictions that were answered and not logged, because the disk refused.");
  Family joined("cromford_log_outcomes_joined", "gauge", "Predictions whose outcome is known.");
  Family waiting("cromford_log_outcomes_waiting", "gauge",
                 "Outcomes whose prediction is not here (yet).");
  Family rejected("cromford_log_outcomes_rejected_total", "counter",
                  "Outcomes that were not taken.");
  for (const auto& endpoint : registry.list()) {
    const feedback::EndpointStatistics statistics =
        log.statistics(serve::log_key(endpoint->project(), endpoint->name()));
    const std::string labels = endpoint_labels(*endpoint);
    predictions.add(labels, statistics.predictions);
    lost.add(labels, statistics.predictions_lost);
    joined.add(labels, statistics.joined);
    waiting.add(labels, statistics.waiting);
    rejected.add(labels, statistics.rejected());
  }
  return predictions.text() + lost.text() + joined.text() + waiting.text() + rejected.text() +
         fmt::format(
             "# HELP cromford_log_size_bytes Bytes of the log's files.\n"
             "# TYPE cromford_log_size_bytes gauge\ncromford_log_size_bytes {}\n",
             log.size_bytes());
}

// What the last rounds found.
std::string drift_text(const std::vector<DriftFigure>& figures) {
  Family effect("cromford_drift_effect", "gauge",
                "Population stability index of the last closed window against training.");
  Family tolerated("cromford_drift_tolerated", "gauge",
                   "The index up to which a move is ordinary.");
  Family confirmed("cromford_drift_confirmed", "gauge",
                   "1 where it moved in two closed windows in a row.");
  for (const DriftFigure& figure : figures) {
    const std::string labels = fmt::format(
        "project=\"{}\",endpoint=\"{}\",model=\"{}\",version=\"{}\",distribution=\"{}\"",
        figure.endpoint.project, figure.endpoint.endpoint, figure.model, figure.version,
        label_value(figure.distribution));
    effect.add(labels, figure.effect);
    tolerated.add(labels, figure.tolerated);
    confirmed.add(labels, figure.confirmed ? 1 : 0);
  }
  return effect.text() + tolerated.text() + confirmed.text();
}

std::string alerts_text(const base::Json& counts) {
  Family alerts("cromford_alerts", "gauge", "Alerts that are not resolved, by state.");
  for (const auto& [state, count] : counts.items()) {
    alerts.add(fmt::format("state=\"{}\"", state), count.get<uint64_t>());
  }
  return alerts.text();
}

std::string jobs_text(const flow::Runner::Counts& counts) {
  Family jobs("cromford_jobs", "gauge", "Jobs by state.");
  jobs.add("state=\"running\"", counts.running);
  jobs.add("state=\"queued\"", counts.queued);
  return jobs.text();
}

}  // namespace

std::string Factory::metrics_text() {
  return traffic_text(registry_) + log_text(registry_, *context_->log) +
         drift_text(monitoring_.drift_figures()) + alerts_text(alert_counts()) +
         jobs_text(context_->runner->counts());
}

}  // namespace cromford::app
