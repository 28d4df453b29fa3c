#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

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

// The model version that an endpoint's callers get: its champion.
absl::StatusOr<VersionPath> champion_of(Session& session, const std::string& endpoint) {
  const absl::StatusOr<base::Json> document = session.get("/endpoints/" + endpoint);
  if (!document.ok()) {
    return with_nearest_name(document.status(), session, "endpoints", endpoint);
  }
  for (const base::Json& variant : array_field(*document, "variants")) {
    if (text_field(variant, "role") == "champion") {
      return version_path(
          "models", "model",
          fmt::format("{}@{}", text_field(variant, "model"), text_field(variant, "model_version")));
    }
  }
  return base::refused(fmt::format("the endpoint '{}' serves no model yet", endpoint),
                       fmt::format("deploy one: cromford deploy MODEL --endpoint {}", endpoint));
}

absl::StatusOr<VersionPath> scoring_model(const Invocation& call, Session& session) {
  if (call.given("--model") == call.given("--endpoint")) {
    return base::invalid("predict needs either --model or --endpoint",
                         "e.g. cromford predict --model late --input new.csv --output scored.csv");
  }
  if (call.given("--endpoint")) {
    return champion_of(session, call.text("--endpoint"));
  }
  return version_path("models", "model", call.text("--model"));
}

absl::StatusOr<std::string> output_format(const std::string& file) {
  const std::string name = base::lower(file);
  if (name.ends_with(".parquet")) {
    return "parquet";
  }
  if (file == "-" || name.ends_with(".csv")) {
    return "csv";
  }
  return base::invalid(fmt::format("the format of '{}' cannot be told by its name", file),
                       "let --output end in .csv or .parquet");
}

// Predictions that replace the rows they came from are nearly always a slip.
absl::Status check_other_file(const std::string& input, const std::string& output) {
  std::error_code error;
  if (input.empty() || input == "-" || output == "-" ||
      !std::filesystem::equivalent(input, output, error)) {
    return absl::OkStatus();
  }
  return base::invalid(fmt::format("--input and --output are the same file, {}", output),
                       "let --output name another file");
}

absl::StatusOr<base::Json> start(const Invocation& call, Session& session, const VersionPath& model,
                                 const std::string& format) {
  const std::string path = model.path + ":score";
  if (call.given("--dataset")) {
    base::Json body = {{"dataset", call.text("--dataset")}, {"format", format}};
    if (call.given("--where")) {
      body["where"] = call.text("--where");
    }
    if (call.given("--explain")) {
      body["explain"] = call.integer("--explain", 0);
    }
    if (call.given("--unknown")) {
      body["unknown"] = call.text("--unknown");
    }
    return session.post(path, body);
  }
  TRY(Upload upload, open_upload(session, call.text("--input")));
  // JSON as the media type would announce a description of the work instead of rows.
  upload.content_type = "application/octet-stream";
  return send_upload(session, upload,
                     {.path = path,
                      .query = {{"explain", call.text("--explain")},
                                {"format", format},
                                {"source_name", upload.name},
                                {"unknown", call.text("--unknown")}}},
                     "sending");
}

}  // namespace

absl::Status predict(const Invocation& call, Session& session) {
  if (call.given("--input") == call.given("--dataset")) {
    return base::invalid("predict needs either --input FILE or --dataset NAME",
                         "e.g. cromford predict --model late --input new.csv --output scored.csv");
  }
  const std::string file = call.text("--output");
  TRY(const std::string format, output_format(file));
  TRY(check_other_file(call.text("--input"), file));
  TRY(const VersionPath model, scoring_model(call, session));
  const absl::StatusOr<base::Json> started = start(call, session, model, format);
  if (!started.ok()) {
    return with_nearest_name(started.status(), session, "models", model.name);
  }
  TRY(const base::Json job, wait_for_job(session, *started, {.what = "scoring"}));
  TRY(const int64_t bytes,
      download(session, fmt::format("/jobs/{}/file", encoded(text_field(job, "id"))), {}, file));
  Output& output = session.output();
  if (file != "-") {
    output.document(job);
    const int64_t rows = integer_field(field(job, "result"), "row_count").value_or(0);
    output.line(fmt::format("{}\t{} rows\t{}", file, rows, bytes_cell(bytes).shown));
  }
  print_warnings(field(job, "result"), output);
  return absl::OkStatus();
}

}  // namespace cromford::cli
