// What is decided from the header of a request alone, before anything of its body is read; and the
// header of the answer.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/limits.h"
#include "base/name.h"
#include "base/status.h"
#include "base/text.h"
#include "http/connection.h"
#include "http/problem.h"

namespace cromford::http {
namespace {

constexpr size_t kIdBytesMax = 128;
constexpr std::string_view kSecurityFields =
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

constexpr std::string_view kDataPolicy =
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; sandbox\r\n";
// Pages (model cards) carry their own style and drawings, and no script.
constexpr std::string_view kPagePolicy =
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'none'; sandbox\r\n";

// Calls `found` with each word of a list of words between blanks, until it returns true.
template <typename Found>
bool any_word(std::string_view list, const Found& found) {
  while (!list.empty()) {
    const size_t end = std::min(list.find(' '), list.size());
    if (found(list.substr(0, end))) {
      return true;
    }
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

// An id may go into the log and back as a header, so it must be tame.
bool is_tame_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  });
}

// "Application/JSON; charset=utf-8" is among "application/json text/plain".
bool is_accepted(std::string_view content_type, std::string_view accepted) {
  const std::string_view type = base::trim(content_type.substr(0, content_type.find(';')));
  return any_word(accepted, [&](std::string_view known) {
    return known == "*" || base::equal_ignoring_case(known, type);
  });
}

struct Phrase {
  int status;
  std::string_view text;
};
constexpr Phrase kPhrases[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {507, "Insufficient Storage"},
};

std::string_view reason_phrase(int status) {
  for (const Phrase& phrase : kPhrases) {
    if (phrase.status == status) {
      return phrase.text;
    }
  }
  return "";
}

// Whether an If-None-Match field names the (unquoted) tag.
bool names_tag(std::string_view field, std::string_view etag) {
  for (std::string_view one : base::split(field, ',')) {
    one = base::trim(one);
    if (one.starts_with("W/")) {
      one.remove_prefix(2);
    }
    if (one == "*" || (one.size() == etag.size() + 2 && one.front() == '"' && one.back() == '"' &&
                       one.substr(1, etag.size()) == etag)) {
      return true;
    }
  }
  return false;
}

}  // namespace

absl::Status body_too_long(uint64_t bytes_max) {
  return with_http_status(
      base::exhausted(fmt::format("the body is longer than {}, the limit of this request",
                                  base::format_size(bytes_max)),
                      "send less in one request"),
      413);
}

void Connection::begin_request() {
  body_left_ = parser_.content_length().value_or(0);
  body_unread_ = parser_.chunked() || body_left_ > 0;
  body_in_buffer_ = 0;
  body_started_ = {};
  body_hash_.clear();
  if (!parser_.keep_alive()) {
    close_ = true;
  }
  request_.method = parser_.method();
  request_.headers = parser_.headers();
  request_.route = nullptr;
  request_.body = {};
  request_.traceparent = {};
  request_.caller = Caller::kAnonymous;
  request_.id = {};
  // One walk over the fields for what nearly every request needs.
  for (const HeaderField& field : request_.headers) {
    if (base::equal_ignoring_case(field.name, "x-request-id") && is_tame_id(field.value)) {
      request_.id = field.value;
    } else if (base::equal_ignoring_case(field.name, "traceparent") && is_tame_id(field.value)) {
      request_.traceparent = field.value;
    }
  }
  if (request_.id.empty()) {
    made_id_ = loop_.next_id();
    request_.id = made_id_;
  }
  response_.clear();
  match_ = {};
}

absl::Status Connection::admit() {
  TRY(request_.target.parse(parser_.target()));
  match_ = shared_.router.find(request_.method, request_.target, request_.parameters);
  request_.route = match_.route;
  TRY(check_caller());
  TRY(check_route());
  TRY(check_query());
  return check_body();
}

absl::Status Connection::check_caller() {
  std::optional<std::string_view> host;
  std::optional<std::string_view> authorization;
  for (const HeaderField& field : request_.headers) {
    if (base::equal_ignoring_case(field.name, "host")) {
      if (host) {
        return base::invalid("the request has two Host fields");
      }
      host = field.value;
    } else if (base::equal_ignoring_case(field.name, "authorization")) {
      authorization = field.value;
    }
  }
  if (!request_.target.authority().empty()) {
    host = request_.target.authority();
  }
  if (!host || *host != accepted_host_ || host->empty()) {
    TRY(shared_.guard.check_host(host, local_address()));
    accepted_host_ = *host;
  }
  const Permission permission =
      match_.outcome == Router::Outcome::kFound ? match_.route->permission : Permission::kRead;
  TRY(request_.caller, shared_.guard.authenticate(authorization, permission));
  // Other sites may lead a person here, but neither change nor ask for anything themselves.
  const bool led_here = is_safe(request_.method) &&
                        request_.header("sec-fetch-mode").value_or("navigate") == "navigate";
  if (!led_here) {
    TRY(Guard::check_origin(request_.header("sec-fetch-site"), request_.header("origin"), *host));
  }
  return absl::OkStatus();
}

absl::Status Connection::check_route() {
  if (match_.outcome == Router::Outcome::kFound) {
    return absl::OkStatus();
  }
  if (match_.outcome == Router::Outcome::kMethodNotAllowed) {
    response_.allow = match_.allowed;
    return with_http_status(
        base::invalid(fmt::format("{} has no method {}", request_.target.path(),
                                  base::clip_utf8(parser_.method_text(), 32)),
                      fmt::format("it has {}", fmt::join(match_.allowed, ", "))),
        405);
  }
  return base::not_found(fmt::format("there is nothing at {}", request_.target.path()),
                         "GET /api/v1/openapi.json lists all there is");
}

