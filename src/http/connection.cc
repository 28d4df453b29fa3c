#include "http/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <exception>
#include <future>
#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "base/status.h"
#include "http/problem.h"

namespace cromford::http {
namespace {

using ErrorCode = boost::system::error_code;

constexpr size_t kReadBytes = 8U << 10;
constexpr size_t kInlineBodyBytes = 32U << 10;  // Larger ones would hold up the loop.
constexpr size_t kKeptBytes = 64U << 10;        // More memory is given back after a request.
// A body that drips, never idle for long, would hold its connection for ever.
constexpr uint64_t kBodyBytesPerSecondMin = 1024;
constexpr std::chrono::seconds kLingerTimeout{2};
constexpr uint64_t kLingerBytesMax = 256ULL << 20;

}  // namespace

Connection::Connection(Loop& loop, Socket socket, Welcome welcome)
    : loop_(loop),
      shared_(loop.shared()),
      socket_(std::move(socket)),
      welcome_(welcome),
      parser_(shared_.options.limits.header_bytes, shared_.options.limits.uri_bytes) {
  place_ = loop_.connections_.insert(loop_.connections_.end(), this);
  shared_.surroundings.metrics.connection_opened();
  ErrorCode ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
}

Connection::~Connection() {
  ErrorCode ignored;
  socket_.close(ignored);
  loop_.connections_.erase(place_);
  shared_.surroundings.metrics.add_bytes(received_, sent_);
  shared_.surroundings.metrics.connection_closed();
  {
    const std::lock_guard lock(shared_.mutex);
    shared_.connections.fetch_sub(1);
  }
  shared_.connection_ended.notify_all();
}

void Connection::set_phase(Phase phase, std::chrono::nanoseconds timeout) {
  phase_ = phase;
  deadline_ = timeout.count() == 0 ? timeout : loop_.now() + timeout;
}

// Before each read of a body: it may neither pause for long nor be slower than the least rate.
void Connection::expect_body() {
  set_phase(Phase::kBody, shared_.options.limits.body_idle_timeout);
  if (body_started_.count() == 0) {
    body_started_ = deadline_ - shared_.options.limits.body_idle_timeout;
    received_before_body_ = received_;
  }
  const std::chrono::seconds earned(
      static_cast<int64_t>((received_ - received_before_body_) / kBodyBytesPerSecondMin));
  deadline_ = std::min<std::chrono::nanoseconds>(
      deadline_, body_started_ + shared_.options.limits.body_idle_timeout + earned);
}

void Connection::check_deadline(std::chrono::nanoseconds now) {
  if (deadline_.count() != 0 && now >= deadline_) {
    deadline_ = {};
    timed_out_ = true;
    ErrorCode ignored;
    socket_.cancel(ignored);
  }
}

void Connection::end_if_idle() {
  if (phase_ == Phase::kIdle && in_.empty()) {
    ErrorCode ignored;
    socket_.cancel(ignored);
  }
}

void Connection::wake() {
  if (request_.wake) {
    request_.wake();
  }
}

void Connection::close_now() {
  close_ = true;
  linger_ = false;
  ErrorCode ignored;
  socket_.close(ignored);
  wake();
}

std::string_view Connection::local_address() {
  if (local_address_.empty()) {
    ErrorCode error;
    const auto endpoint = socket_.local_endpoint(error);
    local_address_ = error ? "unknown" : endpoint.address().to_string();
  }
  return local_address_;
}

Task<void> Connection::run() {
  try {
    // Written out: GCC 12 mishandles co_await within ?:, && and ||.
    if (welcome_ == Welcome::kServe) {
      co_await serve_requests();
    } else {
      co_await refuse();
    }
    if (linger_) {
      co_await linger();
    }
  } catch (const std::exception& error) {
    base::log_error("a connection failed", {{"error", error.what()}});
  }
}

Task<void> Connection::serve_requests() {
  while (!close_) {
    const bool complete = co_await read_header();
    if (!complete) {
      break;
    }
    co_await serve();
  }
}

Task<bool> Connection::read_more(size_t room) {
  const std::span<char> space = in_.prepare(room);
  ErrorCode error;
  const size_t bytes = co_await socket_.async_read_some(asio::buffer(space.data(), space.size()),
                                                        asio::redirect_error(kAwait, error));
  in_.commit(bytes);
  received_ += bytes;
  co_return !error;
}

// False when the connection is to be ended; a header that is wrong has been answered by then.
Task<bool> Connection::read_header() {
  parser_.reset();
  timed_out_ = false;
  set_phase(Phase::kIdle, shared_.options.limits.idle_timeout);
  absl::Status status;
  for (;;) {
    if (phase_ == Phase::kIdle && in_.view().starts_with("\r\n")) {
      in_.consume(2);  // RFC 9112, 2.2: an empty line before a request is ignored.
    }
    if (!in_.empty()) {
      if (phase_ == Phase::kIdle) {
        set_phase(Phase::kHeader, shared_.options.limits.header_timeout);
        started_ = loop_.now();
      }
      const absl::StatusOr<size_t> used = parser_.read_header(in_.view());
      if (!used.ok()) {
        status = used.status();
        break;
      }
      in_.consume(*used);
      if (parser_.header_done()) {
        co_return true;
      }
    } else if (shared_.ending_idle.load(std::memory_order_relaxed)) {
      co_return false;
    }
    const bool more = co_await read_more(kReadBytes);
    if (!more) {
      if (!timed_out_ || phase_ == Phase::kIdle) {
        co_return false;
      }
      status = too_slow("header");
      break;
    }
  }
  co_await answer_unread(status);
  co_return false;
}

// Where there is no request to be answered, only the reason why.
Task<void> Connection::answer_unread(const absl::Status& status) {
  close_ = linger_ = true;
  request_.method = Method::kOther;
  request_.route = nullptr;
  match_ = {};
  made_id_ = loop_.next_id();
  request_.id = made_id_;
  response_.clear();
  write_error(status, ErrorFormat::kProblem, request_.id, response_);
  co_await answer();
  finish_request();
}

absl::Status Connection::too_slow(std::string_view what) const {
  return with_http_status(
      absl::Status(absl::StatusCode::kDeadlineExceeded,
                   fmt::format("the {} of the request did not come in time", what).c_str()),
      408);
}

Task<void> Connection::serve() {
  begin_request();
  absl::Status status = admit();
  if (status.ok() && !body_is_at_hand()) {
    status = co_await receive_body();
  }
  if (status.ok()) {
    set_phase(Phase::kHandling, {});
    request_.on_loop =
        request_.route->kind == HandlerKind::kInline && request_.body.size() <= kInlineBodyBytes;
    if (request_.on_loop) {
      status = invoke();
    } else {
      status = co_await handle();
    }
    if (response_.too_long_here) {
      request_.on_loop = false;
      response_.clear();
      status = co_await handle();
    }
    if (status.ok() && response_.later) {
      status = co_await answer_later();
    }
    if (status.ok() && request_.on_loop && loop_.must_hold_answers()) {
      status = co_await loop_.end_of_turn();
    }
  }
  if (!status.ok()) {
    write_error(status, error_format(), request_.id, response_);
  }
  drop_body();
  co_await answer();
  finish_request();
}

// Until the response is filled.
Task<absl::Status> Connection::answer_later() {
  const auto start = [this](auto handler) {
    auto resume = std::make_shared<decltype(handler)>(std::move(handler));
    const auto done = [resume, executor = loop_.executor()](absl::Status status) {
      asio::post(executor, [resume, status = std::move(status)] { std::move (*resume)(status); });
    };
    if (request_.on_loop) {
      response_.later(done);
    } else if (!shared_.scoring.submit([this, done] { response_.later(done); })) {
      done(too_busy());
    }
  };
  const absl::Status status =
      co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(absl::Status)>(
          start, kAwait);
  co_return status;
}

// Returns once what this thread's handlers wrote is safe.
absl::Status pass(AnswerGate* gate) {
  if (gate == nullptr || !gate->is_shut()) {
    return absl::OkStatus();
  }
  std::promise<absl::Status> safe;
  gate->pass([&safe](absl::Status status) { safe.set_value(std::move(status)); });
  return safe.get_future().get();
}

// On another thread than the loop's.
Task<absl::Status> Connection::handle() {
  if (request_.route->kind == HandlerKind::kInline) {
    co_return co_await offload_status(shared_.scoring, [this] {
      absl::Status result = invoke();
      return result.ok() ? pass(shared_.surroundings.gate) : result;
    });
  }
  if (request_.route->kind == HandlerKind::kEvents) {
    prepare_events();
  }
  co_return co_await offload_status(shared_.blocking, [this] {
    absl::Status result = invoke_once();
    request_.upload.reset();  // Here, because removing a file may block.
    return result;
  });
}

// A path that no route has is answered as its neighbours are.
ErrorFormat Connection::error_format() const {
  return match_.route != nullptr ? match_.route->errors
                                 : shared_.router.errors_near(request_.target.path());
}

// Whether nothing more needs to be read for the body; then `request_.body` is set.
bool Connection::body_is_at_hand() {
  if (request_.route->kind == HandlerKind::kUpload) {
    return false;
  }
  if (parser_.chunked()) {
    return false;
  }
  if (body_left_ > in_.size()) {
    return false;
  }
  body_in_buffer_ = static_cast<size_t>(body_left_);
  body_unread_ = false;
  request_.body = in_.view().substr(0, body_in_buffer_);
  return true;
}

Task<absl::Status> Connection::receive_body() {
  if (absl::Status status = co_await invite_body(); !status.ok()) {
    co_return status;
  }
  if (request_.route->kind == HandlerKind::kUpload) {
    co_return co_await receive_upload();
  }
  if (parser_.chunked()) {
    co_return co_await receive_chunked_body();
  }
  co_return co_await receive_fixed_body();
}

// Tells a client that waits for it (curl, with large bodies) to go on.
Task<absl::Status> Connection::invite_body() {
  if (request_.header("expect") && in_.empty()) {
    const bool sent = co_await write_all("HTTP/1.1 100 Continue\r\n\r\n", {});
    if (!sent) {
      close_ = true;
      co_return base::cancelled("the client went away");
    }
  }
  co_return absl::OkStatus();
}

// Straight into the body's own memory, which is reserved at once: check_body() has compared the
// length with the limit.
Task<absl::Status> Connection::receive_fixed_body() {
  const size_t size = static_cast<size_t>(body_left_);
  body_.reserve(size + kBodyPadding);
  body_.resize(size);
  size_t have = in_.size();
  std::copy_n(in_.view().data(), have, body_.data());
  in_.clear();
  while (have < size) {
    expect_body();
    ErrorCode error;
    const size_t bytes = co_await socket_.async_read_some(
        asio::buffer(body_.data() + have, size - have), asio::redirect_error(kAwait, error));
    have += bytes;
    received_ += bytes;
    if (error) {
      close_ = true;
      co_return timed_out_ ? too_slow("body") : base::cancelled("the client went away");
    }
  }
  body_unread_ = false;
  request_.body = body_;
  co_return absl::OkStatus();
}

Task<absl::Status> Connection::receive_chunked_body() {
  const uint64_t limit = request_.route->body_bytes_max;
  body_.clear();
  for (;;) {
    const absl::StatusOr<size_t> used =
        parser_.read_chunks(in_.view(), body_, static_cast<size_t>(limit));
    if (!used.ok()) {
      co_return used.status();
    }
    in_.consume(*used);
    if (body_.size() > limit) {
      co_return body_too_long(limit);
    }
    if (parser_.body_done()) {
      break;
    }
    if (in_.size() > shared_.options.limits.header_bytes) {
      co_return base::invalid("the chunked body of the request is malformed");
    }
    expect_body();
    const bool more = co_await read_more(kKeptBytes);
    if (!more) {
      close_ = true;
      co_return timed_out_ ? too_slow("body") : base::cancelled("the client went away");
    }
  }
  body_unread_ = false;
  body_.reserve(body_.size() + kBodyPadding);
  request_.body = body_;
  co_return absl::OkStatus();
}

absl::Status Connection::invoke() {
  const base::RequestScope scope(request_.id);
  try {
    return (*match_.handler)(request_, response_);
  } catch (const std::exception& error) {
    base::log_error("a handler failed",
                    {{"operation", request_.route->operation}, {"error", error.what()}});
    return base::internal("the server failed at this request",
                          "look for the request id in the server's log");
  }
}

// With regard to Idempotency-Key, where the route creates something.
absl::Status Connection::invoke_once() {
  const auto key = request_.route->creates ? request_.header("idempotency-key") : std::nullopt;
  if (!key) {
    return invoke();
  }
  if (key->empty() || key->size() > 255) {
    return base::invalid("the Idempotency-Key must have 1 to 255 characters",
                         "send a random text, a new one for each thing to make");
  }
  const std::string scoped = fmt::format("{} {}", static_cast<int>(request_.caller), *key);
  const std::string fingerprint =
      base::content_hash(fmt::format("{} {}\n{}\n{}", parser_.method_text(), parser_.target(),
                                     request_.header("content-type").value_or(""),
                                     body_hash_.empty() ? request_.body : body_hash_))
          .text();
  TRY(const std::optional<KeptAnswer> kept, shared_.idempotency.begin(scoped, fingerprint));
  if (kept) {
    response_.status = kept->status;
    response_.content_type_text = kept->content_type;
    response_.content_type = response_.content_type_text;
    response_.body = kept->body;
    response_.location = kept->location;
    response_.etag = kept->etag;
    return absl::OkStatus();
  }
  const absl::Status status = invoke();
  if (status.ok() && response_.status < 300 && !response_.file && !response_.events) {
    shared_.idempotency.finish(scoped, {response_.status, std::string(response_.content_type),
                                        response_.body, response_.location, response_.etag});
  } else {
    shared_.idempotency.abandon(scoped);
  }
  return status;
}

// A body that nobody wanted: passed over when it is here, else the connection has to end.
void Connection::drop_body() {
  if (!body_unread_) {
    return;
  }
  if (!parser_.chunked() && body_left_ <= in_.size()) {
    body_in_buffer_ = static_cast<size_t>(body_left_);
  } else {
    in_.clear();
    close_ = linger_ = true;
  }
  body_unread_ = false;
}

Task<void> Connection::answer() {
  make_conditional();
  if (response_.events) {
    co_await send_events();
    co_return;
  }
  if (response_.file) {
    co_await send_file();
    co_return;
  }
  build_head(response_.body.size());
  const bool head_only = request_.method == Method::kHead || response_.status == 304;
  const std::string_view body = head_only ? std::string_view() : response_.body;
  // Nearly always the kernel takes all of it at once; only else is it worth a suspended write.
  ErrorCode error;
  const std::array<asio::const_buffer, 2> pieces = {asio::buffer(head_),
                                                    asio::buffer(body.data(), body.size())};
  const size_t bytes = socket_.write_some(pieces, error);
  sent_ += bytes;
  if (bytes == head_.size() + body.size()) {
    co_return;
  }
  if (error && error != asio::error::would_block) {
    close_ = true;
    linger_ = false;
    co_return;
  }
  const std::string_view head = head_;
  const bool done = co_await write_all(head.substr(std::min(bytes, head.size())),
                                       body.substr(bytes - std::min(bytes, head.size())));
  if (!done) {
    close_ = true;
    linger_ = false;
  }
}

Task<bool> Connection::write_all(std::string_view head, std::string_view body) {
  while (!head.empty() || !body.empty()) {
    set_phase(Phase::kWriting, shared_.options.write_timeout);
    ErrorCode error;
    const std::array<asio::const_buffer, 2> pieces = {asio::buffer(head.data(), head.size()),
                                                      asio::buffer(body.data(), body.size())};
    const size_t bytes =
        co_await socket_.async_write_some(pieces, asio::redirect_error(kAwait, error));
    if (error) {
      co_return false;
    }
    sent_ += bytes;
    const size_t of_head = std::min(bytes, head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(bytes - of_head);
  }
  co_return true;
}

void Connection::finish_request() {
  const std::chrono::nanoseconds latency = loop_.now() - started_;
  const size_t index = match_.outcome == Router::Outcome::kFound ? match_.index : Metrics::kNoRoute;
  shared_.surroundings.metrics.observe(index, response_.status, latency);
  const AccessLog log = shared_.options.access_log;
  const bool quiet = index != Metrics::kNoRoute && response_.status < 400 &&
                     match_.route->kind == HandlerKind::kInline;
  if (log == AccessLog::kAll || (log == AccessLog::kOrdinary && !quiet)) {
    const bool known = !request_.target.path().empty();
    base::log_info("request", {{"method", parser_.method_text()},
                               {"path", known ? request_.target.path() : std::string_view("?")},
                               {"status", response_.status},
                               {"bytes", response_.body.size()},
                               {"latency_us", latency.count() / 1000},
                               {"traceparent", request_.traceparent},
                               {"request", request_.id}});
  }
  in_.consume(body_in_buffer_);
  body_in_buffer_ = 0;
  request_.upload.reset();  // Where the pool did not take the request.
  request_.wake = nullptr;
  if (events_) {
    end_events();
  }
  if (in_.empty()) {
    in_.shrink(kKeptBytes);
  }
  if (body_.capacity() > kKeptBytes) {
    body_ = {};
  }
  if (response_.body.capacity() > kKeptBytes) {
    response_.body = {};
  }
}

// Closing while the peer still sends would reset the connection and could take the answer with it:
// so end our side, and read on for a moment.
Task<void> Connection::linger() {
  ErrorCode ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  set_phase(Phase::kLingering, kLingerTimeout);
  const uint64_t limit = received_ + kLingerBytesMax;
  bool more = true;
  while (more && received_ < limit) {
    in_.clear();
    more = co_await read_more(kKeptBytes);
  }
}

Task<void> Connection::refuse() {
  started_ = loop_.now();
  co_await answer_unread(with_retry_after(
      base::unavailable(fmt::format("the server has {} connections, as many as it may have",
                                    shared_.options.limits.connections),
                        "try again in a moment"),
      1));
}

}  // namespace cromford::http
