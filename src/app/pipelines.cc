// Pipelines: the declared line as a document, and its runs as jobs.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/audit.h"
#include "app/factory.h"
#include "app/import_kind.h"
#include "app/resources.h"
#include "base/hash.h"
#include "base/name.h"
#include "flow/pipeline_file.h"
#include "ingest/check.h"
#include "learn/train.h"
#include "metric/metric.h"
#include "table/sandbox.h"

namespace cromford::app {
namespace {

// What only app can check of a step: file rights, SQL, check rules.
absl::Status check_dataset_step(const Caller& caller, const base::Json& settings) {
  const base::Json source = settings.value("source", base::Json::object());
  ImportRequest import{
      .files = source.value("files", std::vector<std::string>()),
      .url = source.value("url", std::string()),
      .format = settings.value("format", std::string()),
      .query = settings.value("query", std::string()),
      .checks_json = base::dump_json(settings.value("checks", base::Json::array()))};
  if (source.contains("file")) {
    import.files.push_back(source.value("file", std::string()));
  }
  return check_import(caller, import);
}

absl::Status check_steps(const Caller& caller, const flow::PipelineSpec& spec) {
  for (const flow::StepSpec& step : spec.steps) {
    TRY(const base::Json settings, base::parse_json(step.settings));
    if (step.name == "dataset") {
      if (const absl::Status status = check_dataset_step(caller, settings); !status.ok()) {
        return base::annotate(status, "dataset");
      }
    }
    const std::string where = settings.value("where", std::string());
    if (step.name == "train" && !where.empty()) {
      if (const absl::Status status = table::check_condition(where); !status.ok()) {
        return base::annotate(status, "train.where");
      }
    }
  }
  return absl::OkStatus();
}

// The names that a pipeline file may use. Which metric suits the task is found out in training.
flow::PipelineWords known_words() {
  std::vector<std::string> metrics;
  for (const metric::Task task :
       {metric::Task::kBinary, metric::Task::kMulticlass, metric::Task::kRegression}) {
    for (const metric::MetricInfo& info : metric::metrics_of(task)) {
      if (std::find(metrics.begin(), metrics.end(), info.name) == metrics.end()) {
        metrics.emplace_back(info.name);
      }
    }
  }
  return {.metrics = std::move(metrics),
          .learners = learn::learner_names(),
          .formats = import_formats()};
}

// Paths are relative to the file that names them, wherever the server stands.
absl::Status resolve_sources(const std::filesystem::path& folder, flow::PipelineSpec& spec) {
  const auto resolve = [&](base::Json& path) {
    path = (folder / path.get<std::string>()).lexically_normal().string();
  };
  for (flow::StepSpec& step : spec.steps) {
    if (step.name != "dataset") {
      continue;
    }
    TRY(base::Json settings, base::parse_json(step.settings));
    base::Json& source = settings["source"];
    if (source.contains("file")) {
      resolve(source["file"]);
    }
    if (source.contains("files")) {
      std::for_each(source["files"].begin(), source["files"].end(), resolve);
    }
    step.settings = base::dump_json(settings);
  }
  return absl::OkStatus();
}

absl::StatusOr<flow::PipelineSpec> spec_of(const store::Document& document) {
  TRY(const base::Json body, body_of(document));
  return flow::pipeline_from_json(body.at("spec"));
}

}  // namespace

absl::StatusOr<base::Json> Factory::list_pipelines(const std::string& project,
                                                   const ListRequest& request) {
  return list_resources(*context_->metadata, project,
                        {.kind = "pipeline", .field = "pipelines", .order_by = "name"}, request);
}

absl::StatusOr<base::Json> Factory::pipeline(const std::string& project, const std::string& name) {
  TRY(const store::Document document, context_->metadata->get({project, "pipeline", name}));
  return resource_of(document);
}

absl::StatusOr<base::Json> Factory::apply_pipeline(const Caller& caller, const std::string& project,
                                                   const std::string& name, std::string_view yaml,
                                                   const std::filesystem::path& folder) {
  TRY(base::check_name("project", project));
  TRY(flow::PipelineSpec spec, flow::parse_pipeline(yaml, known_words()));
  if (!folder.empty()) {
    TRY(resolve_sources(folder, spec));
  }
  if (spec.name != name) {
    return base::invalid(
        fmt::format("the file describes the pipeline '{}', not '{}'", spec.name, name),
        "let the address and the file's first key name the same pipeline");
  }
  TRY(check_steps(caller, spec));
  const base::Json body = {{"name", name},
                           {"file", std::string(yaml)},
                           {"spec", flow::to_json(spec)},
                           {"warnings", spec.warnings}};
  TRY(const std::vector<store::Write> writes,
      audited(*context_, {store::Write::put({project, "pipeline", name}, base::dump_json(body))},
              {.project = project,
               .action = "pipeline.applied",
               .object = "pipeline/" + name,
               .evidence = {{"file", base::content_hash(yaml).text()}}}));
  TRY(context_->metadata->commit(writes));
  return pipeline(project, name);
}

absl::Status Factory::delete_pipeline(const std::string& project, const std::string& name) {
  TRY(const store::Document document, context_->metadata->get({project, "pipeline", name}));
  TRY(const std::vector<store::Write> writes,
      audited(*context_, {store::Write::remove(document.key, document.revision)},
              {.project = project, .action = "pipeline.deleted", .object = "pipeline/" + name}));
  TRY(context_->metadata->commit(writes));
  return flow::forget_pipeline(*context_->metadata, project, name);
}

absl::StatusOr<base::Json> Factory::run_pipeline(const Caller& caller, const std::string& project,
                                                 const std::string& name) {
  TRY(const store::Document document, context_->metadata->get({project, "pipeline", name}));
  TRY(const flow::PipelineSpec spec, spec_of(document));
  TRY(std::vector<store::Write> entry,
      audited(*context_, {},
              {.project = project,
               .action = "pipeline.run",
               .object = "pipeline/" + name,
               .evidence = {{"pipeline", base::content_hash(document.body).text()}}}));
  return submit({.project = project,
                 .kind = "pipeline",
                 .title = fmt::format("pipeline {}", name),
                 .payload = flow::pipeline_payload(spec),
                 .request_id = caller.request_id,
                 .with = std::move(entry)});
}

absl::StatusOr<base::Json> Factory::pipeline_history(const std::string& project,
                                                     const std::string& name,
                                                     const ListRequest& request) {
  TRY(context_->metadata->get({project, "pipeline", name}));
  TRY(base::Json history, flow::pipeline_history(*context_->metadata, project, name,
                                                 {.page_size = request.page_size,
                                                  .page_token = request.page_token,
                                                  .filter = request.filter,
                                                  .order_by = request.order_by}));
  for (base::Json& run : history["runs"]) {
    run = select_fields(run, request.fields);
  }
  return history;
}

}  // namespace cromford::app
