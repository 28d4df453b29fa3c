// What is watched over endpoints, and the alerts.

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "http/api_support.h"

namespace cromford::http {

void add_monitor_handlers(const ApiSurroundings& api, Handlers& handlers) {
  const auto add = adder(api.app, handlers);
  add("monitor_endpoint", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json view, a.monitor_endpoint(project(q), name(q), text_query(q, "from"),
                                                  text_query(q, "to"), text_query(q, "window")));
    return answer(r, view);
  });
  add("list_alerts", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const app::ListRequest list, list_request(a, q));
    TRY(const base::Json page, a.list_alerts(project(q), list));
    return answer_list(q, r, page);
  });
  add("get_alert", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json alert, a.alert(project(q), parameter(q, "id")));
    return answer(r, alert);
  });
  add("acknowledge_alert", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(check_no_arguments(q));
    TRY(const base::Json alert, a.acknowledge_alert(project(q), parameter(q, "id")));
    return answer(r, alert);
  });
  add("silence_alert", [](app::App& a, Request& q, Response& r) -> absl::Status {
    TRY(const base::Json body, json_object(q.body));
    TRY(const base::Json alert, a.silence_alert(project(q), parameter(q, "id"), body));
    return answer(r, alert);
  });
}

}  // namespace cromford::http
