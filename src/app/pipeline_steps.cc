#include "app/pipeline_steps.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/gate.h"
#include "app/import_kind.h"
#include "app/resources.h"
#include "app/train_kind.h"

namespace cromford::app {
namespace {

// A source file as it is now: size and time of its last change.
std::string file_state(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) {
    return path + ":absent";
  }
  const auto time = std::filesystem::last_write_time(path, error);
  return fmt::format("{}:{}:{}", path, size, time.time_since_epoch().count());
}

absl::StatusOr<base::Json> settings_of(const flow::StepRequest& request) {
  return base::parse_json(request.settings);
}

// The output of an earlier step, or an empty object where the pipeline has no such step.
base::Json output_of(const flow::StepRequest& request, const char* step) {
  const absl::StatusOr<base::Json> outputs = base::parse_json(request.outputs);
  return outputs.ok() ? outputs->value(step, base::Json::object()) : base::Json::object();
}

std::vector<std::string> source_files(const base::Json& source) {
  std::vector<std::string> files = source.value("files", std::vector<std::string>());
  if (source.contains("file")) {
    files.push_back(source.value("file", std::string()));
  }
  return files;
}

}  // namespace

std::string PipelineSteps::code_version() const {
  return context_.options.version;
}

std::string PipelineSteps::champion_of(const std::string& project,
                                       const std::string& endpoint) const {
  const absl::StatusOr<store::Document> document =
      context_.metadata->get({project, "endpoint", endpoint});
  if (!document.ok()) {
    return {};
  }
  const absl::StatusOr<base::Json> body = body_of(*document);
  if (body.ok()) {
    for (const base::Json& variant : body->value("variants", base::Json::array())) {
      if (variant.value("role", std::string()) == "champion") {
        return version_name(variant.value("model", std::string()),
                            variant.value("model_version", int64_t{0}));
      }
    }
  }
  return {};
}

std::string PipelineSteps::endpoint_of(const flow::StepRequest& request) const {
  const absl::StatusOr<store::Document> document =
      context_.metadata->get({request.project, "pipeline", request.pipeline});
  const absl::StatusOr<base::Json> body =
      document.ok() ? body_of(*document) : absl::StatusOr<base::Json>(document.status());
  if (body.ok()) {
    for (const base::Json& step : body->at("spec").value("steps", base::Json::array())) {
      if (step.value("step", std::string()) == "deploy") {
        return step.at("settings").value("endpoint", request.pipeline);
      }
    }
  }
  return request.pipeline;
}

absl::StatusOr<std::string> PipelineSteps::fingerprint(const flow::StepRequest& request) {
  TRY(const base::Json settings, settings_of(request));
  std::string text;
  if (request.step == "dataset") {
    for (const std::string& file : source_files(settings.value("source", base::Json::object()))) {
      text += file_state(file) + "\n";
    }
  }
  return text;
}

std::string PipelineSteps::identity(const flow::StepRequest& /*request*/, std::string_view output) {
  const absl::StatusOr<base::Json> document = base::parse_json(output);
  if (!document.ok()) {
    return std::string(output);
  }
  base::Json relevant = *document;
  for (const char* key : {"unchanged", "run"}) {
    relevant.erase(key);
  }
  return base::dump_json(relevant);
}

bool PipelineSteps::is_usable(const flow::StepRequest& request, std::string_view output) {
  const absl::StatusOr<base::Json> document = base::parse_json(output);
  if (!document.ok() || !document->is_object()) {
    return false;
  }
  if (request.step == "dataset") {
    return find_version(context_, "dataset", request.project,
                        document->value("dataset", std::string()),
                        std::to_string(document->value("version", int64_t{0})))
        .ok();
  }
  if (request.step == "train") {
    return find_version(context_, "model", request.project, document->value("model", std::string()),
                        std::to_string(document->value("model_version", int64_t{0})))
        .ok();
  }
  if (request.step == "deploy") {
    // Not when somebody has deployed something else by hand meanwhile.
    const absl::StatusOr<store::Document> endpoint = context_.metadata->get(
        {request.project, "endpoint", document->value("name", std::string())});
    if (!endpoint.ok()) {
      return false;
    }
    const absl::StatusOr<base::Json> body = body_of(*endpoint);
    return body.ok() &&
           body->value("variants", base::Json()) == document->value("variants", base::Json());
  }
  return true;
}

