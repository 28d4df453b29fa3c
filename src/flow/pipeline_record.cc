#include "flow/pipeline_record.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/hash.h"
#include "base/status.h"
#include "flow/status_json.h"

namespace cromford::flow {
namespace {

using base::Json;

Json time_to_json(const std::optional<base::Time>& time) {
  return time ? Json(base::format_time(*time)) : Json(nullptr);
}

std::optional<base::Time> time_from_json(const Json& value) {
  if (!value.is_string()) {
    return std::nullopt;
  }
  const auto time = base::parse_time(value.get_ref<const std::string&>());
  return time.ok() ? std::optional(*time) : std::nullopt;
}

Json embedded(std::string_view text) {
  absl::StatusOr<Json> document = base::parse_json(text);
  return document.ok() ? *std::move(document) : Json(nullptr);
}

Json inputs_to_json(const StepInputs& inputs) {
  return {{"settings", inputs.settings},
          {"inputs", inputs.inputs},
          {"outside", inputs.outside},
          {"code_version", inputs.code_version}};
}

StepInputs inputs_from_json(const Json& document) {
  return {.settings = document.at("settings").get<std::string>(),
          .inputs = document.at("inputs").get<std::vector<std::string>>(),
          .outside = document.at("outside").get<std::string>(),
          .code_version = document.at("code_version").get<std::string>()};
}

Json step_to_json(const StepRecord& step) {
  return {{"step", step.step},
          {"state", step.state},
          {"reason", step.reason},
          {"planned_job", step.planned_job},
          {"job", step.job.empty() ? Json(nullptr) : Json(step.job)},
          {"result", embedded(step.output)},
          {"identity", step.identity},
          {"depends_on", inputs_to_json(step.inputs)},
          {"started_at", time_to_json(step.started_at)},
          {"finished_at", time_to_json(step.finished_at)}};
}

StepRecord step_from_json(const Json& document) {
  StepRecord step;
  step.step = document.at("step").get<std::string>();
  step.state = document.at("state").get<std::string>();
  step.reason = document.at("reason").get<std::string>();
  step.planned_job = document.at("planned_job").get<std::string>();
  step.job = document.at("job").is_null() ? "" : document.at("job").get<std::string>();
  step.output = base::dump_json(document.at("result"));
  step.identity = document.at("identity").get<std::string>();
  step.inputs = inputs_from_json(document.at("depends_on"));
  step.started_at = time_from_json(document.at("started_at"));
  step.finished_at = time_from_json(document.at("finished_at"));
  return step;
}

// The document, or nullopt where there is none.
absl::StatusOr<std::optional<Json>> load(const store::Metadata& metadata, std::string_view project,
                                         std::string_view kind, std::string name) {
  const absl::StatusOr<store::Document> document =
      metadata.get({std::string(project), std::string(kind), std::move(name)});
  if (absl::IsNotFound(document.status())) {
    return std::optional<Json>();
  }
  TRY(document);
  TRY(Json body, base::parse_json(document->body));
  return std::optional<Json>(std::move(body));
}

}  // namespace

std::string StepInputs::hash(std::string_view step) const {
  Json all = inputs_to_json(*this);
  all["step"] = step;
  return base::content_hash(base::dump_json(all)).text();
}

std::string document_prefix(std::string_view pipeline) {
  return fmt::format("{}@", pipeline);
}

RunRecord new_record(const PipelineSpec& spec, std::string_view id, base::Time now) {
  RunRecord record;
  record.pipeline = spec.name;
  record.id = id;
  record.started_at = now;
  for (const StepSpec& step : spec.steps) {
    record.steps.emplace_back().step = step.name;
  }
  return record;
}

store::Write record_write(std::string_view project, const RunRecord& record) {
  Json steps = Json::array();
  for (const StepRecord& step : record.steps) {
    steps.push_back(step_to_json(step));
  }
  const Json document{{"pipeline", record.pipeline},
                      {"id", record.id},
                      {"state", record.state},
                      {"error", status_to_json(record.error)},
                      {"started_at", base::format_time(record.started_at)},
                      {"finished_at", time_to_json(record.finished_at)},
                      {"steps", std::move(steps)}};
  return store::Write::put({std::string(project), std::string(kRunDocumentKind),
                            document_prefix(record.pipeline) + record.id},
                           base::dump_json(document));
}

store::Write memory_write(std::string_view project, std::string_view pipeline,
                          std::string_view step, const StepMemory& memory) {
  const Json document{{"depends_on", inputs_to_json(memory.inputs)},
                      {"hash", memory.hash},
                      {"output", embedded(memory.output)},
                      {"identity", memory.identity},
                      {"run", memory.run}};
  return store::Write::put({std::string(project), std::string(kStepDocumentKind),
                            document_prefix(pipeline) + std::string(step)},
                           base::dump_json(document));
}

absl::StatusOr<std::optional<RunRecord>> load_record(const store::Metadata& metadata,
                                                     std::string_view project,
                                                     std::string_view pipeline,
                                                     std::string_view id) {
  TRY(const std::optional<Json> document,
      load(metadata, project, kRunDocumentKind, document_prefix(pipeline) + std::string(id)));
  if (!document) {
    return std::optional<RunRecord>();
  }
  try {
    RunRecord record;
    record.pipeline = document->at("pipeline").get<std::string>();
    record.id = document->at("id").get<std::string>();
    record.state = document->at("state").get<std::string>();
    record.error = status_from_json(document->at("error"));
    record.started_at = time_from_json(document->at("started_at")).value_or(base::Time());
    record.finished_at = time_from_json(document->at("finished_at"));
    for (const Json& step : document->at("steps")) {
      record.steps.push_back(step_from_json(step));
    }
    return std::optional<RunRecord>(std::move(record));
  } catch (const Json::exception&) {
    return base::damaged(
        fmt::format("the stored run '{}' of the pipeline '{}' cannot be read", id, pipeline));
  }
}

absl::StatusOr<std::optional<StepMemory>> load_memory(const store::Metadata& metadata,
                                                      std::string_view project,
                                                      std::string_view pipeline,
                                                      std::string_view step) {
  TRY(const std::optional<Json> document,
      load(metadata, project, kStepDocumentKind, document_prefix(pipeline) + std::string(step)));
  if (!document) {
    return std::optional<StepMemory>();
  }
  try {
    StepMemory memory;
    memory.inputs = inputs_from_json(document->at("depends_on"));
    memory.hash = document->at("hash").get<std::string>();
    memory.output = base::dump_json(document->at("output"));
    memory.identity = document->at("identity").get<std::string>();
    memory.run = document->at("run").get<std::string>();
    return std::optional<StepMemory>(std::move(memory));
  } catch (const Json::exception&) {
    return std::optional<StepMemory>();
  }
}

Json history_entry(std::string_view body) {
  Json entry = embedded(body);
  if (!entry.is_object() || !entry.contains("steps")) {
    return nullptr;
  }
  entry.erase("pipeline");
  for (Json& step : entry["steps"]) {
    const auto started = time_from_json(step.value("started_at", Json()));
    const auto finished = time_from_json(step.value("finished_at", Json()));
    step["seconds"] = started && finished
                          ? Json(std::chrono::duration<double>(*finished - *started).count())
                          : Json(nullptr);
    for (const char* const internal :
         {"planned_job", "identity", "depends_on", "started_at", "finished_at"}) {
      step.erase(internal);
    }
  }
  return entry;
}

}  // namespace cromford::flow
