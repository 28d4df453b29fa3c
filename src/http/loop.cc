// The event loop of one thread: its acceptor, its connections, their deadlines.

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "http/connection.h"

namespace cromford::http {
namespace {

using ErrorCode = boost::system::error_code;
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr std::chrono::milliseconds kDeadlineInterval{250};
constexpr std::chrono::milliseconds kAcceptPause{100};
// Of one turn, so that the first answer of a busy one does not wait for long.
constexpr int kTurnHandlersMax = 64;

absl::Status listen_error(const ErrorCode& error, const asio::ip::tcp::endpoint& endpoint) {
  const std::string address = fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
  if (error == asio::error::address_in_use) {
    return base::unavailable(fmt::format("another program already listens on {}", address),
                             "stop it, or choose another port with --listen (port 0 picks one)");
  }
  return base::unavailable(fmt::format("cannot listen on {}: {}", address, error.message()),
                           "choose an address of this machine with --listen");
}

// Owns the connection for as long as it lives.
Task<void> keep(std::unique_ptr<Connection> connection) {
  co_await connection->run();
}

}  // namespace

Loop::Loop(Shared& shared)
    : shared_(shared),
      gate_(shared.surroundings.gate),
      work_(context_.get_executor()),
      acceptor_(context_.get_executor()),
      deadline_timer_(context_.get_executor()),
      ids_(shared.surroundings.clock, shared.surroundings.entropy) {}

absl::Status Loop::listen(const asio::ip::tcp::endpoint& endpoint) {
  ErrorCode error;
  const auto step = [&](auto action) {
    if (!error) {
      action();
    }
  };
  step([&] { acceptor_.open(endpoint.protocol(), error); });
  step([&] { acceptor_.set_option(Acceptor::reuse_address(true), error); });
  step([&] { acceptor_.set_option(ReusePort(true), error); });
  step([&] { acceptor_.bind(endpoint, error); });
  step([&] { acceptor_.listen(asio::socket_base::max_listen_connections, error); });
  return error ? listen_error(error, endpoint) : absl::OkStatus();
}

absl::Status check_free(const asio::ip::tcp::endpoint& endpoint) {
  asio::io_context context{1};
  Acceptor probe(context.get_executor());
  ErrorCode error;
  probe.open(endpoint.protocol(), error);
  if (!error) {
    probe.set_option(Acceptor::reuse_address(true), error);
  }
  if (!error) {
    probe.bind(endpoint, error);
  }
  return error ? listen_error(error, endpoint) : absl::OkStatus();
}

void Loop::run() {
  accept();
  if (gate_ == nullptr) {
    context_.run();
    return;
  }
  while (context_.run_one() > 0) {
    // With one connection nothing else can be ready, and looking costs a system call.
    for (int i = 0; i < kTurnHandlersMax && connections_.size() > 1; ++i) {
      if (context_.poll_one() == 0) {
        break;
      }
    }
    finish_turn();
  }
}

Task<absl::Status> Loop::end_of_turn() {
  const auto hold = [this](auto handler) { held_.emplace_back(std::move(handler)); };
  return asio::async_initiate<const asio::use_awaitable_t<Executor>, void(absl::Status)>(hold,
                                                                                         kAwait);
}

void Loop::finish_turn() {
  if (held_.empty()) {
    return;
  }
  auto turn = std::make_shared<std::vector<Held>>();
  turn->swap(held_);
  gate_->pass([this, turn = std::move(turn)](const absl::Status& status) {
    asio::post(context_, [turn, status] {
      for (Held& answer : *turn) {
        std::move(answer)(status);
      }
    });
  });
}

void Loop::accept() {
  acceptor_.async_accept(context_, [this](const ErrorCode& error, Socket socket) {
    if (error == asio::error::operation_aborted || !acceptor_.is_open()) {
      return;
    }
    if (!error) {
      accepted(std::move(socket));
      accept();
      return;
    }
    // Most likely too many open files: taking no connection for a moment is all that helps.
    base::log_warning("cannot accept a connection", {{"error", error.message()}});
    auto pause = std::make_shared<Timer>(context_.get_executor(), kAcceptPause);
    pause->async_wait([this, pause](const ErrorCode& /*ignored*/) {
      if (acceptor_.is_open()) {
        accept();
      }
    });
  });
}

void Loop::accepted(Socket socket) {
  const uint32_t limit = shared_.options.limits.connections;
  const uint32_t before = shared_.connections.fetch_add(1);
  const auto welcome = before < limit ? Connection::Welcome::kServe : Connection::Welcome::kRefuse;
  auto connection = std::make_unique<Connection>(*this, std::move(socket), welcome);
  if (welcome == Connection::Welcome::kRefuse) {
    shared_.surroundings.metrics.connection_refused();
    if (before >= 2 * limit) {
      return;  // A flood is not even told.
    }
  }
  arm_deadline_timer();
  asio::co_spawn(executor(), keep(std::move(connection)), asio::detached);
}

// Only while there are connections: an idle server sleeps.
void Loop::arm_deadline_timer() {
  if (deadline_timer_armed_ || connections_.empty()) {
    return;
  }
  deadline_timer_armed_ = true;
  deadline_timer_.expires_after(kDeadlineInterval);
  deadline_timer_.async_wait([this](const ErrorCode& error) {
    deadline_timer_armed_ = false;
    if (!error) {
      look_for_deadlines();
      arm_deadline_timer();
    }
  });
}

void Loop::look_for_deadlines() {
  const std::chrono::nanoseconds time = now();
  for (Connection* const connection : connections_) {
    connection->check_deadline(time);
  }
}

void Loop::check_deadlines() {
  asio::post(context_, [this] { look_for_deadlines(); });
}

void Loop::stop_accepting() {
  asio::post(context_, [this] {
    ErrorCode ignored;
    acceptor_.close(ignored);
    for (Connection* const connection : connections_) {
      connection->wake();
    }
  });
}

void Loop::end_idle_connections() {
  asio::post(context_, [this] {
    for (Connection* const connection : connections_) {
      connection->end_if_idle();
    }
  });
}

void Loop::close_connections() {
  asio::post(context_, [this] {
    for (Connection* const connection : connections_) {
      connection->close_now();
    }
  });
}

void Loop::finish() {
  asio::post(context_, [this] {
    deadline_timer_.cancel();
    work_.reset();
  });
}

std::string_view Loop::date() {
  const base::Time time = shared_.surroundings.clock.now();
  const int64_t second = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  if (second != date_second_) {
    date_second_ = second;
    date_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(static_cast<time_t>(second)));
  }
  return date_;
}

}  // namespace cromford::http
