// The worker's half of an import: fetch, read, check, profile; the files it leaves are named after
// their content, ready to become objects.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/dataset_files.h"
#include "app/worker.h"
#include "base/hash.h"
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

// The rows after the checks, with profile and content hash of what is kept.
struct Kept {
  std::vector<table::ImportedPart> parts;
  table::Profile profile;
  std::vector<table::CheckResult> checks;
  std::optional<std::filesystem::path> set_aside;
  int64_t set_aside_count = 0;
};

absl::StatusOr<Kept> profile_again(const Inputs& inputs, const ingest::CheckOutcome& outcome) {
  Kept kept;
  TRY(const auto engine,
      table::Engine::create({.memory_limit_bytes = inputs.options.memory_limit_bytes,
                             .temp_directory = inputs.options.output_directory / "spill",
                             .temp_limit_bytes = inputs.options.temp_limit_bytes}));
  table::ProfileCollector collector;
  collector.start(outcome.rows.schema);
  TRY(table::for_each_block(*engine, outcome.rows, collector.factory(), collector.sink(),
                            inputs.options.cancel));
  kept.profile = collector.builder().finish();
  TRY(const std::string hash, table::content_hash_of(*engine, outcome.rows, inputs.options.cancel));
  for (const std::filesystem::path& part : outcome.rows.parts) {
    TRY(const uint64_t size, base::system_files().size(part));
    kept.parts.push_back(
        {.path = part, .row_count = outcome.row_count, .size_bytes = size, .content_hash = hash});
  }
  return kept;
}

absl::StatusOr<Kept> apply_checks(const Inputs& inputs, const table::ImportResult& imported,
                                  table::Profile profile, flow::WorkerContext& context) {
  Kept kept{.parts = imported.parts, .profile = std::move(profile)};
  if (inputs.checks.empty()) {
    return kept;
  }
  context.progress("checking", 0.9, "");
  ingest::CheckRun run{.input = {.schema = imported.schema, .parts = {}},
                       .earlier = inputs.earlier,
                       .work = inputs.options.output_directory,
                       .engine = {.memory_limit_bytes = inputs.options.memory_limit_bytes,
                                  .temp_directory = inputs.options.output_directory / "spill",
                                  .temp_limit_bytes = inputs.options.temp_limit_bytes},
                       .cancel = inputs.options.cancel};
  for (const table::ImportedPart& part : imported.parts) {
    run.input.parts.push_back(part.path);
  }
  TRY(ingest::CheckOutcome outcome, ingest::run_checks(inputs.checks, run));
  if (outcome.quarantined_count > 0) {
    TRY(kept, profile_again(inputs, outcome));
  }
  kept.checks = std::move(outcome.verdict.results);
  kept.set_aside = std::move(outcome.quarantine_path);
  kept.set_aside_count = outcome.quarantined_count;
  return kept;
}

absl::StatusOr<std::string> quarantine_object(const Inputs& inputs,
                                              const table::ImportResult& imported,
                                              const Kept& kept) {
  std::vector<std::filesystem::path> files;
  for (const auto& file : {imported.quarantine_path, kept.set_aside}) {
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

}  // namespace

absl::StatusOr<std::string> import_rows(std::string_view input, flow::WorkerContext& context) {
  TRY(Inputs inputs, read_inputs(input, context));
  TRY(fetch_url(inputs, context));
  table::ProfileCollector collector;
  inputs.options.on_schema = [&collector](const table::Schema& schema) { collector.start(schema); };
  inputs.options.make_visitor = collector.factory();
  inputs.options.sink = collector.sink();
  TRY(const table::ImportResult imported, table::import_files(inputs.options));
  TRY(const Kept kept, apply_checks(inputs, imported, collector.builder().finish(), context));

  const std::filesystem::path& folder = context.work_dir();
  table::Manifest manifest{.dataset = inputs.request.value("dataset", std::string()),
                           .version = 1,
                           .schema = imported.schema};
  for (const table::ImportedPart& part : kept.parts) {
    TRY(std::string object, name_by_content(part.path, folder));
    manifest.parts.push_back({.object = std::move(object),
                              .row_count = part.row_count,
                              .size_bytes = part.size_bytes,
                              .content_hash = part.content_hash});
    manifest.row_count += part.row_count;
    manifest.size_bytes += part.size_bytes;
  }
  TRY(manifest.quarantine_object, quarantine_object(inputs, imported, kept));
  manifest.quarantined_count = imported.quarantined_count + kept.set_aside_count;
  const std::filesystem::path profile = folder / "profile.json";
  TRY(base::write_atomically(base::system_files(), profile,
                             base::dump_json(table::to_json(kept.profile))));
  TRY(manifest.profile_object, name_by_content(profile, folder));
  manifest.content_hash = table::combined_hash(manifest.schema, manifest.parts);
  manifest.query = inputs.options.query;
  manifest.sources = imported.sources;
  manifest.checks = kept.checks;
  TRY(manifest.engine, table::engine_version());
  return table::format_manifest(manifest);
}

}  // namespace cromford::app
