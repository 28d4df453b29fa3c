// The audit log and lineage.

#include <nlohmann/json.hpp>
#include <optional>

#include "base/status.h"
#include "http/api_support.h"

namespace cromford::http {
namespace {

absl::Status list_audit(app::App& app, Request& request, Response& response) {
  app::AuditRequest asked;
  TRY(asked.list, list_request(app, request));
  asked.object = text_query(request, "object");
  asked.actor = text_query(request, "actor");
  asked.from = text_query(request, "from");
  asked.to = text_query(request, "to");
  asked.at = text_query(request, "at");
  TRY(const base::Json page, app.list_audit(project(request), asked));
  return answer_list(request, response, page);
}

absl::Status checkpoint(app::App& app, Request& request, Response& response) {
  std::optional<int64_t> from;
  if (request.query("from_size")) {
    TRY(from, integer_query(request, "from_size", 0, 0, INT64_MAX));
  }
  TRY(const base::Json answered, app.audit_checkpoint(from));
  return answer(response, answered);
}

absl::Status export_audit(app::App& app, Request& /*request*/, Response& response) {
  TRY(const app::Download download, app.export_audit());
  return answer_file(response, download);
}

}  // namespace

void add_audit_handlers(const ApiSurroundings& api, Handlers& handlers) {
  const auto add = adder(api.app, handlers);
  add("list_audit", list_audit);
  add("get_audit_checkpoint", checkpoint);
  add("get_audit_entry", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json entry, a.audit_entry(project(q), parameter(q, "id")));
    return answer(r, entry);
  });
  add("export_audit", export_audit);
  add("get_lineage", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json lineage, a.lineage(project(q), text_query(q, "object")));
    return answer(r, lineage);
  });
}

}  // namespace cromford::http
