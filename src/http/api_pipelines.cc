// Pipelines: the declared production line.

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "http/api_support.h"

namespace cromford::http {

void add_pipeline_handlers(const ApiSurroundings& api, Handlers& handlers) {
  const auto add = adder(api.app, handlers);
  add("list_pipelines", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const app::ListRequest list, list_request(q));
    TRY(const base::Json page, a.list_pipelines(project(q), list));
    return answer(r, page);
  });
  add("get_pipeline", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document, a.pipeline(project(q), name(q)));
    return answer(r, document);
  });
  add("apply_pipeline", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document, a.apply_pipeline(caller(q), project(q), name(q), q.body));
    return answer(r, document);
  });
  add("delete_pipeline", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(a.delete_pipeline(project(q), name(q)));
    return answer_nothing(r);
  });
  add("run_pipeline", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(check_no_arguments(q));
    TRY(const base::Json job, a.run_pipeline(caller(q), project(q), name(q)));
    return answer_job(q, r, job);
  });
  add("get_pipeline_history", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const app::ListRequest list, list_request(q));
    TRY(const base::Json page, a.pipeline_history(project(q), name(q), list));
    return answer(r, page);
  });
}

}  // namespace cromford::http
