#include "app/endpoint_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

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
  if (endpoint.contains("variants") && endpoint["variants"] == variants) {
    return;
  }
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

std::string variant_name(const base::Json& variant) {
  return version_name(variant.value("model", std::string()),
                      variant.value("model_version", int64_t{0}));
}

// The key under which the weights name a variant, or "": its number, or model and number.
absl::StatusOr<std::string> share_key(const base::Json& endpoint, const base::Json& variant,
                                      const base::Json& weights) {
  std::string name = variant_name(variant);
  if (weights.contains(name)) {
    return name;
  }
  const base::Json& number = variant.at("model_version");
  if (!weights.contains(number.dump())) {
    return std::string();
  }
  for (const base::Json& other : endpoint.at("variants")) {
    if (other.at("model_version") == number && variant_name(other) != name) {
      return base::invalid(fmt::format("the split names version {}, which is {} and {} here",
                                       number.dump(), name, variant_name(other)),
                           fmt::format("name the model too: \"{}\"", name));
    }
  }
  return number.dump();
}

bool names_model(const base::Json& variants, const std::string& model) {
  return std::any_of(variants.begin(), variants.end(), [&](const base::Json& variant) {
    return variant.value("model", std::string()) == model;
  });
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
  std::set<std::string> used;
  for (base::Json& variant : variants) {
    TRY(const std::string key, share_key(before, variant, weights));
    const bool shadow = variant.value("role", std::string()) == "shadow";
    if (key.empty() && shadow) {
      continue;
    }
    if (key.empty()) {
      return base::invalid(fmt::format("the split says nothing of {}", variant_name(variant)),
                           "give every version that answers a weight, 0 for none");
    }
    const int64_t weight = shares.integer_or(key, 0, 0, kWhole);
    variant["weight"] = weight;
    if (shadow && weight > 0) {
      variant["role"] = "challenger";
    }
    sum += weight;
    used.insert(key);
  }
  TRY(shares.status());
  for (const auto& [version, weight] : weights.items()) {
    if (!used.contains(version)) {
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

absl::StatusOr<base::Json> plan_loop(const base::Json& before, const LoopTraffic& wanted) {
  const bool alone = wanted.candidate.empty();
  base::Json variants = base::Json::array();
  TRY(const base::VersionedName champion, base::parse_versioned_name("model", wanted.champion));
  const int64_t rest = kWhole - wanted.share;
  variants.push_back(
      variant_json({.model = champion.name, .model_version = champion.version.value_or(0)},
                   alone ? kWhole : rest, "champion"));
  if (!alone) {
    TRY(const base::VersionedName candidate, base::parse_versioned_name("model", wanted.candidate));
    variants.push_back(
        variant_json({.model = candidate.name, .model_version = candidate.version.value_or(0)},
                     wanted.share, wanted.share > 0 ? "challenger" : "shadow"));
  }
  const base::Json* serving = champion_of(before);
  const bool promotes = alone && serving != nullptr && variant_name(*serving) != wanted.champion;
  base::Json after = before;
  if (promotes) {
    base::Json incumbent = *serving;
    incumbent["weight"] = kWhole;
    after["variants"] = base::Json::array({std::move(incumbent)});
  }
  set_variants(after, std::move(variants), alone ? (promotes ? "promote" : "rollback") : "canary",
               wanted.at);
  return after;
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

bool refers_to_model(const base::Json& endpoint, const std::string& model) {
  const base::Json history = endpoint.value("history", base::Json::array());
  return names_model(endpoint.value("variants", base::Json::array()), model) ||
         (!history.empty() && names_model(history.back().at("before"), model));
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
