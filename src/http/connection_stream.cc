// Bodies that do not fit into memory, or never end: uploads, files, events; and the way of work to
// the pools and back.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>
#include <utility>

#include "base/descriptor.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "http/connection.h"
#include "http/problem.h"

namespace cromford::http {
namespace {

using ErrorCode = boost::system::error_code;

constexpr size_t kPieceBytes = 256U << 10;
constexpr size_t kEventBytesAtOnce = 64U << 10;

absl::StatusOr<uint64_t> file_size(const base::Descriptor& file,
                                   const std::filesystem::path& path) {
  struct stat facts{};
  if (file.get() < 0 || fstat(file.get(), &facts) != 0) {
    return base::errno_status(errno, "read", path);
  }
  return static_cast<uint64_t>(facts.st_size);
}

// Fills `piece` from `offset` on; INTERNAL when the file turns out shorter than it was.
absl::Status read_piece(const base::Descriptor& file, uint64_t offset, std::string& piece,
                        const std::filesystem::path& path) {
  for (size_t have = 0; have < piece.size();) {
    const ssize_t bytes = pread(file.get(), piece.data() + have, piece.size() - have,
                                static_cast<off_t>(offset + have));
    if (bytes < 0 && errno == EINTR) {
      continue;
    }
    if (bytes < 0) {
      return base::errno_status(errno, "read", path);
    }
    if (bytes == 0) {
      return base::internal(fmt::format("{} became shorter while it was sent", path.string()));
    }
    have += static_cast<size_t>(bytes);
  }
  return absl::OkStatus();
}

// Whether a body that begins so can be what its Content-Encoding says (RFC 1952, RFC 8878).
absl::Status check_beginning(std::string_view coding, std::string_view beginning) {
  const bool is_gzip = base::equal_ignoring_case(coding, "gzip");
  if (!is_gzip && !base::equal_ignoring_case(coding, "zstd")) {
    return absl::OkStatus();
  }
  constexpr std::string_view kGzip = "\x1f\x8b";
  constexpr std::string_view kZstd = "\x28\xb5\x2f\xfd";
  if (beginning.starts_with(is_gzip ? kGzip : kZstd)) {
    return absl::OkStatus();
  }
  return base::invalid(fmt::format("the body is not {}, as its Content-Encoding says", coding),
                       "leave the field out where the body is not compressed");
}

}  // namespace

// What outlives the connection: a publisher may hold the wake function a little longer.
struct Connection::EventState {
  explicit EventState(const Executor& its_executor) : timer(its_executor), executor(its_executor) {}

  std::optional<Timer> timer;  // Used on the loop only, like `woken` and `gone`.
  bool woken = false;
  bool gone = false;
  std::array<char, 256> ignored_input{};

