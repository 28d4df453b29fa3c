// What concerns the server as a whole: its state, its figures, its description; and the Open
// Inference Protocol V2, whose errors and shapes are its own.

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/status.h"
#include "http/api_support.h"

namespace cromford::http {
namespace {

absl::Status infer(app::App& app, std::string_view version, Request& request, Response& response) {
  if (request.header("inference-header-content-length")) {
    return absl::Status(absl::StatusCode::kUnimplemented,
                        "binary tensors are not understood; send the tensors as JSON");
  }
  return or_later(response, app.open_inference_infer(request.parameter("model"), version,
                                                     request.body, request.on_loop, response.body));
}

absl::Status metadata(app::App& app, std::string_view version, Request& request,
                      Response& response) {
  TRY(response.body, app.open_inference_metadata(request.parameter("model"), version));
  return absl::OkStatus();
}

absl::Status model_ready(app::App& app, std::string_view version, Request& request,
                         Response& response) {
  TRY(const bool ready, app.open_inference_ready(request.parameter("model"), version));
  if (!ready) {
    return base::unavailable(fmt::format("'{}' is not ready", request.parameter("model")));
  }
  return answer(response, {{"name", request.parameter("model")}, {"ready", true}});
}

}  // namespace

void add_server_handlers(const ApiSurroundings& api, Handlers& handlers) {
  app::App& app = api.app;
  const auto status = [&app](Request&, Response& r) { return answer(r, app.status()); };
  handlers.emplace("get_status", status);
  handlers.emplace("get_project_status", with_names(status));
  handlers.emplace("get_openapi", [](Request&, Response& r) {
    r.body = openapi_document();
    return absl::OkStatus();
  });
  handlers.emplace("get_metrics", [&app, &metrics = api.metrics](Request&, Response& r) {
    std::string text = app.metrics_text();
    metrics.render(text);
    return answer_text(r, "text/plain; version=0.0.4; charset=utf-8", std::move(text));
  });
  handlers.emplace("get_health", [](Request&, Response& r) {
    return answer_text(r, "text/plain; charset=utf-8", "ok\n");
  });
  handlers.emplace("get_readiness", [&app](Request&, Response& r) -> absl::Status {
    TRY(app.ready());
    return answer_text(r, "text/plain; charset=utf-8", "ready\n");
  });
}

void add_open_inference_handlers(const ApiSurroundings& api, Handlers& handlers) {
  app::App& app = api.app;
  handlers.emplace("v2_server_metadata", [&app](Request&, Response& r) {
    r.body = app.open_inference_server_metadata();
    return absl::OkStatus();
  });
  handlers.emplace("v2_live", [](Request&, Response& r) { return answer(r, {{"live", true}}); });
  handlers.emplace("v2_ready", [&app](Request&, Response& r) -> absl::Status {
    TRY(app.ready());
    return answer(r, {{"ready", true}});
  });
  using Function = absl::Status (*)(app::App&, std::string_view, Request&, Response&);
  const auto add = [&](std::string_view operation, std::string_view versioned, Function function) {
    handlers.emplace(operation,
                     [&app, function](Request& q, Response& r) { return function(app, "", q, r); });
    handlers.emplace(versioned, [&app, function](Request& q, Response& r) {
      return function(app, q.parameter("version"), q, r);
    });
  };
  add("v2_infer", "v2_version_infer", infer);
  add("v2_model_metadata", "v2_version_metadata", metadata);
  add("v2_model_ready", "v2_version_ready", model_ready);
}

}  // namespace cromford::http
