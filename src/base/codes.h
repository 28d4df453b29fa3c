#pragma once

// One table for what an error is called and how it leaves the program: its name, the HTTP status,
// the gRPC number and the exit code of the command line.
//
//   response.status = base::http_status(status.code());           // 404
//   problem["code"] = base::code_name(status.code());             // "NOT_FOUND"
//   return base::exit_code(status.code());                        // 5
//
// Thread safety: functions only.

#include <absl/status/status.h>

#include <optional>
#include <string_view>

namespace cromford::base {

// "OK", "INVALID_ARGUMENT", ...; "UNKNOWN" for a code that is none.
std::string_view code_name(absl::StatusCode code);
std::optional<absl::StatusCode> code_from_name(std::string_view name);
// A title for people: "Bad input", "Not found".
std::string_view code_title(absl::StatusCode code);
int http_status(absl::StatusCode code);
// A RESOURCE_EXHAUSTED that passes: the same request may do well later (HTTP 429). The other limits
// stay where they are however long a client waits.
absl::Status passing(absl::Status status);
bool is_passing(const absl::Status& status);
int grpc_code(absl::StatusCode code);
// 0 done; 1 failed; 2 bad input; 3 refused by a check, gate or policy; 4 not allowed; 5 not found;
// 6 conflict; 7 server not reachable; 130 interrupted.
int exit_code(absl::StatusCode code);
// The exit code for an HTTP answer whose body names no code.
int exit_code_for_http(int http_status);

}  // namespace cromford::base
