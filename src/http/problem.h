#pragma once

// Errors on their way out: a status becomes an RFC 9457 problem document, or the error object of
// the Open Inference Protocol. HTTP knows more kinds of failure than absl has codes, so that a
// status may carry an HTTP status of its own.
//
//   return with_http_status(base::invalid("the If-Match field is missing"), 428);
//   ...
//   write_error(status, ErrorFormat::kProblem, request.id, response);
//
// Thread safety: functions only.

#include <absl/status/status.h>

#include <string_view>

#include "http/message.h"
#include "http/route.h"

namespace cromford::http {

absl::Status with_http_status(absl::Status status, int http_status);
// The status that `with_http_status` gave, else that of the code.
int http_status_of(const absl::Status& status);

// Seconds after which the caller may try again; sent as Retry-After.
absl::Status with_retry_after(absl::Status status, int seconds);

// Makes `response` the answer that tells of `status`, which must not be OK.
void write_error(const absl::Status& status, ErrorFormat format, std::string_view request_id,
                 Response& response);

}  // namespace cromford::http
