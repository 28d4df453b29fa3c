// The names of fields that a list is asked for. Which there are is told by the OpenAPI document and
// by the resources themselves, which may carry more than the document promises. What is stored
// beside them (a job's payload) is nobody's to ask for.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "app/resources.h"
#include "base/name.h"
#include "base/status.h"
#include "base/text.h"
#include "http/api_support.h"

namespace cromford::http {
namespace {

struct ListedSchema {
  std::string_view operation;
  const char* schema;  // Of an item, in the OpenAPI document.
};
constexpr ListedSchema kSchemas[] = {
    {"list_datasets", "Dataset"},   {"list_dataset_versions", "DatasetVersion"},
    {"list_runs", "Run"},           {"list_models", "Model"},
    {"list_endpoints", "Endpoint"}, {"list_model_versions", "ModelVersion"},
    {"list_pipelines", "Pipeline"}, {"get_pipeline_history", "PipelineRun"},
    {"list_jobs", "Job"},           {"list_alerts", "Alert"},
    {"list_audit", "AuditEntry"},
};

const base::Json& schemas() {
  static const base::Json document = [] {
    const absl::StatusOr<base::Json> parsed = base::parse_json(openapi_document());
    return parsed.ok() ? parsed->at("components").at("schemas") : base::Json::object();
  }();
  return document;
}

std::set<std::string> documented(std::string_view operation) {
  std::set<std::string> names = {"name", "created_at", "updated_at"};
  for (const ListedSchema& listed : kSchemas) {
    if (listed.operation == operation) {
      for (const auto& [name, type] : schemas().at(listed.schema).at("properties").items()) {
        names.insert(name);
      }
    }
  }
  return names;
}

absl::Status unknown_field(std::string_view parameter, std::string_view name,
                           const std::set<std::string>& known) {
  const std::vector<std::string> names(known.begin(), known.end());
  const std::string shown(base::clip_utf8(name, 64));
  return base::invalid(fmt::format("{}: there is no field '{}'{}", parameter, shown,
                                   base::did_you_mean(shown, names)),
                       fmt::format("the fields are: {}", base::join(names, ", ")));
}

absl::Status check_fields(std::string_view parameter, const std::vector<std::string>& names,
                          const std::set<std::string>& known) {
  for (const std::string& name : names) {
    if (!known.contains(name)) {
      return unknown_field(parameter, name, known);
    }
  }
  return absl::OkStatus();
}

// The documented fields, and those that the items of the page have beside them.
std::set<std::string> known_fields(std::string_view operation, const base::Json& page) {
  std::set<std::string> known = documented(operation);
  for (const base::Json& list : page) {
    if (!list.is_array()) {
      continue;
    }
    for (const base::Json& item : list) {
      for (const auto& [name, value] : item.items()) {
        known.insert(name);
      }
    }
  }
  return known;
}

}  // namespace

absl::Status answer_list(const Request& request, Response& response, const base::Json& page) {
  const std::string fields = text_query(request, "fields");
  const std::string order = text_query(request, "order_by");
  const std::string filter = text_query(request, "filter");
  const bool judged = std::any_of(std::begin(kSchemas), std::end(kSchemas), [&](const auto& one) {
    return one.operation == request.route->operation;
  });
  if (!judged || (fields.empty() && order.empty() && filter.empty())) {
    return answer(response, page);
  }
  const std::set<std::string> known = known_fields(request.route->operation, page);
  std::vector<std::string> asked;
  for (const std::string_view one : base::split(fields, ',')) {
    if (!fields.empty()) {
      asked.emplace_back(base::trim(one));
    }
  }
  TRY(check_fields("fields", asked, known));
  TRY(asked, app::fields_of_order(order));
  TRY(check_fields("order_by", asked, known));
  TRY(asked, app::fields_of_filter(filter));
  TRY(check_fields("filter", asked, known));
  return answer(response, page);
}

}  // namespace cromford::http
