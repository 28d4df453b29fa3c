#include "cli/problem.h"

#include <absl/strings/cord.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/codes.h"
#include "base/status.h"
#include "cli/json_fields.h"

namespace cromford::cli {
namespace {

constexpr absl::string_view kDocumentUrl = "cromford/problem";

absl::StatusCode code_of_http(int http_status) {
  switch (http_status) {
    case 400:
      return absl::StatusCode::kInvalidArgument;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 409:
    case 412:
      return absl::StatusCode::kAborted;
    case 413:
    case 429:
      return absl::StatusCode::kResourceExhausted;
    case 422:
    case 428:
      return absl::StatusCode::kFailedPrecondition;
    case 499:
      return absl::StatusCode::kCancelled;
    case 501:
      return absl::StatusCode::kUnimplemented;
    case 502:
    case 503:
      return absl::StatusCode::kUnavailable;
    case 504:
      return absl::StatusCode::kDeadlineExceeded;
    default:
      return http_status >= 400 && http_status < 500 ? absl::StatusCode::kInvalidArgument
                                                     : absl::StatusCode::kInternal;
  }
}

absl::Status make(absl::StatusCode code, const std::string& detail) {
  return {code, absl::string_view(detail.data(), detail.size())};
}

}  // namespace

absl::Status status_of_problem(const base::Json& problem) {
  const int http_status = static_cast<int>(integer_field(problem, "status").value_or(500));
  const auto named = base::code_from_name(text_field(problem, "code"));
  absl::StatusCode code = named ? *named : code_of_http(http_status);
  if (code == absl::StatusCode::kOk) {
    code = absl::StatusCode::kUnknown;
  }
  std::string detail = text_field(problem, "detail");
  if (detail.empty()) {
    detail = text_field(problem, "title");
  }
  if (detail.empty()) {
    detail = fmt::format("the server answered with HTTP status {}", http_status);
  }
  absl::Status status = base::with_remedy(make(code, detail), text_field(problem, "remedy"));
  for (const base::Json& error : array_field(problem, "errors")) {
    status = base::with_field_error(std::move(status),
                                    {text_field(error, "pointer"), text_field(error, "detail")});
  }
  const std::string document = base::dump_json(problem);
  status.SetPayload(kDocumentUrl, absl::Cord(absl::string_view(document)));
  return status;
}

absl::Status status_of_problem(int http_status, std::string_view body) {
  absl::StatusOr<base::Json> document = base::parse_json(body);
  if (document.ok() && document->is_object() && document->contains("status")) {
    return status_of_problem(*document);
  }
  return make(code_of_http(http_status),
              fmt::format("the server answered with HTTP status {} and no explanation: {}",
                          http_status, body.substr(0, 200)));
}

base::Json problem_document(const absl::Status& status) {
  if (const auto text = status.GetPayload(kDocumentUrl); text) {
    absl::StatusOr<base::Json> document = base::parse_json(std::string(*text));
    if (document.ok()) {
      return *std::move(document);
    }
  }
  base::Json problem = {{"status", base::http_status(status.code())},
                        {"code", std::string(base::code_name(status.code()))},
                        {"title", std::string(base::code_title(status.code()))},
                        {"detail", std::string(base::message(status))}};
  if (const std::string remedy = base::remedy(status); !remedy.empty()) {
    problem["remedy"] = remedy;
  }
  for (const base::FieldError& field : base::field_errors(status)) {
    problem["errors"].push_back({{"pointer", field.pointer}, {"detail", field.detail}});
  }
  return problem;
}

}  // namespace cromford::cli
