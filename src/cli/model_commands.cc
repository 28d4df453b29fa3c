#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/name.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/handlers.h"
#include "cli/job_watch.h"
#include "cli/json_fields.h"
#include "cli/model_tables.h"
#include "cli/names.h"
#include "cli/transfer.h"

namespace cromford::cli {
namespace {

std::string class_names(const base::Json& version) {
  std::vector<std::string> names;
  for (const base::Json& name : array_field(version, "classes")) {
    names.push_back(shown_value(name));
  }
  std::string text = base::join(names, ", ");
  if (const std::string positive = text_field(version, "positive_class"); !positive.empty()) {
    text += fmt::format(" (probability is that of {})", positive);
  }
  return text;
}

std::string trained_on(const base::Json& lineage) {
  const std::string dataset = text_field(lineage, "dataset");
  const std::string version = text_field(lineage, "dataset_version");
  const std::string where = text_field(lineage, "where");
  return fmt::format("{}{}{}", dataset,
                     version.empty() || dataset.find('@') != std::string::npos ? "" : "@" + version,
                     where.empty() ? "" : " where " + where);
}

void print_version(const base::Json& version, Output& output) {
  const base::Json& lineage = field(version, "lineage");
  Facts facts;
  facts.add("model", versioned(version, "model"));
  facts.add("task", text_field(version, "task"));
  facts.add("target", text_field(version, "target"));
  if (!array_field(version, "classes").empty()) {
    facts.add("classes", class_names(version));
  }
  facts.add("trained on", trained_on(lineage));
  facts.add("run", text_field(lineage, "run"));
  facts.add("split", split_in_words(field(version, "split")));
  facts.add("package",
            bytes_cell(integer_field(field(version, "package"), "size_bytes").value_or(0)));
  facts.add("created", time_cell(text_field(version, "created_at")));
  output.facts(facts);
  output.heading("Input columns");
  TextTable columns({{"COLUMN"}, {"TYPE"}});
  for (const base::Json& column : array_field(version, "columns")) {
    columns.add({text_field(column, "name"), text_field(column, "type")});
  }
  output.table(columns);
  print_metrics(version, output);
  print_importance(version, output, 10);
  print_warnings(version, output);
}

// "late" of "/tmp/late@3.cromford".
std::string model_name_of(const std::string& file) {
  const std::string name = std::filesystem::path(file).filename().string();
  return base::lower(name.substr(0, name.find_first_of("@.")));
}

}  // namespace

absl::Status model_list(const Invocation& call, Session& session) {
  TRY(const base::Json answer,
      session.list("/models", "models", list_query(call), list_limit(call)));
  session.output().document(answer);
  TextTable table({{"NAME"}, {"VERSION", Align::kRight}, {"TASK"}, {"TARGET"}, {"UPDATED"}});
  for (const base::Json& model : array_field(answer, "models")) {
    table.add({text_field(model, "name"), text_field(model, "latest_version"),
               text_field(model, "task"), text_field(model, "target"),
               time_cell(text_field(model, "updated_at"))});
  }
  session.output().table(table);
  if (table.row_count() == 0) {
    session.output().note("no models yet: cromford train DATASET --target COLUMN");
  }
  return absl::OkStatus();
}

absl::Status model_show(const Invocation& call, Session& session) {
  TRY(const VersionPath model, version_path("models", "model", call.positional(0)));
  const absl::StatusOr<base::Json> answer = session.get(model.path);
  if (!answer.ok()) {
    return with_nearest_name(answer.status(), session, "models", model.name);
  }
  session.output().document(*answer);
  print_version(*answer, session.output());
  return absl::OkStatus();
}

absl::Status model_card(const Invocation& call, Session& session) {
  TRY(const VersionPath model, version_path("models", "model", call.positional(0)));
  std::string format = call.given("--format") ? call.text("--format") : "md";
  if (session.output().json()) {
    format = "json";
  }
  TRY(Client* const client, session.client());
  const absl::StatusOr<Answer> answer = client->send(
      {.path = session.in_project(model.path + "/card"), .query = {{"format", format}}});
  if (!answer.ok()) {
    return with_nearest_name(answer.status(), session, "models", model.name);
  }
  session.output().text(answer->body);
  if (!answer->body.ends_with('\n')) {
    session.output().raw("\n");
  }
  return absl::OkStatus();
}

absl::Status model_evaluate(const Invocation& call, Session& session) {
  TRY(const VersionPath model, version_path("models", "model", call.positional(0)));
  base::Json body = {{"dataset", call.positional(1)}};
  if (call.given("--where")) {
    body["where"] = call.text("--where");
  }
  if (call.given("--prediction-column")) {
    body["prediction_column"] = call.text("--prediction-column");
  }
  const absl::StatusOr<base::Json> started = session.post(model.path + ":evaluate", body);
  if (!started.ok()) {
    return with_nearest_name(started.status(), session, "models", model.name);
  }
  TRY(const base::Json job, wait_for_job(session, *started, {.what = "evaluating"}));
  Output& output = session.output();
  output.document(job);
  const base::Json& result = field(job, "result");
  output.note(fmt::format("{} on {}: {} rows", call.positional(0), call.positional(1),
                          with_thousands(integer_field(result, "row_count").value_or(0))));
  print_metrics(result, output);
  print_warnings(result, output);
  return absl::OkStatus();
}

absl::Status model_export(const Invocation& call, Session& session) {
  TRY(const VersionPath model, version_path("models", "model", call.positional(0)));
  const std::string file = call.positional(1);
  const absl::StatusOr<int64_t> bytes = download(session, model.path + "/package", {}, file);
  if (!bytes.ok()) {
    return with_nearest_name(bytes.status(), session, "models", model.name);
  }
  if (file != "-") {
    session.output().document(base::Json::object({{"file", file}, {"size_bytes", *bytes}}));
    session.output().line(fmt::format("{}\t{}", file, bytes_cell(*bytes).shown));
  }
  return absl::OkStatus();
}

absl::Status model_import(const Invocation& call, Session& session) {
  const std::string file = call.positional(0);
  const std::string name = call.given("--model") ? call.text("--model") : model_name_of(file);
  if (const absl::Status status = base::check_name("model", name); !status.ok()) {
    return call.given("--model") ? status
                                 : base::with_remedy(status, "name the model with --model NAME");
  }
  TRY(Upload upload, open_upload(session, file));
  upload.content_type = "application/octet-stream";
  upload.content_encoding.clear();
  TRY(const base::Json version, send_upload(session, upload,
                                            {.path = fmt::format("/models/{}/versions", name),
                                             .query = {{"source_name", upload.name}}},
                                            "sending"));
  session.output().document(version);
  session.output().line(versioned(version, "model"));
  return absl::OkStatus();
}

absl::Status model_delete(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  TRY(base::check_name("model", name));
  TRY(session.confirm(fmt::format("delete the model '{}' with all its versions?", name)));
  const absl::Status status = session.remove("/models/" + name);
  if (!status.ok()) {
    return with_nearest_name(status, session, "models", name);
  }
  session.output().document(base::Json::object({{"deleted", name}}));
  session.output().note(fmt::format("deleted model {}", name));
  return absl::OkStatus();
}

}  // namespace cromford::cli
