// Endpoints: the document says what is to be served, the registry serves it. A change is committed
// first and published next, so that a crash between the two is mended when the factory opens.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/endpoint_plan.h"
#include "app/factory.h"
#include "app/model_files.h"
#include "app/request_reader.h"
#include "app/resources.h"
#include "base/log.h"
#include "base/name.h"

namespace cromford::app {
namespace {

absl::StatusOr<serve::Role> role_of(const base::Json& variant) {
  const std::string name = variant.value("role", std::string());
  for (const serve::Role role :
       {serve::Role::kChampion, serve::Role::kChallenger, serve::Role::kShadow}) {
    if (name == serve::role_name(role)) {
      return role;
    }
  }
  return base::damaged(fmt::format("an endpoint has the unknown role '{}'", name));
}

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

absl::StatusOr<std::shared_ptr<const model::Package>> Factory::load_package(
    const Versioned& version) {
  TRY(const std::filesystem::path file, package_file(*context_, version));
  return model::Package::open(file);
}

absl::Status Factory::publish(const std::string& project, const base::Json& endpoint) {
  serve::EndpointSpec spec{.project = project, .name = endpoint.value("name", std::string())};
  for (const base::Json& variant : endpoint.at("variants")) {
    const std::string model = variant.value("model", std::string());
    const int64_t number = variant.value("model_version", int64_t{0});
    TRY(const Versioned version,
        find_version(*context_, "model", project, model, std::to_string(number)));
    TRY(const serve::Role role, role_of(variant));
    serve::VariantSpec served{.model = model,
                              .version = static_cast<int32_t>(number),
                              .weight = variant.value("weight", uint32_t{0}),
                              .role = role};
    TRY(served.package, load_package(version));
    spec.variants.push_back(std::move(served));
  }
  TRY(registry_.set(std::move(spec)));
  context_->events->publish(project, "endpoint/" + endpoint.value("name", std::string()),
                            "endpoint", base::dump_json(endpoint));
  return absl::OkStatus();
}

absl::Status Factory::open_endpoints() {
  std::string token;
  do {
    TRY(const store::DocumentPage page,
        context_->metadata->list({.kind = "endpoint", .page_size = 1000, .page_token = token}));
    for (const store::Document& document : page.documents) {
      TRY(const base::Json body, body_of(document));
      // One endpoint whose package is damaged must not keep the others from serving.
      if (const absl::Status status = publish(document.key.project, body); !status.ok()) {
        base::log_error("an endpoint cannot be served",
                        {{"endpoint", document.key.name}, {"reason", base::describe(status)}});
      }
    }
    token = page.next_page_token;
  } while (!token.empty());
  return absl::OkStatus();
}

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

absl::Status Factory::change_endpoint(
    const std::string& project, const store::Document& document,
    const std::function<absl::StatusOr<base::Json>(const base::Json&)>& change) {
  TRY(const base::Json before, body_of(document));
  TRY(const base::Json after, change(before));
  TRY(context_->metadata->commit(
      {store::Write::put(document.key, base::dump_json(after), document.revision)}));
  return publish(project, after);
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
  // Loads before anything is changed: a package that cannot be loaded is refused here.
  TRY(load_package(version));
  const Deployment deployment{.model = version.name,
                              .model_version = version.version,
                              .task = model.value("task", std::string()),
                              .columns = model.value("columns", base::Json::array()),
                              .strategy = strategy,
                              .percent = percent,
                              .at = base::format_time(context_->clock->now())};
  const std::scoped_lock lock(deploy_mutex_);
  const store::DocumentKey key{project, "endpoint", name};
  const absl::StatusOr<store::Document> existing = context_->metadata->get(key);
  if (existing.ok()) {
    TRY(check_etag(*existing, if_match, EtagRule::kOptional));
    TRY(change_endpoint(project, *existing, [&](const base::Json& before) {
      return plan_deployment(before, deployment);
    }));
    return endpoint(project, name);
  }
  if (existing.status().code() != absl::StatusCode::kNotFound) {
    return existing.status();
  }
  TRY(const base::Json body, plan_deployment({{"name", name}}, deployment));
  TRY(context_->metadata->commit(
      {store::Write::put(key, base::dump_json(body), store::kMustNotExist)}));
  TRY(publish(project, body));
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
  TRY(context_->metadata->commit({store::Write::remove(document.key, document.revision)}));
  registry_.remove(project, name);
  return absl::OkStatus();
}

}  // namespace cromford::app
