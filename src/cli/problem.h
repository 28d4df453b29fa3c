#pragma once

// RFC 9457 problem documents on their way in and out: the server's answer becomes a status that
// keeps the whole document, and a status becomes a document where --json asks for one.
//
//   if (answer.http_status >= 400) { return status_of_problem(answer.http_status, answer.body); }
//   ...
//   *environment.err << base::dump_json(problem_document(status));   // the server's own, unchanged
//
// Thread safety: functions only.

#include <absl/status/status.h>

#include <string_view>

#include "base/json.h"

namespace cromford::cli {

// The status that the server's answer tells of. A body that is no problem document (a proxy's
// page) gives a status by the HTTP status alone.
absl::Status status_of_problem(int http_status, std::string_view body);
// The same from a document inside another one, such as the error of a job.
absl::Status status_of_problem(const base::Json& problem);

// The server's document where `status` came from one, else one made of the status.
base::Json problem_document(const absl::Status& status);

}  // namespace cromford::cli
