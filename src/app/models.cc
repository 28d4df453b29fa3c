// Models and their versions: listing, cards, packages in and out, evaluation and batch scoring.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/deletion.h"
#include "app/endpoint_plan.h"
#include "app/factory.h"
#include "app/import_kind.h"
#include "app/lineage.h"
#include "app/model_card.h"
#include "app/model_files.h"
#include "app/request_reader.h"
#include "app/resources.h"
#include "app/train_kind.h"
#include "app/uploads.h"
#include "base/mapped_file.h"
#include "base/name.h"
#include "base/status.h"
#include "model/package.h"
#include "table/sandbox.h"

namespace cromford::app {
namespace {

// The endpoints that serve some version of the model, or would after a rollback, for a refusal to
// delete it.
absl::StatusOr<std::vector<std::string>> endpoints_on(const Context& context,
                                                      const std::string& project,
                                                      const std::string& model) {
  std::vector<std::string> names;
  std::string token;
  do {
    TRY(const store::DocumentPage page,
        context.metadata->list(
            {.project = project, .kind = "endpoint", .page_size = 1000, .page_token = token}));
    for (const store::Document& document : page.documents) {
      TRY(const base::Json body, body_of(document));
      if (refers_to_model(body, model)) {
        names.push_back(document.key.name);
      }
    }
    token = page.next_page_token;
  } while (!token.empty());
  return names;
}

// A damaged file of somebody else is bad input, not a loss of ours; and where the server keeps it
// is nobody's business.
absl::StatusOr<std::shared_ptr<const model::Package>> uploaded_package(
    const std::filesystem::path& spooled_file) {
  TRY(base::MappedFile file, base::MappedFile::open(spooled_file));
  auto owner = std::make_shared<const base::MappedFile>(std::move(file));
  auto package = model::Package::load(owner->bytes(), owner);
  if (package.status().code() == absl::StatusCode::kDataLoss) {
    return base::invalid(base::message(package.status()), base::remedy(package.status()));
  }
  return package;
}

}  // namespace

absl::StatusOr<base::Json> Factory::list_models(const std::string& project,
                                                const ListRequest& request) {
  return list_resources(*context_->metadata, project,
                        {.kind = "model", .field = "models", .order_by = "name"}, request);
}

absl::StatusOr<base::Json> Factory::model(const std::string& project, const std::string& name) {
  TRY(find_version(*context_, "model", project, name, "latest"));
  TRY(const store::Document document, context_->metadata->get({project, "model", name}));
  return resource_of(document);
}

absl::Status Factory::delete_model(const std::string& project, const std::string& name) {
  TRY(find_version(*context_, "model", project, name, "latest"));
  const std::scoped_lock lock(deploy_mutex_);  // No endpoint takes it up meanwhile.
  TRY(const std::vector<std::string> endpoints, endpoints_on(*context_, project, name));
  if (!endpoints.empty()) {
    return base::refused(
        fmt::format("model '{}' cannot be deleted: endpoint {} serves it, or would "
                    "after a rollback",
                    name, fmt::join(endpoints, ", ")),
        "delete the endpoint, or deploy other models to it, first");
  }
  return delete_with_versions(*context_, "model", project, name);
}

absl::StatusOr<base::Json> Factory::list_model_versions(const std::string& project,
                                                        const std::string& name,
                                                        const ListRequest& request) {
  TRY(find_version(*context_, "model", project, name, "latest"));
  return list_resources(*context_->metadata, project,
                        {.kind = "model_version",
                         .field = "versions",
                         .name_prefix = name + "@",
                         .order_by = "version desc"},
                        request);
}

absl::StatusOr<base::Json> Factory::model_version(const std::string& project,
                                                  const std::string& name,
                                                  const std::string& version) {
  TRY(const Versioned found, find_version(*context_, "model", project, name, version));
  return resource_of(found.document);
}

absl::StatusOr<std::string> Factory::model_card(const std::string& project, const std::string& name,
                                                const std::string& version,
                                                const std::string& format) {
  TRY(base::Json resource, model_version(project, name, version));
  TRY(const base::Json lineage,
      lineage_of(*context_, project,
                 "model/" + version_name(name, resource.value("version", int64_t{0}))));
  resource["used_by"] = lineage["used_by"];
  return render_model_card(resource, format);
}

absl::StatusOr<Download> Factory::model_package(const std::string& project, const std::string& name,
                                                const std::string& version) {
  TRY(const Versioned found, find_version(*context_, "model", project, name, version));
  TRY(const std::filesystem::path path, package_file(*context_, found));
  return Download{.path = path,
                  .content_type = "application/octet-stream",
                  .file_name = fmt::format("{}@{}.package", name, found.version)};
}

absl::StatusOr<base::Json> Factory::import_model(const std::string& project,
                                                 const std::string& name,
                                                 const std::filesystem::path& spooled_file) {
  TRY(base::check_name("project", project));
  TRY(base::check_name("model", name));
  base::Json body;
  {
    TRY(const auto package, uploaded_package(spooled_file));
    body = package->manifest();
    TRY(const base::ContentHash hash, context_->objects->put_file(spooled_file));
    TRY(body, model_version_body(body, hash.text(), package->size_bytes()));
    body["task"] = model::task_name(package->task());
    body["target"] = package->target();
    body["classes"] = package->classes();
    body["columns"] = base::Json::array();
    for (const model::InputColumn& column : package->contract()) {
      body["columns"].push_back(
          {{"name", column.name}, {"type", model::input_type_name(column.type)}});
    }
    body["imported"] = true;
  }
  TRY(const int64_t version,
      commit_version(*context_, {.kind = "model",
                                 .project = project,
                                 .name = name,
                                 .made_by = context_->ids->next(),
                                 .make = [&](int64_t) -> absl::StatusOr<VersionBodies> {
                                   return VersionBodies{
                                       body,
                                       {{"task", body.at("task")}, {"target", body.at("target")}}};
                                 }}));
  return model_version(project, name, std::to_string(version));
}

absl::StatusOr<base::Json> Factory::start_evaluation(const Caller& caller,
                                                     const std::string& project,
                                                     const std::string& name,
                                                     const std::string& version,
                                                     const base::Json& request) {
  RequestReader reader(request, "the evaluation request");
  const std::string dataset = reader.text("dataset");
  base::Json payload = {{"where", reader.text_or("where", "")},
                        {"prediction_column", reader.text_or("prediction_column", "")}};
  if (const std::string target = reader.text_or("target_column", ""); !target.empty()) {
    payload["target_column"] = target;
  }
  TRY(reader.finish());
  TRY(const Versioned model, find_version(*context_, "model", project, name, version));
  TRY(const Versioned rows, find_reference(*context_, "dataset", project, dataset));
  if (const std::string where = payload.value("where", std::string()); !where.empty()) {
    TRY(table::check_condition(where));
  }
  payload["model"] = version_name(name, model.version);
  payload["dataset"] = version_name(rows.name, rows.version);
  return submit({.project = project,
                 .kind = "evaluate",
                 .title = fmt::format("evaluate {} on {}", version_name(name, model.version),
                                      version_name(rows.name, rows.version)),
                 .payload = base::dump_json(payload),
                 .request_id = caller.request_id});
}

absl::StatusOr<base::Json> Factory::start_scoring(const Caller& caller, const std::string& project,
                                                  const std::string& name,
                                                  const std::string& version,
                                                  const base::Json& request,
                                                  const std::filesystem::path& spooled_file) {
  RequestReader reader(request, "the scoring request");
  const std::string unknown = reader.text_or("unknown", "refuse");
  base::Json payload = {{"dataset", reader.text_or("dataset", "")},
                        {"where", reader.text_or("where", "")},
                        {"source_name", reader.text_or("source_name", "")},
                        {"input_format", reader.text_or("input_format", "")},
                        {"format", reader.text_or("format", "csv")},
                        {"explain", reader.integer_or("explain", 0, 0, 100)},
                        {"ignore_unknown", unknown == "ignore"},
                        {"spooled_file", spooled_file.string()}};
  TRY(reader.finish());
  if (payload["format"] != "csv" && payload["format"] != "parquet") {
    return base::invalid("predictions are written as csv or parquet", "set format to one of them");
  }
  if (unknown != "refuse" && unknown != "ignore") {
    return base::invalid("unknown columns are refused or ignored",
                         "set unknown to refuse or ignore");
  }
  TRY(check_import_format(payload.value("input_format", std::string())));
  TRY(const Versioned model, find_version(*context_, "model", project, name, version));
  payload["model"] = version_name(name, model.version);
  const std::string dataset = payload.value("dataset", std::string());
  if (dataset.empty() == spooled_file.empty()) {
    return base::invalid("scoring needs either a dataset or a body with the rows",
                         R"(send the rows as the body, or {"dataset": "NAME"})");
  }
  if (!dataset.empty()) {
    TRY(const Versioned rows, find_reference(*context_, "dataset", project, dataset));
    payload["dataset"] = version_name(rows.name, rows.version);
  }
  const std::string id = context_->ids->next();
  std::filesystem::path kept;
  if (!spooled_file.empty()) {
    TRY(kept, keep_upload(*context_, spooled_file, id));
    payload["spooled_file"] = kept.string();
  }
  absl::StatusOr<base::Json> job =
      submit({.project = project,
              .kind = "score",
              .title = fmt::format("score with {}", version_name(name, model.version)),
              .payload = base::dump_json(payload),
              .request_id = caller.request_id,
              .id = id});
  if (!job.ok()) {
    drop_upload(*context_, kept);
  }
  return job;
}

}  // namespace cromford::app
