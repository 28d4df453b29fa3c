#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/name.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/handlers.h"
#include "cli/job_watch.h"
#include "cli/json_fields.h"
#include "cli/names.h"
#include "cli/transfer.h"

namespace cromford::cli {
namespace {

std::string path_of(const std::string& endpoint) {
  return "/endpoints/" + endpoint;
}

std::string variants_in_short(const base::Json& endpoint) {
  std::vector<std::string> words;
  for (const base::Json& variant : array_field(endpoint, "variants")) {
    words.push_back(fmt::format("{}@{} {} {}%", text_field(variant, "model"),
                                text_field(variant, "model_version"), text_field(variant, "role"),
                                text_field(variant, "weight")));
  }
  return base::join(words, ", ");
}

void print_endpoint(const base::Json& endpoint, Output& output) {
  const base::Json& traffic = field(endpoint, "traffic");
  Facts facts;
  facts.add("endpoint", text_field(endpoint, "name"));
  facts.add("state", state_cell(text_field(endpoint, "state")));
  facts.add("task", text_field(endpoint, "task"));
  facts.add("requests", count_cell(integer_field(traffic, "requests").value_or(0)));
  facts.add("rows", count_cell(integer_field(traffic, "rows").value_or(0)));
  facts.add("errors", count_cell(integer_field(traffic, "errors").value_or(0)));
  facts.add("unseen categories", count_cell(integer_field(traffic, "unseen").value_or(0)));
  facts.add("updated", time_cell(text_field(endpoint, "updated_at")));
  output.facts(facts);
  output.heading("Variants");
  TextTable table({{"MODEL"}, {"ROLE"}, {"WEIGHT", Align::kRight}});
  for (const base::Json& variant : array_field(endpoint, "variants")) {
    table.add(
        {fmt::format("{}@{}", text_field(variant, "model"), text_field(variant, "model_version")),
         text_field(variant, "role"), text_field(variant, "weight")});
  }
  output.table(table);
}

// Updates are guarded: the change is made to the endpoint that was looked at, or not at all.
absl::StatusOr<base::Json> guarded_post(Session& session, const std::string& name,
                                        std::string_view verb, const base::Json& body) {
  TRY(Client* const client, session.client());
  const absl::StatusOr<Answer> current = client->send({.path = session.in_project(path_of(name))});
  if (!current.ok()) {
    return with_nearest_name(current.status(), session, "endpoints", name);
  }
  Request request{.method = "POST",
                  .path = path_of(name) + std::string(verb),
                  .body = base::dump_json(body),
                  .content_type = "application/json"};
  if (!current->etag.empty()) {
    request.headers.push_back("If-Match: " + current->etag);
  }
  return session.document(std::move(request));
}

absl::Status change(const Invocation& call, Session& session, std::string_view verb,
                    const base::Json& body) {
  TRY(const base::Json endpoint, guarded_post(session, call.positional(0), verb, body));
  session.output().document(endpoint);
  print_endpoint(endpoint, session.output());
  return absl::OkStatus();
}

}  // namespace

absl::Status deploy(const Invocation& call, Session& session) {
  TRY(const VersionPath model, version_path("models", "model", call.positional(0)));
  const std::string name = call.given("--endpoint") ? call.text("--endpoint") : model.name;
  base::Json body = {{"model", call.positional(0)}};
  if (call.given("--strategy")) {
    body["strategy"] = call.text("--strategy");
  }
  if (call.given("--percent")) {
    body["percent"] = call.number("--percent", 0);
  }
  const absl::StatusOr<base::Json> endpoint =
      session.document({.method = "PUT",
                        .path = path_of(name),
                        .body = base::dump_json(body),
                        .content_type = "application/json"});
  if (!endpoint.ok()) {
    return with_nearest_name(endpoint.status(), session, "models", model.name);
  }
  Output& output = session.output();
  output.document(*endpoint);
  print_endpoint(*endpoint, output);
  output.note(fmt::format("\nask it: curl -s {}{}:predict -d '{{\"rows\":[{{...}}]}}'{}",
                          session.hosts() ? "http://127.0.0.1:7040" : session.url(),
                          session.in_project(path_of(name)),
                          session.hosts() ? "\nonce the server runs: cromford server" : ""));
  return absl::OkStatus();
}

absl::Status endpoint_list(const Invocation& call, Session& session) {
  TRY(const base::Json answer,
      session.list("/endpoints", "endpoints", list_query(call), list_limit(call)));
  session.output().document(answer);
  TextTable table({{"NAME"},
                   {"STATE"},
                   {"TASK"},
                   {"VARIANTS", Align::kLeft, true},
                   {"REQUESTS", Align::kRight},
                   {"ERRORS", Align::kRight},
                   {"UPDATED"}});
  for (const base::Json& endpoint : array_field(answer, "endpoints")) {
    const base::Json& traffic = field(endpoint, "traffic");
    table.add({text_field(endpoint, "name"), state_cell(text_field(endpoint, "state")),
               text_field(endpoint, "task"), variants_in_short(endpoint),
               count_cell(integer_field(traffic, "requests").value_or(0)),
               count_cell(integer_field(traffic, "errors").value_or(0)),
               time_cell(text_field(endpoint, "updated_at"))});
  }
  session.output().table(table);
  if (table.row_count() == 0) {
    session.output().note("no endpoints yet: cromford deploy MODEL");
  }
  return absl::OkStatus();
}

absl::Status endpoint_show(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  const absl::StatusOr<base::Json> endpoint = session.get(path_of(name));
  if (!endpoint.ok()) {
    return with_nearest_name(endpoint.status(), session, "endpoints", name);
  }
  session.output().document(*endpoint);
  print_endpoint(*endpoint, session.output());
  return absl::OkStatus();
}

absl::Status endpoint_split(const Invocation& call, Session& session) {
  base::Json weights = base::Json::object();
  for (size_t i = 1; i < call.positionals.size(); ++i) {
    const std::string& word = call.positionals[i];
    const size_t equals = word.find('=');
    std::string version = word.substr(0, equals);
    if (version.starts_with('@')) {
      version.erase(0, 1);
    }
    const auto weight = equals == std::string::npos
                            ? std::nullopt
                            : base::to_number<double>(std::string_view(word).substr(equals + 1));
    // "3", or "late@3" where two models have a version 3.
    const size_t at = version.find('@');
    const auto number = base::to_number<int64_t>(
        std::string_view(version).substr(at == std::string::npos ? 0 : at + 1));
    if (!weight || *weight < 0 || !number || *number < 1) {
      return base::invalid(fmt::format("'{}' is not a version with its weight", word),
                           "write VERSION=WEIGHT, e.g. 3=90 4=10");
    }
    weights[at == std::string::npos ? std::to_string(*number) : version] = *weight;
  }
  return change(call, session, ":split", base::Json::object({{"weights", std::move(weights)}}));
}

absl::Status endpoint_promote(const Invocation& call, Session& session) {
  return change(call, session, ":promote", base::Json::object());
}

absl::Status endpoint_log(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  TRY(base::check_name("endpoint", name));
  const std::string file = call.text("--output");
  std::string format = "csv";
  if (file != "-") {
    TRY(format, export_format_of(file));
  }
  const absl::StatusOr<int64_t> bytes = download(
      session, path_of(name) + "/log",
      {{"from", call.text("--from")}, {"to", call.text("--to")}, {"format", format}}, file);
  if (!bytes.ok()) {
    return with_nearest_name(bytes.status(), session, "endpoints", name);
  }
  if (file != "-") {
    session.output().document(base::Json::object({{"file", file}, {"size_bytes", *bytes}}));
    session.output().line(fmt::format("{}\t{}", file, bytes_cell(*bytes).shown));
  }
  return absl::OkStatus();
}

absl::Status endpoint_compact(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  TRY(base::check_name("endpoint", name));
  const absl::StatusOr<base::Json> started =
      session.post(path_of(name) + ":compact", base::Json::object());
  if (!started.ok()) {
    return with_nearest_name(started.status(), session, "endpoints", name);
  }
  TRY(const base::Json job, wait_for_job(session, *started, {.what = "compacting"}));
  const base::Json& result = field(job, "result");
  session.output().document(job);
  Facts facts;
  facts.add("dataset",
            fmt::format("{}@{}", text_field(result, "dataset"), text_field(result, "version")));
  facts.add("rows written", count_cell(integer_field(result, "rows_written").value_or(0)));
  facts.add("rows left", count_cell(integer_field(result, "rows_left").value_or(0)));
  session.output().facts(facts);
  return absl::OkStatus();
}

absl::Status endpoint_rollback(const Invocation& call, Session& session) {
  return change(call, session, ":rollback", base::Json::object());
}

absl::Status endpoint_delete(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  TRY(session.confirm(fmt::format("delete the endpoint '{}'? Its callers get errors then.", name)));
  const absl::Status status = session.remove(path_of(name));
  if (!status.ok()) {
    return with_nearest_name(status, session, "endpoints", name);
  }
  session.output().document(base::Json::object({{"deleted", name}}));
  session.output().note(fmt::format("deleted endpoint {}", name));
  return absl::OkStatus();
}

}  // namespace cromford::cli
