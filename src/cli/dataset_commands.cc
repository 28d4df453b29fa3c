#include <fmt/format.h>

#include <algorithm>
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

constexpr size_t kChecksFileMax = 1 << 20;
constexpr std::string_view kImportType = "application/vnd.cromford.import+json";

// The text of a file of rules (docs/checks.md), which the server reads.
absl::StatusOr<std::string> read_checks(const std::string& path) {
  TRY(std::string text, read_text_file(path, kChecksFileMax));
  if (base::trim(text).empty()) {
    return base::invalid(fmt::format("{} is empty", path),
                         "write a list of rules, like - {column: id, not_null: true}");
  }
  return text;
}

struct Inputs {
  std::vector<std::string> files;  // As given.
  std::string url;
  bool standard_input = false;
};

absl::StatusOr<Inputs> sort_inputs(const Invocation& call) {
  Inputs inputs;
  for (size_t i = 1; i < call.positionals.size(); ++i) {
    const std::string& input = call.positionals[i];
    if (input == "-") {
      inputs.standard_input = true;
    } else if (is_url(input)) {
      inputs.url = input;
    } else {
      inputs.files.push_back(input);
    }
  }
  const size_t count = call.positionals.size() - 1;
  if ((inputs.standard_input || !inputs.url.empty()) && count > 1) {
    return base::invalid(fmt::format("'{}' cannot be joined with other inputs",
                                     inputs.url.empty() ? "-" : inputs.url),
                         "add the first, then the others with --append");
  }
  for (const std::string& file : inputs.files) {
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
      return base::not_found(fmt::format("there is no file {}", file),
                             "check its name and the folder you are in");
    }
  }
  return inputs;
}

// The server reads the files by itself, or fetches the URL.
absl::StatusOr<base::Json> start_named_import(const Invocation& call, Session& session,
                                              const Inputs& inputs, const std::string& checks) {
  base::Json body = {{"mode", call.switched_on("--append") ? "append" : "replace"}};
  if (!inputs.url.empty()) {
    body["source"] = {{"url", inputs.url}};
  } else {
    base::Json files = base::Json::array();
    for (const std::string& file : inputs.files) {
      std::error_code error;
      files.push_back(std::filesystem::absolute(file, error).lexically_normal().string());
    }
    body["source"] = {{"files", std::move(files)}};
  }
  for (const auto& [key, flag] : {std::pair("query", "--query"), std::pair("format", "--format")}) {
    if (call.given(flag)) {
      body[key] = call.text(flag);
    }
  }
  if (call.given("--key")) {
    const std::string key = call.text("--key");
    body["key"] = base::Json::array();
    for (const std::string_view column : base::split(key, ',')) {
      body["key"].push_back(std::string(base::trim(column)));
    }
  }
  if (!checks.empty()) {
    body["checks"] = checks;
  }
  return session.document({.method = "POST",
                           .path = fmt::format("/datasets/{}/versions", call.positional(0)),
                           .body = base::dump_json(body),
                           .content_type = std::string(kImportType)});
}

absl::StatusOr<base::Json> start_upload(const Invocation& call, Session& session,
                                        const std::string& file, const std::string& checks) {
  TRY(Upload upload, open_upload(session, file));
  return send_upload(session, upload,
                     {.path = fmt::format("/datasets/{}/versions", call.positional(0)),
                      .query = {{"mode", call.switched_on("--append") ? "append" : "replace"},
                                {"query", call.text("--query")},
                                {"format", call.text("--format")},
                                {"key", call.text("--key")},
                                {"source_name", upload.name},
                                {"checks", checks}}},
                     "sending");
}

absl::StatusOr<base::Json> start_import(const Invocation& call, Session& session,
                                        const Inputs& inputs, const std::string& checks) {
  TRY(session.client());
  if (call.switched_on("--detach")) {
    TRY(session.allow_detach());
  }
  if (!inputs.url.empty() || (session.server_reads_our_files() && !inputs.standard_input)) {
    return start_named_import(call, session, inputs, checks);
  }
  if (inputs.files.size() > 1) {
    return base::invalid("several files at once need a server on this machine",
                         "add them one by one, the later ones with --append");
  }
  return start_upload(call, session, inputs.standard_input ? "-" : inputs.files[0], checks);
}

