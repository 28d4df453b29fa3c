#pragma once

// Statuses as JSON: in stored jobs, in a worker's error.json, and as the problem documents that
// clients see. One form for all, which is that of RFC 9457 without `type` and `request_id`.
//
//   document["error"] = flow::status_to_json(status);           // null for OK
//   TRY(flow::status_from_json(document["error"]));
//
// Thread safety: functions only.

#include <absl/status/status.h>

#include "base/json.h"

namespace cromford::flow {

// {"status": 404, "code": "NOT_FOUND", "title", "detail", "remedy"?, "errors"?}, or null for OK.
base::Json status_to_json(const absl::Status& status);

// The same status again. Null gives OK; what is no such object gives INTERNAL and says so.
absl::Status status_from_json(const base::Json& document);

}  // namespace cromford::flow
