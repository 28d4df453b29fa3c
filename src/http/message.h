#pragma once

// A request and its answer as handlers see them: plain values, no type of the network library. A
// connection keeps one of each and uses them again, so that a small request allocates nothing.
//
//   absl::Status hello(Request& request, Response& response) {
//     response.content_type = "text/plain; charset=utf-8";
//     fmt::format_to(std::back_inserter(response.body), "hello {}", request.parameter("name"));
//     return absl::OkStatus();
//   }
//
// Thread safety: a request and its response belong to one thread at a time.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/events.h"
#include "http/method.h"
#include "http/target.h"

namespace cromford::http {

struct HeaderField {
  std::string_view name;
  std::string_view value;
};

// What the credentials of a request prove.
enum class Caller {
  kAnonymous,  // No credentials; allowed on loopback unless the configuration sets a token.
  kUser,       // The configured token.
  kOwner,      // The token of home/run/server.json: the owner of the home, on this machine.
};

// The body of an upload, in a file of the server. The file is removed with the object unless it
// was taken.
class Upload {
 public:
  // `removed` is called with the path when the upload goes without having been taken.
  Upload(std::filesystem::path path, uint64_t bytes,
         std::function<void(const std::filesystem::path&)> remove);
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  const std::filesystem::path& path() const { return path_; }
  uint64_t bytes() const { return bytes_; }
  // From now on the caller has to remove the file.
  std::filesystem::path take();

 private:
  std::filesystem::path path_;
  uint64_t bytes_;
  std::function<void(const std::filesystem::path&)> remove_;
};

struct Route;

// Of a path: the names are the pattern's, the values are decoded.
using Parameters = std::vector<std::pair<std::string_view, std::string_view>>;

// Everything it refers to lives until the handler returns.
struct Request {
  Method method = Method::kGet;
  Target target;
  const Route* route = nullptr;
  std::span<const HeaderField> headers;
  // The whole body, except of uploads. At least `kBodyPadding` readable bytes follow it.
  std::string_view body;
  std::unique_ptr<Upload> upload;  // Of routes whose body is an upload, else null.
  std::string_view id;             // X-Request-Id, given or made.
  std::string_view traceparent;    // As it came; empty when there is none.
  Caller caller = Caller::kAnonymous;
  // The handler runs on the event loop, so it must be quick (see HandlerKind::kInline).
  bool on_loop = false;
  // Of event routes: makes the connection ask the response's event stream for more. May be called
  // from any thread and outlive the request.
  std::function<void()> wake;

  // The first field of that name (in lower case), without blanks around it; nullopt when absent.
  std::optional<std::string_view> header(std::string_view lower_case_name) const;
  // The part of the path that the pattern calls {name}, decoded. Asking for a name that the
  // route's pattern does not have is a bug.
  std::string_view parameter(std::string_view name) const;
  std::optional<std::string_view> query(std::string_view name) const { return target.query(name); }

  Parameters parameters;  // Filled by the router.
};

// So that a parser which reads ahead in blocks may work on the body in place.
inline constexpr size_t kBodyPadding = 64;

// A file to send, read while it is sent.
struct FileBody {
  std::filesystem::path path;
  std::string file_name;  // For Content-Disposition; empty: none is sent.
  bool remove_after = false;
};

// What a handler fills. It starts empty: 200, no body, nothing set.
struct Response {
  int status = 200;
  // Refers to text that outlives the response (a literal), or to `content_type_text`.
  std::string_view content_type = "application/json";
  std::string content_type_text;
  std::string body;
  std::string etag;      // Sent quoted; a GET whose If-None-Match names it is answered 304.
  std::string location;  // Of what was created.
  int retry_after_s = 0;
  // Set by a handler on the event loop that has done nothing, because it would take too long there:
  // it is called again on another thread.
  bool too_long_here = false;
  std::vector<std::string_view> allow;  // Methods, for 405.
  std::optional<FileBody> file;         // Sent instead of `body`.
  // Where the answer comes later: called once, with what is to be called (once, from any thread)
  // when the response is filled. No thread waits meanwhile.
  std::function<void(std::function<void(absl::Status)> done)> later;
  std::unique_ptr<EventStream> events;  // Sent instead of `body`, until either side ends it.

  // As new, keeping the memory of `body`.
  void clear();
};

// Fills `response`, or returns an error, which is rendered as a problem document.
using Handler = std::function<absl::Status(Request& request, Response& response)>;

}  // namespace cromford::http
