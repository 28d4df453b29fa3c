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

}  // namespace cromford::app
