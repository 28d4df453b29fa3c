// The server of src/http with nothing behind it: one inline handler that gives the body back, on
// one event loop. Beside raw_echo it shows what HTTP alone costs, without model and JSON.

#include <string>

#include "base/status.h"
#include "http/server.h"
#include "sockets.h"

namespace cromford::bench {
namespace {

[[noreturn]] void serve() {
  static constexpr http::Route kRoutes[] = {{.method = http::Method::kPost,
                                             .pattern = "/v2/models/{model}/infer",
                                             .operation = "infer",
                                             .permission = http::Permission::kPredict,
                                             .kind = http::HandlerKind::kInline,
                                             .body_bytes_max = 8U << 20,
                                             .content_types = "application/json"}};
  auto router =
      http::Router::create(kRoutes, {{"infer", [](http::Request& request, http::Response& answer) {
                                        answer.body.assign(request.body);
                                        return absl::OkStatus();
                                      }}});
  http::ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.loop_threads = 1;
  http::Metrics metrics(kRoutes);
  auto server = http::Server::start(
      options, std::move(*router),
      {base::system_clock(), base::system_entropy(), base::system_files(), metrics});
  if (!server.ok()) {
    fail(base::describe(server.status()));
  }
  announce((*server)->port());
  for (;;) {
    pause();
  }
}

}  // namespace
}  // namespace cromford::bench

int main() {
  cromford::bench::serve();
}
