#include "app/alert_sender.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "app/alerts_stage.h"
#include "app/endpoint_policy.h"
#include "app/resources.h"
#include "base/log.h"
#include "base/text.h"
#include "ingest/address_guard.h"
#include "serve/traffic.h"

namespace cromford::app {
namespace {

constexpr std::string_view kKind = "alert_delivery";
constexpr std::chrono::seconds kLook{5};
constexpr std::chrono::seconds kFirstPause{10};
constexpr std::chrono::seconds kLongestPause{3600};
constexpr std::chrono::hours kGiveUp{24};
constexpr long kConnectMs = 5'000;
constexpr long kTotalMs = 10'000;
constexpr uint64_t kRequestsForP99 = 100;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListDeleter>;

void append(List& list, const std::string& text) {
  if (curl_slist* longer = curl_slist_append(list.get(), text.c_str()); longer != nullptr) {
    (void)list.release();
    list.reset(longer);
  }
}

size_t drop_body(char* /*data*/, size_t one, size_t size, void* /*self*/) {
  return one * size;
}

int stop_when_cancelled(void* token, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const base::CancelToken*>(token)->cancelled() ? 1 : 0;
}

curl_socket_t open_public_socket(void* /*self*/, curlsocktype, curl_sockaddr* address) {
  if (!ingest::is_public_address(address->addr)) {
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// The text of a message, handed to libcurl piece by piece.
struct Upload {
  std::string_view left;

  static size_t read(char* out, size_t one, size_t size, void* self) {
    auto& upload = *static_cast<Upload*>(self);
    const size_t count = std::min(one * size, upload.left.size());
    std::memcpy(out, upload.left.data(), count);
    upload.left.remove_prefix(count);
    return count;
  }
};

class CurlTransport final : public AlertTransport {
 public:
  CurlTransport(const Options& options, base::CancelToken cancel)
      : options_(options), cancel_(std::move(cancel)) {}

  absl::Status post(const std::string& url, const std::string& json) override {
    const auto policy =
        options_.allow_private_urls ? ingest::AddressPolicy::kAny : ingest::AddressPolicy::kPublic;
    TRY(const ingest::CheckedUrl checked, ingest::check_url(url, policy));
    const Easy easy = prepare(checked.url);
    List headers;
    append(headers, "Content-Type: application/json");
    append(headers, "Expect:");
    curl_easy_setopt(easy.get(), CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, json.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(json.size()));
    if (!options_.allow_private_urls) {
      curl_easy_setopt(easy.get(), CURLOPT_OPENSOCKETFUNCTION, &open_public_socket);
    }
    TRY(perform(easy.get(), checked.host));
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300
               ? absl::OkStatus()
               : base::unavailable(fmt::format("{} answered {}", checked.host, status));
  }

  absl::Status mail(const std::vector<std::string>& to, const std::string& subject,
                    const std::string& text) override {
    if (options_.smtp.url.empty()) {
      return base::refused("there is no mail server in the configuration",
                           "add smtp: {url: smtp://mail.example.org:587, from: ...}");
    }
    const Easy easy = prepare(options_.smtp.url);
    List recipients;
    std::string header;
    for (const std::string& address : to) {
      append(recipients, fmt::format("<{}>", address));
      header += fmt::format("{}{}", header.empty() ? "" : ", ", address);
    }
    const std::string message = fmt::format(
        "From: {}\r\nTo: {}\r\nSubject: {}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n",
        options_.smtp.from, header, subject, text);
    Upload upload{.left = message};
    const std::string from = fmt::format("<{}>", options_.smtp.from);
    curl_easy_setopt(easy.get(), CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy.get(), CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_TRY));
    curl_easy_setopt(easy.get(), CURLOPT_MAIL_FROM, from.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_MAIL_RCPT, recipients.get());
    curl_easy_setopt(easy.get(), CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy.get(), CURLOPT_READFUNCTION, &Upload::read);
    curl_easy_setopt(easy.get(), CURLOPT_READDATA, static_cast<void*>(&upload));
    if (!options_.smtp.user.empty()) {
      curl_easy_setopt(easy.get(), CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
      curl_easy_setopt(easy.get(), CURLOPT_USERNAME, options_.smtp.user.c_str());
      curl_easy_setopt(easy.get(), CURLOPT_PASSWORD, options_.smtp.password.c_str());
    }
    return perform(easy.get(), "the mail server");
  }

 private:
  Easy prepare(const std::string& url) const {
    Easy easy(curl_easy_init());
    curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
    curl_easy_setopt(easy.get(), CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    curl_easy_setopt(easy.get(), CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy.get(), CURLOPT_USERAGENT, "cromford");
    curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy.get(), CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
    curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, kTotalMs);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &drop_body);
    curl_easy_setopt(easy.get(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy.get(), CURLOPT_XFERINFOFUNCTION, &stop_when_cancelled);
    curl_easy_setopt(easy.get(), CURLOPT_XFERINFODATA, static_cast<const void*>(&cancel_));
    return easy;
  }
  // `who` is named in place of an address that may hold a secret.
  static absl::Status perform(CURL* easy, std::string_view who) {
    const CURLcode code = curl_easy_perform(easy);
    return code == CURLE_OK
               ? absl::OkStatus()
               : base::unavailable(fmt::format("{}: {}", who, curl_easy_strerror(code)));
  }

  const Options& options_;
  base::CancelToken cancel_;
};

std::string mail_text(const base::Json& alert) {
  const auto text = [&](const char* key) { return alert.value(key, std::string()); };
  return fmt::format(
      "{}\r\n\r\nendpoint: {}\r\nstate: {}\r\nsince: {}\r\nhow much: {:.4g} (limit {:.4g})\r\n"
      "what to do: {}\r\nacknowledge: cromford alert ack {}\r\n",
      text("what"), text("endpoint"), text("state"), text("since"), alert.value("value", 0.0),
      alert.value("limit", 0.0), text("remedy"), text("id"));
}

std::chrono::seconds pause_after(int64_t attempts) {
  std::chrono::seconds pause = kFirstPause;
  for (int64_t i = 1; i < attempts && pause < kLongestPause; ++i) {
    pause *= 2;
  }
  return std::min(pause, kLongestPause);
}

}  // namespace

std::unique_ptr<AlertTransport> make_alert_transport(const Options& options,
                                                     base::CancelToken cancel) {
  return std::make_unique<CurlTransport>(options, std::move(cancel));
}

AlertSender::AlertSender(Context& context)
    : context_(context), transport_(make_alert_transport(context.options, cancel_.token())) {}

AlertSender::AlertSender(Context& context, std::unique_ptr<AlertTransport> transport)
    : context_(context), transport_(std::move(transport)) {}

AlertSender::~AlertSender() {
  stop();
}

void AlertSender::start() {
  thread_ = std::thread([this] { loop(); });
}

void AlertSender::wake() {
  {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

void AlertSender::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    cancel_.cancel();
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void AlertSender::loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    woken_ = false;
    lock.unlock();
    if (const auto sent = send_due(); !sent.ok()) {
      base::log_error("alerts could not be looked through",
                      {{"error", base::describe(sent.status())}});
    }
    lock.lock();
    changed_.wait_for(lock, kLook, [this] { return stopping_ || woken_; });
  }
}

absl::StatusOr<int> AlertSender::send_due() {
  int taken = 0;
  TRY(const store::DocumentPage page,
      context_.metadata->list(
          {.kind = std::string(kKind),
           .filter = fmt::format("next_at <= \"{}\"", base::format_time(context_.clock->now())),
           .order_by = "next_at",
           .page_size = 100}));
  for (const store::Document& document : page.documents) {
    if (cancel_.cancelled()) {
      break;
    }
    TRY(const base::Json delivery, body_of(document));
    const absl::Status sent = send(document.key.project, delivery);
    taken += sent.ok() ? 1 : 0;
    TRY(settle(document, sent));
  }
  return taken;
}

absl::Status AlertSender::send(const std::string& project, const base::Json& delivery) {
  const base::Json alert = delivery.value("alert", base::Json::object());
  const std::string endpoint = alert.value("endpoint", std::string());
  TRY(const EndpointPolicy policy, read_policy(context_, project, endpoint));
  TRY(const AlertChannels channels, parse_alert_channels(policy.alerts));
  if (delivery.value("channel", std::string()) == "webhook") {
    // Taken out of the policy meanwhile: nobody waits for it.
    return channels.webhook.empty()
               ? absl::OkStatus()
               : transport_->post(channels.webhook,
                                  base::dump_json({{"project", project}, {"alert", alert}}));
  }
  return channels.emails.empty()
             ? absl::OkStatus()
             : transport_->mail(
                   channels.emails,
                   fmt::format("[cromford] {}: {} of {}", alert.value("state", std::string()),
                               alert.value("rule", std::string()), endpoint),
                   mail_text(alert));
}

absl::Status AlertSender::settle(const store::Document& document, const absl::Status& sent) {
  const base::Time now = context_.clock->now();
  const bool over = now - document.created_at > kGiveUp;
  if (sent.ok() || over) {
    if (!sent.ok()) {
      base::log_error("an alert could not be sent within a day",
                      {{"alert", document.key.name}, {"error", base::describe(sent)}});
    }
    return context_.metadata->commit({store::Write::remove(document.key)}).status();
  }
  TRY(base::Json body, body_of(document));
  const int64_t attempts = body.value("attempts", int64_t{0}) + 1;
  if (attempts == 1) {
    base::log_warning("an alert could not be sent, and will be sent again",
                      {{"alert", document.key.name}, {"error", base::describe(sent)}});
  }
  body["attempts"] = attempts;
  body["next_at"] = base::format_time(now + pause_after(attempts));
  return context_.metadata
      ->commit({store::Write::put(document.key, base::dump_json(body), document.revision)})
      .status();
}

std::vector<store::Write> deliveries(const EndpointName& name, const monitor::Alert& alert,
                                     const AlertChannels& channels, base::Time now) {
  std::vector<store::Write> writes;
  if (alert.silenced_until && now < *alert.silenced_until) {
    return writes;
  }
  const auto add = [&](std::string_view channel) {
    writes.push_back(store::Write::put(
        {name.project, std::string(kKind),
         fmt::format("{}/{}/{}", alert.id, monitor::state_name(alert.state), channel)},
        base::dump_json({{"channel", channel},
                         {"attempts", 0},
                         {"next_at", base::format_time(now)},
                         {"alert", monitor::to_json(alert)}})));
  };
  if (!channels.webhook.empty()) {
    add("webhook");
  }
  if (!channels.emails.empty()) {
    add("email");
  }
  return writes;
}

absl::StatusOr<std::vector<monitor::Alert>> open_alerts(const store::Metadata& metadata,
                                                        const EndpointName& name) {
  TRY(const store::DocumentPage page,
      metadata.list({.project = name.project,
                     .kind = "alert",
                     .filter = fmt::format("open = true AND endpoint = \"{}\"", name.endpoint),
                     .page_size = 1000}));
  std::vector<monitor::Alert> alerts;
  for (const store::Document& document : page.documents) {
    TRY(const base::Json body, body_of(document));
    TRY(monitor::Alert alert, monitor::alert_from(body));
    alerts.push_back(std::move(alert));
  }
  return alerts;
}

std::optional<double> p99_ms(const monitor::StoredWindow& window) {
  serve::LatencyHistogram histogram;
  std::copy_n(window.latency.begin(), std::min(window.latency.size(), histogram.counts.size()),
              histogram.counts.begin());
  if (histogram.count() < kRequestsForP99) {
    return std::nullopt;
  }
  return static_cast<double>(histogram.quantile_ns(0.99)) * 1e-6;
}

}  // namespace cromford::app
