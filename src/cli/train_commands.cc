#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "base/text.h"
#include "cli/handlers.h"
#include "cli/job_watch.h"
#include "cli/json_fields.h"
#include "cli/model_tables.h"
#include "cli/names.h"

namespace cromford::cli {
namespace {

void set_text(base::Json& body, const char* key, const Invocation& call, std::string_view flag) {
  if (call.given(flag)) {
    body[key] = call.text(flag);
  }
}

base::Json words(const std::string& list) {
  base::Json result = base::Json::array();
  for (const std::string_view word : base::split(list, ',')) {
    if (!base::trim(word).empty()) {
      result.push_back(std::string(base::trim(word)));
    }
  }
  return result;
}

base::Json run_request(const Invocation& call) {
  base::Json body = {{"dataset", call.positional(0)}, {"target", call.text("--target")}};
  set_text(body, "model", call, "--model");
  set_text(body, "where", call, "--where");
  set_text(body, "task", call, "--task");
  set_text(body, "metric", call, "--metric");
  set_text(body, "time_column", call, "--time-column");
  set_text(body, "group_column", call, "--group-column");
  set_text(body, "weight_column", call, "--weight");
  base::Json budget = base::Json::object();
  set_text(budget, "time", call, "--time");
  set_text(budget, "memory", call, "--memory");
  if (call.given("--trials")) {
    budget["trials"] = call.integer("--trials", 0);
  }
  if (!budget.empty()) {
    body["budget"] = std::move(budget);
  }
  if (call.given("--seed")) {
    body["seed"] = call.integer("--seed", 0);
  }
  for (const std::string& columns : call.all("--ignore")) {
    for (base::Json& column : words(columns)) {
      body["ignore"].push_back(std::move(column));
    }
  }
  if (call.given("--learners")) {
    body["learners"] = words(call.text("--learners"));
  }
  return body;
}

void print_trials(const base::Json& run, Output& output) {
  if (array_field(run, "trials").empty()) {
    return;
  }
  output.heading("Leaderboard");
  TextTable table({{"RANK", Align::kRight},
                   {"LEARNER"},
                   {"SCORE", Align::kRight},
                   {"SPREAD", Align::kRight},
                   {"TIME", Align::kRight},
                   {"SETTINGS", Align::kLeft, true}});
  for (const base::Json& trial : array_field(run, "trials")) {
    const auto score = number_field(trial, "score");
    const auto spread = number_field(trial, "spread");
    const base::Json& settings = field(trial, "settings");
    std::string text = settings.is_string() ? shown_value(settings) : std::string();
    if (settings.is_object()) {
      for (const auto& [key, value] : settings.items()) {
        text += fmt::format(
            "{}{}={}", text.empty() ? "" : " ", key,
            value.is_number_float() ? number_cell(value.get<double>()).shown : shown_value(value));
      }
    }
    table.add({text_field(trial, "rank"), text_field(trial, "learner"),
               score ? score_cell(*score) : Cell("-"), spread ? score_cell(*spread) : Cell(""),
               seconds_cell(number_field(trial, "seconds").value_or(0)), text});
  }
  output.table(table);
}

void print_run(const base::Json& run, Output& output) {
  Facts facts;
  facts.add("run", text_field(run, "id"));
  facts.add("state", state_cell(text_field(run, "state")));
  facts.add("dataset", text_field(run, "dataset"));
  facts.add("target", text_field(run, "target"));
  facts.add("task", text_field(run, "task"));
  facts.add("metric", text_field(run, "metric"));
  const std::string version = text_field(run, "model_version");
  facts.add("model", version.empty() ? text_field(run, "model")
                                     : fmt::format("{}@{}", text_field(run, "model"), version));
  facts.add("split", split_in_words(field(run, "split")));
  facts.add("started", time_cell(text_field(run, "started_at")));
  facts.add("finished", time_cell(text_field(run, "finished_at")));
  output.facts(facts);
  print_trials(run, output);
  print_metrics(run, output);
  print_importance(run, output, 10);
  print_warnings(run, output);
}

}  // namespace

absl::Status train(const Invocation& call, Session& session) {
  TRY(const VersionPath dataset, version_path("datasets", "dataset", call.positional(0)));
  if (call.switched_on("--detach")) {
    TRY(session.allow_detach());
  }
  absl::StatusOr<base::Json> started = session.post("/runs", run_request(call));
  if (!started.ok()) {
    return with_nearest_name(started.status(), session, "datasets", dataset.name);
  }
  Output& output = session.output();
  const std::string run_id = text_field(*started, "id");  // A run is known by its job's id.
  if (call.switched_on("--detach")) {
    output.document(*started);
    output.line(text_field(*started, "id"));
    output.note(fmt::format("watch: cromford job show {}", text_field(*started, "id")));
    return absl::OkStatus();
  }
  WatchOptions watch{.what = "training"};
  watch.cancel_note = "stopping; the best model so far is kept (Ctrl-C again quits at once)";
  watch.keeps_partial_result = true;
  watch.cancel_path = fmt::format("/runs/{}:cancel", encoded(run_id));
  TRY(const base::Json job, wait_for_job(session, *started, watch));
  const base::Json& result = field(job, "result");
  TRY(const base::Json run, session.get("/runs/" + encoded(run_id)));
  output.document(job);
  print_run(run, output);
  const std::string model = text_field(result, "model");
  const std::string version = text_field(result, "model_version");
  const bool is_stopped = text_field(job, "state") == "cancelled";
  if (version.empty()) {
    return base::cancelled("the training was stopped before there was a model");
  }
  output.note(
      fmt::format("\nmade {0}@{1}\nnext: cromford model card {0}@{1}\n"
                  "      cromford predict --model {0}@{1} --input FILE --output FILE\n"
                  "      cromford deploy {0}@{1} --endpoint {0}",
                  model, version));
  // A script has to tell a training that was cut from a whole one.
  return is_stopped
             ? base::cancelled(fmt::format(
                   "the training was stopped; {}@{} is the best model up to then", model, version))
             : absl::OkStatus();
}

absl::Status run_list(const Invocation& call, Session& session) {
  TRY(const base::Json answer, session.list("/runs", "runs", list_query(call), list_limit(call)));
  session.output().document(answer);
  TextTable table({{"ID"},
                   {"STATE"},
                   {"DATASET"},
                   {"TARGET"},
                   {"MODEL"},
                   {"METRIC"},
                   {"VALUE", Align::kRight},
                   {"STARTED"}});
  for (const base::Json& run : array_field(answer, "runs")) {
    const std::string metric = text_field(run, "metric");
    const auto value = number_field(field(field(run, "metrics"), metric), "value");
    const std::string version = text_field(run, "model_version");
    table.add({text_field(run, "id"), state_cell(text_field(run, "state")),
               text_field(run, "dataset"), text_field(run, "target"),
               version.empty() ? text_field(run, "model")
                               : fmt::format("{}@{}", text_field(run, "model"), version),
               metric, value ? score_cell(*value) : Cell("-"),
               time_cell(text_field(run, "started_at"))});
  }
  session.output().table(table);
  if (table.row_count() == 0) {
    session.output().note("no training runs yet: cromford train DATASET --target COLUMN");
  }
  return absl::OkStatus();
}

absl::Status run_show(const Invocation& call, Session& session) {
  TRY(const base::Json run, session.get("/runs/" + encoded(call.positional(0))));
  session.output().document(run);
  print_run(run, session.output());
  const base::Json& error = field(run, "error");
  if (error.is_object()) {
    session.output().warning(text_field(error, "detail"));
  }
  return absl::OkStatus();
}

absl::Status run_cancel(const Invocation& call, Session& session) {
  TRY(const base::Json answer,
      session.post(fmt::format("/runs/{}:cancel", encoded(call.positional(0))),
                   base::Json::object()));
  session.output().document(answer);
  session.output().note("stopping; the best model so far is kept");
  return absl::OkStatus();
}

}  // namespace cromford::cli
