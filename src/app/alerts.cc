// Alerts as clients see them.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/audit.h"
#include "app/factory.h"
#include "app/request_reader.h"
#include "app/resources.h"
#include "monitor/alerts.h"

namespace cromford::app {

absl::StatusOr<base::Json> Factory::list_alerts(const std::string& project,
                                                const ListRequest& request) {
  return list_resources(*context_->metadata, project,
                        {.kind = "alert", .field = "alerts", .order_by = "fired_at desc"}, request);
}

absl::StatusOr<base::Json> Factory::alert(const std::string& project, const std::string& id) {
  const absl::StatusOr<store::Document> document = context_->metadata->get({project, "alert", id});
  if (absl::IsNotFound(document.status())) {
    return base::not_found(fmt::format("there is no alert '{}'", id),
                           "see them all: cromford alert list");
  }
  TRY(document);
  return resource_of(*document);
}

absl::StatusOr<base::Json> Factory::change_alert(
    const std::string& project, const std::string& id, const std::string& action,
    const std::function<absl::StatusOr<monitor::Alert>(monitor::Alert)>& change) {
  TRY(alert(project, id));
  TRY(const store::Document document, context_->metadata->get({project, "alert", id}));
  TRY(const base::Json body, body_of(document));
  TRY(monitor::Alert before, monitor::alert_from(body));
  TRY(const monitor::Alert after, change(std::move(before)));
  TRY(const std::vector<store::Write> writes,
      audited(*context_,
              {store::Write::put(document.key, base::dump_json(monitor::to_json(after)),
                                 document.revision)},
              {.project = project, .action = action, .object = "alert/" + id}));
  TRY(context_->metadata->commit(writes));
  return alert(project, id);
}

absl::StatusOr<base::Json> Factory::acknowledge_alert(const std::string& project,
                                                      const std::string& id) {
  return change_alert(project, id, "alert.acknowledged", [this](monitor::Alert alert) {
    return monitor::acknowledge(std::move(alert), context_->clock->now());
  });
}

absl::StatusOr<base::Json> Factory::silence_alert(const std::string& project, const std::string& id,
                                                  const base::Json& request) {
  RequestReader reader(request, "the silence");
  const std::string until = reader.text("until");
  TRY(reader.finish());
  const absl::StatusOr<base::Time> time = base::parse_time(until);
  if (!time.ok()) {
    return base::invalid(fmt::format("'{}' is not a time, in 'until'", until),
                         "write a time like 2001-02-28T10:00:00Z");
  }
  return change_alert(project, id, "alert.silenced", [&](monitor::Alert alert) {
    return monitor::silence(std::move(alert), *time);
  });
}

}  // namespace cromford::app
