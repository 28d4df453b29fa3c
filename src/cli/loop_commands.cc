// The closed loop of an endpoint: its policy, its history, and what a person decides.

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/name.h"
#include "base/status.h"
#include "cli/handlers.h"
#include "cli/json_fields.h"
#include "cli/names.h"

namespace cromford::cli {
namespace {

std::string path_of(const std::string& endpoint, std::string_view rest) {
  return fmt::format("/endpoints/{}{}", endpoint, rest);
}

absl::StatusOr<base::Json> post(Session& session, const std::string& name, std::string_view verb,
                                const base::Json& body) {
  TRY(base::check_name("endpoint", name));
  absl::StatusOr<base::Json> loop = session.document({.method = "POST",
                                                      .path = path_of(name, verb),
                                                      .body = base::dump_json(body),
                                                      .content_type = "application/json"});
  return loop.ok() ? loop : with_nearest_name(loop.status(), session, "endpoints", name);
}

void print_stand(const base::Json& loop, Output& output) {
  Facts facts;
  facts.add("endpoint", text_field(loop, "endpoint"));
  facts.add("stage", text_field(loop, "stage"));
  facts.add("champion", text_field(loop, "champion"));
  facts.add("candidate", text_field(loop, "candidate"));
  facts.add("evidence", text_field(loop, "evidence"));
  output.facts(facts);
}

// The hash that the person names, or that of the candidate that waits now.
absl::StatusOr<std::string> evidence_of(const Invocation& call, Session& session) {
  if (call.given("--evidence")) {
    return call.text("--evidence");
  }
  TRY(const base::Json loop, session.get(path_of(call.positional(0), "/lifecycle")));
  const std::string evidence = text_field(loop, "evidence");
  if (evidence.empty()) {
    return base::refused("no candidate waits for approval", "look at: cromford endpoint history");
  }
  return evidence;
}

absl::Status decide(const Invocation& call, Session& session, std::string_view verb) {
  TRY(const std::string evidence, evidence_of(call, session));
  base::Json body = {{"evidence", evidence}};
  if (call.given("--note")) {
    body["note"] = call.text("--note");
  }
  TRY(const base::Json loop, post(session, call.positional(0), verb, body));
  session.output().document(loop);
  print_stand(loop, session.output());
  return absl::OkStatus();
}

}  // namespace

absl::Status endpoint_retrain(const Invocation& call, Session& session) {
  base::Json body = base::Json::object();
  if (call.given("--reason")) {
    body["reason"] = call.text("--reason");
  }
  TRY(const base::Json loop, post(session, call.positional(0), ":retrain", body));
  session.output().document(loop);
  session.output().note(
      fmt::format("the loop of {} begins with its next round; follow it with: "
                  "cromford endpoint history {}",
                  call.positional(0), call.positional(0)));
  return absl::OkStatus();
}

absl::Status endpoint_approve(const Invocation& call, Session& session) {
  return decide(call, session, ":approve");
}

absl::Status endpoint_reject(const Invocation& call, Session& session) {
  return decide(call, session, ":reject");
}

absl::Status endpoint_history(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  TRY(base::check_name("endpoint", name));
  const absl::StatusOr<base::Json> loop = session.get(path_of(name, "/lifecycle"));
  if (!loop.ok()) {
    return with_nearest_name(loop.status(), session, "endpoints", name);
  }
  Output& output = session.output();
  output.document(*loop);
  print_stand(*loop, output);
  output.heading("History");
  TextTable table({{"EVENT TIME"}, {"BECAME"}, {"MODEL"}, {"WHY", Align::kLeft, true}});
  for (const base::Json& entry : array_field(*loop, "history")) {
    table.add({time_cell(text_field(entry, "event_time")), text_field(entry, "to"),
               text_field(entry, "model"), text_field(entry, "reason")});
  }
  output.table(table);
  if (table.row_count() == 0) {
    output.note(
        fmt::format("nothing happened yet; ask for a candidate with: cromford endpoint "
                    "retrain {}",
                    name));
  }
  return absl::OkStatus();
}

absl::Status endpoint_policy(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  TRY(base::check_name("endpoint", name));
  const std::string path = path_of(name, "/policy");
  TRY(Client* const client, session.client());
  const absl::StatusOr<Answer> current = client->send({.path = session.in_project(path)});
  if (!current.ok()) {
    return with_nearest_name(current.status(), session, "endpoints", name);
  }
  if (!call.given("--file")) {
    TRY(const base::Json policy, session.get(path));
    session.output().document(policy);
    session.output().line(policy.dump(2));
    return absl::OkStatus();
  }
  std::ifstream file(call.text("--file"));
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) {
    return base::not_found(fmt::format("'{}' cannot be read", call.text("--file")),
                           "check the path");
  }
  Request request{.method = "PUT", .path = path, .body = text, .content_type = "application/json"};
  if (!current->etag.empty()) {
    request.headers.push_back("If-Match: " + current->etag);
  }
  TRY(const base::Json policy, session.document(std::move(request)));
  session.output().document(policy);
  session.output().note(fmt::format("the policy of {} is set", name));
  return absl::OkStatus();
}

}  // namespace cromford::cli