void print_checks(const base::Json& version, Output& output) {
  if (array_field(version, "checks").empty()) {
    return;
  }
  output.heading("Checks");
  TextTable table({{"CHECK"}, {"COLUMN"}, {"ON FAIL"}, {"FAILED", Align::kRight}, {"RESULT"}});
  for (const base::Json& check : array_field(version, "checks")) {
    const bool passed = bool_field(check, "passed");
    table.add({text_field(check, "check"), text_field(check, "column"),
               text_field(check, "on_fail"),
               count_cell(integer_field(check, "failed_rows").value_or(0)),
               coloured(passed ? "passed" : "failed", passed ? Colour::kGreen : Colour::kRed)});
  }
  output.table(table);
}

void warn_of(const base::Json& version, Output& output) {
  if (const auto rows = integer_field(field(version, "quarantine"), "row_count");
      rows && *rows > 0) {
    output.warning(
        fmt::format("{} row{} could not be taken and {} in quarantine: "
                    "`cromford dataset rows {} --quarantine` shows them",
                    with_thousands(*rows), *rows == 1 ? "" : "s", *rows == 1 ? "stands" : "stand",
                    versioned(version, "dataset")));
  }
  std::vector<std::string> lines;
  const auto add = [&lines](const base::Json& warning) {
    const std::string column = text_field(warning, "column");
    lines.push_back((column.empty() ? "" : column + ": ") + text_field(warning, "text"));
  };
  for (const base::Json& source : array_field(version, "sources")) {
    for (const base::Json& note : array_field(source, "notes")) {
      if (bool_field(note, "warning")) {
        add(note);
      }
    }
  }
  for (const base::Json& warning : array_field(field(version, "profile"), "warnings")) {
    add(warning);
  }
  // A table of thousands of columns has as much to say of each.
  constexpr size_t kShownMax = 50;
  for (size_t i = 0; i < std::min(lines.size(), kShownMax); ++i) {
    output.warning(lines[i]);
  }
  if (lines.size() > kShownMax) {
    output.warning(fmt::format("{} further warnings: `cromford dataset show {} --json` has them",
                               with_thousands(static_cast<int64_t>(lines.size() - kShownMax)),
                               versioned(version, "dataset")));
  }
}

// The smallest and largest value, or the most frequent ones.
std::string values_in_short(const base::Json& column) {
  const base::Json& number = field(column, "number");
  const std::string storage = text_field(column, "storage");
  if (number.is_object() && (storage == "integer" || storage == "number")) {
    return fmt::format("{} .. {}, mean {}",
                       number_cell(number_field(number, "min").value_or(0)).shown,
                       number_cell(number_field(number, "max").value_or(0)).shown,
                       number_cell(number_field(number, "mean").value_or(0)).shown);
  }
  std::vector<std::string> top;
  for (const base::Json& value : array_field(column, "top")) {
    top.push_back(text_field(value, "value"));
    if (top.size() == 4) {
      break;
    }
  }
  return base::join(top, ", ");
}

void print_columns(const base::Json& version, Output& output) {
  output.heading("Columns");
  TextTable table({{"COLUMN"},
                   {"TYPE"},
                   {"MEANS"},
                   {"MISSING", Align::kRight},
                   {"DISTINCT", Align::kRight},
                   {"VALUES", Align::kLeft, true}});
  const base::Json& profile = field(version, "profile");
  const auto rows = static_cast<double>(integer_field(version, "row_count").value_or(0));
  const base::Json& columns = array_field(profile, "columns");
  for (const base::Json& column : columns) {
    const auto missing = static_cast<double>(integer_field(column, "missing").value_or(0));
    table.add({text_field(column, "name"), text_field(column, "storage"),
               text_field(column, "semantic"), share_cell(rows > 0 ? missing / rows : 0),
               count_cell(integer_field(column, "distinct").value_or(0)), values_in_short(column)});
  }
  if (columns.empty()) {
    for (const base::Json& column : array_field(version, "schema")) {
      table.add({text_field(column, "name"), text_field(column, "type"), "", "", "", ""});
    }
  }
  output.table(table);
}

std::string joined(const base::Json& array) {
  std::vector<std::string> words;
  for (const base::Json& item : array) {
    words.push_back(item.is_object() ? text_field(item, "name") : shown_value(item));
  }
  return base::join(words, ", ");
}

void print_rows(const base::Json& answer, Output& output) {
  std::vector<TextTable::Column> columns;
  for (const base::Json& column : array_field(answer, "columns")) {
    const std::string type = text_field(column, "type");
    columns.push_back({text_field(column, "name"),
                       type == "integer" || type == "number" ? Align::kRight : Align::kLeft,
                       type == "text"});
  }
  const size_t count = columns.size();
  TextTable table(std::move(columns));
  for (const base::Json& row : array_field(answer, "rows")) {
    std::vector<Cell> cells;
    for (const base::Json& value : row) {
      cells.emplace_back(shown_value(value));
    }
    cells.resize(count, Cell(""));
    table.add(std::move(cells));
  }
  output.table(table);
}

