// The worker's half of an import: fetch, read, check, profile; the files it leaves are named after
// their content, ready to become objects.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/dataset_files.h"
#include "app/worker.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/mapped_file.h"
#include "ingest/check_run.h"
#include "ingest/fetch.h"
#include "table/export.h"
#include "table/import.h"
#include "table/manifest.h"
#include "table/profile_builder.h"

namespace cromford::app {
namespace {

// The engine gets this share of the process's memory; the rest is for the profile and the program.
constexpr double kEngineShare = 0.6;

struct Inputs {
  base::Json request;
  table::ImportOptions options;
  std::optional<table::StoredTable> earlier;
  ingest::CheckList checks;
};

absl::Status fetch_url(Inputs& inputs, flow::WorkerContext& context) {
  const std::string url = inputs.request.value("url", std::string());
  if (url.empty()) {
    return absl::OkStatus();
  }
  ingest::FetchOptions options{.url = url, .output = context.work_dir() / "fetched"};
  options.policy = inputs.request.value("allow_private_urls", false)
                       ? ingest::AddressPolicy::kAny
                       : ingest::AddressPolicy::kPublic;
  options.bytes_max = inputs.request.value("temporary_bytes_max", options.bytes_max);
  options.cancel = context.cancel();
  options.progress = [&context](const ingest::FetchProgress& progress) {
    const double share =
        progress.expected.value_or(0) == 0
            ? 0.0
            : static_cast<double>(progress.received) / static_cast<double>(*progress.expected);
    context.progress("fetching", 0.3 * share,
                     fmt::format(R"({{"received_bytes":{}}})", progress.received));
  };
  TRY(const ingest::FetchResult fetched, ingest::fetch(options));
  context.log(fmt::format("fetched {} from {}", fetched.file_name, fetched.final_url));
  inputs.options.inputs.push_back({.path = options.output,
                                   .display_name = fetched.file_name,
                                   .format = inputs.request.value("format", std::string())});
  return absl::OkStatus();
}

absl::StatusOr<Inputs> read_inputs(std::string_view text, flow::WorkerContext& context) {
  Inputs inputs;
  TRY(inputs.request, base::parse_json(text));
  const base::Json& request = inputs.request;
  TRY(inputs.checks, ingest::parse_checks(request.at("checks"), "/checks"));
  table::ImportOptions& options = inputs.options;
  for (const base::Json& input : request.at("inputs")) {
    options.inputs.push_back({.path = input.value("path", std::string()),
                              .display_name = input.value("name", std::string()),
                              .format = request.value("format", std::string())});
  }
  options.query = request.value("query", std::string());
  options.output_directory = context.work_dir();
  options.memory_limit_bytes = static_cast<uint64_t>(
      kEngineShare * static_cast<double>(request.value("memory_bytes", uint64_t{1} << 30)));
  options.temp_limit_bytes = request.value("temporary_bytes_max", options.temp_limit_bytes);
  options.cancel = context.cancel();
  options.progress = [&context](const table::ImportProgress& progress) {
    context.progress(progress.stage, progress.fraction,
                     fmt::format(R"({{"rows":{}}})", progress.row_count));
  };
  if (request.contains("append_to")) {
    TRY(inputs.earlier, stored_table_from(request.at("append_to")));
    options.append_to = inputs.earlier->schema;
  }
  return inputs;
}

// Renames a file to its content hash, and gives the hash.
absl::StatusOr<std::string> name_by_content(const std::filesystem::path& file,
                                            const std::filesystem::path& folder) {
  TRY(const base::MappedFile mapped, base::MappedFile::open(file));
  std::string hash = base::content_hash(mapped.bytes()).text();
  TRY(base::system_files().rename(file, folder / hash));
  return hash;
}

// Checks the rows before they are profiled, so that those set aside are no part of the profile.
absl::StatusOr<table::ScreenedRows> apply_checks(const Inputs& inputs,
                                                 const table::ScreenedRows& rows,
                                                 ingest::CheckOutcome& outcome) {
  TRY(outcome,
      ingest::run_checks(inputs.checks,
                         {.input = rows.rows,
                          .earlier = inputs.earlier,
                          .work = inputs.options.output_directory,
                          .engine = {.memory_limit_bytes = inputs.options.memory_limit_bytes,
                                     .temp_directory = inputs.options.output_directory / "spill",
                                     .temp_limit_bytes = inputs.options.temp_limit_bytes},
                          .cancel = inputs.options.cancel}));
  return table::ScreenedRows{.rows = outcome.rows, .row_count = outcome.row_count};
}

absl::StatusOr<std::string> quarantine_object(const Inputs& inputs,
                                              const table::ImportResult& imported,
                                              const ingest::CheckOutcome& checked) {
  std::vector<std::filesystem::path> files;
  for (const auto& file : {imported.quarantine_path, checked.quarantine_path}) {
    if (file.has_value()) {
      files.push_back(*file);
    }
  }
  if (files.empty()) {
    return std::string();
  }
  const std::filesystem::path& folder = inputs.options.output_directory;
  if (files.size() == 2) {
    // Both have the columns of table/import.h, so together they are one stored table.
    const table::StoredTable both{.schema = {{{"line", table::ColumnType::kInteger},
                                              {"source", table::ColumnType::kText},
                                              {"text", table::ColumnType::kText},
                                              {"reason", table::ColumnType::kText}}},
                                  .parts = files};
    const std::filesystem::path joined = folder / "quarantine_of_both.parquet";
    TRY(const auto engine, table::Engine::create({}));
    TRY(table::export_table(*engine, both,
                            {.output = joined, .format = table::ExportFormat::kParquet}));
    files[0] = joined;
  }
  return name_by_content(files[0], folder);
}

std::string described(const table::ImportedSource& source) {
  std::string text = fmt::format("read {}: {}", source.name, source.format);
  for (const std::string& part : {source.compression, source.encoding}) {
    text += part.empty() ? "" : ", " + part;
  }
  if (!source.delimiter.empty()) {
    text += fmt::format(", columns between '{}', {}", source.delimiter,
                        source.header ? "names in the first row" : "no names");
  }
  if (source.row_count > 0) {  // Of formats that are read line by line.
    text +=
        fmt::format("; {} rows, {} of them in quarantine", base::with_thousands(source.row_count),
                    base::with_thousands(source.quarantined_count));
  }
  return text;
}

// What was done, for the job's log.
void tell(const table::Manifest& manifest, flow::WorkerContext& context) {
  for (const table::ImportedSource& source : manifest.sources) {
    context.log(described(source));
    for (const table::ImportedSource::Note& note : source.notes) {
      context.log(fmt::format("{}{}{}", note.warning ? "warning: " : "",
                              note.column.empty() ? "" : note.column + ": ", note.text));
    }
  }
  for (const table::CheckResult& check : manifest.checks) {
    context.log(fmt::format("check {} on {}: {} rows fail, on_fail {}", check.check, check.column,
                            base::with_thousands(check.failed_rows), check.on_fail));
  }
  for (const table::ManifestPart& part : manifest.parts) {
    context.log(fmt::format("wrote {} rows, {} as {}", base::with_thousands(part.row_count),
                            base::format_size(part.size_bytes), part.object));
  }
  context.log(fmt::format("{} rows of {} columns, {} in quarantine",
                          base::with_thousands(manifest.row_count), manifest.schema.columns.size(),
                          base::with_thousands(manifest.quarantined_count)));
}

}  // namespace

absl::StatusOr<std::string> import_rows(std::string_view input, flow::WorkerContext& context) {
  TRY(Inputs inputs, read_inputs(input, context));
  TRY(fetch_url(inputs, context));
  table::ProfileCollector collector;
  inputs.options.on_schema = [&collector](const table::Schema& schema) { collector.start(schema); };
  inputs.options.make_visitor = collector.factory();
  inputs.options.sink = collector.sink();
  ingest::CheckOutcome checked;
  if (!inputs.checks.empty()) {
    inputs.options.screen = [&](const table::ScreenedRows& rows) {
      return apply_checks(inputs, rows, checked);
    };
  }
  TRY(const table::ImportResult imported, table::import_files(inputs.options));

  const std::filesystem::path& folder = context.work_dir();
  table::Manifest manifest{.dataset = inputs.request.value("dataset", std::string()),
                           .version = 1,
                           .schema = imported.schema};
  if (const std::string parent = inputs.request.value("parent", std::string()); !parent.empty()) {
    manifest.parents = {parent};
  }
  for (const table::ImportedPart& part : imported.parts) {
    TRY(std::string object, name_by_content(part.path, folder));
    manifest.parts.push_back({.object = std::move(object),
                              .row_count = part.row_count,
                              .size_bytes = part.size_bytes,
                              .content_hash = part.content_hash});
    manifest.row_count += part.row_count;
    manifest.size_bytes += part.size_bytes;
  }
  TRY(manifest.quarantine_object, quarantine_object(inputs, imported, checked));
  manifest.quarantined_count = imported.quarantined_count + checked.quarantined_count;
  const std::filesystem::path profile = folder / "profile.json";
  TRY(base::write_atomically(base::system_files(), profile,
                             base::dump_json(table::to_json(collector.builder().finish()))));
  TRY(manifest.profile_object, name_by_content(profile, folder));
  manifest.content_hash = table::combined_hash(manifest.schema, manifest.parts);
  manifest.query = inputs.options.query;
  manifest.sources = imported.sources;
  manifest.checks = checked.verdict.results;
  TRY(manifest.engine, table::engine_version());
  tell(manifest, context);
  return table::format_manifest(manifest);
}

}  // namespace cromford::app
