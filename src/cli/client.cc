#include "cli/client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <cstring>
#include <istream>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "base/text.h"
#include "cli/problem.h"

namespace cromford::cli {
namespace {

// libcurl wants to be started once per process; it is never stopped, for other threads may use it.
void start_curl() {
  static const CURLcode kStarted = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(kStarted);
}

constexpr size_t kErrorBodyMax = 1 << 20;

// What the callbacks of one transfer share.
struct Transfer {
  const Request& request;
  const std::atomic<int>* interrupts;
  CURL* curl;
  Answer answer;
  bool sink_refused = false;
  bool source_failed = false;
};

size_t on_body(char* data, size_t size, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const size_t bytes = size * count;
  long http_status = 0;
  curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &http_status);
  if (transfer.request.sink && http_status < 300) {
    transfer.sink_refused = !transfer.request.sink({data, bytes});
    return transfer.sink_refused ? 0 : bytes;
  }
  if (http_status < 400 || transfer.answer.body.size() + bytes <= kErrorBodyMax) {
    transfer.answer.body.append(data, bytes);
  }
  return bytes;
}

size_t on_header(char* data, size_t size, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view line(data, size * count);
  const size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    const std::string name = base::lower(line.substr(0, colon));
    const std::string_view value = base::trim(line.substr(colon + 1));
    if (name == "etag") {
      transfer.answer.etag = value;
    } else if (name == "content-type") {
      transfer.answer.content_type = value;
    }
  }
  return size * count;
}

size_t on_read(char* data, size_t size, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  std::istream& source = *transfer.request.upload;
  source.read(data, static_cast<std::streamsize>(size * count));
  if (source.bad()) {
    transfer.source_failed = true;
    return CURL_READFUNC_ABORT;
  }
  return static_cast<size_t>(source.gcount());
}

// Lets libcurl start an upload again, e.g. when a kept connection turns out to be closed.
int on_seek(void* context, curl_off_t offset, int origin) {
  std::istream& source = *static_cast<Transfer*>(context)->request.upload;
  source.clear();
  source.seekg(offset, origin == SEEK_SET ? std::ios::beg : std::ios::cur);
  return source.good() ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK;
}

int on_progress(void* context, curl_off_t /*total*/, curl_off_t received, curl_off_t /*total_up*/,
                curl_off_t sent) {
  const auto& transfer = *static_cast<Transfer*>(context);
  if (transfer.request.moved) {
    transfer.request.moved(sent, received);
  }
  return transfer.interrupts != nullptr && transfer.interrupts->load() > 1 ? 1 : 0;
}

struct HeaderList {
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { curl_slist_free_all(list); }
  void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
  curl_slist* list = nullptr;
};

std::string full_url(const std::string& base_url, const Request& request) {
  std::string url = base_url + request.path;
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    if (!value.empty()) {
      url += fmt::format("{}{}={}", separator, name, encoded(value));
      separator = '&';
    }
  }
  return url;
}

void set_body(CURL* curl, const Request& request, Transfer& transfer, HeaderList& headers) {
  if (request.upload != nullptr) {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(curl, CURLOPT_READDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, &transfer);
    if (request.upload_bytes >= 0) {
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t{request.upload_bytes});
    } else {
      headers.add("Transfer-Encoding: chunked");
    }
  } else if (request.method == "POST" || request.method == "PUT") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
  }
  if (request.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

absl::Status transfer_error(CURLcode code, const Transfer& transfer, const std::string& url,
                            const char* words) {
  if (transfer.sink_refused) {
    return base::internal("the answer could not be written to its file",
                          "free some space on the disk and try again");
  }
  if (transfer.source_failed) {
    return base::internal("the data to upload could not be read to its end");
  }
  if (code == CURLE_ABORTED_BY_CALLBACK) {
    return base::cancelled("interrupted");
  }
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
    return base::invalid(fmt::format("'{}' is not the URL of a server", url),
                         "write it as http://HOST:PORT or https://HOST:PORT");
  }
  const std::string reason = words[0] != '\0' ? words : curl_easy_strerror(code);
  if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST) {
    return base::unavailable(fmt::format("no server can be reached at {}: {}", url, reason),
                             "start one with `cromford server`, or correct --url");
  }
  return base::unavailable(fmt::format("the connection to {} was lost: {}", url, reason),
                           "look at the server's log, and try again");
}

}  // namespace

struct Client::Handle {
  Handle() {
    start_curl();
    curl = curl_easy_init();
  }
  ~Handle() { curl_easy_cleanup(curl); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  CURL* curl = nullptr;
};

Client::Client(ClientOptions options)
    : options_(std::move(options)), handle_(std::make_unique<Handle>()) {}

Client::~Client() = default;

absl::StatusOr<Answer> Client::send(const Request& request) {
  CURL* curl = handle_->curl;
  if (curl == nullptr) {
    return base::internal("libcurl could not be started");
  }
  curl_easy_reset(curl);  // Connections stay.
  Transfer transfer{request, options_.interrupts, curl, {}};
  HeaderList headers;
  headers.add("Expect:");  // No second round trip before a body.
  if (!request.content_type.empty()) {
    headers.add("Content-Type: " + request.content_type);
  }
  if (!options_.token.empty()) {
    headers.add("Authorization: Bearer " + options_.token);
  }
  for (const std::string& header : request.headers) {
    headers.add(header);
  }
  const std::string url = full_url(options_.url, request);
  char words[CURL_ERROR_SIZE] = "";
  set_body(curl, request, transfer, headers);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.list);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "cromford-cli");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options_.connect_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.total_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                   static_cast<long>(options_.silence_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  const CURLcode code = curl_easy_perform(curl);
  long http_status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
  // A server that refuses an upload may answer and close before it has read everything.
  if (code != CURLE_OK && !(code == CURLE_SEND_ERROR && http_status >= 400)) {
    return transfer_error(code, transfer, options_.url, words);
  }
  transfer.answer.http_status = static_cast<int>(http_status);
  if (http_status >= 400) {
    return status_of_problem(transfer.answer.http_status, transfer.answer.body);
  }
  return std::move(transfer.answer);
}

absl::StatusOr<base::Json> Client::document(const Request& request) {
  TRY(const Answer answer, send(request));
  if (answer.body.empty()) {
    return base::Json::object();
  }
  absl::StatusOr<base::Json> parsed = base::parse_json(answer.body);
  if (!parsed.ok()) {
    return base::damaged(fmt::format("the answer of {}{} cannot be read: {}", options_.url,
                                     request.path, base::message(parsed.status())),
                         "check that --url leads to a Cromford server");
  }
  return parsed;
}

absl::StatusOr<base::Json> Client::get(const std::string& path, Query query) {
  return document({.path = path, .query = std::move(query)});
}

absl::StatusOr<base::Json> Client::post(const std::string& path, const base::Json& body) {
  return document({.method = "POST",
                   .path = path,
                   .body = base::dump_json(body),
                   .content_type = "application/json"});
}

std::string encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

}  // namespace cromford::cli
