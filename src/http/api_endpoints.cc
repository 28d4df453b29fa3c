// Endpoints and predictions by name.

#include <nlohmann/json.hpp>
#include <utility>

#include "base/status.h"
#include "http/api_support.h"

namespace cromford::http {
namespace {

// On the event loop, into the response's own memory.
absl::Status predict(app::App& app, Request& request, Response& response) {
  bool ignore_unknown = false;
  if (const auto unknown = request.query("unknown")) {
    if (*unknown != "ignore" && *unknown != "refuse") {
      return base::invalid("the query parameter 'unknown' is neither 'ignore' nor 'refuse'",
                           "leave it out (unknown columns are refused), or write unknown=ignore");
    }
    ignore_unknown = *unknown == "ignore";
  }
  return or_later(response,
                  app.predict_json(request.parameter("project"), request.parameter("name"),
                                   request.body, ignore_unknown, request.on_loop, response.body));
}

// Its answer comes once the outcomes are on disk, together with those of other requests.
absl::Status outcomes(app::App& app, Request& request, Response& response) {
  response.later = [&](std::function<void(absl::Status)> done) {
    app.add_outcomes(request.parameter("project"), request.parameter("name"), request.body,
                     [&response, done = std::move(done)](absl::StatusOr<std::string> body) {
                       if (body.ok()) {
                         response.body = *std::move(body);
                       }
                       done(body.status());
                     });
  };
  return absl::OkStatus();
}

absl::Status import_outcomes(app::App& app, Request& request, Response& response) {
  if (request.upload->bytes() == 0) {
    return base::invalid("the body is empty",
                         "send rows with the columns id, value and, where it is known, at");
  }
  TRY(const base::Json job,
      app.start_outcomes(caller(request), project(request), name(request),
                         std::string(request.query("format").value_or("")),
                         std::string(request.query("source_name").value_or("")),
                         request.upload->path()));
  request.upload->take();  // The job removes it.
  return answer_job(request, response, job);
}

absl::Status endpoint_log(app::App& app, Request& request, Response& response) {
  TRY(const std::string format, choice_query(request, "format", {"csv", "jsonl", "parquet"}));
  TRY(const app::Download download,
      app.endpoint_log(project(request), name(request), text_query(request, "from"),
                       text_query(request, "to"), format));
  return answer_file(response, download);
}

absl::Status compact(app::App& app, Request& request, Response& response) {
  TRY(check_no_arguments(request));
  TRY(const base::Json job, app.start_compaction(caller(request), project(request), name(request)));
  return answer_job(request, response, job);
}

absl::Status split(app::App& app, Request& request, Response& response) {
  TRY(const app::IfMatch tag, if_match(request));
  TRY(const base::Json body, json_object(request.body));
  const absl::StatusOr<base::Json> endpoint =
      app.split_endpoint(project(request), name(request), body, tag);
  return endpoint.ok() ? answer(response, *endpoint) : as_precondition(endpoint.status());
}

absl::Status promote(app::App& app, Request& request, Response& response) {
  TRY(const app::IfMatch tag, if_match(request));
  TRY(check_no_arguments(request));
  const absl::StatusOr<base::Json> endpoint =
      app.promote_endpoint(project(request), name(request), tag);
  return endpoint.ok() ? answer(response, *endpoint) : as_precondition(endpoint.status());
}

absl::Status rollback(app::App& app, Request& request, Response& response) {
  TRY(const app::IfMatch tag, if_match(request));
  TRY(check_no_arguments(request));
  const absl::StatusOr<base::Json> endpoint =
      app.rollback_endpoint(project(request), name(request), tag);
  return endpoint.ok() ? answer(response, *endpoint) : as_precondition(endpoint.status());
}

absl::Status deploy(app::App& app, Request& request, Response& response) {
  TRY(const app::IfMatch tag, if_match(request));
  TRY(const base::Json body, json_object(request.body));
  const absl::StatusOr<base::Json> endpoint =
      app.deploy(project(request), name(request), body, tag);
  return endpoint.ok() ? answer(response, *endpoint) : as_precondition(endpoint.status());
}

absl::Status remove(app::App& app, Request& request, Response& response) {
  TRY(const app::IfMatch tag, if_match(request));
  absl::Status status = app.delete_endpoint(project(request), name(request), tag);
  return status.ok() ? answer_nothing(response) : as_precondition(std::move(status));
}

absl::Status retrain(app::App& app, Request& request, Response& response) {
  TRY(const base::Json body,
      request.body.empty() ? base::Json::object() : json_object(request.body));
  TRY(const base::Json loop, app.retrain_endpoint(project(request), name(request), body));
  return answer(response, loop);
}

absl::Status decide(app::App& app, Request& request, Response& response, bool yes) {
  TRY(const base::Json body, json_object(request.body));
  TRY(const base::Json loop, app.decide_candidate(project(request), name(request), body, yes));
  return answer(response, loop);
}

absl::Status put_policy(app::App& app, Request& request, Response& response) {
  TRY(const app::IfMatch tag, if_match(request));
  TRY(const base::Json body, json_object(request.body));
  const absl::StatusOr<base::Json> policy =
      app.put_endpoint_policy(project(request), name(request), body, tag);
  return policy.ok() ? answer(response, *policy) : as_precondition(policy.status());
}

}  // namespace

void add_endpoint_handlers(const ApiSurroundings& api, Handlers& handlers) {
  const auto add = adder(api.app, handlers);
  add("list_endpoints", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const app::ListRequest list, list_request(a, q));
    TRY(const base::Json page, a.list_endpoints(project(q), list));
    return answer_list(q, r, page);
  });
  add("get_endpoint", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document, a.endpoint(project(q), name(q)));
    return answer(r, document);
  });
  add("deploy_endpoint", deploy);
  add("delete_endpoint", remove);
  add("split_endpoint", split);
  add("promote_endpoint", promote);
  add("rollback_endpoint", rollback);
  add("check_endpoint", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(check_no_arguments(q));
    TRY(const base::Json round, a.check_endpoint(project(q), name(q)));
    return answer(r, round);
  });
  add("get_lifecycle", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document, a.lifecycle(project(q), name(q)));
    return answer(r, document);
  });
  add("get_evidence", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document,
        a.loop_evidence(project(q), name(q), std::string(q.parameter("hash"))));
    return answer(r, document);
  });
  add("retrain_endpoint", retrain);
  add("approve_candidate",
      [](app::App& a, Request& q, Response& r) { return decide(a, q, r, true); });
  add("reject_candidate",
      [](app::App& a, Request& q, Response& r) { return decide(a, q, r, false); });
  add("get_endpoint_policy", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document, a.endpoint_policy(project(q), name(q)));
    return answer(r, document);
  });
  add("put_endpoint_policy", put_policy);
  add("get_endpoint_log", endpoint_log);
  add("compact_endpoint_log", compact);
  add("import_outcomes", import_outcomes);
  add("get_prediction", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json document,
        a.prediction(project(q), name(q), std::string(q.parameter("prediction_id"))));
    return answer(r, document);
  });
  handlers.emplace("add_outcomes",
                   [&app = api.app](Request& q, Response& r) { return outcomes(app, q, r); });
  // Its names are checked where endpoints are looked up, without another pass over the path.
  handlers.emplace("predict",
                   [&app = api.app](Request& q, Response& r) { return predict(app, q, r); });
}

}  // namespace cromford::http
