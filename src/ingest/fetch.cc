#include "ingest/fetch.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::ingest {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr size_t kHeaderBytesMax = size_t{256} << 10;
// Of an answer that is not the file: a redirect's or an error's page.
constexpr size_t kOtherBodyMax = size_t{1} << 20;
constexpr int kPollMs = 50;
constexpr nanoseconds kProgressEvery = milliseconds(200);
constexpr size_t kFileNameMax = 120;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// A URL as it may be shown and kept: its query may hold a secret.
std::string without_query(std::string_view url) {
  return std::string(url.substr(0, url.find('?')));
}

struct AnswerHeader {
  std::string content_type;
  std::string disposition;
  std::string etag;
  std::string last_modified;
};

// One request and its answer: what libcurl's callbacks see.
class Transfer {
 public:
  Transfer(const FetchOptions& options, base::File& file) : options_(options), file_(file) {}

  absl::Status prepare(CURL* easy, const std::string& url);

  CURL* easy = nullptr;
  AnswerHeader header;
  uint64_t received = 0;
  std::string denied_address;  // An address that was not connected to.
  absl::Status failure;        // Why a callback ended the transfer.
  nanoseconds last_byte{0};

 private:
  static size_t on_body(char* data, size_t one, size_t size, void* self);
  static size_t on_header(char* data, size_t one, size_t size, void* self);
  static curl_socket_t on_socket(void* self, curlsocktype purpose, curl_sockaddr* address);

  bool is_file() const {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status == 200 || status == 203;
  }
  absl::Status take_body(std::string_view bytes);
  void take_header(std::string_view line);
  bool allows(const sockaddr& address) const;

  const FetchOptions& options_;
  base::File& file_;
  size_t header_bytes_ = 0;
  uint64_t other_bytes_ = 0;
};

absl::Status too_large(uint64_t bytes_max) {
  return base::exhausted(
      fmt::format("the file is larger than the limit of {}", base::format_size(bytes_max)),
      "raise the limit in the configuration, or import a part of it");
}

absl::Status Transfer::take_body(std::string_view bytes) {
  last_byte = options_.clock->monotonic();
  if (!is_file()) {
    other_bytes_ += bytes.size();
    return other_bytes_ <= kOtherBodyMax ? absl::OkStatus()
                                         : base::unavailable("the answer is no file but very long");
  }
  if (received + bytes.size() > options_.bytes_max) {
    return too_large(options_.bytes_max);
  }
  TRY(file_.write(bytes));
  received += bytes.size();
  return absl::OkStatus();
}

size_t Transfer::on_body(char* data, size_t one, size_t size, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.failure = transfer.take_body({data, one * size});
  return transfer.failure.ok() ? one * size : 0;
}

void Transfer::take_header(std::string_view line) {
  if (line.starts_with("HTTP/")) {
    header = AnswerHeader();  // What came before was an interim answer.
    return;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    return;
  }
  const std::string name = base::lower(base::trim(line.substr(0, colon)));
  const std::string value(base::trim(line.substr(colon + 1)));
  if (name == "content-type") {
    header.content_type = base::lower(base::trim(value.substr(0, value.find(';'))));
  } else if (name == "content-disposition") {
    header.disposition = value;
  } else if (name == "etag") {
    header.etag = value;
  } else if (name == "last-modified") {
    header.last_modified = value;
  }
}

size_t Transfer::on_header(char* data, size_t one, size_t size, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  transfer.last_byte = transfer.options_.clock->monotonic();
  transfer.header_bytes_ += one * size;
  if (transfer.header_bytes_ > kHeaderBytesMax) {
    transfer.failure = base::unavailable("the answer's header does not end");
    return 0;
  }
  transfer.take_header({data, one * size});
  return one * size;
}

bool Transfer::allows(const sockaddr& address) const {
  if (options_.policy == AddressPolicy::kAny || !options_.proxy.empty()) {
    return true;
  }
  return options_.allowed_address ? options_.allowed_address(address) : is_public_address(address);
}

