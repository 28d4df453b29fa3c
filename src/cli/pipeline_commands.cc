#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/name.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/handlers.h"
#include "cli/job_watch.h"
#include "cli/json_fields.h"
#include "cli/names.h"
#include "cli/pipelines.h"

namespace cromford::cli {
namespace {

// The plain values of a step's result: "model flights-late, model_version 1".
std::string in_short(const base::Json& result) {
  std::vector<std::string> words;
  if (result.is_object()) {
    for (const auto& [key, value] : result.items()) {
      if (value.is_number_integer()) {
        words.push_back(fmt::format("{} {}", key, with_thousands(value.get<int64_t>())));
      } else if (value.is_string() || value.is_number()) {
        words.push_back(fmt::format("{} {}", key, shown_value(value)));
      }
    }
  }
  return base::join(words, ", ");
}

}  // namespace

absl::StatusOr<std::string> pipeline_name_of(std::string_view yaml, std::string_view file) {
  for (const std::string_view line : base::split(yaml, '\n')) {
    constexpr std::string_view kKey = "pipeline:";
    if (!line.starts_with(kKey)) {
      continue;
    }
    std::string_view value = line.substr(kKey.size());
    value = base::trim(value.substr(0, value.find('#')));
    if (value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0]) {
      value = value.substr(1, value.size() - 2);
    }
    TRY(base::annotate(base::check_name("pipeline", value), file));
    return std::string(value);
  }
  return base::invalid(fmt::format("{} does not name its pipeline", file),
                       "begin the file with a line `pipeline: NAME`");
}

absl::StatusOr<base::Json> apply_pipeline_text(Session& session, const std::string& name,
                                               const std::string& yaml,
                                               const std::filesystem::path& folder) {
  return session.document({.method = "PUT",
                           .path = "/pipelines/" + name,
                           .query = {{"folder", folder.string()}},
                           .body = yaml,
                           .content_type = "application/yaml"});
}

absl::StatusOr<base::Json> run_pipeline_and_wait(Session& session, const std::string& name) {
  const absl::StatusOr<base::Json> job =
      session.post(fmt::format("/pipelines/{}:run", name), base::Json::object());
  if (!job.ok()) {
    return with_nearest_name(job.status(), session, "pipelines", name);
  }
  return wait_for_job(session, *job, {.what = "running " + name});
}

void print_steps(const base::Json& run, Output& output) {
  TextTable table({{"STEP"}, {"STATE"}, {"TIME", Align::kRight}, {"RESULT", Align::kLeft, true}});
  for (const base::Json& step : array_field(run, "steps")) {
    const std::string state = text_field(step, "state");
    const std::string result =
        state == "succeeded" ? in_short(field(step, "result")) : text_field(step, "reason");
    const auto seconds = number_field(step, "seconds");
    table.add({text_field(step, "step"), state_cell(state),
               seconds ? seconds_cell(*seconds) : Cell(""), result});
  }
  output.table(table);
}

absl::Status pipeline_apply(const Invocation& call, Session& session) {
  const std::string file = call.positional(0);
  TRY(const std::string yaml, read_text_file(file, kPipelineFileMax));
  TRY(const std::string name, pipeline_name_of(yaml, file));
  TRY(session.client());
  // A distant server has no use for a folder of this machine.
  std::error_code error;
  const std::filesystem::path folder = session.server_reads_our_files()
                                           ? std::filesystem::absolute(file, error).parent_path()
                                           : std::filesystem::path();
  TRY(const base::Json pipeline, apply_pipeline_text(session, name, yaml, folder));
  Output& output = session.output();
  output.document(pipeline);
  output.line(name);
  for (const base::Json& warning : array_field(pipeline, "warnings")) {
    output.warning(warning.is_object() ? text_field(warning, "text") : shown_value(warning));
  }
  output.note(fmt::format("next: cromford pipeline run {}", name));
  return absl::OkStatus();
}

absl::Status pipeline_list(const Invocation& call, Session& session) {
  TRY(const base::Json answer,
      session.list("/pipelines", "pipelines", list_query(call), list_limit(call)));
  session.output().document(answer);
  TextTable table({{"NAME"}, {"UPDATED"}});
  for (const base::Json& pipeline : array_field(answer, "pipelines")) {
    table.add({text_field(pipeline, "name"), time_cell(text_field(pipeline, "updated_at"))});
  }
  session.output().table(table);
  if (table.row_count() == 0) {
    session.output().note("no pipelines yet: cromford pipeline apply FILE");
  }
  return absl::OkStatus();
}

absl::Status pipeline_show(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  const absl::StatusOr<base::Json> pipeline = session.get("/pipelines/" + name);
  if (!pipeline.ok()) {
    return with_nearest_name(pipeline.status(), session, "pipelines", name);
  }
  Output& output = session.output();
  output.document(*pipeline);
  output.line(base::trim(text_field(*pipeline, "file")));
  for (const base::Json& warning : array_field(*pipeline, "warnings")) {
    output.warning(warning.is_object() ? text_field(warning, "text") : shown_value(warning));
  }
  return absl::OkStatus();
}

absl::Status pipeline_run(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  if (call.switched_on("--detach")) {
    TRY(session.allow_detach());
    const absl::StatusOr<base::Json> job =
        session.post(fmt::format("/pipelines/{}:run", name), base::Json::object());
    if (!job.ok()) {
      return with_nearest_name(job.status(), session, "pipelines", name);
    }
    session.output().document(*job);
    session.output().line(text_field(*job, "id"));
    return absl::OkStatus();
  }
  const absl::StatusOr<base::Json> job = run_pipeline_and_wait(session, name);
  const absl::StatusOr<base::Json> history =
      session.get(fmt::format("/pipelines/{}/history", name), {{"page_size", "1"}});
  if (history.ok() && !array_field(*history, "runs").empty()) {
    print_steps(array_field(*history, "runs").front(), session.output());
  }
  TRY(job.status());
  session.output().document(*job);
  return absl::OkStatus();
}

absl::Status pipeline_history(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  const absl::StatusOr<base::Json> answer = session.list(
      fmt::format("/pipelines/{}/history", name), "runs", list_query(call), list_limit(call));
  if (!answer.ok()) {
    return with_nearest_name(answer.status(), session, "pipelines", name);
  }
  session.output().document(*answer);
  TextTable table({{"RUN"}, {"STATE"}, {"STARTED"}, {"STEPS", Align::kLeft, true}});
  for (const base::Json& run : array_field(*answer, "runs")) {
    std::vector<std::string> steps;
    for (const base::Json& step : array_field(run, "steps")) {
      const std::string reason = text_field(step, "reason");
      steps.push_back(fmt::format("{} {}{}", text_field(step, "step"), text_field(step, "state"),
                                  reason.empty() ? "" : fmt::format(" ({})", reason)));
    }
    table.add({text_field(run, "id"), state_cell(text_field(run, "state")),
               time_cell(text_field(run, "started_at")), base::join(steps, ", ")});
  }
  session.output().table(table);
  return absl::OkStatus();
}

absl::Status pipeline_delete(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  TRY(session.confirm(fmt::format("delete the pipeline '{}' (not what it made)?", name)));
  const absl::Status status = session.remove("/pipelines/" + name);
  if (!status.ok()) {
    return with_nearest_name(status, session, "pipelines", name);
  }
  session.output().document(base::Json::object({{"deleted", name}}));
  session.output().note(fmt::format("deleted pipeline {}", name));
  return absl::OkStatus();
}

}  // namespace cromford::cli
