#pragma once

// The HTTP API of the factory: its table of routes, its OpenAPI document, and the handlers that
// parse, call `app::App` and answer.
//
//   Metrics metrics(api_routes());
//   TRY(Router router, api_router({*app, metrics, open_events}));
//   TRY(auto server, Server::start(options, std::move(router), {...}));
//
// Thread safety: everything may be called from any thread.

#include <absl/status/statusor.h>

#include <functional>
#include <span>
#include <string_view>
#include <utility>

#include "app/app.h"
#include "http/events.h"
#include "http/metrics.h"
#include "http/route.h"
#include "http/server.h"

namespace cromford::http {

// All routes; the OpenAPI document describes exactly these (tested).
std::span<const Route> api_routes();

// The OpenAPI 3.1 document, as JSON text.
std::string_view openapi_document();

// Answers wait until the predictions that they give are logged.
class PredictionGate final : public AnswerGate {
 public:
  explicit PredictionGate(app::App& app) : app_(app) {}
  bool is_shut() override { return app_.has_uncommitted_predictions(); }
  void pass(std::function<void(absl::Status)> done) override {
    app_.commit_predictions(std::move(done));
  }

 private:
  app::App& app_;
};

// What the handlers need; all must outlive the router.
struct ApiSurroundings {
  app::App& app;
  const Metrics& metrics;
  OpenEvents open_events;
};

absl::StatusOr<Router> api_router(const ApiSurroundings& surroundings);

}  // namespace cromford::http