absl::Status show_quarantine(const Invocation& call, Session& session, const VersionPath& dataset) {
  TRY(const base::Json answer,
      session.get(dataset.path + "/quarantine",
                  {{"limit", std::to_string(call.integer("--limit", 20))}}));
  session.output().document(answer);
  TextTable table({{"SOURCE"}, {"LINE", Align::kRight}, {"REASON"}, {"TEXT", Align::kLeft, true}});
  for (const base::Json& row : array_field(answer, "rows")) {
    table.add({text_field(row, "source"), text_field(row, "line"), text_field(row, "reason"),
               text_field(row, "text")});
  }
  session.output().table(table);
  return absl::OkStatus();
}

}  // namespace

absl::Status dataset_add(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  TRY(base::check_name("dataset", name));
  TRY(const Inputs inputs, sort_inputs(call));
  std::string checks;
  if (call.given("--checks")) {
    TRY(checks, read_checks(call.text("--checks")));
  }
  TRY(const base::Json job, start_import(call, session, inputs, checks));
  if (call.switched_on("--detach")) {
    session.output().document(job);
    session.output().line(text_field(job, "id"));
    return absl::OkStatus();
  }
  TRY(const base::Json done, wait_for_job(session, job, {.what = "importing"}));
  const base::Json& result = field(done, "result");
  const std::string version = text_field(result, "version");
  TRY(const base::Json document,
      session.get(fmt::format("/datasets/{}/versions/{}", name,
                              version.empty() ? std::string("latest") : version)));
  Output& output = session.output();
  output.document(done);
  if (bool_field(result, "unchanged")) {
    output.note("nothing new is stored: these rows are the newest version already");
  }
  output.line(fmt::format("{}\t{} rows\t{} columns\t{}", versioned(document, "dataset"),
                          text_field(document, "row_count"), text_field(document, "column_count"),
                          bytes_cell(integer_field(document, "size_bytes").value_or(0)).shown));
  warn_of(document, output);
  output.note(fmt::format(
      "look: cromford dataset show {0}\nnext: cromford train {0} --target COLUMN", name));
  return absl::OkStatus();
}

absl::Status dataset_list(const Invocation& call, Session& session) {
  TRY(const base::Json answer,
      session.list("/datasets", "datasets", list_query(call), list_limit(call)));
  session.output().document(answer);
  TextTable table({{"NAME"},
                   {"VERSION", Align::kRight},
                   {"ROWS", Align::kRight},
                   {"COLUMNS", Align::kRight},
                   {"SIZE", Align::kRight},
                   {"UPDATED"}});
  for (const base::Json& dataset : array_field(answer, "datasets")) {
    table.add({text_field(dataset, "name"), text_field(dataset, "latest_version"),
               count_cell(integer_field(dataset, "row_count").value_or(0)),
               count_cell(integer_field(dataset, "column_count").value_or(0)),
               bytes_cell(integer_field(dataset, "size_bytes").value_or(0)),
               time_cell(text_field(dataset, "updated_at"))});
  }
  session.output().table(table);
  if (table.row_count() == 0) {
    session.output().note("no datasets yet: cromford dataset add NAME FILE");
  }
  return absl::OkStatus();
}

absl::Status dataset_show(const Invocation& call, Session& session) {
  TRY(const VersionPath dataset, version_path("datasets", "dataset", call.positional(0)));
  absl::StatusOr<base::Json> answer = session.get(dataset.path);
  if (!answer.ok()) {
    return with_nearest_name(answer.status(), session, "datasets", dataset.name);
  }
  const base::Json& version = *answer;
  Output& output = session.output();
  output.document(version);
  Facts facts;
  facts.add("dataset", versioned(version, "dataset"));
  facts.add("rows", count_cell(integer_field(version, "row_count").value_or(0)));
  facts.add("columns", count_cell(integer_field(version, "column_count").value_or(0)));
  facts.add("size", bytes_cell(integer_field(version, "size_bytes").value_or(0)));
  facts.add("created", time_cell(text_field(version, "created_at")));
  facts.add("sources", joined(array_field(version, "sources")));
  facts.add("parents", joined(array_field(version, "parents")));
  facts.add("query", text_field(version, "query"));
  facts.add("quarantine",
            count_cell(integer_field(field(version, "quarantine"), "row_count").value_or(0)));
  facts.add("content", text_field(version, "content_hash"));
  output.facts(facts);
  print_columns(version, output);
  print_checks(version, output);
  warn_of(version, output);
  return absl::OkStatus();
}

