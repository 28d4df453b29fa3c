// Training runs.

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "http/api_support.h"

namespace cromford::http {

void add_run_handlers(const ApiSurroundings& api, Handlers& handlers) {
  const auto add = adder(api.app, handlers);
  add("start_run", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json body, json_object(q.body));
    TRY(const base::Json job, a.start_run(caller(q), project(q), body));
    return answer_job(q, r, job);
  });
  add("list_runs", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const app::ListRequest list, list_request(a, q));
    TRY(const base::Json page, a.list_runs(project(q), list));
    return answer_list(q, r, page);
  });
  add("get_run", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document, a.run(project(q), parameter(q, "id")));
    return answer(r, document);
  });
  add("cancel_run", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(check_no_arguments(q));
    TRY(const base::Json document, a.cancel_run(project(q), parameter(q, "id")));
    return answer(r, document);
  });
}

}  // namespace cromford::http
