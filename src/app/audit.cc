#include "app/audit.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/resources.h"

namespace cromford::app {
namespace {

thread_local const Acting* acting_now = nullptr;

// An entry has a limit; checks and sources of a version are rarely so many.
constexpr size_t kListedMax = 100;

base::Json parsed(const std::string& text) {
  const absl::StatusOr<base::Json> json = base::parse_json(text);
  return json.ok() && json->is_object() ? *json : base::Json::object();
}

// The first items of a list, each with these fields.
base::Json picked(const base::Json& body, const char* list,
                  std::initializer_list<const char*> fields) {
  base::Json items = base::Json::array();
  for (const base::Json& item : body.value(list, base::Json::array())) {
    if (items.size() == kListedMax) {
      break;
    }
    base::Json one = base::Json::object();
    for (const char* field : fields) {
      if (item.contains(field)) {
        one[field] = item[field];
      }
    }
    items.push_back(std::move(one));
  }
  return items;
}

base::Json dataset_details(const base::Json& body) {
  return {
      {"content_hash", body.value("content_hash", std::string())},
      {"row_count", body.value("row_count", int64_t{0})},
      {"parents", body.value("parents", base::Json::array())},
      {"sources", picked(body, "sources", {"name", "hash"})},
      {"checks", picked(body, "checks", {"check", "column", "on_fail", "failed_rows", "passed"})}};
}

// Where a model version comes from: its package, its run, its rows and what their checks said.
base::Json model_details(const base::Json& body) {
  const base::Json lineage = body.value("lineage", base::Json::object());
  base::Json details = {
      {"package", body.value("package", base::Json::object()).value("hash", std::string())}};
  for (const char* field : {"run", "dataset_version", "content_hash", "code_version", "commit"}) {
    if (lineage.contains(field)) {
      details[field] = lineage[field];
    }
  }
  if (lineage.contains("dataset")) {
    details["dataset"] = fmt::format("{}@{}", lineage.value("dataset", std::string()),
                                     lineage.value("dataset_version", int64_t{0}));
    details.erase("dataset_version");
  }
  if (body.contains("imported")) {
    details["imported"] = body["imported"];
  }
  return details;
}

// A variant with where its version comes from, and the checks that its rows passed.
base::Json variant_details(const Context& context, const std::string& project,
                           const base::Json& variant) {
  base::Json details = base::Json::object();
  for (const char* field : {"model", "model_version", "role", "weight"}) {
    if (variant.contains(field)) {
      details[field] = variant[field];
    }
  }
  const absl::StatusOr<Versioned> version =
      find_version(context, "model", project, variant.value("model", std::string()),
                   std::to_string(variant.value("model_version", int64_t{0})));
  const absl::StatusOr<base::Json> body =
      version.ok() ? body_of(version->document) : absl::StatusOr<base::Json>(version.status());
  if (!body.ok()) {
    return details;
  }
  details.update(model_details(*body));
  const std::string dataset = details.value("dataset", std::string());
  const absl::StatusOr<Versioned> rows = find_reference(context, "dataset", project, dataset);
  if (!dataset.empty() && rows.ok()) {
    if (const absl::StatusOr<base::Json> about = body_of(rows->document); about.ok()) {
      details["checks"] = dataset_details(*about)["checks"];
    }
  }
  return details;
}

std::string past_tense(const std::string& action) {
  static const std::map<std::string, std::string> words = {{"", "changed"},
                                                           {"deploy", "deployed"},
                                                           {"promote", "promoted"},
                                                           {"rollback", "rolled_back"}};
  const auto found = words.find(action);
  return found == words.end() ? action : found->second;
}

}  // namespace

ActingFor::ActingFor(Acting acting)
    : acting_(std::move(acting)), outer_(std::exchange(acting_now, &acting_)) {}

ActingFor::~ActingFor() {
  acting_now = outer_;
}

const Acting& ActingFor::now() {
  static const Acting server;
  return acting_now == nullptr ? server : *acting_now;
}

Acting acting_for(const Caller& caller) {
  return {.actor = std::string(caller.owner ? govern::kOwner : govern::kUser),
          .request_id = caller.request_id};
}

Acting acting_for(const flow::Job& job) {
  return {.actor = job.actor.empty() ? std::string(govern::kServer) : job.actor,
          .request_id = job.request_id,
          .job = job.id};
}

absl::StatusOr<std::vector<store::Write>> audited(const Context& context,
                                                  std::vector<store::Write> changes,
                                                  const Happening& happening) {
  const Acting& acting = ActingFor::now();
  base::Json evidence = parsed(acting.evidence);
  evidence.update(happening.evidence);
  return context.auditor->with_entry(std::move(changes),
                                     {.project = happening.project,
                                      .action = happening.action,
                                      .object = happening.object,
                                      .actor = acting.actor,
                                      .request_id = acting.request_id,
                                      .job = acting.job,
                                      .reason = acting.reason,
                                      .evidence = base::dump_json(evidence),
                                      .details = base::dump_json(happening.details),
                                      .personal = acting.personal});
}

std::vector<std::string> audited_kinds() {
  return {"dataset", "dataset_version", "model", "model_version", "endpoint", "pipeline"};
}

Happening endpoint_change(const Context& context, const store::DocumentKey& key,
                          const base::Json& body) {
  const base::Json history = body.value("history", base::Json::array());
  const std::string action =
      history.empty() ? std::string() : history.back().value("action", std::string());
  base::Json variants = base::Json::array();
  for (const base::Json& variant : body.value("variants", base::Json::array())) {
    variants.push_back(variant_details(context, key.project, variant));
  }
  return {.project = key.project,
          .action = "endpoint." + past_tense(action),
          .object = "endpoint/" + key.name,
          .details = {{"variants", std::move(variants)}}};
}

Happening version_made(const std::string& kind, const std::string& project,
                       const base::Json& body) {
  return {.project = project,
          .action = kind + "_version.made",
          .object = fmt::format("{}/{}@{}", kind, body.value(kind, std::string()),
                                body.value("version", int64_t{0})),
          .details = kind == "dataset" ? dataset_details(body) : model_details(body)};
}

// Errors are left out: their texts may quote the rows.
Happening run_change(const std::string& project, const std::string& run, const base::Json& fields) {
  const std::string state = fields.value("state", std::string());
  base::Json details = base::Json::object();
  for (const char* field : {"dataset", "target", "model", "model_version"}) {
    if (fields.contains(field)) {
      details[field] = fields[field];
    }
  }
  return {.project = project,
          .action = "run." + (state == "queued" ? std::string("started") : state),
          .object = "run/" + run,
          .details = std::move(details)};
}

}  // namespace cromford::app
