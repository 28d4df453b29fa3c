// Predictions: from the bytes of a request to the bytes of its answer, on the caller's thread.

#include <fmt/format.h>

#include "app/factory.h"
#include "base/status.h"
#include "serve/open_inference.h"
#include "serve/predict_json.h"

namespace cromford::app {
namespace {

// One per thread of the event loop, reused by every request on it.
serve::Scratch& scratch() {
  thread_local serve::Scratch memory;
  return memory;
}

// Names of columns are the users' own.
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

// A line for each column that had such a category.
void append_unseen(const serve::Variant& variant, std::string_view labels, std::string& out) {
  const model::Contract& contract = variant.spec.package->contract();
  for (size_t column = 0; column < contract.size(); ++column) {
    if (const uint64_t count = variant.counters->unseen(column); count > 0) {
      out += fmt::format("cromford_endpoint_unseen_total{{{},column=\"{}\"}} {}\n", labels,
                         label_value(contract[column].name), count);
    }
  }
}

}  // namespace

absl::Status no_such_endpoint(std::string_view name, std::string_view what) {
  return base::not_found(fmt::format("there is no {} '{}'", what, name),
                         "list what is served: cromford endpoint list");
}

absl::Status too_long_here() {
  return serve::too_long_here();
}

bool is_too_long_here(const absl::Status& status) {
  return serve::is_too_long_here(status);
}

absl::Status Factory::predict_json(std::string_view project, std::string_view endpoint,
                                   std::string_view body, bool ignore_unknown, bool quick_only,
                                   std::string& out) {
  const serve::Lease served = registry_.find(project, endpoint);
  if (!served) {
    return no_such_endpoint(endpoint);
  }
  return serve::predict_json(
      predict_context_, *served,
      {.body = body, .ignore_unknown = ignore_unknown, .quick_only = quick_only}, scratch(), out);
}

absl::Status Factory::open_inference_infer(std::string_view model, std::string_view version,
                                           std::string_view body, bool quick_only,
                                           std::string& out) {
  const serve::Lease served = registry_.find_model(model);
  if (!served) {
    return no_such_endpoint(model, "model");
  }
  return serve::open_inference_infer(
      predict_context_, *served,
      {.model_name = model, .version = version, .body = body, .quick_only = quick_only}, scratch(),
      out);
}

absl::StatusOr<std::string> Factory::open_inference_metadata(std::string_view model,
                                                             std::string_view version) {
  const serve::Lease served = registry_.find_model(model);
  if (!served) {
    return no_such_endpoint(model, "model");
  }
  return serve::open_inference_metadata(*served, model, version);
}

absl::StatusOr<bool> Factory::open_inference_ready(std::string_view model,
                                                   std::string_view version) {
  const serve::Lease served = registry_.find_model(model);
  if (!served) {
    return no_such_endpoint(model, "model");
  }
  TRY(serve::open_inference_ready(*served, version));
  return true;
}

std::string Factory::open_inference_server_metadata() {
  return serve::open_inference_server_metadata(context_->options.version);
}

std::string Factory::metrics_text() {
  std::string text =
      "# HELP cromford_endpoint_requests_total Prediction requests that were answered.\n"
      "# TYPE cromford_endpoint_requests_total counter\n";
  std::string rows =
      "# HELP cromford_endpoint_rows_total Rows that were predicted.\n"
      "# TYPE cromford_endpoint_rows_total counter\n";
  std::string errors =
      "# HELP cromford_endpoint_errors_total Prediction requests that were refused or failed.\n"
      "# TYPE cromford_endpoint_errors_total counter\n";
  std::string latency =
      "# HELP cromford_endpoint_latency_seconds Time from a request's body to its answer.\n"
      "# TYPE cromford_endpoint_latency_seconds summary\n";
  std::string unseen =
      "# HELP cromford_endpoint_unseen_total Categories in answered rows that training never saw.\n"
      "# TYPE cromford_endpoint_unseen_total counter\n";
  std::string left_out =
      "# HELP cromford_endpoint_left_out_total Rows that a shadow did not score in time.\n"
      "# TYPE cromford_endpoint_left_out_total counter\n";
  for (const auto& endpoint : registry_.list()) {
    for (const serve::Variant& variant : endpoint->variants()) {
      const serve::Traffic traffic = variant.counters->read();
      const std::string labels =
          fmt::format("project=\"{}\",endpoint=\"{}\",model=\"{}\",version=\"{}\",role=\"{}\"",
                      endpoint->project(), endpoint->name(), variant.spec.model,
                      variant.spec.version, serve::role_name(variant.spec.role));
      text += fmt::format("cromford_endpoint_requests_total{{{}}} {}\n", labels, traffic.requests);
      rows += fmt::format("cromford_endpoint_rows_total{{{}}} {}\n", labels, traffic.rows);
      errors += fmt::format("cromford_endpoint_errors_total{{{}}} {}\n", labels, traffic.errors);
      if (variant.spec.role == serve::Role::kShadow) {
        left_out +=
            fmt::format("cromford_endpoint_left_out_total{{{}}} {}\n", labels, traffic.left_out);
      }
      append_unseen(variant, labels, unseen);
      for (const double q : {0.5, 0.9, 0.99}) {
        latency +=
            fmt::format("cromford_endpoint_latency_seconds{{{},quantile=\"{}\"}} {}\n", labels, q,
                        static_cast<double>(traffic.latency.quantile_ns(q)) * 1e-9);
      }
      latency += fmt::format(
          "cromford_endpoint_latency_seconds_sum{{{0}}} {1}\n"
          "cromford_endpoint_latency_seconds_count{{{0}}} {2}\n",
          labels, static_cast<double>(traffic.latency.sum_ns) * 1e-9, traffic.latency.count());
    }
  }
  const flow::Runner::Counts jobs = context_->runner->counts();
  return text + rows + errors + left_out + unseen + latency +
         fmt::format(
             "# HELP cromford_jobs Jobs by state.\n# TYPE cromford_jobs gauge\n"
             "cromford_jobs{{state=\"running\"}} {}\ncromford_jobs{{state=\"queued\"}} {}\n",
             jobs.running, jobs.queued);
}

}  // namespace cromford::app
