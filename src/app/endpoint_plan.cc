#include "app/endpoint_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/request_reader.h"
#include "app/resources.h"
#include "base/name.h"
#include "base/text.h"

namespace cromford::app {
namespace {

constexpr size_t kHistoryMax = 100;
constexpr int64_t kWhole = 100;

base::Json variant_json(const Deployment& deployment, int64_t weight, std::string_view role) {
  return {{"model", deployment.model},
          {"model_version", deployment.model_version},
          {"weight", weight},
          {"role", role}};
}

// Notes the variants that are left behind, so that rollback can bring them back.
void set_variants(base::Json& endpoint, base::Json variants, std::string_view action,
                  const std::string& at) {
  base::Json& history = endpoint["history"];
  if (!history.is_array()) {
    history = base::Json::array();
  }
  history.push_back({{"at", at},
                     {"action", action},
                     {"before", endpoint.value("variants", base::Json::array())}});
  if (history.size() > kHistoryMax) {
    history.erase(history.begin());
  }
  endpoint["variants"] = std::move(variants);
  endpoint["state"] = "serving";
}

const base::Json* champion_of(const base::Json& endpoint) {
  const auto variants = endpoint.find("variants");
  if (variants != endpoint.end()) {
    for (const base::Json& variant : *variants) {
      if (variant.value("role", std::string()) == "champion") {
        return &variant;
      }
    }
  }
  return nullptr;
}

bool is_version(const base::Json& variant, const Deployment& deployment) {
  return variant.value("model", std::string()) == deployment.model &&
         variant.value("model_version", int64_t{0}) == deployment.model_version;
}

absl::Status check_strategy(const std::string& strategy) {
  if (strategy == "direct" || strategy == "canary" || strategy == "shadow") {
    return absl::OkStatus();
  }
  return base::with_field_error(
      base::invalid(fmt::format("'{}' is no strategy", strategy), "write direct, canary or shadow"),
      {"/strategy", "must be direct, canary or shadow"});
}

}  // namespace

absl::StatusOr<base::Json> plan_deployment(const base::Json& before, const Deployment& deployment) {
  TRY(check_strategy(deployment.strategy));
  base::Json after = before;
  const base::Json* champion = champion_of(before);
  if (champion != nullptr && before.value("task", std::string()) != deployment.task) {
    return base::refused(
        fmt::format("endpoint '{}' answers a {} task, {}@{} a {} one",
                    before.value("name", std::string()), before.value("task", std::string()),
                    deployment.model, deployment.model_version, deployment.task),
        "its callers would break; make a new endpoint for it");
  }
  base::Json variants = base::Json::array();
  if (champion == nullptr || deployment.strategy == "direct" || is_version(*champion, deployment)) {
    variants.push_back(variant_json(deployment, kWhole, "champion"));
    after["columns"] = deployment.columns;
  } else {
    const bool canary = deployment.strategy == "canary";
    base::Json incumbent = *champion;
    incumbent["weight"] = canary ? kWhole - deployment.percent : kWhole;
    variants.push_back(std::move(incumbent));
    variants.push_back(variant_json(deployment, canary ? deployment.percent : 0,
                                    canary ? "challenger" : "shadow"));
  }
  after["task"] = deployment.task;
  set_variants(after, std::move(variants), "deploy", deployment.at);
  return after;
}

absl::StatusOr<base::Json> plan_split(const base::Json& before, const base::Json& request,
                                      const std::string& at) {
  RequestReader reader(request, "the split");
  const base::Json weights = reader.object_or_empty("weights");
  TRY(reader.finish());
  RequestReader shares(weights, "the weights", "/weights");
  base::Json variants = before.at("variants");
  int64_t sum = 0;
  for (base::Json& variant : variants) {
    const std::string version = std::to_string(variant.value("model_version", int64_t{0}));
    if (!weights.contains(version)) {
      if (variant.value("role", std::string()) == "shadow") {
        continue;
      }
      return base::invalid(fmt::format("the split says nothing of version {}", version),
                           "give every version that answers a weight, 0 for none");
    }
    const int64_t weight = shares.integer_or(version, 0, 0, kWhole);
    variant["weight"] = weight;
    if (variant.value("role", std::string()) == "shadow" && weight > 0) {
      variant["role"] = "challenger";
    }
    sum += weight;
  }
  TRY(shares.status());
  for (const auto& [version, weight] : weights.items()) {
    const bool known = std::any_of(variants.begin(), variants.end(), [&](const base::Json& one) {
      return one.at("model_version").dump() == version;
    });
    if (!known) {
      return base::invalid(
          fmt::format("the split names version {}, which this endpoint does not have",
                      base::clip_utf8(version, 40)),
          "show the endpoint to see its versions");
    }
  }
  if (sum != kWhole) {
    return base::invalid(fmt::format("the weights sum to {}, not to 100", sum),
                         "give each version a weight in percent, 100 in all");
  }
  base::Json after = before;
  set_variants(after, std::move(variants), "split", at);
  return after;
}

absl::StatusOr<base::Json> plan_promotion(const base::Json& before, const std::string& at) {
  base::Json after = before;
  for (const base::Json& variant : before.at("variants")) {
    if (variant.value("role", std::string()) != "champion") {
      base::Json promoted = variant;
      promoted["role"] = "champion";
      promoted["weight"] = kWhole;
      set_variants(after, base::Json::array({promoted}), "promote", at);
      return after;
    }
  }
  return base::refused(fmt::format("endpoint '{}' has no challenger to promote",
                                   before.value("name", std::string())),
                       "deploy one with strategy canary or shadow first");
}

absl::StatusOr<base::Json> plan_rollback(const base::Json& before, const std::string& at) {
  const base::Json history = before.value("history", base::Json::array());
  if (history.empty() || history.back().at("before").empty()) {
    return base::refused(
        fmt::format("endpoint '{}' has nothing to go back to", before.value("name", std::string())),
        "deploy the version that you want");
  }
  base::Json after = before;
  set_variants(after, history.back().at("before"), "rollback", at);
  return after;
}

absl::StatusOr<store::Document> find_endpoint(const Context& context, const std::string& project,
                                              const std::string& name) {
  TRY(base::check_name("endpoint", name));
  absl::StatusOr<store::Document> document = context.metadata->get({project, "endpoint", name});
  if (document.status().code() != absl::StatusCode::kNotFound) {
    return document;
  }
  return no_such_thing(context, "endpoint", project, name);
}

}  // namespace cromford::app
