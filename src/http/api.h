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

#include <span>
#include <string_view>

#include "app/app.h"
#include "http/events.h"
#include "http/metrics.h"
#include "http/route.h"

namespace cromford::http {

// All routes; the OpenAPI document describes exactly these (tested).
std::span<const Route> api_routes();

// The OpenAPI 3.1 document, as JSON text.
std::string_view openapi_document();

// What the handlers need; all must outlive the router.
struct ApiSurroundings {
  app::App& app;
  const Metrics& metrics;
  OpenEvents open_events;
};

absl::StatusOr<Router> api_router(ApiSurroundings surroundings);

}  // namespace cromford::http