curl_socket_t Transfer::on_socket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (!transfer.allows(address->addr)) {
    std::array<char, 128> text{};
    getnameinfo(&address->addr, address->addrlen, text.data(), text.size(), nullptr, 0,
                NI_NUMERICHOST);
    transfer.denied_address = text.data();
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

absl::Status Transfer::prepare(CURL* handle, const std::string& url) {
  easy = handle;
  last_byte = options_.clock->monotonic();
  const auto largest = static_cast<curl_off_t>(std::min(options_.bytes_max, uint64_t{1} << 62));
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = good && curl_easy_setopt(handle, option, value) == CURLE_OK;
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  // An empty text keeps libcurl from reading http_proxy and the like from the environment.
  set(CURLOPT_PROXY, options_.proxy.c_str());
  set(CURLOPT_NOPROXY, "");
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_HTTP_CONTENT_DECODING, 0L);
  set(CURLOPT_USERAGENT, "cromford");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_BUFFERSIZE, 256L * 1024);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
  set(CURLOPT_MAXFILESIZE_LARGE, largest);
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_socket);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  return good ? absl::OkStatus() : base::internal("libcurl refuses an option of the download");
}

// "a.csv" from `attachment; filename="a.csv"`; the extended form (RFC 8187) is taken where there
// is one.
std::string disposition_name(const std::string& disposition) {
  const std::string lower = base::lower(disposition);
  for (const std::string_view key : {"filename*=", "filename="}) {
    const size_t at = lower.find(key);
    if (at == std::string::npos) {
      continue;
    }
    std::string value = disposition.substr(at + key.size());
    if (value.starts_with('"')) {
      value = value.substr(1, value.find('"', 1) - 1);
    } else {
      value = value.substr(0, value.find(';'));
    }
    const size_t language = key == "filename*=" ? value.rfind('\'') : std::string::npos;
    return language == std::string::npos ? value : value.substr(language + 1);
  }
  return {};
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = text[i] == '%' ? base::from_hex(text.substr(i + 1, 2)) : std::nullopt;
    if (byte && byte->size() == 1) {
      decoded += *byte;
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

// Only what can do no harm as a file's name and on a terminal.
std::string clean_name(std::string_view name) {
  std::string clean;
  const std::string decoded = percent_decoded(name);
  for (const char c : std::string_view(decoded).substr(decoded.find_last_of("/\\") + 1)) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
    if (plain || (!clean.empty() && clean.back() != '_')) {
      clean += plain ? c : '_';
    }
  }
  clean.erase(0, std::min(clean.find_first_not_of("._-"), clean.size()));
  if (clean.size() > kFileNameMax) {
    clean.erase(0, clean.size() - kFileNameMax);  // The end tells the format.
  }
  return clean;
}

class Fetcher {
 public:
  explicit Fetcher(const FetchOptions& options) : options_(options) {}

  absl::StatusOr<FetchResult> run();

 private:
  struct Hop {
    std::string redirect;  // Empty: the file has arrived.
  };
  absl::StatusOr<Hop> request(const CheckedUrl& url, Transfer& transfer);
  absl::StatusOr<CURLcode> wait(Transfer& transfer, const std::string& shown);
  absl::Status check_time(const Transfer& transfer, const std::string& shown) const;
  void report(const Transfer& transfer, bool last);
  absl::Status judge_failure(CURLcode code, const Transfer& transfer, const CheckedUrl& url) const;
  absl::StatusOr<CheckedUrl> follow(const CheckedUrl& from, const std::string& to) const;
  absl::StatusOr<FetchResult> download(base::File& file);

  const FetchOptions& options_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::unique_ptr<curl_slist, ListDeleter> known_hosts_;
  nanoseconds start_{0};
  nanoseconds reported_{0};
};

void Fetcher::report(const Transfer& transfer, bool last) {
  const nanoseconds now = options_.clock->monotonic();
  if (!options_.progress || (!last && now - reported_ < kProgressEvery)) {
    return;
  }
  reported_ = now;
  curl_off_t expected = -1;
  curl_easy_getinfo(transfer.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &expected);
  FetchProgress progress{.received = transfer.received, .expected = std::nullopt};
  if (expected >= 0) {
    progress.expected = static_cast<uint64_t>(expected);
  }
  options_.progress(progress);
}

absl::Status Fetcher::check_time(const Transfer& transfer, const std::string& shown) const {
  TRY(options_.cancel.check());
  const nanoseconds now = options_.clock->monotonic();
  std::string what;
  if (now - start_ > options_.duration_max) {
    what = fmt::format("the download of {} took longer than {}", shown,
                       base::format_duration(options_.duration_max));
  } else if (now - transfer.last_byte > options_.idle_timeout) {
    what =
        fmt::format("{} sent nothing for {}", shown, base::format_duration(options_.idle_timeout));
  } else {
    return absl::OkStatus();
  }
  return base::with_remedy(absl::Status(absl::StatusCode::kDeadlineExceeded,
                                        absl::string_view(what.data(), what.size())),
                           "try again later, or download the file and import it from disk");
}

absl::StatusOr<CURLcode> Fetcher::wait(Transfer& transfer, const std::string& shown) {
  for (;;) {
    int running = 0;
    if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) {
      return base::internal("libcurl cannot go on with the download");
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg == CURLMSG_DONE) {
        return message->data.result;
      }
    }
    TRY(check_time(transfer, shown));
    report(transfer, false);
    if (curl_multi_poll(multi_.get(), nullptr, 0, kPollMs, nullptr) != CURLM_OK) {
      return base::internal("libcurl cannot wait for the download");
    }
  }
}

