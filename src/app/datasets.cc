// Datasets and their versions: listing, looking, comparing, writing out, deleting. New versions are
// made by jobs (import_kind.h).

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/dataset_files.h"
#include "app/deletion.h"
#include "app/factory.h"
#include "app/import_kind.h"
#include "app/resources.h"
#include "app/uploads.h"
#include "base/limits.h"
#include "base/name.h"
#include "table/diff.h"
#include "table/export.h"
#include "table/import.h"
#include "table/profile.h"

namespace cromford::app {
namespace {

constexpr std::chrono::seconds kRowsTimeMax{30};
constexpr std::chrono::minutes kExportTimeMax{30};

absl::StatusOr<table::Profile> read_profile(const Context& context,
                                            const table::Manifest& manifest) {
  TRY(const base::ContentHash hash, base::parse_content_hash(manifest.profile_object));
  TRY(const base::MappedFile file, context.objects->open(hash));
  TRY(const base::Json document, base::parse_json(file.text()));
  return table::profile_from_json(document);
}

// The models that were trained on the dataset, for a refusal to delete it.
absl::StatusOr<std::vector<std::string>> models_on(const Context& context,
                                                   const std::string& project,
                                                   const std::string& dataset) {
  TRY(const store::DocumentPage page,
      context.metadata->list({.project = project,
                              .kind = "model_version",
                              .filter = fmt::format("lineage.dataset = \"{}\"", dataset),
                              .page_size = 10}));
  std::vector<std::string> names;
  names.reserve(page.documents.size());
  for (const store::Document& document : page.documents) {
    names.push_back(document.key.name);
  }
  return names;
}

}  // namespace

absl::StatusOr<base::Json> Factory::list_datasets(const std::string& project,
                                                  const ListRequest& request) {
  return list_resources(*context_->metadata, project,
                        {.kind = "dataset", .field = "datasets", .order_by = "name"}, request);
}

absl::StatusOr<base::Json> Factory::dataset(const std::string& project, const std::string& name) {
  TRY(find_version(*context_, "dataset", project, name, "latest"));
  TRY(const store::Document document, context_->metadata->get({project, "dataset", name}));
  return resource_of(document);
}

absl::StatusOr<base::Json> Factory::list_dataset_versions(const std::string& project,
                                                          const std::string& name,
                                                          const ListRequest& request) {
  TRY(find_version(*context_, "dataset", project, name, "latest"));
  return list_resources(*context_->metadata, project,
                        {.kind = "dataset_version",
                         .field = "versions",
                         .name_prefix = name + "@",
                         .order_by = "version desc"},
                        request);
}

absl::StatusOr<base::Json> Factory::dataset_version(const std::string& project,
                                                    const std::string& name,
                                                    const std::string& version) {
  TRY(const Versioned found, find_version(*context_, "dataset", project, name, version));
  TRY(base::Json resource, resource_of(found.document));
  TRY(const table::Manifest manifest, read_manifest(*context_, found));
  TRY(const table::Profile profile, read_profile(*context_, manifest));
  resource["profile"] = table::to_json(profile, table::ProfileDetail::kWithoutState);
  return resource;
}

absl::Status Factory::delete_dataset(const std::string& project, const std::string& name) {
  TRY(find_version(*context_, "dataset", project, name, "latest"));
  TRY(const std::vector<std::string> models, models_on(*context_, project, name));
  if (!models.empty()) {
    return base::refused(
        fmt::format("dataset '{}' cannot be deleted: {} model versions were trained on it, {} "
                    "among them",
                    name, models.size(), models.front()),
        "delete these models first; their lineage would lead nowhere");
  }
  return delete_with_versions(*context_, "dataset", project, name);
}

absl::StatusOr<base::Json> Factory::start_import(const Caller& caller, const std::string& project,
                                                 const std::string& name, ImportRequest request) {
  TRY(base::check_name("project", project));
  TRY(base::check_name("dataset", name));
  TRY(check_import(caller, request));
  const std::string what = !request.url.empty()           ? shown_url(request.url)
                           : !request.files.empty()       ? request.files.front()
                           : !request.source_name.empty() ? request.source_name
                                                          : "upload";
  const std::string id = context_->ids->next();
  if (!request.spooled_file.empty()) {
    TRY(request.spooled_file, keep_upload(*context_, request.spooled_file, id));
  }
  absl::StatusOr<base::Json> job =
      submit({.project = project,
              .kind = "import",
              .title = fmt::format("{} {} into {}", request.append ? "append" : "import",
                                   std::filesystem::path(what).filename().string(), name),
              .payload = import_payload(name, request),
              .request_id = caller.request_id,
              .id = id});
  if (!job.ok()) {
    drop_upload(*context_, request.spooled_file);
  }
  return job;
}

absl::StatusOr<base::Json> Factory::dataset_rows(const std::string& project,
                                                 const std::string& name,
                                                 const std::string& version,
                                                 const RowsRequest& request) {
  if (request.limit < 0 || request.limit > limits().preview_rows || request.offset < 0) {
    return base::invalid(
        fmt::format("limit {} or offset {} is out of range", request.limit, request.offset),
        fmt::format("limit goes from 0 to {}; use export for more", limits().preview_rows));
  }
  TRY(const Versioned found, find_version(*context_, "dataset", project, name, version));
  TRY(const table::StoredTable stored, stored_table(*context_, found));
  if (!request.where.empty()) {
    return queries_.run(
        {{"table", stored_table_json(stored)},
         {"rows",
          {{"where", request.where}, {"offset", request.offset}, {"limit", request.limit}}}},
        kRowsTimeMax);
  }
  TRY(table::Engine * engine, query_engine());
  TRY(const table::Table rows,
      table::read_table(*engine, stored, {.offset = request.offset, .limit = request.limit}));
  return rows_json(stored.schema, rows);
}

absl::StatusOr<base::Json> Factory::dataset_quarantine(const std::string& project,
                                                       const std::string& name,
                                                       const std::string& version, int64_t limit) {
  TRY(const Versioned found, find_version(*context_, "dataset", project, name, version));
  TRY(const table::Manifest manifest, read_manifest(*context_, found));
  base::Json answer = {{"rows", base::Json::array()}, {"row_count", manifest.quarantined_count}};
  if (manifest.quarantine_object.empty()) {
    return answer;
  }
  TRY(const base::ContentHash hash, base::parse_content_hash(manifest.quarantine_object));
  TRY(const std::filesystem::path path, context_->objects->path_of(hash));
  TRY(table::Engine * engine, query_engine());
  TRY(const std::vector<table::QuarantinedRow> rows, table::read_quarantine(*engine, path, limit));
  for (const table::QuarantinedRow& row : rows) {
    answer["rows"].push_back(
        {{"line", row.line}, {"source", row.source}, {"text", row.text}, {"reason", row.reason}});
  }
  return answer;
}

absl::StatusOr<Download> Factory::export_rows(const table::StoredTable& stored,
                                              table::ExportFormat format, const std::string& where,
                                              const std::string& file_name) {
  Download download{.path = new_temporary_file(),
                    .content_type = format == table::ExportFormat::kCsv ? "text/csv; charset=utf-8"
                                    : format == table::ExportFormat::kJsonLines
                                        ? "application/jsonl"
                                        : "application/vnd.apache.parquet",
                    .file_name = file_name,
                    .temporary = true};
  const absl::StatusOr<base::Json> written =
      queries_.run({{"table", stored_table_json(stored)},
                    {"export",
                     {{"path", download.path.string()},
                      {"format", table::export_format_word(format)},
                      {"where", where}}}},
                   kExportTimeMax);
  if (!written.ok()) {
    (void)context_->files->remove(download.path);  // What a cut-off export left.
    return written.status();
  }
  return download;
}

absl::StatusOr<Download> Factory::export_dataset(const std::string& project,
                                                 const std::string& name,
                                                 const std::string& version,
                                                 const std::string& format,
                                                 const std::string& where) {
  TRY(const table::ExportFormat parsed, table::parse_export_format(format));
  TRY(const Versioned found, find_version(*context_, "dataset", project, name, version));
  TRY(const table::StoredTable stored, verified_table(*context_, found));
  return export_rows(stored, parsed, where, fmt::format("{}@{}.{}", name, found.version, format));
}

absl::StatusOr<base::Json> Factory::diff_dataset(const std::string& project,
                                                 const std::string& name, const std::string& from,
                                                 const std::string& to) {
  TRY(const Versioned first, find_version(*context_, "dataset", project, name, from));
  TRY(const Versioned second, find_version(*context_, "dataset", project, name, to));
  TRY(const table::Manifest from_manifest, read_manifest(*context_, first));
  TRY(const table::Manifest to_manifest, read_manifest(*context_, second));
  TRY(const table::Profile from_profile, read_profile(*context_, from_manifest));
  TRY(const table::Profile to_profile, read_profile(*context_, to_manifest));
  TRY(const table::VersionDiff diff, table::diff_versions(from_profile, to_profile));
  base::Json answer = table::to_json(diff);
  answer["from"] = version_name(name, first.version);
  answer["to"] = version_name(name, second.version);
  return answer;
}

}  // namespace cromford::app
