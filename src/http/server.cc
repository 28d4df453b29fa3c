#include "http/server.h"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "http/connection.h"

namespace cromford::http {
namespace {

using Endpoint = asio::ip::tcp::endpoint;

// Disk work never waits for long, so that a few threads and a long queue are right.
constexpr int kDiskThreads = 2;
constexpr size_t kDiskQueueMax = 8192;

absl::StatusOr<Endpoint> parse_listen(std::string_view text) {
  const auto fault = [&] {
    return base::invalid(fmt::format("'{}' is not an address to listen on", text),
                         "write HOST:PORT with an IP address, e.g. 127.0.0.1:7040 or [::1]:7040");
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return fault();
  }
  std::string_view host = text.substr(0, colon);
  const auto port = base::to_number<uint16_t>(text.substr(colon + 1));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (host == "localhost") {
    host = "127.0.0.1";
  }
  boost::system::error_code error;
  const auto address = asio::ip::make_address(std::string(host), error);
  if (error || !port) {
    return fault();
  }
  return Endpoint(address, *port);
}

}  // namespace

absl::Status check_listen(std::string_view listen) {
  return parse_listen(listen).status();
}

namespace {

class ServerImpl final : public Server {
 public:
  ServerImpl(ServerOptions options, Router router, const Surroundings& surroundings)
      : shared_(std::move(options), std::move(router), surroundings) {
    for (int i = 0; i < std::max(1, shared_.options.loop_threads); ++i) {
      loops_.push_back(std::make_unique<Loop>(shared_));
    }
  }
  ~ServerImpl() override { stop(); }

  absl::Status listen(const Endpoint& wanted) {
    // With SO_REUSEPORT alone, a second server of the same user would quietly share the port.
    TRY(check_free(wanted));
    endpoint_ = wanted;
    for (const auto& loop : loops_) {
      TRY(loop->listen(endpoint_));
      endpoint_ = loop->local_endpoint();
    }
    for (const auto& loop : loops_) {
      threads_.push_back(start_thread("http-loop", [&loop = *loop] { loop.run(); }));
    }
    return absl::OkStatus();
  }

  std::string address() const override {
    const std::string host = endpoint_.address().to_string();
    return endpoint_.address().is_v6() ? fmt::format("[{}]:{}", host, endpoint_.port())
                                       : fmt::format("{}:{}", host, endpoint_.port());
  }
  uint16_t port() const override { return endpoint_.port(); }

  void check_deadlines() override {
    for (const auto& loop : loops_) {
      loop->check_deadlines();
    }
  }

  void stop() override {
    const std::lock_guard stopping(stop_mutex_);
    if (threads_.empty()) {
      return;
    }
    shared_.stopping.store(true);
    for (const auto& loop : loops_) {
      loop->stop_accepting();
    }
    if (!wait_for_connections(shared_.options.stop_idle_grace)) {
      shared_.ending_idle.store(true);
      for (const auto& loop : loops_) {
        loop->end_idle_connections();
      }
    }
    if (!wait_for_connections(shared_.options.stop_grace)) {
      base::log_warning("connections are cut off", {{"count", shared_.connections.load()}});
      for (const auto& loop : loops_) {
        loop->close_connections();
      }
      // What still runs on the pool holds its connection and cannot be cut off.
      wait_for_connections(std::nullopt);
    }
    for (const auto& loop : loops_) {
      loop->finish();
    }
    for (std::thread& thread : threads_) {
      thread.join();
    }
    threads_.clear();
    shared_.blocking.stop();
    shared_.scoring.stop();
    shared_.disk.stop();
  }

 private:
  // Whether all are gone.
  bool wait_for_connections(std::optional<std::chrono::milliseconds> at_most) {
    std::unique_lock lock(shared_.mutex);
    const auto none = [this] { return shared_.connections.load() == 0; };
    if (!at_most) {
      shared_.connection_ended.wait(lock, none);
      return true;
    }
    return shared_.connection_ended.wait_for(lock, *at_most, none);
  }

  Shared shared_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::thread> threads_;
  Endpoint endpoint_;
  std::mutex stop_mutex_;
};

}  // namespace

Shared::Shared(ServerOptions server_options, Router server_router, Server::Surroundings around)
    : options(std::move(server_options)),
      router(std::move(server_router)),
      surroundings(around),
      guard({options.token, options.owner_token, options.host_names}),
      idempotency(around.clock, around.answers),
      blocking("http-work", options.blocking_threads, options.blocking_queue_max),
      scoring("http-score", options.loop_threads, options.blocking_queue_max),
      disk("http-disk", kDiskThreads, kDiskQueueMax) {}

absl::StatusOr<std::unique_ptr<Server>> Server::start(ServerOptions options, Router router,
                                                      Surroundings surroundings) {
  TRY(const Endpoint endpoint, parse_listen(options.listen));
  if (options.token.empty() && !endpoint.address().is_loopback()) {
    return base::invalid(
        fmt::format("listening on {} without a token would let anybody in", options.listen),
        "set a token in the configuration, or listen on 127.0.0.1");
  }
  auto server = std::make_unique<ServerImpl>(std::move(options), std::move(router), surroundings);
  TRY(server->listen(endpoint));
  return server;
}

}  // namespace cromford::http