absl::Status Fetcher::judge_failure(CURLcode code, const Transfer& transfer,
                                    const CheckedUrl& url) const {
  const std::string shown = without_query(url.url);
  if (!transfer.failure.ok()) {
    return base::annotate(transfer.failure, shown);
  }
  if (!transfer.denied_address.empty()) {
    return base::denied(
        fmt::format("{} leads to {}, which is not an address of the public internet", url.host,
                    transfer.denied_address),
        "the factory fetches only from public addresses unless its configuration allows others; "
        "download the file and import it from disk");
  }
  switch (code) {
    case CURLE_FILESIZE_EXCEEDED:
      return base::annotate(too_large(options_.bytes_max), shown);
    case CURLE_COULDNT_RESOLVE_HOST:
      return base::unavailable(fmt::format("there is no host {}", url.host), "check the URL");
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2_STREAM:
      return base::unavailable(
          fmt::format("{}: the connection ended after {} bytes, before the file did", shown,
                      transfer.received),
          "try again");
    case CURLE_PEER_FAILED_VERIFICATION:
      return base::unavailable(fmt::format("the certificate of {} is not valid", url.host),
                               "check the URL, or download the file and import it from disk");
    default:
      return base::unavailable(
          fmt::format("{} cannot be fetched: {}", shown, curl_easy_strerror(code)),
          "check the URL and the network");
  }
}

absl::Status judge_status(long status, const std::string& shown) {
  const std::string detail = fmt::format("{} answered {}", shown, status);
  if (status == 404 || status == 410) {
    return base::not_found(detail, "check the URL");
  }
  if (status == 401 || status == 403 || status == 407) {
    return base::denied(detail, "the server wants a login; download the file and import it");
  }
  if (status == 429 || status >= 500) {
    return base::unavailable(detail, "try again later");
  }
  return base::invalid(detail, "check that the URL leads to a file");
}

