// Models and their versions: cards, packages, evaluation, batch scoring.

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/file_system.h"
#include "base/status.h"
#include "base/text.h"
#include "http/api_support.h"

namespace cromford::http {
namespace {

absl::Status get_card(app::App& app, Request& request, Response& response) {
  TRY(const std::string format, choice_query(request, "format", {"json", "md", "html"}));
  TRY(std::string card,
      app.model_card(project(request), name(request), parameter(request, "version"), format));
  const std::string_view type = format == "json" ? "application/json"
                                : format == "md" ? "text/markdown; charset=utf-8"
                                                 : "text/html; charset=utf-8";
  return answer_text(response, type, std::move(card));
}

absl::Status import_model(app::App& app, Request& request, Response& response) {
  if (request.upload->bytes() == 0) {
    return base::invalid("the body is empty", "send the package's content as the body");
  }
  const absl::StatusOr<base::Json> imported =
      app.import_model(project(request), name(request), request.upload->path());
  if (!imported.ok()) {
    const std::string file = text_query(request, "source_name");
    return file.empty() ? imported.status() : base::annotate(imported.status(), file);
  }
  const base::Json& version = *imported;
  if (const auto number = version.find("version"); number != version.end()) {
    response.location =
        fmt::format("/api/v1/projects/{}/models/{}/versions/{}", request.parameter("project"),
                    request.parameter("name"), number->dump());
  }
  return answer(response, version, 201);
}

// The body is a JSON description that names a dataset, or the rows themselves.
absl::Status score(app::App& app, Request& request, Response& response) {
  const std::string_view type = request.header("content-type").value_or("");
  const bool described =
      base::equal_ignoring_case(base::trim(type.substr(0, type.find(';'))), "application/json");
  base::Json description = base::Json::object();
  std::filesystem::path rows;
  if (described) {
    TRY(const std::string text,
        base::system_files().read(request.upload->path(), app.limits().json_body_bytes));
    TRY(description, json_object(text));
  } else {
    if (request.upload->bytes() == 0) {
      return base::invalid("the body is empty", "send the rows to be scored as the body");
    }
    rows = request.upload->path();
  }
  for (const std::string_view field : {"format", "input_format", "source_name", "where"}) {
    if (const auto value = request.query(field)) {
      description[std::string(field)] = *value;
    }
  }
  if (request.query("unknown")) {
    TRY(description["unknown"], choice_query(request, "unknown", {"refuse", "ignore"}));
  }
  if (request.query("explain")) {
    TRY(description["explain"], integer_query(request, "explain", 0, 0, app.limits().explain_max));
  }
  TRY(const base::Json job, app.start_scoring(caller(request), project(request), name(request),
                                              parameter(request, "version"), description, rows));
  if (!described) {
    request.upload->take();  // The job removes it.
  }
  return answer_job(request, response, job);
}

}  // namespace

void add_model_handlers(const ApiSurroundings& api, Handlers& handlers) {
  const auto add = adder(api.app, handlers);
  add("list_models", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const app::ListRequest list, list_request(a, q));
    TRY(const base::Json page, a.list_models(project(q), list));
    return answer_list(q, r, page);
  });
  add("get_model", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document, a.model(project(q), name(q)));
    return answer(r, document);
  });
  add("delete_model", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(a.delete_model(project(q), name(q)));
    return answer_nothing(r);
  });
  add("list_model_versions", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const app::ListRequest list, list_request(a, q));
    TRY(const base::Json page, a.list_model_versions(project(q), name(q), list));
    return answer_list(q, r, page);
  });
  add("get_model_version", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document, a.model_version(project(q), name(q), parameter(q, "version")));
    return answer(r, document);
  });
  add("get_model_package", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const app::Download download,
        a.model_package(project(q), name(q), parameter(q, "version")));
    return answer_file(r, download);
  });
  add("evaluate_model", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json body, json_object(q.body));
    TRY(const base::Json job,
        a.start_evaluation(caller(q), project(q), name(q), parameter(q, "version"), body));
    return answer_job(q, r, job);
  });
  add("get_model_card", get_card);
  add("import_model", import_model);
  add("score_model", score);
}

}  // namespace cromford::http
