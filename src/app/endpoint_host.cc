#include "app/endpoint_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/audit.h"
#include "app/endpoint_policy.h"
#include "app/loop_world.h"
#include "app/resources.h"
#include "base/log.h"

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

}  // namespace

EndpointHost::EndpointHost(const Context& context, serve::Registry& registry)
    : context_(context), registry_(registry), packages_(context) {}

absl::StatusOr<std::shared_ptr<const serve::Endpoint>> EndpointHost::build(
    const std::string& project, const base::Json& body) {
  serve::EndpointSpec spec{.project = project,
                           .name = body.value("name", std::string()),
                           .log = context_.predictions.get()};
  for (const base::Json& variant : body.at("variants")) {
    const std::string model = variant.value("model", std::string());
    const int64_t number = variant.value("model_version", int64_t{0});
    TRY(const Versioned version,
        find_version(context_, "model", project, model, std::to_string(number)));
    TRY(const serve::Role role, role_of(variant));
    serve::VariantSpec served{.model = model,
                              .version = static_cast<int32_t>(number),
                              .weight = variant.value("weight", uint32_t{0}),
                              .role = role};
    TRY(served.package, packages_.load(version));
    spec.variants.push_back(std::move(served));
  }
  const std::shared_ptr<const serve::Endpoint> before = registry_.get(project, spec.name);
  return serve::Endpoint::create(std::move(spec), before.get());
}

void EndpointHost::publish(std::shared_ptr<const serve::Endpoint> endpoint,
                           const base::Json& body) {
  const std::string project = endpoint->project();
  const std::string name = endpoint->name();
  if (publishing_) {
    publishing_(*endpoint);
  }
  keep_warm(*endpoint);
  registry_.put(std::move(endpoint));
  note(project, name, absl::OkStatus());
  context_.events->publish(project, "endpoint/" + name, "endpoint", base::dump_json(body));
}

void EndpointHost::keep_warm(const serve::Endpoint& next) {
  const std::shared_ptr<const serve::Endpoint> before = registry_.get(next.project(), next.name());
  if (before == nullptr) {
    return;
  }
  const auto serves = [&next](const std::shared_ptr<const model::Package>& package) {
    return std::any_of(
        next.variants().begin(), next.variants().end(),
        [&](const serve::Variant& variant) { return variant.spec.package == package; });
  };
  std::vector<std::shared_ptr<const model::Package>> replaced;
  for (const serve::Variant& variant : before->variants()) {
    if (!serves(variant.spec.package)) {
      replaced.push_back(variant.spec.package);
    }
  }
  if (!replaced.empty()) {
    warm_[{next.project(), next.name()}] = std::move(replaced);
  }
}

void EndpointHost::withdraw(const std::string& project, const std::string& name) {
  registry_.remove(project, name);
  warm_.erase({project, name});
  note(project, name, absl::OkStatus());
}

void EndpointHost::note(const std::string& project, const std::string& name,
                        const absl::Status& status) {
  const std::scoped_lock lock(mutex_);
  if (status.ok()) {
    degraded_.erase({project, name});
    return;
  }
  degraded_[{project, name}] = base::describe(status);
  base::log_error("an endpoint cannot be served as its document says",
                  {{"project", project}, {"endpoint", name}, {"reason", base::describe(status)}});
}

absl::Status EndpointHost::serve_document(const store::Document& document) {
  TRY(const base::Json body, body_of(document));
  TRY(std::shared_ptr<const serve::Endpoint> endpoint, build(document.key.project, body));
  publish(std::move(endpoint), body);
  return absl::OkStatus();
}

absl::Status EndpointHost::reconcile(const std::string& project, const std::string& name) {
  const std::scoped_lock changing(changing_);
  const absl::StatusOr<store::Document> document =
      context_.metadata->get({project, "endpoint", name});
  if (document.status().code() == absl::StatusCode::kNotFound) {
    withdraw(project, name);
    return absl::OkStatus();
  }
  const absl::Status status = document.ok() ? serve_document(*document) : document.status();
  if (!status.ok()) {
    note(project, name, status);
  }
  return status;
}

absl::Status EndpointHost::open() {
  std::string token;
  do {
    TRY(const store::DocumentPage page,
        context_.metadata->list({.kind = "endpoint", .page_size = 1000, .page_token = token}));
    for (const store::Document& document : page.documents) {
      // Its failure is noted; one damaged package must not keep the others from serving.
      (void)reconcile(document.key.project, document.key.name);
    }
    token = page.next_page_token;
  } while (!token.empty());
  return absl::OkStatus();
}

absl::Status EndpointHost::change(const store::DocumentKey& key, int64_t expected_revision,
                                  const base::Json& body) {
  const std::scoped_lock changing(changing_);
  TRY(std::shared_ptr<const serve::Endpoint> endpoint, build(key.project, body));
  TRY(const std::vector<store::Write> writes,
      audited(context_, {store::Write::put(key, base::dump_json(body), expected_revision)},
              endpoint_change(context_, key, body)));
  TRY(context_.metadata->commit(writes));
  publish(std::move(endpoint), body);
  return absl::OkStatus();
}

absl::Status EndpointHost::remove(const store::DocumentKey& key, int64_t expected_revision) {
  const std::scoped_lock changing(changing_);
  // A later endpoint of this name is another one: it takes over no wishes.
  TRY(const std::vector<store::Write> writes,
      audited(context_,
              {store::Write::remove(key, expected_revision),
               store::Write::remove(policy_key(key.project, key.name)),
               store::Write::remove(loop_key(key.project, key.name))},
              {.project = key.project,
               .action = "endpoint.deleted",
               .object = "endpoint/" + key.name}));
  TRY(context_.metadata->commit(writes));
  withdraw(key.project, key.name);
  return absl::OkStatus();
}

std::vector<EndpointHost::Degraded> EndpointHost::degraded() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Degraded> all;
  all.reserve(degraded_.size());
  for (const auto& [name, reason] : degraded_) {
    all.push_back({.project = name.first,
                   .name = name.second,
                   .reason = reason,
                   .serving = registry_.get(name.first, name.second) != nullptr});
  }
  return all;
}

}  // namespace cromford::app