absl::StatusOr<flow::StepStart> PipelineSteps::start(const flow::StepRequest& request) {
  if (request.step == "dataset") {
    return start_dataset(request);
  }
  if (request.step == "train") {
    return start_train(request);
  }
  if (request.step == "gate") {
    return judge_gate(request);
  }
  if (request.step == "deploy") {
    return deploy(request);
  }
  return base::internal(fmt::format("a pipeline has the unknown step '{}'", request.step));
}

absl::StatusOr<flow::StepStart> PipelineSteps::start_dataset(const flow::StepRequest& request) {
  TRY(const base::Json settings, settings_of(request));
  const base::Json source = settings.value("source", base::Json::object());
  const ImportRequest import{
      .files = source_files(source),
      .url = source.value("url", std::string()),
      .format = settings.value("format", std::string()),
      .query = settings.value("query", std::string()),
      .key = settings.value("key", std::vector<std::string>()),
      .checks_json = base::dump_json(settings.value("checks", base::Json::array())),
      .append = settings.value("mode", std::string()) == "append"};
  // The rights of the one who applied the pipeline were checked then.
  TRY(check_import(Caller{.owner = true}, import));
  const std::string name = settings.value("name", std::string());
  TRY(const flow::Job job,
      context_.runner->submit({.project = request.project,
                               .kind = "import",
                               .title = fmt::format("{}: import into {}", request.pipeline, name),
                               .payload = import_payload(name, import),
                               .id = request.job_id}));
  return flow::StepStart{.job_id = job.id};
}

absl::StatusOr<flow::StepStart> PipelineSteps::start_train(const flow::StepRequest& request) {
  TRY(base::Json settings, settings_of(request));
  const base::Json dataset = output_of(request, "dataset");
  if (dataset.contains("version")) {
    settings["dataset"] =
        version_name(dataset.value("dataset", std::string()), dataset.value("version", int64_t{0}));
  }
  const std::string champion = champion_of(request.project, endpoint_of(request));
  TRY(const TrainJob train, make_train_job(context_, request.project, settings, champion));
  TRY(const flow::Job job, submit_train_job(context_, request.project, train, request.job_id));
  return flow::StepStart{.job_id = job.id};
}

absl::StatusOr<flow::StepStart> PipelineSteps::judge_gate(const flow::StepRequest& request) {
  TRY(const base::Json settings, settings_of(request));
  const base::Json trained = output_of(request, "train");
  TRY(const Versioned model,
      find_version(context_, "model", request.project, trained.value("model", std::string()),
                   std::to_string(trained.value("model_version", int64_t{0}))));
  TRY(const base::Json body, body_of(model.document));
  TRY(const base::Json evidence, judge_gate_rules(settings.at("rules"), body));
  return flow::StepStart{.output = base::dump_json(evidence)};
}

absl::StatusOr<flow::StepStart> PipelineSteps::deploy(const flow::StepRequest& request) {
  TRY(base::Json settings, settings_of(request));
  const std::string endpoint = settings.value("endpoint", request.pipeline);
  settings.erase("endpoint");
  const base::Json trained = output_of(request, "train");
  if (trained.contains("model_version")) {
    settings["model"] = version_name(trained.value("model", std::string()),
                                     trained.value("model_version", int64_t{0}));
  }
  TRY(const base::Json resource, app_.deploy(request.project, endpoint, settings, IfMatch("*")));
  return flow::StepStart{
      .output = base::dump_json({{"name", endpoint}, {"variants", resource.at("variants")}})};
}

}  // namespace cromford::app
