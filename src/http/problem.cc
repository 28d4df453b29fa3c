#include "http/problem.h"

#include <absl/strings/cord.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/codes.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::http {
namespace {

constexpr absl::string_view kStatusUrl = "cromford/http_status";
constexpr absl::string_view kRetryUrl = "cromford/retry_after";

absl::Status with_number(absl::Status status, absl::string_view url, int number) {
  const std::string text = std::to_string(number);
  status.SetPayload(url, absl::Cord(absl::string_view(text.data(), text.size())));
  return status;
}

std::optional<int> number_of(const absl::Status& status, absl::string_view url) {
  const auto payload = status.GetPayload(url);
  return payload ? base::to_number<int>(std::string(*payload)) : std::nullopt;
}

// The titles of failures that HTTP knows and absl does not.
std::string_view title(const absl::Status& status, int http_status) {
  switch (http_status) {
    case 304:
      return "Not modified";
    case 401:
      return "Not authenticated";
    case 405:
      return "Method not allowed";
    case 408:
      return "Request timed out";
    case 412:
      return "Precondition failed";
    case 413:
      return "Body too large";
    case 415:
      return "Unsupported media type";
    case 428:
      return "Precondition required";
    case 431:
      return "Header too large";
    case 507:
      return "Disk full";
    default:
      return base::code_title(status.code());
  }
}

}  // namespace

absl::Status with_http_status(absl::Status status, int http_status) {
  return with_number(std::move(status), kStatusUrl, http_status);
}

int http_status_of(const absl::Status& status) {
  constexpr int kTooManyRequests = 429;
  return number_of(status, kStatusUrl)
      .value_or(base::is_passing(status) ? kTooManyRequests : base::http_status(status.code()));
}

absl::Status with_retry_after(absl::Status status, int seconds) {
  return with_number(std::move(status), kRetryUrl, seconds);
}

void write_error(const absl::Status& status, ErrorFormat format, std::string_view request_id,
                 Response& response) {
  // `allow` stays: it belongs to the error.
  response.file.reset();
  response.events.reset();
  response.etag.clear();
  response.location.clear();
  response.status = http_status_of(status);
  response.retry_after_s = number_of(status, kRetryUrl).value_or(0);
  if (format == ErrorFormat::kOpenInference) {
    response.content_type = "application/json";
    response.body = base::dump_json({{"error", base::describe(status)}});
    return;
  }
  base::Json problem = {
      {"type", "about:blank"},
      {"status", response.status},
      {"code", base::code_name(status.code())},
      {"title", title(status, response.status)},
      {"detail", base::message(status)},
      {"request_id", request_id},
  };
  if (const std::string remedy = base::remedy(status); !remedy.empty()) {
    problem["remedy"] = remedy;
  }
  for (const base::FieldError& error : base::field_errors(status)) {
    problem["errors"].push_back({{"pointer", error.pointer}, {"detail", error.detail}});
  }
  response.content_type = "application/problem+json";
  response.body = base::dump_json(problem);
}

}  // namespace cromford::http
