#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "base/text.h"
#include "cli/handlers.h"
#include "cli/json_fields.h"
#include "cli/names.h"

namespace cromford::cli {
namespace {

std::string job_path(const Invocation& call, std::string_view rest = "") {
  return fmt::format("/jobs/{}{}", encoded(call.positional(0)), rest);
}

}  // namespace

absl::Status job_list(const Invocation& call, Session& session) {
  TRY(const base::Json answer, session.list("/jobs", "jobs", list_query(call), list_limit(call)));
  session.output().document(answer);
  TextTable table({{"ID"},
                   {"KIND"},
                   {"STATE"},
                   {"PROGRESS", Align::kRight},
                   {"TITLE", Align::kLeft, true},
                   {"CREATED"}});
  for (const base::Json& job : array_field(answer, "jobs")) {
    table.add({text_field(job, "id"), text_field(job, "kind"), state_cell(text_field(job, "state")),
               share_cell(number_field(job, "progress").value_or(0)), text_field(job, "title"),
               time_cell(text_field(job, "created_at"))});
  }
  session.output().table(table);
  return absl::OkStatus();
}

absl::Status job_show(const Invocation& call, Session& session) {
  TRY(const base::Json job, session.get(job_path(call)));
  Output& output = session.output();
  output.document(job);
  Facts facts;
  facts.add("job", text_field(job, "id"));
  facts.add("kind", text_field(job, "kind"));
  facts.add("title", text_field(job, "title"));
  facts.add("state", state_cell(text_field(job, "state")));
  facts.add("stage", text_field(job, "stage"));
  facts.add("progress", share_cell(number_field(job, "progress").value_or(0)));
  facts.add("created", time_cell(text_field(job, "created_at")));
  facts.add("started", time_cell(text_field(job, "started_at")));
  facts.add("finished", time_cell(text_field(job, "finished_at")));
  const base::Json& error = field(job, "error");
  if (error.is_object()) {
    facts.add("error", coloured(text_field(error, "detail"), Colour::kRed));
    facts.add("remedy", text_field(error, "remedy"));
    facts.add("request", text_field(error, "request_id"));
  }
  facts.add("result", shown_value(field(job, "result")));
  output.facts(facts);
  return absl::OkStatus();
}

absl::Status job_cancel(const Invocation& call, Session& session) {
  TRY(const base::Json answer, session.post(job_path(call, ":cancel"), base::Json::object()));
  session.output().document(answer);
  session.output().note("cancelling");
  return absl::OkStatus();
}

absl::Status job_log(const Invocation& call, Session& session) {
  TRY(Client* const client, session.client());
  TRY(const Answer answer, client->send({.path = session.in_project(job_path(call, "/log"))}));
  if (session.output().json()) {
    session.output().document(base::Json::object({{"log", answer.body}}));
  } else {
    session.output().text(answer.body);
  }
  return absl::OkStatus();
}

absl::Status show_status(const Invocation& /*call*/, Session& session) {
  TRY(Client* const client, session.client());
  TRY(const base::Json status, client->get("/api/v1/status"));
  Output& output = session.output();
  output.document(status);
  const base::Json& jobs = field(status, "jobs");
  const base::Json& disk = field(status, "disk");
  Facts facts;
  facts.add("server", session.hosts()
                          ? Cell("none runs on this home (`cromford server` starts one)")
                          : Cell(text_field(status, "http")));
  facts.add("version", text_field(status, "version"));
  if (!session.hosts()) {
    facts.add("uptime", seconds_cell(number_field(status, "uptime_s").value_or(0)));
    facts.add("memory", bytes_cell(integer_field(status, "memory_bytes").value_or(0)));
  }
  facts.add("home", text_field(status, "home"));
  const base::Json& endpoints = field(status, "endpoints");
  facts.add("endpoints",
            endpoints.is_array() ? std::to_string(endpoints.size()) : shown_value(endpoints));
  for (const base::Json& endpoint : field(status, "degraded")) {
    facts.add("degraded", fmt::format("endpoint {}: {}", text_field(endpoint, "endpoint"),
                                      text_field(endpoint, "reason")));
  }
  const base::Json& alerts = field(status, "alerts");
  facts.add("alerts firing", count_cell(integer_field(alerts, "firing").value_or(0)));
  facts.add("jobs running", count_cell(integer_field(jobs, "running").value_or(0)));
  facts.add("jobs queued", count_cell(integer_field(jobs, "queued").value_or(0)));
  facts.add("disk used", bytes_cell(integer_field(disk, "used_bytes").value_or(0)));
  facts.add("disk free", bytes_cell(integer_field(disk, "free_bytes").value_or(0)));
  output.facts(facts);
  return absl::OkStatus();
}

}  // namespace cromford::cli
