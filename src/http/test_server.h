#pragma once

// A running server with a handful of routes, for the tests of the core. What a handler does beyond
// the obvious is set from the test.
//
//   TestServer server;                               // or with options
//   RawClient client(server.port());
//   EXPECT_EQ(client.request("POST", "/echo", "hi").body, "hi");
//
// Thread safety: the hooks are set before requests come.

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/file_system.h"
#include "base/random.h"
#include "http/metrics.h"
#include "http/raw_client.h"
#include "http/route.h"
#include "http/server.h"
#include "testing/simulated_clock.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::http {

inline constexpr Route kTestRoutes[] = {
    {.method = Method::kGet,
     .pattern = "/hello/{name}",
     .operation = "hello",
     .kind = HandlerKind::kInline,
     .query = "greeting page_size"},
    {.method = Method::kPost,
     .pattern = "/echo",
     .operation = "echo",
     .permission = Permission::kPredict,
     .kind = HandlerKind::kInline,
     .body_bytes_max = 1 << 20,
     .content_types = "application/json text/plain"},
    {.method = Method::kPost,
     .pattern = "/v2/echo",
     .operation = "echo_v2",
     .kind = HandlerKind::kInline,
     .body_bytes_max = 16,
     .content_types = "application/json",
     .errors = ErrorFormat::kOpenInference},
    {.method = Method::kPost,
     .pattern = "/things",
     .operation = "create",
     .permission = Permission::kWrite,
     .body_bytes_max = 1024,
     .content_types = "application/json",
     .creates = true},
    {.method = Method::kPost, .pattern = "/work", .operation = "work"},
    {.method = Method::kPost,
     .pattern = "/uploads/{name}",
     .operation = "upload",
     .kind = HandlerKind::kUpload,
     .content_types = "*",
     .codings = "gzip zstd",
     .creates = true},
    {.method = Method::kGet, .pattern = "/file", .operation = "file"},
    {.method = Method::kGet,
     .pattern = "/events",
     .operation = "events",
     .kind = HandlerKind::kEvents},
    {.method = Method::kGet,
     .pattern = "/healthz",
     .operation = "health",
     .permission = Permission::kPublic,
     .kind = HandlerKind::kInline},
};

class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}, base::FileSystem* files = nullptr,
                      AnswerGate* gate = nullptr)
      : files_(files == nullptr ? base::system_files() : *files) {
    options.listen = "127.0.0.1:0";
    options.spool_directory = directory_.path();
    options.access_log = AccessLog::kOff;
    auto router = Router::create(kTestRoutes, handlers());
    EXPECT_OK(router);
    auto server = Server::start(std::move(options), std::move(*router),
                                {clock_, base::system_entropy(), files_, metrics_, nullptr, gate});
    EXPECT_OK(server);
    server_ = std::move(*server);
  }

  uint16_t port() const { return server_->port(); }
  Server& server() { return *server_; }
  testing::SimulatedClock& clock() { return clock_; }
  Metrics& metrics() { return metrics_; }
  const std::filesystem::path& directory() const { return directory_.path(); }
  // Lets time pass and the server notice.
  void pass(std::chrono::nanoseconds duration) {
    clock_.advance(duration);
    server_->check_deadlines();
  }

  // What "create", "work", "upload", "file" and "events" do.
  Handler create = [](Request& request, Response& response) {
    response.status = 201;
    response.body.assign(request.body);
    return absl::OkStatus();
  };
  Handler work = [](Request&, Response&) { return absl::OkStatus(); };
  Handler upload = [](Request& request, Response& response) {
    response.body = std::to_string(request.upload->bytes());
    return absl::OkStatus();
  };
  Handler file = [](Request&, Response&) { return absl::OkStatus(); };
  Handler events = [](Request&, Response&) { return absl::OkStatus(); };

 private:
  std::map<std::string, Handler, std::less<>> handlers() {
    const Handler echo = [](Request& request, Response& response) {
      response.body.assign(request.body);
      return absl::OkStatus();
    };
    return {
        {"hello",
         [](Request& request, Response& response) {
           response.content_type = "text/plain";
           response.body += request.query("greeting").value_or("hello");
           response.body += ' ';
           response.body += request.parameter("name");
           response.etag = "v1";
           return absl::OkStatus();
         }},
        {"echo", echo},
        {"echo_v2", echo},
        {"create", [this](Request& q, Response& r) { return create(q, r); }},
        {"work", [this](Request& q, Response& r) { return work(q, r); }},
        {"upload", [this](Request& q, Response& r) { return upload(q, r); }},
        {"file", [this](Request& q, Response& r) { return file(q, r); }},
        {"events", [this](Request& q, Response& r) { return events(q, r); }},
        {"health", [](Request&, Response&) { return absl::OkStatus(); }},
    };
  }

  testing::TempDir directory_;
  testing::SimulatedClock clock_;
  base::FileSystem& files_;
  Metrics metrics_{kTestRoutes};
  std::unique_ptr<Server> server_;
};

}  // namespace cromford::http
