// Pipelines: the declared production line.

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "base/text.h"
#include "http/api_support.h"

namespace cromford::http {

namespace {

absl::Status apply(app::App& app, Request& request, Response& response) {
  const std::filesystem::path folder = text_query(request, "folder");
  if (!folder.empty()) {
    TRY(check_may_name_files(request));
    if (!folder.is_absolute()) {
      return base::invalid(
          fmt::format("the folder '{}' is not absolute", base::clip_utf8(folder.native(), 128)),
          "give the whole path of the folder in which the file lies");
    }
  }
  TRY(const base::Json document,
      app.apply_pipeline(caller(request), project(request), name(request), request.body, folder));
  return answer(response, document);
}

}  // namespace

void add_pipeline_handlers(const ApiSurroundings& api, Handlers& handlers) {
  const auto add = adder(api.app, handlers);
  add("list_pipelines", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const app::ListRequest list, list_request(a, q));
    TRY(const base::Json page, a.list_pipelines(project(q), list));
    return answer_list(q, r, page);
  });
  add("get_pipeline", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document, a.pipeline(project(q), name(q)));
    return answer(r, document);
  });
  add("apply_pipeline", apply);
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
    TRY(const app::ListRequest list, list_request(a, q));
    TRY(const base::Json page, a.pipeline_history(project(q), name(q), list));
    return answer_list(q, r, page);
  });
}

}  // namespace cromford::http
