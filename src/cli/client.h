#pragma once

// The HTTP client of the command line: one libcurl handle, kept alive between requests, so that a
// command that asks often pays for one connection. Uploads and downloads stream in constant memory.
//
//   Client client({.url = "http://127.0.0.1:7040", .token = token});
//   TRY(const base::Json dataset, client.get("/api/v1/projects/default/datasets/flights"));
//   TRY(const Answer answer, client.send({.method = "POST", .path = path, .body = text}));
//
// Answers of 400 and above are errors, with the server's detail, remedy and document (problem.h).
// UNAVAILABLE: nobody answers there, or the connection broke.
//
// Thread safety: a client belongs to one thread; several clients may work at once.

#include <absl/status/statusor.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace cromford::cli {

struct ClientOptions {
  std::string url;    // "http://HOST:PORT", perhaps with a path before /api; no slash at the end.
  std::string token;  // Empty: none is sent.
  std::chrono::milliseconds connect_timeout{10'000};
  // A request that moves no byte for so long has lost its server.
  std::chrono::seconds silence_timeout{120};
  std::chrono::milliseconds total_timeout{0};  // Of a whole request; 0: none.
  // Transfers stop once this has counted two (a second Ctrl-C); may be null.
  const std::atomic<int>* interrupts = nullptr;
};

using Query = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method = "GET";
  std::string path;  // From the root, its names already encoded by `encoded`.
  Query query = {};  // Encoded here. Pairs with an empty value are left out.
  std::string body = {};
  std::string content_type = {};
  std::vector<std::string> headers = {};  // "If-Match: \"7\""
  // Instead of `body`: read to its end and sent as it comes. -1: the length is not known.
  std::istream* upload = nullptr;
  int64_t upload_bytes = -1;
  // Called with each piece of a good answer's body, which then is not kept; false stops.
  std::function<bool(std::string_view)> sink = {};
  // Called now and then with the bytes sent and received so far.
  std::function<void(int64_t sent, int64_t received)> moved = {};
};

struct Answer {
  int http_status = 0;
  std::string body;
  std::string content_type;
  std::string etag;  // As sent, with its quotes.
};

class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const std::string& url() const { return options_.url; }

  // Any answer below 400; else the error that the answer tells of.
  absl::StatusOr<Answer> send(const Request& request);

  // The answer's JSON document; DATA_LOSS where it is none.
  absl::StatusOr<base::Json> document(const Request& request);
  absl::StatusOr<base::Json> get(const std::string& path, Query query = {});
  absl::StatusOr<base::Json> post(const std::string& path, const base::Json& body);

 private:
  struct Handle;

  ClientOptions options_;
  std::unique_ptr<Handle> handle_;
};

// Percent-encoded for one segment of a path or a query value.
std::string encoded(std::string_view text);

}  // namespace cromford::cli
