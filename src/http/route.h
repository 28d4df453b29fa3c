#pragma once

// The table of routes and the router made from it. A path that no row of the table names cannot be
// served; a row without a handler, or a handler without a row, is an error at start.
//
//   constexpr Route kRoutes[] = {
//       {.method = Method::kGet, .pattern = "/api/v1/projects/{project}/runs/{id}",
//        .operation = "get_run", .permission = Permission::kRead},
//   };
//   TRY(Router router, Router::create(kRoutes, {{"get_run", get_run}}));
//
// Thread safety: a router is immutable.

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "http/method.h"

namespace cromford::http {

// What a caller must be allowed to do.
enum class Permission {
  kPublic,  // Also without a token: health.
  kRead,
  kPredict,
  kWrite,
};

// Where a handler runs, and what becomes of the body.
enum class HandlerKind {
  // On the event loop: quick, and never blocks. A large body is handled by the threads for scoring
  // instead; so is a request whose handler says that it is too long here (app::is_too_long_here).
  kInline,
  kBlocking,  // On the pool of threads.
  kUpload,    // On the pool, once the body stands in a file.
  kEvents,    // On the pool; the answer is a stream of events.
};

// How errors are written.
enum class ErrorFormat {
  kProblem,        // RFC 9457
  kOpenInference,  // {"error": "..."}
};

struct Route {
  Method method = Method::kGet;
  // Segments are literal, or "{name}", or either followed by ":verb" in the last segment.
  std::string_view pattern;
  std::string_view operation;  // The operationId of the OpenAPI document.
  Permission permission = Permission::kRead;
  HandlerKind kind = HandlerKind::kBlocking;
  // 0: the route takes no body. Uploads are limited by the server's options instead.
  uint64_t body_bytes_max = 0;
  // The media types that the body may have, between blanks; "*" is any. A body without a
  // Content-Type is taken for the first of them.
  std::string_view content_types = {};
  // What the body may be compressed with (Content-Encoding), between blanks; empty: with nothing.
  std::string_view codings = {};
  // Query parameters that the route knows, between blanks; any other is refused.
  std::string_view query = {};
  bool creates = false;  // Heeds Idempotency-Key.
  ErrorFormat errors = ErrorFormat::kProblem;
};

class Router {
 public:
  enum class Outcome { kFound, kNoSuchPath, kMethodNotAllowed };
  struct Match {
    Outcome outcome = Outcome::kNoSuchPath;
    const Route* route = nullptr;
    const Handler* handler = nullptr;
    size_t index = 0;                       // Of the route in the table.
    std::vector<std::string_view> allowed;  // Of kMethodNotAllowed.
  };

  // INTERNAL, naming the operation, when routes and handlers do not match one to one, when a
  // pattern is malformed or when two routes are the same. `routes` must outlive the router.
  static absl::StatusOr<Router> create(std::span<const Route> routes,
                                       std::map<std::string, Handler, std::less<>> handlers);

  // Finds the route of a method and a path; HEAD finds GET. Fills `parameters` with the names and
  // the decoded parts of the path. For kMethodNotAllowed, `route` is one of the path's others.
  Match find(Method method, Target& target, Parameters& parameters) const;

  // How errors below the first segment of `path` are written; kProblem where no route begins so.
  ErrorFormat errors_near(std::string_view path) const;

  std::span<const Route> routes() const { return routes_; }

 private:
  struct Node;
  struct NodeDeleter {
    void operator()(Node* node) const;
  };

  Router() = default;
  absl::Status add(size_t index);

  std::span<const Route> routes_;
  std::vector<Handler> handlers_;  // By the index of the route.
  std::vector<std::vector<std::string_view>> parameter_names_;
  std::unique_ptr<Node, NodeDeleter> root_;
};

}  // namespace cromford::http
