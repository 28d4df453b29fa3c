#include "app/dataset_version.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "app/dataset_files.h"
#include "table/profile.h"
#include "table/profile_builder.h"

namespace cromford::app {
namespace {

base::Json check_json(const table::CheckResult& check) {
  return {{"check", check.check},
          {"column", check.column},
          {"on_fail", check.on_fail},
          {"failed_rows", check.failed_rows},
          {"passed", check.passed}};
}

absl::StatusOr<table::ProfileBuilder> builder_of(const Context& context, const ProfiledRows& rows) {
  TRY(const base::ContentHash hash, base::parse_content_hash(rows.profile_object));
  TRY(const base::MappedFile file, context.objects->open(hash));
  TRY(const base::Json json, base::parse_json(file.text()));
  TRY(const table::Profile profile, table::profile_from_json(json));
  return table::ProfileBuilder::resume(rows.schema, profile);
}

}  // namespace

absl::Status take_objects(const Context& context, const table::Manifest& manifest,
                          const std::filesystem::path& work_dir) {
  std::vector<std::string> objects;
  objects.reserve(manifest.parts.size() + 2);
  for (const table::ManifestPart& part : manifest.parts) {
    objects.push_back(part.object);
  }
  objects.push_back(manifest.profile_object);
  objects.push_back(manifest.quarantine_object);
  for (const std::string& object : objects) {
    const std::filesystem::path file = work_dir / object;
    if (object.empty()) {
      continue;
    }
    if (!context.files->exists(file)) {
      // Taken over before a crash, or gone.
      TRY(const base::ContentHash expected, base::parse_content_hash(object));
      TRY(const bool stored, context.objects->contains(expected));
      if (!stored) {
        return base::damaged(fmt::format("the part {} of the import is missing", object),
                             "import the rows once more");
      }
      continue;
    }
    TRY(const base::ContentHash hash, context.objects->put_file(file, store::Take::kMove));
    if (hash.text() != object) {
      return base::damaged(fmt::format("object {} changed while it was stored", object));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> merged_profile(const Context& context,
                                           const std::vector<ProfiledRows>& rows) {
  TRY(table::ProfileBuilder all, builder_of(context, rows.at(0)));
  for (size_t i = 1; i < rows.size(); ++i) {
    TRY(const table::ProfileBuilder later, builder_of(context, rows[i]));
    TRY(all.merge(later));
  }
  TRY(const base::ContentHash object,
      context.objects->put_bytes(base::dump_json(table::to_json(all.finish()))));
  return object.text();
}

base::Json version_json(const table::Manifest& manifest, const std::string& manifest_object) {
  base::Json checks = base::Json::array();
  for (const table::CheckResult& check : manifest.checks) {
    checks.push_back(check_json(check));
  }
  base::Json sources = base::Json::array();
  for (const table::ImportedSource& source : manifest.sources) {
    base::Json notes = base::Json::array();
    for (const table::ImportedSource::Note& note : source.notes) {
      notes.push_back({{"column", note.column}, {"text", note.text}, {"warning", note.warning}});
    }
    sources.push_back({{"name", source.name},
                       {"bytes", source.size_bytes},
                       {"hash", source.hash},
                       {"format", source.format},
                       {"encoding", source.encoding},
                       {"delimiter", source.delimiter},
                       {"notes", std::move(notes)}});
  }
  base::Json objects = {manifest_object, manifest.profile_object};
  for (const table::ManifestPart& part : manifest.parts) {
    objects.push_back(part.object);
  }
  if (!manifest.quarantine_object.empty()) {
    objects.push_back(manifest.quarantine_object);
  }
  return {{"row_count", manifest.row_count},
          {"column_count", manifest.schema.columns.size()},
          {"size_bytes", manifest.size_bytes},
          {"content_hash", manifest.content_hash},
          {"schema", schema_json(manifest.schema)},
          {"checks", std::move(checks)},
          {"quarantine", {{"row_count", manifest.quarantined_count}}},
          {"parents", manifest.parents},
          {"sources", std::move(sources)},
          {"query", manifest.query},
          {"append", manifest.append},
          {"internal", {{"manifest", manifest_object}, {"objects", std::move(objects)}}}};
}

}  // namespace cromford::app
