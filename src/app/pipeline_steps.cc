#include "app/pipeline_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/endpoint_policy.h"
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

// The settings of a step of the line, or null where the line has no such step.
base::Json step_settings(const flow::StepRequest& request, std::string_view step) {
  const absl::StatusOr<base::Json> spec = base::parse_json(request.spec);
  if (spec.ok()) {
    for (const base::Json& entry : spec->value("steps", base::Json::array())) {
      if (entry.value("step", std::string()) == step) {
        return entry.value("settings", base::Json::object());
      }
    }
  }
  return {};
}

// The endpoint that this line deploys to.
std::string endpoint_of(const flow::StepRequest& request) {
  const base::Json settings = step_settings(request, "deploy");
  return settings.is_object() ? settings.value("endpoint", request.pipeline) : request.pipeline;
}

bool gate_compares(const flow::StepRequest& request) {
  const base::Json settings = step_settings(request, "gate");
  const base::Json rules =
      settings.is_object() ? settings.value("rules", base::Json::array()) : base::Json::array();
  return std::any_of(rules.begin(), rules.end(),
                     [](const base::Json& rule) { return rule.contains("better_than_champion"); });
}

// Whether the line says more of its endpoint than what to deploy there.
bool writes_policy(const base::Json& spec) {
  return spec.value("monitor", base::Json()).is_object() ||
         spec.value("retrain", base::Json()).is_object();
}

// "late@3" of the train step's output.
std::string trained_name(const base::Json& output) {
  return version_name(output.value("model", std::string()),
                      output.value("model_version", int64_t{0}));
}

std::string champion_of(const base::Json& endpoint) {
  for (const base::Json& variant : endpoint.value("variants", base::Json::array())) {
    if (variant.value("role", std::string()) == "champion") {
      return trained_name(variant);
    }
  }
  return {};
}

}  // namespace

std::string PipelineSteps::code_version() const {
  return context_.options.version;
}

absl::StatusOr<PipelineSteps::Served> PipelineSteps::served(
    const flow::StepRequest& request) const {
  const absl::StatusOr<store::Document> document =
      context_.metadata->get({request.project, "endpoint", endpoint_of(request)});
  if (document.status().code() == absl::StatusCode::kNotFound) {
    // An endpoint that is made meanwhile has another etag.
    return Served{.champion = {}, .etag = etag_of({.revision = store::kMustNotExist})};
  }
  TRY(document);
  TRY(const base::Json body, body_of(*document));
  return Served{.champion = champion_of(body), .etag = etag_of(*document)};
}

