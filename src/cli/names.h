#pragma once

// Names with versions, as users write them, turned into the API's paths and back.
//
//   TRY(const VersionPath model, version_path("models", "model", "late@3"));
//   session.get(model.path);                     // "/models/late/versions/3"
//
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "base/json.h"
#include "cli/grammar.h"
#include "cli/session.h"

namespace cromford::cli {

struct VersionPath {
  std::string name;     // "late"
  std::string version;  // "3" or "latest"
  std::string path;     // "/models/late/versions/3"
  std::string thing;    // "/models/late"
};

// `collection` is "datasets" or "models"; `what` what to call it in errors.
absl::StatusOr<VersionPath> version_path(std::string_view collection, std::string_view what,
                                         std::string_view text);

// "flights@3" of a version document whose name stands under `key`.
std::string versioned(const base::Json& document, std::string_view key);

// Adds the nearest existing name to a NOT_FOUND error that has no remedy of its own, e.g. for
// "flihgts" -> "flights". `collection` is "datasets", "models", "endpoints" or "pipelines".
absl::Status with_nearest_name(absl::Status status, Session& session, std::string_view collection,
                               std::string_view name);

// The query of a list command (--filter, --order-by) and its --limit.
Query list_query(const Invocation& call);
int64_t list_limit(const Invocation& call);

}  // namespace cromford::cli