absl::Status Connection::check_query() const {
  for (const auto& [name, value] : request_.target.queries()) {
    const bool is_known =
        any_word(request_.route->query, [&](std::string_view word) { return word == name; });
    if (!is_known) {
      std::vector<std::string> known;
      for (const std::string_view word : base::split(request_.route->query, ' ')) {
        known.emplace_back(word);
      }
      const std::string text(base::clip_utf8(name, 64));
      return base::invalid(fmt::format("there is no query parameter '{}' here{}", text,
                                       base::did_you_mean(text, known)),
                           request_.route->query.empty()
                               ? std::string("leave it out")
                               : fmt::format("the parameters are: {}", request_.route->query));
    }
  }
  return absl::OkStatus();
}

absl::Status Connection::check_body() const {
  if (const auto expect = request_.header("expect");
      expect && !base::equal_ignoring_case(*expect, "100-continue")) {
    return with_http_status(
        base::invalid("the only Expect that is understood is 100-continue", "leave the field out"),
        417);
  }
  if (!body_unread_) {
    return absl::OkStatus();
  }
  const Route& route = *request_.route;
  if (route.content_types.empty()) {
    return base::invalid("this request takes no body", "send none");
  }
  if (const auto type = request_.header("content-type")) {
    if (!is_accepted(*type, route.content_types)) {
      return with_http_status(base::invalid(fmt::format("the body has the Content-Type '{}'",
                                                        base::clip_utf8(*type, 128)),
                                            fmt::format("send {}", route.content_types)),
                              415);
    }
  }
  TRY(check_coding());
  if (route.kind == HandlerKind::kUpload) {
    const uint64_t limit = shared_.options.limits.upload_bytes;
    return body_left_ > limit ? body_too_long(limit) : absl::OkStatus();
  }
  return body_left_ > route.body_bytes_max ? body_too_long(route.body_bytes_max) : absl::OkStatus();
}

absl::Status Connection::check_coding() const {
  const std::string_view known = request_.route->codings;
  size_t count = 0;
  for (const HeaderField& field : request_.headers) {
    if (!base::equal_ignoring_case(field.name, "content-encoding") ||
        base::equal_ignoring_case(field.value, "identity")) {
      continue;
    }
    const bool understood = any_word(
        known, [&](std::string_view word) { return base::equal_ignoring_case(word, field.value); });
    if (!understood || ++count > 1) {
      return with_http_status(
          base::invalid(fmt::format("the body has the Content-Encoding '{}'{}",
                                    base::clip_utf8(field.value, 64),
                                    count > 1 ? " on top of another one" : ""),
                        known.empty() ? std::string("send it without Content-Encoding")
                                      : fmt::format("send it plain or with one of: {}", known)),
          415);
    }
  }
  return absl::OkStatus();
}

// 304 for a GET of what the caller already has.
void Connection::make_conditional() {
  if (response_.etag.empty() || response_.status != 200 || !is_safe(request_.method)) {
    return;
  }
  const auto field = request_.header("if-none-match");
  if (field && names_tag(*field, response_.etag)) {
    response_.status = 304;
    response_.body.clear();
    response_.file.reset();
  }
}

void Connection::build_head(std::optional<uint64_t> length) {
  if (shared_.stopping.load(std::memory_order_relaxed)) {
    close_ = true;
  }
  const Response& r = response_;
  head_.clear();
  auto to = std::back_inserter(head_);
  head_ += "HTTP/1.1 ";
  base::append_number(head_, static_cast<int64_t>(r.status));
  head_ += ' ';
  head_ += reason_phrase(r.status);
  if (r.status != 204 && r.status != 304) {
    head_ += "\r\nContent-Type: ";
    head_ += r.content_type;
    if (length) {
      head_ += "\r\nContent-Length: ";
      base::append_number(head_, static_cast<int64_t>(*length));
    }
  }
  head_ += "\r\nDate: ";
  head_ += loop_.date();
  head_ += "\r\nX-Request-Id: ";
  head_ += request_.id;
  head_ += r.etag.empty() ? "\r\nCache-Control: no-store\r\n" : "\r\nCache-Control: no-cache\r\n";
  head_ += kSecurityFields;
  head_ += r.content_type.starts_with("text/html") ? kPagePolicy : kDataPolicy;
  if (!r.etag.empty()) {
    fmt::format_to(to, "ETag: \"{}\"\r\n", r.etag);
  }
  if (!r.location.empty()) {
    fmt::format_to(to, "Location: {}\r\n", r.location);
  }
  if (r.retry_after_s > 0) {
    fmt::format_to(to, "Retry-After: {}\r\n", r.retry_after_s);
  }
  if (!r.allow.empty()) {
    fmt::format_to(to, "Allow: {}\r\n", fmt::join(r.allow, ", "));
  }
  if (r.status == 401) {
    head_ += "WWW-Authenticate: Bearer realm=\"cromford\"\r\n";
  }
  if (r.file && !r.file->file_name.empty()) {
    fmt::format_to(to, "Content-Disposition: attachment; filename=\"{}\"\r\n", r.file->file_name);
  }
  if (close_) {
    head_ += "Connection: close\r\n";
  } else if (parser_.http_1_0()) {
    head_ += "Connection: keep-alive\r\n";
  }
  head_ += "\r\n";
}

}  // namespace cromford::http
