// Endpoints: the document says what is to be served, the host (endpoint_host.h) serves it.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/endpoint_plan.h"
#include "app/factory.h"
#include "app/request_reader.h"
#include "app/resources.h"
#include "base/name.h"

namespace cromford::app {
namespace {

base::Json traffic_json(const serve::Endpoint& endpoint) {
  const serve::Traffic traffic = endpoint.traffic();
  return {{"requests", traffic.requests},
          {"rows", traffic.rows},
          {"errors", traffic.errors},
          {"unseen", traffic.unseen},
          {"latency_us",
           {{"p50", traffic.latency.quantile_ns(0.5) / 1000},
            {"p90", traffic.latency.quantile_ns(0.9) / 1000},
            {"p99", traffic.latency.quantile_ns(0.99) / 1000}}}};
}

}  // namespace

absl::StatusOr<base::Json> Factory::list_endpoints(const std::string& project,
                                                   const ListRequest& request) {
  return list_resources(*context_->metadata, project,
                        {.kind = "endpoint", .field = "endpoints", .order_by = "name"}, request);
}

absl::StatusOr<base::Json> Factory::endpoint(const std::string& project, const std::string& name) {
  const uint64_t event_id = context_->events->last_id();
  TRY(const store::Document document, find_endpoint(*context_, project, name));
  TRY(base::Json resource, resource_of(document));
  resource["event_id"] = std::to_string(event_id);
  if (const serve::Lease served = registry_.find(project, name)) {
    resource["traffic"] = traffic_json(*served);
  } else {
    resource["state"] = "unavailable";
  }
  return resource;
}

// What an endpoint shows of its champion: the columns that its callers send and the task.
absl::Status Factory::describe_champion(const std::string& project, base::Json& endpoint) const {
  for (const base::Json& variant : endpoint.at("variants")) {
    if (variant.value("role", std::string()) == "champion") {
      TRY(const Versioned version,
          find_version(*context_, "model", project, variant.value("model", std::string()),
                       std::to_string(variant.value("model_version", int64_t{0}))));
      TRY(const base::Json model, body_of(version.document));
      endpoint["columns"] = model.value("columns", base::Json::array());
      endpoint["task"] = model.value("task", std::string());
    }
  }
  return absl::OkStatus();
}

absl::Status Factory::change_endpoint(
    const std::string& project, const store::Document& document,
    const std::function<absl::StatusOr<base::Json>(const base::Json&)>& change) {
  TRY(const base::Json before, body_of(document));
  TRY(base::Json after, change(before));
  TRY(describe_champion(project, after));
  if (after == before) {
    return host_.reconcile(project, document.key.name);
  }
  return host_.change(document.key, document.revision, after);
}

absl::StatusOr<base::Json> Factory::deploy(const std::string& project, const std::string& name,
                                           const base::Json& request, const IfMatch& if_match) {
  TRY(base::check_name("project", project));
  TRY(base::check_name("endpoint", name));
  RequestReader reader(request, "the deployment");
  const std::string reference = reader.text("model");
  const std::string strategy = reader.text_or("strategy", "direct");
  const int64_t percent = reader.integer_or("percent", 10, 1, 99);
  TRY(reader.finish());
  TRY(const Versioned version, find_reference(*context_, "model", project, reference));
  TRY(const base::Json model, body_of(version.document));
  const Deployment deployment{.model = version.name,
                              .model_version = version.version,
                              .task = model.value("task", std::string()),
                              .strategy = strategy,
                              .percent = percent,
                              .at = base::format_time(context_->clock->now())};
  const std::scoped_lock lock(deploy_mutex_);
  store::Document document{.key = {project, "endpoint", name},
                           .body = base::dump_json({{"name", name}}),
                           .revision = store::kMustNotExist};
  absl::StatusOr<store::Document> existing = context_->metadata->get(document.key);
  if (existing.ok()) {
    TRY(check_etag(*existing, if_match, EtagRule::kOptional));
    document = *std::move(existing);
  } else if (existing.status().code() != absl::StatusCode::kNotFound) {
    return existing.status();
  }
  TRY(change_endpoint(project, document, [&](const base::Json& before) {
    return plan_deployment(before, deployment);
  }));
  return endpoint(project, name);
}

absl::StatusOr<base::Json> Factory::replan_endpoint(
    const std::string& project, const std::string& name, const IfMatch& if_match, EtagRule rule,
    const std::function<absl::StatusOr<base::Json>(const base::Json& before,
                                                   const std::string& at)>& plan) {
  const std::scoped_lock lock(deploy_mutex_);
  TRY(const store::Document document, find_endpoint(*context_, project, name));
  TRY(check_etag(document, if_match, rule));
  const std::string at = base::format_time(context_->clock->now());
  TRY(change_endpoint(project, document,
                      [&](const base::Json& before) { return plan(before, at); }));
  return endpoint(project, name);
}

absl::StatusOr<base::Json> Factory::split_endpoint(const std::string& project,
                                                   const std::string& name,
                                                   const base::Json& request,
                                                   const IfMatch& if_match) {
  return replan_endpoint(project, name, if_match, EtagRule::kRequired,
                         [&](const base::Json& before, const std::string& at) {
                           return plan_split(before, request, at);
                         });
}

absl::StatusOr<base::Json> Factory::promote_endpoint(const std::string& project,
                                                     const std::string& name,
                                                     const IfMatch& if_match) {
  return replan_endpoint(project, name, if_match, EtagRule::kRequired, plan_promotion);
}

absl::StatusOr<base::Json> Factory::rollback_endpoint(const std::string& project,
                                                      const std::string& name,
                                                      const IfMatch& if_match) {
  return replan_endpoint(project, name, if_match, EtagRule::kOptional, plan_rollback);
}

absl::Status Factory::delete_endpoint(const std::string& project, const std::string& name,
                                      const IfMatch& if_match) {
  const std::scoped_lock lock(deploy_mutex_);
  TRY(const store::Document document, find_endpoint(*context_, project, name));
  TRY(check_etag(document, if_match, EtagRule::kOptional));
  return host_.remove(document.key, document.revision);
}

absl::StatusOr<base::Json> Factory::monitor_endpoint(const std::string& project,
                                                     const std::string& name,
                                                     const std::string& from, const std::string& to,
                                                     const std::string& window) {
  TRY(find_endpoint(*context_, project, name));
  return monitoring_.show({.project = project, .endpoint = name}, from, to, window);
}

absl::StatusOr<base::Json> Factory::check_endpoint(const std::string& project,
                                                   const std::string& name) {
  TRY(find_endpoint(*context_, project, name));
  return rounds_.check({.project = project, .endpoint = name});
}

}  // namespace cromford::app