  const Executor executor;
  std::mutex mutex;
  bool ended = false;
  bool posted = false;
};

// Runs `work` on the pool while the connection waits; false when the pool takes no more.
absl::Status too_busy() {
  return with_retry_after(
      base::unavailable("the server has too much to do at this moment", "try again in a moment"),
      1);
}

Task<bool> Connection::offload(WorkerPool& pool, std::function<void()> work) {
  bool taken = true;
  auto start = [&](auto handler) {
    // The handler can only be moved, and a std::function wants to be copied.
    auto resume = std::make_shared<decltype(handler)>(std::move(handler));
    const auto go_on = [executor = loop_.executor(), resume] {
      asio::post(executor, [resume] { (*resume)(); });
    };
    taken = pool.submit([&work, go_on] {
      work();
      go_on();
    });
    if (!taken) {
      go_on();
    }
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(start, kAwait);
  co_return taken;
}

Task<absl::Status> Connection::offload_status(WorkerPool& pool,
                                              std::function<absl::Status()> work) {
  absl::Status status;
  const bool taken = co_await offload(pool, [&] { status = work(); });
  if (!taken) {
    co_return too_busy();
  }
  co_return status;
}

Task<absl::Status> Connection::receive_upload() {
  const base::Limits& limits = shared_.options.limits;
  Spool::Settings settings;
  settings.path = shared_.options.spool_directory / fmt::format("upload-{}", loop_.next_id());
  settings.bytes_max = limits.upload_bytes;
  settings.free_bytes_min = limits.upload_free_bytes_min;
  settings.expected_bytes = parser_.content_length();
  settings.hash = request_.header("idempotency-key").has_value();
  std::unique_ptr<Spool> spool;
  absl::Status status = co_await offload_status(shared_.disk, [&]() -> absl::Status {
    TRY(spool, Spool::open(shared_.surroundings.files, settings));
    return absl::OkStatus();
  });
  if (status.ok()) {
    status = co_await spool_body(*spool);
  }
  if (status.ok()) {
    status = check_beginning(request_.header("content-encoding").value_or(""), spool->beginning());
    body_unread_ = false;
  }
  if (status.ok()) {
    status = co_await offload_status(shared_.disk, [&]() -> absl::Status {
      TRY(request_.upload, spool->finish());
      return absl::OkStatus();
    });
  }
  if (status.ok()) {
    body_hash_ = spool->content_hash();
  }
  co_return status;
}

// One piece in memory at a time: it is read, written, and only then is the next one read.
Task<absl::Status> Connection::spool_body(Spool& spool) {
  const bool chunked = parser_.chunked();
  while (chunked ? !parser_.body_done() : body_left_ > 0) {
    std::string_view piece;
    if (chunked) {
      body_.clear();
      const absl::StatusOr<size_t> used = parser_.read_chunks(in_.view(), body_, kPieceBytes);
      if (!used.ok()) {
        co_return used.status();
      }
      in_.consume(*used);
      piece = body_;
    } else {
      piece = in_.view().substr(0, static_cast<size_t>(std::min<uint64_t>(in_.size(), body_left_)));
    }
    if (!piece.empty()) {
      absl::Status status =
          co_await offload_status(shared_.disk, [&] { return spool.write(piece); });
      if (!status.ok()) {
        co_return status;
      }
      if (!chunked) {
        body_left_ -= piece.size();
        in_.consume(piece.size());
      }
      continue;
    }
    if (parser_.body_done()) {
      break;
    }
    if (in_.size() > kPieceBytes) {
      co_return base::invalid("the chunked body of the request is malformed");
    }
    expect_body();
    const bool more = co_await read_more(kPieceBytes);
    if (!more) {
      close_ = true;
      co_return timed_out_ ? too_slow("body")
                           : base::cancelled("the client went away during the upload");
    }
  }
  co_return absl::OkStatus();
}

Task<void> Connection::send_file() {
  const FileBody file = *response_.file;
  std::optional<base::Descriptor> descriptor;
  uint64_t size = 0;
  const absl::Status opened = co_await offload_status(shared_.disk, [&]() -> absl::Status {
    descriptor.emplace(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
    TRY(size, file_size(*descriptor, file.path));
    if (file.remove_after) {
      return shared_.surroundings.files.remove(file.path);  // It lives on until it is closed.
    }
    return absl::OkStatus();
  });
  if (!opened.ok()) {
    write_error(opened, ErrorFormat::kProblem, request_.id, response_);
    co_await answer();
    co_return;
  }
  build_head(size);
  bool sent = co_await write_all(head_, {});
  std::string piece;
  for (uint64_t offset = 0; sent && offset < size && request_.method != Method::kHead;) {
    piece.resize(static_cast<size_t>(std::min<uint64_t>(kPieceBytes, size - offset)));
    const absl::Status read = co_await offload_status(
        shared_.disk, [&] { return read_piece(*descriptor, offset, piece, file.path); });
    if (!read.ok()) {
      base::log_error("a download broke off",
                      {{"error", base::describe(read)}, {"request", request_.id}});
    }
    sent = read.ok();
    if (sent) {
      sent = co_await write_all(piece, {});
    }
    offset += piece.size();
  }
  if (!sent) {
    close_ = true;
    linger_ = false;
  }
}

void Connection::prepare_events() {
  events_ = std::make_shared<EventState>(loop_.executor());
  request_.wake = [state = events_] {
    const std::lock_guard lock(state->mutex);
    if (state->ended || state->posted) {
      return;
    }
    state->posted = true;
    asio::post(state->executor, [state] {
      {
        const std::lock_guard again(state->mutex);
        state->posted = false;
      }
      state->woken = true;
      if (state->timer) {
        state->timer->cancel();
      }
    });
  };
}

void Connection::end_events() {
  {
    const std::lock_guard lock(events_->mutex);
    events_->ended = true;
  }
  events_->gone = true;
  events_->timer.reset();
  events_.reset();
}

// Nothing is expected from the client any more but its end.
void Connection::watch_for_end() {
  socket_.async_read_some(asio::buffer(events_->ignored_input),
                          [this, state = events_](const ErrorCode& error, size_t /*bytes*/) {
                            if (error || state->gone) {
                              state->gone = true;
                              if (state->timer) {
                                state->timer->cancel();
                              }
                              return;
                            }
                            watch_for_end();
                          });
}

Task<void> Connection::send_events() {
  const std::shared_ptr<EventState> state = events_;
  const std::unique_ptr<EventStream> stream = std::move(response_.events);
  close_ = true;
  response_.content_type = "text/event-stream";
  build_head(std::nullopt);
  head_.resize(head_.size() - 2);
  head_ += "X-Accel-Buffering: no\r\n\r\n";
  std::string out = head_;
  if (request_.method != Method::kHead) {
    out += "retry: 2000\n\n";
    watch_for_end();
  }
  bool sent = co_await write_all(out, {});
  while (sent && request_.method != Method::kHead && !state->gone &&
         !shared_.stopping.load(std::memory_order_relaxed)) {
    out.clear();
    state->woken = false;
    while (out.size() < kEventBytesAtOnce) {
      const std::optional<Event> event = stream->next();
      if (!event) {
        break;
      }
      append_event(out, *event);
    }
    if (out.empty() && !state->woken) {
      set_phase(Phase::kHandling, {});
      ErrorCode error;
      state->timer->expires_after(shared_.options.event_comment_interval);
      co_await state->timer->async_wait(asio::redirect_error(kAwait, error));
      if (!error) {
        out = ": \n\n";  // Keeps proxies from closing, and finds out who has gone.
      }
    }
    if (!out.empty()) {
      sent = co_await write_all(out, {});
    }
  }
  ErrorCode ignored;
  socket_.cancel(ignored);
}

}  // namespace cromford::http
