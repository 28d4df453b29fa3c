#pragma once

// What the .cc files of the server share: the loops, the connections that live on them, and what
// all of them use. This is the only header of the folder that sees Boost.Asio; nothing outside the
// folder includes it.
//
//   Loop loop(shared);
//   loop.listen(endpoint);
//   loop.run();                                      // accepts, and runs a Connection for each
//
// Thread safety: a loop and its connections belong to the loop's thread, except the members of
// `Loop` that say otherwise.

#include <atomic>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "http/buffer.h"
#include "http/guard.h"
#include "http/idempotency.h"
#include "http/message.h"
#include "http/request_parser.h"
#include "http/route.h"
#include "http/server.h"
#include "http/spool.h"
#include "http/worker_pool.h"

namespace cromford::http {

namespace asio = boost::asio;
// Concrete types everywhere: type-erased executors cost a tenth of a small request.
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;
using WorkGuard = asio::executor_work_guard<Executor>;
template <typename T>
using Task = asio::awaitable<T, Executor>;
inline constexpr asio::use_awaitable_t<Executor> kAwait{};

// What all loops of a server use; each member may be used by any thread.
struct Shared {
  Shared(ServerOptions server_options, Router server_router, Server::Surroundings around);

  const ServerOptions options;
  const Router router;
  const Server::Surroundings surroundings;
  const Guard guard;
  IdempotencyStore idempotency;
  WorkerPool blocking;
  WorkerPool scoring;  // Predictions that take longer than a loop may be held up.
  WorkerPool disk;     // Uploads and downloads never wait for a handler.

  std::atomic<uint32_t> connections{0};
  std::atomic<bool> stopping{false};
  std::atomic<bool> ending_idle{false};  // Later than `stopping`: no further request is waited for.
  std::mutex mutex;
  std::condition_variable connection_ended;
};

// 413, naming the limit.
absl::Status body_too_long(uint64_t bytes_max);

// 503: the threads for this have more to do than they may put off.
absl::Status too_busy();

// Whether a program could listen there that shares the port with nobody.
absl::Status check_free(const asio::ip::tcp::endpoint& endpoint);

class Connection;

class Loop {
 public:
  explicit Loop(Shared& shared);

  // Opens an acceptor, together with the other loops on one port (SO_REUSEPORT).
  absl::Status listen(const asio::ip::tcp::endpoint& endpoint);
  asio::ip::tcp::endpoint local_endpoint() const { return acceptor_.local_endpoint(); }
  // Returns after finish().
  void run();

  // These may be called by any thread.
  void stop_accepting();        // And ends event streams.
  void end_idle_connections();  // Those that have nothing in flight.
  void close_connections();     // At once, all of them.
  void check_deadlines();
  void finish();

  Shared& shared() { return shared_; }
  Executor executor() { return context_.get_executor(); }
  std::chrono::nanoseconds now() const { return shared_.surroundings.clock.monotonic(); }
  std::string next_id() { return ids_.next(); }
  std::string_view date();  // For the Date field.

  // A turn of the loop is what became ready together. Where handlers have written something, their
  // answers wait for its end, when all of it is made safe in one go (see AnswerGate).
  bool must_hold_answers() const { return gate_ != nullptr && gate_->is_shut(); }
  Task<absl::Status> end_of_turn();

 private:
  friend class Connection;

  void accept();
  void accepted(Socket socket);
  void look_for_deadlines();
  void arm_deadline_timer();
  void finish_turn();

  using Held = asio::any_completion_handler<void(absl::Status)>;

  Shared& shared_;
  AnswerGate* const gate_;
  std::vector<Held> held_;  // Of this turn.
  asio::io_context context_{1};
  WorkGuard work_;
  Acceptor acceptor_;
  Timer deadline_timer_;
  bool deadline_timer_armed_ = false;
  base::IdSource ids_;
  std::list<Connection*> connections_;
  std::string date_;
  int64_t date_second_ = -1;
};

// One accepted connection: reads requests one after the other, has them answered.
class Connection {
 public:
  // A connection beyond the limit is only told so.
  enum class Welcome { kServe, kRefuse };

  Connection(Loop& loop, Socket socket, Welcome welcome);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Until either side ends it.
  Task<void> run();

  void check_deadline(std::chrono::nanoseconds now);
  void end_if_idle();
  void wake();  // Its event stream, if it has one.
  void close_now();

 private:
  enum class Phase { kIdle, kHeader, kBody, kHandling, kWriting, kLingering };
  struct EventState;

  // connection.cc: a request from its first byte to its answer.
  Task<void> serve_requests();
  Task<bool> read_header();
  Task<void> serve();
  Task<bool> read_more(size_t room);
  Task<absl::Status> receive_body();
  Task<absl::Status> receive_fixed_body();
  Task<absl::Status> receive_chunked_body();
  Task<absl::Status> invite_body();
  Task<void> answer();
  Task<bool> write_all(std::string_view head, std::string_view body);
  Task<void> linger();
  Task<void> refuse();
  Task<void> answer_unread(const absl::Status& status);

  bool body_is_at_hand();
  absl::Status too_slow(std::string_view what) const;
  absl::Status invoke();
  absl::Status invoke_once();
  Task<absl::Status> handle();
  Task<absl::Status> answer_later();
  void drop_body();
  void finish_request();
  void set_phase(Phase phase, std::chrono::nanoseconds timeout);
  void expect_body();
  std::string_view local_address();

  // connection_admit.cc: everything that is decided from the header alone; the answer's header.
  void begin_request();
  absl::Status admit();
  absl::Status check_caller();
  absl::Status check_route();
  absl::Status check_query() const;
  absl::Status check_body() const;
  absl::Status check_coding() const;
  ErrorFormat error_format() const;
  void make_conditional();
  void build_head(std::optional<uint64_t> length);

  // connection_stream.cc: uploads, files, events.
  Task<absl::Status> receive_upload();
  Task<absl::Status> spool_body(Spool& spool);
  Task<void> send_file();
  Task<void> send_events();
  Task<bool> offload(WorkerPool& pool, std::function<void()> work);
  Task<absl::Status> offload_status(WorkerPool& pool, std::function<absl::Status()> work);
  void prepare_events();
  void watch_for_end();
  void end_events();

  Loop& loop_;
  Shared& shared_;
  Socket socket_;
  const Welcome welcome_;
  std::list<Connection*>::iterator place_;
  std::string local_address_;
  std::string accepted_host_;  // So that a host is checked once per connection.

  Phase phase_ = Phase::kIdle;
  std::chrono::nanoseconds deadline_{0};  // 0: none.
  bool timed_out_ = false;
  bool close_ = false;   // After the answer in hand.
  bool linger_ = false;  // The peer may still be sending.

  Buffer in_;
  RequestParser parser_;
  std::string body_;  // Where the request's body does not fit into `in_`.
  std::string head_;
  std::string made_id_;
  std::string body_hash_;  // Of an upload whose request has an Idempotency-Key.
  Request request_;
  Response response_;
  Router::Match match_;
  size_t body_in_buffer_ = 0;  // Bytes at the beginning of `in_` that are the body.
  bool body_unread_ = false;
  uint64_t body_left_ = 0;  // What is still to be used of a body with a Content-Length.
  std::chrono::nanoseconds started_{0};
  std::chrono::nanoseconds body_started_{0};  // 0: not yet.
  uint64_t received_before_body_ = 0;
  uint64_t received_ = 0;
  uint64_t sent_ = 0;
  std::shared_ptr<EventState> events_;
};

}  // namespace cromford::http
