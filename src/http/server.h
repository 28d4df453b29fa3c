#pragma once

// The HTTP server: HTTP/1.1 with keep-alive, limits on everything, streams in constant memory. One
// event loop and one acceptor per thread; handlers run where their route says.
//
//   ServerOptions options;
//   options.listen = "127.0.0.1:7040";
//   TRY(auto server, Server::start(options, std::move(router), {clock, entropy, files, metrics}));
//   fmt::print("listening http={}\n", server->address());
//   ...
//   server->stop();
//
// Thread safety: every member may be called from any thread.

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/limits.h"
#include "base/random.h"
#include "http/idempotency.h"
#include "http/metrics.h"
#include "http/route.h"

namespace cromford::http {

// Keeps answers back until what their handlers wrote (a log of predictions) is safe. A loop gathers
// the answers of one turn, passes the gate with all of them at once, and only then sends them.
class AnswerGate {
 public:
  virtual ~AnswerGate() = default;
  // Whether a handler on the calling thread has written what is not safe yet.
  virtual bool is_shut() = 0;
  // Makes safe what handlers on the calling thread have written. `done` is called once, from this
  // or another thread; an error replaces the answers.
  virtual void pass(std::function<void(absl::Status)> done) = 0;
};

enum class AccessLog {
  kOff,
  kOrdinary,  // All but successful requests of inline routes, which would be most of the log.
  kAll,
};

struct ServerOptions {
  // "HOST:PORT" with an IP address or "localhost"; port 0 picks a free one.
  std::string listen = "127.0.0.1:7040";
  int loop_threads = 2;
  int blocking_threads = 8;
  size_t blocking_queue_max = 256;  // Beyond it requests are answered 503.

  // The body, header and connection limits and their timeouts.
  base::Limits limits;
  std::chrono::seconds write_timeout{60};  // Without any progress of the reader.
  std::chrono::milliseconds event_comment_interval{15'000};
  std::chrono::milliseconds stop_grace{10'000};
  // How long connections between two requests stay open when the server stops, for one last request
  // that is answered with `Connection: close`.
  std::chrono::milliseconds stop_idle_grace{200};

  // Where uploads are written; must be on the file system of the objects.
  std::filesystem::path spool_directory;

  // The token that every caller must send; empty: none is needed.
  std::string token;
  // The token that proves the owner of the home; empty: nobody is the owner.
  std::string owner_token;
  // Names under which the server may be addressed, besides localhost and IP addresses.
  std::vector<std::string> host_names;

  AccessLog access_log = AccessLog::kOrdinary;
};

// INVALID_ARGUMENT where `listen` is no "HOST:PORT" as ServerOptions wants it.
absl::Status check_listen(std::string_view listen);

class Server {
 public:
  // What it gets from outside; all must outlive the server.
  struct Surroundings {
    base::Clock& clock;
    base::Entropy& entropy;
    base::FileSystem& files;
    Metrics& metrics;
    // Where answers to requests with an Idempotency-Key outlive the server; null: nowhere.
    AnswerLog* answers = nullptr;
    AnswerGate* gate = nullptr;  // Null: answers leave at once.
  };

  // Returns once connections are taken. UNAVAILABLE, naming the address, when it cannot be bound
  // (occupied, not of this machine); INVALID_ARGUMENT when it is none.
  static absl::StatusOr<std::unique_ptr<Server>> start(ServerOptions options, Router router,
                                                       Surroundings surroundings);
  virtual ~Server() = default;

  // "127.0.0.1:7040", with the port that was really bound.
  virtual std::string address() const = 0;
  virtual uint16_t port() const = 0;

  // Takes no more connections, ends event streams, finishes the requests in flight (for at most
  // `stop_grace`) and those that clients of open connections still send (for `stop_idle_grace`),
  // and returns when all threads are done. The destructor does the same.
  virtual void stop() = 0;

  // Looks at once for connections whose time is up, which otherwise happens four times a second;
  // for tests with a simulated clock.
  virtual void check_deadlines() = 0;
};

}  // namespace cromford::http
