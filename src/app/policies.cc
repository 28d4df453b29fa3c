// The policies of endpoints: read, replaced as a whole, and filled by pipelines.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/alerts_stage.h"
#include "app/audit.h"
#include "app/endpoint_plan.h"
#include "app/endpoint_policy.h"
#include "app/factory.h"
#include "app/resources.h"
#include "base/name.h"

namespace cromford::app {
namespace {

// The document, or one of the revision kMustNotExist with the defaults.
absl::StatusOr<store::Document> find_policy(const Context& context, const std::string& project,
                                            const std::string& name) {
  const store::DocumentKey key = policy_key(project, name);
  absl::StatusOr<store::Document> document = context.metadata->get(key);
  if (document.status().code() == absl::StatusCode::kNotFound) {
    return store::Document{.key = key,
                           .body = base::dump_json(policy_json(EndpointPolicy())),
                           .revision = store::kMustNotExist};
  }
  return document;
}

// Columns that the policy names must be there to be read.
absl::Status check_policy_columns(const base::Json& endpoint, const EndpointPolicy& policy) {
  std::vector<std::string> columns;
  for (const base::Json& column : endpoint.value("columns", base::Json::array())) {
    columns.push_back(column.value("name", std::string()));
  }
  absl::Status status;
  const auto require = [&](const std::string& column, const std::string& pointer) {
    if (column.empty() || std::find(columns.begin(), columns.end(), column) != columns.end()) {
      return;
    }
    const std::string detail =
        fmt::format("endpoint '{}' has no column '{}'{}", endpoint.value("name", std::string()),
                    column, base::did_you_mean(column, columns));
    if (status.ok()) {
      status = base::invalid(detail, fmt::format("its columns are {}", fmt::join(columns, ", ")));
    }
    status = base::with_field_error(std::move(status), {pointer, detail});
  };
  for (size_t i = 0; i < policy.monitor.segments.size(); ++i) {
    require(policy.monitor.segments[i], fmt::format("/monitor/segments/{}", i));
  }
  for (size_t i = 0; i < policy.monitor.sensitive.size(); ++i) {
    require(policy.monitor.sensitive[i], fmt::format("/monitor/sensitive/{}", i));
  }
  require(policy.rollout.key, "/rollout/key");
  return status;
}

base::Json shown(base::Json resource, const std::string& endpoint) {
  resource["endpoint"] = endpoint;
  return resource;
}

}  // namespace

absl::StatusOr<base::Json> Factory::endpoint_policy(const std::string& project,
                                                    const std::string& name) {
  TRY(find_endpoint(*context_, project, name));
  TRY(const store::Document document, find_policy(*context_, project, name));
  TRY(base::Json resource, resource_of(document));
  return shown(std::move(resource), name);
}

absl::StatusOr<base::Json> Factory::put_endpoint_policy(const std::string& project,
                                                        const std::string& name,
                                                        const base::Json& request,
                                                        const IfMatch& if_match) {
  const std::scoped_lock lock(deploy_mutex_);
  TRY(const store::Document endpoint, find_endpoint(*context_, project, name));
  TRY(const store::Document document, find_policy(*context_, project, name));
  TRY(check_etag(document, if_match, EtagRule::kRequired));
  base::Json wanted = request;
  if (wanted.is_object()) {
    // What a GET adds may come back with a PUT.
    for (const char* field : {"endpoint", "etag", "created_at", "updated_at"}) {
      wanted.erase(field);
    }
  }
  TRY(const EndpointPolicy policy, parse_policy(wanted));
  TRY(parse_alert_channels(policy.alerts));
  TRY(const base::Json body, body_of(endpoint));
  TRY(check_policy_columns(body, policy));
  base::Json told = policy_json(policy);
  std::string text = base::dump_json(told);
  told.erase("alerts");  // Addresses of people and secrets of webhooks: the log cannot forget.
  TRY(const std::vector<store::Write> writes,
      audited(*context_, {store::Write::put(document.key, std::move(text), document.revision)},
              {.project = project,
               .action = "policy.changed",
               .object = "policy/" + name,
               .details = std::move(told)}));
  TRY(context_->metadata->commit(writes));
  return endpoint_policy(project, name);
}

}  // namespace cromford::app
