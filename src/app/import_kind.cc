#include "app/import_kind.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/audit.h"
#include "app/dataset_files.h"
#include "app/dataset_version.h"
#include "app/endpoint_log.h"
#include "app/resources.h"
#include "app/uploads.h"
#include "base/name.h"
#include "base/text.h"
#include "flow/check_list.h"
#include "ingest/address_guard.h"
#include "ingest/check.h"
#include "table/engine.h"
#include "table/manifest.h"
#include "table/sandbox.h"

namespace cromford::app {
namespace {

absl::Status check_sources(const Caller& caller, const ImportRequest& request) {
  const int sources = (request.spooled_file.empty() ? 0 : 1) + (request.files.empty() ? 0 : 1) +
                      (request.url.empty() ? 0 : 1);
  if (sources != 1) {
    return base::invalid("an import needs exactly one source: a body, a file or a URL",
                         "send the rows as the body, or name one of source.file and source.url");
  }
  if (!request.files.empty() && !caller.owner) {
    return base::denied("only the owner of this factory may name files of the server's machine",
                        "upload the file instead");
  }
  for (const std::string& file : request.files) {
    if (!std::filesystem::path(file).is_absolute()) {
      return base::invalid(fmt::format("the path '{}' is not absolute", file),
                           "write the whole path from /");
    }
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(file, error);
    if (!std::filesystem::exists(status)) {
      return base::not_found(fmt::format("there is no file {}", file), "check the path");
    }
    if (!std::filesystem::is_regular_file(status)) {
      return base::invalid(
          fmt::format("{} is a {}", file,
                      std::filesystem::is_directory(status) ? "folder" : "device or pipe"),
          "name a file; several may be named one after another, and - reads from a pipe");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<base::Json> all_checks(const ImportRequest& request) {
  base::Json checks = base::Json::array();
  if (!request.checks_json.empty()) {
    TRY(checks, base::parse_json(request.checks_json));
  } else if (!request.checks_text.empty()) {
    TRY(checks, flow::parse_checks_file(request.checks_text));
  }
  if (!checks.is_array()) {
    return base::invalid("checks must be a list of rules",
                         R"(for example [{"column": "id", "not_null": true}])");
  }
  for (const std::string& column : request.key) {
    checks.push_back({{"column", column}, {"not_null", true}, {"on_fail", "reject"}});
  }
  if (!request.key.empty()) {
    checks.push_back({{"columns", request.key}, {"unique", true}, {"on_fail", "reject"}});
  }
  return checks;
}

std::string display_name(const base::Json& payload) {
  return payload.value("source_name", std::string());
}

// The dataset of an endpoint's log has no other rows than the log's.
absl::Status check_not_a_log(const Versioned& newest) {
  TRY(const base::Json body, body_of(newest.document));
  return is_log_version(body)
             ? base::refused(fmt::format("dataset '{}' is the log of endpoint '{}'", newest.name,
                                         body.value("endpoint", std::string())),
                             "import under another name")
             : absl::OkStatus();
}

class ImportKind final : public flow::JobKind {
 public:
  explicit ImportKind(Context& context) : context_(context) {}
  std::string_view name() const override { return "import"; }

  absl::StatusOr<flow::WorkerSpec> prepare(const flow::Job& job,
                                           const std::filesystem::path& work_dir) override;
  absl::StatusOr<std::string> finish(const flow::Job& job, std::string_view worker_result,
                                     const std::filesystem::path& work_dir) override;
  // The signature or token of an address is needed only as long as it may be fetched.
  std::string kept_payload(const flow::Job& job) const override;
  // An append whose parent is no longer the newest version.
  bool runs_again(const absl::Status& finished) const override { return absl::IsAborted(finished); }
  std::string ended(const flow::Job& job, const absl::Status& why,
                    const std::filesystem::path& work_dir) override;

 private:
  // The newest version, or nothing when this import makes the first one.
  absl::StatusOr<std::optional<Versioned>> newest(const std::string& project,
                                                  const std::string& dataset) const;
  absl::StatusOr<VersionBodies> make_version(const table::Manifest& fresh,
                                             const std::string& project, int64_t version) const;
  absl::Status append_to_parent(table::Manifest& manifest, const std::string& project,
                                int64_t parent_version) const;

  Context& context_;
};

absl::StatusOr<std::optional<Versioned>> ImportKind::newest(const std::string& project,
                                                            const std::string& dataset) const {
  const absl::StatusOr<store::Document> thing =
      context_.metadata->get({project, "dataset", dataset});
  if (thing.status().code() == absl::StatusCode::kNotFound) {
    return std::optional<Versioned>();
  }
  TRY(thing);
  TRY(Versioned found, find_version(context_, "dataset", project, dataset, "latest"));
  return std::optional<Versioned>(std::move(found));
}

absl::StatusOr<flow::WorkerSpec> ImportKind::prepare(const flow::Job& job,
                                                     const std::filesystem::path& /*work_dir*/) {
  TRY(const base::Json payload, base::parse_json(job.payload));
  base::Json input = {{"query", payload.at("query")},
                      {"checks", payload.at("checks")},
                      {"url", payload.at("url")},
                      {"format", payload.at("format")},
                      {"dataset", payload.at("dataset")},
                      {"allow_private_urls", context_.options.allow_private_urls},
                      {"memory_bytes", context_.options.limits.job_memory_bytes},
                      {"temporary_bytes_max", context_.options.limits.temporary_bytes},
                      {"inputs", base::Json::array()}};
  const std::string spooled = payload.value("spooled_file", std::string());
  if (!spooled.empty()) {
    input["inputs"].push_back({{"path", spooled}, {"name", display_name(payload)}});
  }
  for (const base::Json& file : payload.at("files")) {
    const std::string path = file.get<std::string>();
    input["inputs"].push_back(
        {{"path", path}, {"name", std::filesystem::path(path).filename().string()}});
  }
  TRY(const std::optional<Versioned> parent,
      newest(job.project, payload.value("dataset", std::string())));
  if (parent.has_value()) {
    TRY(check_not_a_log(*parent));
    if (payload.value("append", false)) {
      TRY(const table::Manifest manifest, read_manifest(context_, *parent));
      TRY(const table::StoredTable stored, stored_table(context_, manifest));
      input["append_to"] = stored_table_json(stored);
      // The rows are checked against this version, so they may be joined to no other.
      input["parent"] = version_name(parent->name, parent->version);
    }
  }
  return flow::WorkerSpec{.input = base::dump_json(input),
                          .memory_limit_bytes = context_.options.limits.job_memory_bytes};
}

absl::Status ImportKind::append_to_parent(table::Manifest& manifest, const std::string& project,
                                          int64_t parent_version) const {
  TRY(const Versioned parent,
      find_version(context_, "dataset", project, manifest.dataset, std::to_string(parent_version)));
  TRY(const table::Manifest earlier, read_manifest(context_, parent));
  TRY(const std::string profile,
      merged_profile(context_, {{earlier.schema, earlier.profile_object},
                                {manifest.schema, manifest.profile_object}}));
  manifest.parts.insert(manifest.parts.begin(), earlier.parts.begin(), earlier.parts.end());
  manifest.parents = {version_name(manifest.dataset, parent_version)};
  manifest.append = true;
  manifest.row_count += earlier.row_count;
  manifest.size_bytes += earlier.size_bytes;
  manifest.content_hash = table::combined_hash(manifest.schema, manifest.parts);
  manifest.profile_object = profile;
  return absl::OkStatus();
}

// An append may only follow the version that its rows were checked against.
absl::Status check_parent(const table::Manifest& manifest, int64_t version) {
  const std::string newest =
      version > 1 ? version_name(manifest.dataset, version - 1) : std::string();
  const std::string parent = manifest.parents.empty() ? std::string() : manifest.parents.front();
  if (parent == newest) {
    return absl::OkStatus();
  }
  return changed_meanwhile(
      fmt::format("dataset '{}' has changed while rows were made ready to be appended to {}",
                  manifest.dataset, parent.empty() ? "nothing" : parent),
      "append them again");
}

absl::StatusOr<VersionBodies> ImportKind::make_version(const table::Manifest& fresh,
                                                       const std::string& project,
                                                       int64_t version) const {
  table::Manifest manifest = fresh;
  if (manifest.append) {
    TRY(check_parent(manifest, version));
  }
  if (manifest.append && version > 1) {
    TRY(append_to_parent(manifest, project, version - 1));
  } else {
    manifest.append = false;
    manifest.parents.clear();
  }
  manifest.version = version;
  manifest.created_at = context_.clock->now();
  TRY(const base::ContentHash object,
      context_.objects->put_bytes(table::format_manifest(manifest)));
  return VersionBodies{.version = version_json(manifest, object.text()),
                       .summary = {{"row_count", manifest.row_count},
                                   {"column_count", manifest.schema.columns.size()},
                                   {"size_bytes", manifest.size_bytes}}};
}

absl::StatusOr<std::string> ImportKind::finish(const flow::Job& job, std::string_view worker_result,
                                               const std::filesystem::path& work_dir) {
  const ActingFor acting(acting_for(job));
  TRY(const base::Json payload, base::parse_json(job.payload));
  const std::string dataset = payload.value("dataset", std::string());
  base::Json answer = {{"dataset", dataset}, {"unchanged", false}};
  TRY(int64_t version, version_made_by(context_, "dataset", job.project, dataset, job.id));
  if (version == 0) {
    TRY(table::Manifest manifest, table::parse_manifest(worker_result));
    manifest.append = payload.value("append", false);
    TRY(const std::optional<Versioned> latest, newest(job.project, dataset));
    if (latest.has_value()) {
      TRY(const base::Json body, body_of(latest->document));
      const bool same = manifest.append
                            ? manifest.row_count == 0
                            : body.value("content_hash", std::string()) == manifest.content_hash;
      if (same && !manifest.append && !verified_table(context_, *latest).ok()) {
        TRY(take_objects(context_, manifest, work_dir));  // Puts the damaged parts back.
      }
      answer["unchanged"] = same;
      version = same ? latest->version : 0;
    }
    if (version == 0) {
      TRY(take_objects(context_, manifest, work_dir));
      TRY(version, commit_version(context_, {.kind = "dataset",
                                             .project = job.project,
                                             .name = dataset,
                                             .made_by = job.id,
                                             .make = [&](int64_t number) {
                                               return make_version(manifest, job.project, number);
                                             }}));
    }
  }
  TRY(const Versioned made,
      find_version(context_, "dataset", job.project, dataset, std::to_string(version)));
  TRY(const base::Json body, body_of(made.document));
  answer["version"] = version;
  answer["row_count"] = body.at("row_count");
  answer["quarantined"] = body.at("quarantine").at("row_count");
  drop_upload(context_, payload.value("spooled_file", std::string()));
  return base::dump_json(answer);
}

std::string ImportKind::kept_payload(const flow::Job& job) const {
  absl::StatusOr<base::Json> payload = base::parse_json(job.payload);
  if (!payload.ok()) {
    return job.payload;
  }
  (*payload)["url"] = shown_url(payload->value("url", std::string()));
  return base::dump_json(*payload);
}

std::string ImportKind::ended(const flow::Job& job, const absl::Status& /*why*/,
                              const std::filesystem::path& /*work_dir*/) {
  const absl::StatusOr<base::Json> payload = base::parse_json(job.payload);
  if (payload.ok()) {
    drop_upload(context_, payload->value("spooled_file", std::string()));
  }
  return {};
}

}  // namespace

const std::vector<std::string>& import_formats() {
  static const std::vector<std::string> formats{"csv", "tsv", "json", "jsonl", "parquet", "arff"};
  return formats;
}

absl::Status check_import_format(std::string_view format) {
  const std::vector<std::string>& formats = import_formats();
  if (format.empty() || std::find(formats.begin(), formats.end(), format) != formats.end()) {
    return absl::OkStatus();
  }
  return base::invalid(fmt::format("'{}' is no format", base::clip_utf8(format, 64)),
                       fmt::format("write one of {}", fmt::join(formats, ", ")));
}

absl::Status check_import(const Caller& caller, const ImportRequest& request) {
  TRY(check_sources(caller, request));
  TRY(check_import_format(request.format));
  if (!request.url.empty()) {
    // Only whether it is an address at all; where it may lead is for the fetch to say, which sees
    // every redirection as well.
    TRY(ingest::check_url(request.url, ingest::AddressPolicy::kAny));
  }
  if (!request.query.empty()) {
    TRY(table::check_query(request.query));
  }
  TRY(const base::Json checks, all_checks(request));
  return base::internal_status::as_status(ingest::parse_checks(checks, "/checks"));
}

std::string shown_url(const std::string& url) {
  return url.substr(0, url.find_first_of("?#"));
}

std::string import_payload(const std::string& dataset, const ImportRequest& request) {
  const absl::StatusOr<base::Json> checks = all_checks(request);
  return base::dump_json({{"dataset", dataset},
                          {"spooled_file", request.spooled_file.string()},
                          {"files", request.files},
                          {"url", request.url},
                          {"source_name", request.source_name},
                          {"format", request.format},
                          {"query", request.query},
                          {"append", request.append},
                          {"checks", checks.ok() ? *checks : base::Json::array()}});
}

std::unique_ptr<flow::JobKind> make_import_kind(Context& context) {
  return std::make_unique<ImportKind>(context);
}

}  // namespace cromford::app
