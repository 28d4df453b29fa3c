#include "base/codes.h"

#include <absl/strings/cord.h>

#include <array>

namespace cromford::base {
namespace {

struct Row {
  absl::StatusCode code;
  std::string_view name;
  std::string_view title;
  int http;
  int exit;
};

using absl::StatusCode;

constexpr absl::string_view kPassingUrl = "cromford/passing";

constexpr std::array kRows{
    Row{StatusCode::kOk, "OK", "Done", 200, 0},
    Row{StatusCode::kCancelled, "CANCELLED", "Cancelled", 499, 130},
    Row{StatusCode::kUnknown, "UNKNOWN", "Failed", 500, 1},
    Row{StatusCode::kInvalidArgument, "INVALID_ARGUMENT", "Bad input", 400, 2},
    Row{StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED", "Took too long", 504, 1},
    Row{StatusCode::kNotFound, "NOT_FOUND", "Not found", 404, 5},
    Row{StatusCode::kAlreadyExists, "ALREADY_EXISTS", "Conflict", 409, 6},
    Row{StatusCode::kPermissionDenied, "PERMISSION_DENIED", "Not allowed", 403, 4},
    Row{StatusCode::kResourceExhausted, "RESOURCE_EXHAUSTED", "Limit reached", 422, 1},
    Row{StatusCode::kFailedPrecondition, "FAILED_PRECONDITION", "Refused", 422, 3},
    Row{StatusCode::kAborted, "ABORTED", "Conflict", 409, 6},
    Row{StatusCode::kOutOfRange, "OUT_OF_RANGE", "Bad input", 400, 2},
    Row{StatusCode::kUnimplemented, "UNIMPLEMENTED", "Not available", 501, 1},
    Row{StatusCode::kInternal, "INTERNAL", "Internal error", 500, 1},
    Row{StatusCode::kUnavailable, "UNAVAILABLE", "Not available now", 503, 7},
    Row{StatusCode::kDataLoss, "DATA_LOSS", "Damaged data", 500, 1},
    Row{StatusCode::kUnauthenticated, "UNAUTHENTICATED", "Not signed in", 401, 4},
};

// Codes are numbered as gRPC numbers them, so each row stands at its own number.
static_assert([] {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<size_t>(kRows[i].code) != i) {
      return false;
    }
  }
  return true;
}());

const Row& row(StatusCode code) {
  const auto index = static_cast<size_t>(code);
  return kRows[index < kRows.size() ? index : static_cast<size_t>(StatusCode::kUnknown)];
}

}  // namespace

std::string_view code_name(StatusCode code) {
  return row(code).name;
}

std::optional<StatusCode> code_from_name(std::string_view name) {
  for (const Row& candidate : kRows) {
    if (candidate.name == name) {
      return candidate.code;
    }
  }
  return std::nullopt;
}

std::string_view code_title(StatusCode code) {
  return row(code).title;
}

int http_status(StatusCode code) {
  return row(code).http;
}

absl::Status passing(absl::Status status) {
  status.SetPayload(kPassingUrl, absl::Cord());
  return status;
}

bool is_passing(const absl::Status& status) {
  return status.GetPayload(kPassingUrl).has_value();
}

int grpc_code(StatusCode code) {
  return static_cast<int>(row(code).code);
}

int exit_code(StatusCode code) {
  return row(code).exit;
}

int exit_code_for_http(int http_status) {
  if (http_status >= 100 && http_status < 400) {
    return 0;
  }
  switch (http_status) {
    case 401:
    case 403:
      return 4;
    case 404:
    case 410:
      return 5;
    case 409:
    case 412:
      return 6;
    case 422:
      return 3;
    case 429:
      return 1;
    case 499:
      return 130;
    case 502:
    case 503:
      return 7;
    default:
      return http_status >= 400 && http_status < 500 ? 2 : 1;
  }
}

}  // namespace cromford::base