absl::Status dataset_rows(const Invocation& call, Session& session) {
  TRY(const VersionPath dataset, version_path("datasets", "dataset", call.positional(0)));
  if (call.switched_on("--quarantine")) {
    return show_quarantine(call, session, dataset);
  }
  absl::StatusOr<base::Json> answer =
      session.get(dataset.path + "/rows", {{"limit", std::to_string(call.integer("--limit", 20))},
                                           {"offset", call.text("--offset")},
                                           {"where", call.text("--where")}});
  if (!answer.ok()) {
    return with_nearest_name(answer.status(), session, "datasets", dataset.name);
  }
  session.output().document(*answer);
  print_rows(*answer, session.output());
  return absl::OkStatus();
}

absl::Status dataset_diff(const Invocation& call, Session& session) {
  TRY(const VersionPath from, version_path("datasets", "dataset", call.positional(0)));
  TRY(const VersionPath to, version_path("datasets", "dataset", call.positional(1)));
  if (from.name != to.name) {
    return base::invalid(fmt::format("'{}' and '{}' are different datasets", from.name, to.name),
                         fmt::format("compare two versions of one: {0}@1 {0}@2", from.name));
  }
  absl::StatusOr<base::Json> answer =
      session.get(from.thing + ":diff", {{"from", from.version}, {"to", to.version}});
  if (!answer.ok()) {
    return with_nearest_name(answer.status(), session, "datasets", from.name);
  }
  Output& output = session.output();
  output.document(*answer);
  if (output.for_people()) {
    for (const base::Json& sentence : array_field(*answer, "sentences")) {
      output.line(shown_value(sentence));
    }
    if (array_field(*answer, "sentences").empty()) {
      output.line("nothing worth a word changed");
    }
    output.heading("Columns");
  }
  TextTable table({{"COLUMN"},
                   {"CHANGE"},
                   {"PSI", Align::kRight},
                   {"MISSING FROM", Align::kRight},
                   {"MISSING TO", Align::kRight},
                   {"DISTINCT FROM", Align::kRight},
                   {"DISTINCT TO", Align::kRight}});
  for (const base::Json& column : array_field(*answer, "columns")) {
    const base::Json& missing = field(column, "missing_share");
    const base::Json& distinct = field(column, "distinct");
    table.add({text_field(column, "name"), text_field(column, "level"),
               score_cell(number_field(column, "psi").value_or(0)),
               share_cell(number_field(missing, "from").value_or(0)),
               share_cell(number_field(missing, "to").value_or(0)),
               count_cell(integer_field(distinct, "from").value_or(0)),
               count_cell(integer_field(distinct, "to").value_or(0))});
  }
  output.table(table);
  return absl::OkStatus();
}

absl::Status dataset_export(const Invocation& call, Session& session) {
  TRY(const VersionPath dataset, version_path("datasets", "dataset", call.positional(0)));
  const std::string file = call.positional(1);
  std::string format = call.text("--format");
  if (format.empty() && file == "-") {
    format = "csv";
  } else if (format.empty()) {
    TRY(format, export_format_of(file));
  }
  const absl::StatusOr<int64_t> bytes =
      download(session, dataset.path + "/export",
               {{"format", format}, {"where", call.text("--where")}}, file);
  if (!bytes.ok()) {
    return with_nearest_name(bytes.status(), session, "datasets", dataset.name);
  }
  if (file != "-") {
    session.output().document(base::Json::object({{"file", file}, {"size_bytes", *bytes}}));
    session.output().line(fmt::format("{}\t{}", file, bytes_cell(*bytes).shown));
  }
  return absl::OkStatus();
}

absl::Status dataset_delete(const Invocation& call, Session& session) {
  const std::string name = call.positional(0);
  TRY(base::check_name("dataset", name));
  TRY(session.confirm(fmt::format("delete the dataset '{}' with all its versions?", name)));
  const absl::Status status = session.remove("/datasets/" + name);
  if (!status.ok()) {
    return with_nearest_name(status, session, "datasets", name);
  }
  session.output().document(base::Json::object({{"deleted", name}}));
  session.output().note(fmt::format("deleted dataset {}", name));
  return absl::OkStatus();
}

}  // namespace cromford::cli