absl::StatusOr<Fetcher::Hop> Fetcher::request(const CheckedUrl& url, Transfer& transfer) {
  const std::unique_ptr<CURL, EasyDeleter> easy(curl_easy_init());
  if (easy == nullptr) {
    return base::internal("libcurl cannot start a download");
  }
  TRY(transfer.prepare(easy.get(), url.url));
  if (known_hosts_ != nullptr) {
    curl_easy_setopt(easy.get(), CURLOPT_RESOLVE, known_hosts_.get());
  }
  curl_multi_add_handle(multi_.get(), easy.get());
  const absl::StatusOr<CURLcode> code = wait(transfer, without_query(url.url));
  if (code.ok() && *code == CURLE_OK) {
    report(transfer, true);
  }
  curl_multi_remove_handle(multi_.get(), easy.get());
  TRY(code);
  if (*code != CURLE_OK) {
    return judge_failure(*code, transfer, url);
  }
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status == 200 || status == 203) {
    return Hop{};
  }
  const char* redirect = nullptr;
  curl_easy_getinfo(easy.get(), CURLINFO_REDIRECT_URL, &redirect);
  if (status >= 300 && status < 400 && redirect != nullptr) {
    return Hop{.redirect = redirect};
  }
  return judge_status(status, without_query(url.url));
}

absl::StatusOr<CheckedUrl> Fetcher::follow(const CheckedUrl& from, const std::string& to) const {
  absl::StatusOr<CheckedUrl> next = check_url(to, options_.policy);
  if (!next.ok()) {
    return base::annotate(next.status(), fmt::format("redirected by {}", from.host));
  }
  if (from.url.starts_with("https:") && !next->url.starts_with("https:")) {
    return base::denied(fmt::format("{} redirects from https to http, where anybody on the way can "
                                    "change the file",
                                    from.host),
                        "use the final URL if you trust it");
  }
  return next;
}

absl::StatusOr<FetchResult> Fetcher::download(base::File& file) {
  TRY(CheckedUrl url, check_url(options_.url, options_.policy));
  for (int redirects = 0;; ++redirects) {
    Transfer transfer(options_, file);
    TRY(const Hop hop, request(url, transfer));
    if (hop.redirect.empty()) {
      FetchResult result{.bytes = transfer.received,
                         .final_url = without_query(url.url),
                         .content_type = transfer.header.content_type,
                         .file_name = clean_name(disposition_name(transfer.header.disposition)),
                         .etag = transfer.header.etag,
                         .last_modified = transfer.header.last_modified};
      if (result.file_name.empty()) {
        result.file_name = clean_name(url.path);
      }
      if (result.file_name.empty()) {
        result.file_name = "download";
      }
      return result;
    }
    if (redirects >= options_.redirects_max) {
      return base::exhausted(fmt::format("{} leads through more than {} redirects",
                                         without_query(options_.url), options_.redirects_max),
                             "use the final URL");
    }
    TRY(url, follow(url, hop.redirect));
  }
}

absl::StatusOr<FetchResult> Fetcher::run() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  // A URL that is refused must not touch what lies at the output.
  TRY(check_url(options_.url, options_.policy));
  start_ = options_.clock->monotonic();
  multi_.reset(curl_multi_init());
  if (multi_ == nullptr) {
    return base::internal("libcurl cannot start");
  }
  for (const std::string& host : options_.known_hosts) {
    known_hosts_.reset(curl_slist_append(known_hosts_.release(), host.c_str()));
  }
  TRY(const std::unique_ptr<base::File> file, options_.files->open_write(options_.output));
  absl::StatusOr<FetchResult> result = download(*file);
  if (result.ok()) {
    absl::Status closed = file->sync();
    closed.Update(file->close());
    if (!closed.ok()) {
      result = std::move(closed);
    }
  }
  if (!result.ok()) {
    options_.files->remove(options_.output).IgnoreError();
  }
  return result;
}

}  // namespace

absl::StatusOr<FetchResult> fetch(const FetchOptions& options) {
  return Fetcher(options).run();
}

}  // namespace cromford::ingest
