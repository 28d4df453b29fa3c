#pragma once

// What the handlers of the API have in common: reading parameters and bodies strictly, answering
// with documents, jobs and files.
//
//   TRY(const app::ListRequest list, list_request(app, request));
//   TRY(const base::Json page, app.list_runs(project(request), list));
//   return answer(response, page);
//
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "app/app.h"
#include "base/json.h"
#include "base/limits.h"
#include "http/api.h"
#include "http/message.h"
#include "http/route.h"

namespace cromford::http {

using Handlers = std::map<std::string, Handler, std::less<>>;

// Each adds the handlers of one kind of resource.
void add_dataset_handlers(const ApiSurroundings& api, Handlers& handlers);
void add_run_handlers(const ApiSurroundings& api, Handlers& handlers);
void add_model_handlers(const ApiSurroundings& api, Handlers& handlers);
void add_endpoint_handlers(const ApiSurroundings& api, Handlers& handlers);
void add_monitor_handlers(const ApiSurroundings& api, Handlers& handlers);
void add_pipeline_handlers(const ApiSurroundings& api, Handlers& handlers);
void add_job_handlers(const ApiSurroundings& api, Handlers& handlers);
void add_audit_handlers(const ApiSurroundings& api, Handlers& handlers);
void add_server_handlers(const ApiSurroundings& api, Handlers& handlers);
void add_open_inference_handlers(const ApiSurroundings& api, Handlers& handlers);

// A handler whose path is checked first: {project} and {name}, {version}, {id}.
Handler with_names(Handler handler);

std::string parameter(const Request& request, std::string_view name);
inline std::string project(const Request& request) {
  return parameter(request, "project");
}
inline std::string name(const Request& request) {
  return parameter(request, "name");
}
app::Caller caller(const Request& request);

absl::StatusOr<app::ListRequest> list_request(const app::App& app, const Request& request);
// A whole number from the query, clamped to nothing: INVALID_ARGUMENT outside [least, most].
absl::StatusOr<int64_t> integer_query(const Request& request, std::string_view name, int64_t absent,
                                      int64_t least, int64_t most);
// One of `choices`; the first when absent.
absl::StatusOr<std::string> choice_query(const Request& request, std::string_view name,
                                         std::initializer_list<std::string_view> choices);
std::string text_query(const Request& request, std::string_view name);

// The body as a JSON object; INVALID_ARGUMENT for anything else.
absl::StatusOr<base::Json> json_object(std::string_view body);
// For verbs without arguments: nothing, or an empty object.
absl::Status check_no_arguments(const Request& request);
// Server-side paths are for the owner of the home alone: PERMISSION_DENIED for others.
absl::Status check_may_name_files(const Request& request);

// The entity tag of If-Match with its quotes, as resources carry it; nullopt when there is none.
// INVALID_ARGUMENT for lists and weak tags, which cannot match.
absl::StatusOr<app::IfMatch> if_match(const Request& request);
// A stale tag is 412 and a missing one 428; other statuses stay.
absl::Status as_precondition(absl::Status status);

// Of a prediction: what is too long for the event loop is to be asked again elsewhere.
absl::Status or_later(Response& response, absl::Status status);

// With the document's own "etag", if it has one, as ETag.
absl::Status answer(Response& response, const base::Json& document, int status = 200);
// A page of a list. INVALID_ARGUMENT, with the nearest, where `fields`, `order_by` or `filter`
// name a field that these resources do not have.
absl::Status answer_list(const Request& request, Response& response, const base::Json& page);
// 202 with the job's Location.
absl::Status answer_job(const Request& request, Response& response, const base::Json& job);
absl::Status answer_text(Response& response, std::string_view content_type, std::string text);
absl::Status answer_file(Response& response, const app::Download& download);
absl::Status answer_nothing(Response& response);  // 204

// What registers functions of (app, request, response), with their names checked.
inline auto adder(app::App& app, Handlers& handlers) {
  return [&app, &handlers](std::string_view operation, auto function) {
    handlers.emplace(operation, with_names([&app, function](Request& request, Response& response) {
                       return function(app, request, response);
                     }));
  };
}

}  // namespace cromford::http