absl::StatusOr<std::string> PipelineSteps::fingerprint(const flow::StepRequest& request) {
  TRY(const base::Json settings, settings_of(request));
  std::string text;
  if (request.step == "dataset") {
    const base::Json source = settings.value("source", base::Json::object());
    for (const std::string& file : source_files(source)) {
      text += file_state(file) + "\n";
    }
    if (source.contains("url")) {
      // Only reading it tells whether it has changed, so every run does; rows that are the same
      // make no new version, and the steps after it are skipped.
      text += request.run_id;
    }
  }
  if (request.step == "deploy") {
    // The sections that no step carries out become the endpoint's policy with the deployment.
    const absl::StatusOr<base::Json> spec = base::parse_json(request.spec);
    if (spec.ok() && writes_policy(*spec)) {
      text = base::dump_json(
          {spec->value("monitor", base::Json()), spec->value("retrain", base::Json())});
    }
  }
  if (request.step == "train" && output_of(request, "dataset").empty()) {
    TRY(const Versioned dataset, find_reference(context_, "dataset", request.project,
                                                settings.value("dataset", std::string())));
    TRY(const base::Json body, body_of(dataset.document));
    text = fmt::format("{} {}", version_name(dataset.name, dataset.version),
                       body.value("content_hash", std::string()));
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

absl::StatusOr<bool> PipelineSteps::is_compared(const flow::StepRequest& request,
                                                const Versioned& model) const {
  if (!gate_compares(request)) {
    return true;
  }
  TRY(const Served now, served(request));
  TRY(const base::Json body, body_of(model.document));
  const base::Json comparison = body.value("comparison", base::Json::object());
  return now.champion.empty() || now.champion == version_name(model.name, model.version) ||
         now.champion == comparison.value("champion", std::string());
}

absl::StatusOr<bool> PipelineSteps::holds(const flow::StepRequest& request,
                                          const base::Json& output) const {
  if (request.step == "dataset") {
    TRY(find_version(context_, "dataset", request.project, output.value("dataset", std::string()),
                     std::to_string(output.value("version", int64_t{0}))));
    return true;
  }
  if (request.step == "train") {
    TRY(const Versioned model,
        find_reference(context_, "model", request.project, trained_name(output)));
    return is_compared(request, model);
  }
  if (request.step == "gate") {
    TRY(const Served now, served(request));
    return now.champion == output.value("champion", std::string()) ||
           now.champion == trained_name(output_of(request, "train"));
  }
  if (request.step == "deploy") {
    // Not when somebody has deployed something else by hand meanwhile.
    TRY(const store::Document endpoint,
        context_.metadata->get({request.project, "endpoint", output.value("name", std::string())}));
    TRY(const base::Json body, body_of(endpoint));
    return body.value("variants", base::Json()) == output.value("variants", base::Json());
  }
  return true;
}

bool PipelineSteps::is_usable(const flow::StepRequest& request, std::string_view output) {
  const absl::StatusOr<base::Json> document = base::parse_json(output);
  if (!document.ok() || !document->is_object()) {
    return false;
  }
  const absl::StatusOr<bool> usable = holds(request, *document);
  return usable.ok() && *usable;
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

// The request that the pipeline runs for.
std::string PipelineSteps::request_id_of(const flow::StepRequest& request) const {
  const absl::StatusOr<flow::Job> run = context_.runner->get(request.project, request.run_id);
  return run.ok() ? run->request_id : std::string();
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
                               .request_id = request_id_of(request),
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
  TRY(const Served now, served(request));
  TRY(TrainJob train, make_train_job(context_, request.project, settings, now.champion));
  train.request_id = request_id_of(request);
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
  TRY(const Served now, served(request));
  TRY(base::Json evidence, judge_gate_rules(settings.at("rules"), body, now.champion));
  evidence["champion"] = now.champion;
  return flow::StepStart{.output = base::dump_json(evidence)};
}

absl::Status PipelineSteps::put_policy(const flow::StepRequest& request,
                                       const std::string& endpoint) {
  TRY(const base::Json spec, base::parse_json(request.spec));
  if (!writes_policy(spec)) {
    return absl::OkStatus();
  }
  TRY(const base::Json resource, app_.endpoint_policy(request.project, endpoint));
  TRY(const EndpointPolicy before, read_policy(context_, request.project, endpoint));
  TRY(const EndpointPolicy after, with_pipeline_sections(before, spec));
  return app_
      .put_endpoint_policy(request.project, endpoint, policy_json(after),
                           IfMatch(resource.value("etag", std::string())))
      .status();
}

absl::StatusOr<flow::StepStart> PipelineSteps::deploy(const flow::StepRequest& request) {
  TRY(base::Json settings, settings_of(request));
  const std::string endpoint = endpoint_of(request);
  settings.erase("endpoint");
  const base::Json trained = output_of(request, "train");
  if (trained.contains("model_version")) {
    settings["model"] = trained_name(trained);
  }
  // What is replaced must be what the gate compared with, up to the moment of the commit.
  TRY(const Served now, served(request));
  const base::Json gate = output_of(request, "gate");
  const std::string compared = gate.value("champion", std::string());
  if (gate.contains("champion") && now.champion != compared &&
      now.champion != settings.value("model", std::string())) {
    return base::conflict(
        fmt::format("endpoint '{}' has a new champion, {}; the gate compared with {}", endpoint,
                    now.champion.empty() ? "none" : now.champion,
                    compared.empty() ? "none" : compared),
        "run the pipeline again");
  }
  TRY(const base::Json resource,
      app_.deploy(request.project, endpoint, settings, IfMatch(now.etag)));
  TRY(put_policy(request, endpoint));
  return flow::StepStart{
      .output = base::dump_json({{"name", endpoint}, {"variants", resource.at("variants")}})};
}

}  // namespace cromford::app
