#include "cli/names.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/name.h"
#include "base/status.h"
#include "cli/json_fields.h"

namespace cromford::cli {

absl::StatusOr<VersionPath> version_path(std::string_view collection, std::string_view what,
                                         std::string_view text) {
  TRY(const base::VersionedName parsed, base::parse_versioned_name(what, text));
  VersionPath result;
  result.name = parsed.name;
  result.version = parsed.version ? std::to_string(*parsed.version) : "latest";
  result.thing = fmt::format("/{}/{}", collection, parsed.name);
  result.path = fmt::format("{}/versions/{}", result.thing, result.version);
  return result;
}

std::string versioned(const base::Json& document, std::string_view key) {
  return fmt::format("{}@{}", text_field(document, key), text_field(document, "version"));
}

absl::Status with_nearest_name(absl::Status status, Session& session, std::string_view collection,
                               std::string_view name) {
  if (status.code() != absl::StatusCode::kNotFound ||
      base::remedy(status).find("did you mean") != std::string::npos) {
    return status;
  }
  const absl::StatusOr<base::Json> known =
      session.list(fmt::format("/{}", collection), collection, {}, 1000);
  if (!known.ok()) {
    return status;
  }
  std::vector<std::string> names;
  for (const base::Json& item : array_field(*known, collection)) {
    names.push_back(text_field(item, "name"));
  }
  const std::string near = base::nearest(name, names);
  if (near.empty() || near == name) {
    return status;
  }
  return base::with_remedy(std::move(status), fmt::format("did you mean '{}'?", near));
}

Query list_query(const Invocation& call) {
  return {{"filter", call.text("--filter")}, {"order_by", call.text("--order-by")}};
}

int64_t list_limit(const Invocation& call) {
  return call.integer("--limit", 0);
}

}  // namespace cromford::cli
