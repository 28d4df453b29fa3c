#include "table/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/name.h"
#include "base/status.h"
#include "base/text.h"
#include "table/content_hash.h"

namespace cromford::table {
namespace {

using base::Json;

absl::Status bad(const std::string& pointer, std::string_view what) {
  return base::damaged(
      fmt::format("the manifest is damaged: {} {}", pointer.empty() ? "/" : pointer, what),
      "restore the home from a copy, or import the data again");
}

// Reads the members of one object; remembers the first fault, so that the code that reads stays a
// plain list of members.
class Reader {
 public:
  Reader(const Json& object, std::string pointer, std::initializer_list<const char*> members)
      : object_(object), pointer_(std::move(pointer)) {
    if (!object.is_object()) {
      fail("", "is not an object");
      return;
    }
    for (const auto& [key, value] : object.items()) {
      const bool known = std::any_of(members.begin(), members.end(),
                                     [&key](const char* member) { return key == member; });
      if (!known) {
        fail(key, "is unknown");
      }
    }
  }

  const absl::Status& status() const { return status_; }
  std::string pointer_to(std::string_view key) const { return fmt::format("{}/{}", pointer_, key); }

  void text(const char* key, std::string& out, bool may_be_empty = true) {
    const Json* value = find(key);
    if (value == nullptr) {
      return;
    }
    if (!value->is_string()) {
      fail(key, "is not a text");
      return;
    }
    out = value->get<std::string>();
    if (out.empty() && !may_be_empty) {
      fail(key, "is empty");
    }
  }

  void flag(const char* key, bool& out) {
    const Json* value = find(key);
    if (value != nullptr && !value->is_boolean()) {
      fail(key, "is neither true nor false");
    } else if (value != nullptr) {
      out = value->get<bool>();
    }
  }

  // A whole number from 0 to 2^53, beyond which other readers of JSON lose digits.
  template <typename T>
  void count(const char* key, T& out) {
    constexpr int64_t kMax = int64_t{1} << 53;
    const Json* value = find(key);
    if (value == nullptr) {
      return;
    }
    const bool fits = value->is_number_unsigned() && value->get<uint64_t>() <= uint64_t{kMax};
    if (!fits) {
      fail(key, "is not a count");
      return;
    }
    out = static_cast<T>(value->get<uint64_t>());
  }

  void hash(const char* key, std::string& out, bool may_be_empty = false) {
    text(key, out, may_be_empty);
    if (status_.ok() && !out.empty() && !base::parse_content_hash(out).ok()) {
      fail(key, "is not a content hash");
    }
  }

  // The elements of an array; empty after a fault.
  const Json& array(const char* key) {
    static const Json empty = Json::array();
    const Json* value = find(key);
    if (value != nullptr && !value->is_array()) {
      fail(key, "is not an array");
      return empty;
    }
    return value == nullptr ? empty : *value;
  }

  void fail(std::string_view key, std::string_view what) {
    if (status_.ok()) {
      status_ = bad(key.empty() ? pointer_ : pointer_to(key), what);
    }
  }

 private:
  const Json* find(const char* key) {
    if (!status_.ok()) {
      return nullptr;
    }
    const auto found = object_.find(key);
    if (found == object_.end()) {
      fail(key, "is absent");
      return nullptr;
    }
    return &*found;
  }

  const Json& object_;
  std::string pointer_;
  absl::Status status_;
};

// Reads each element of the array `key` with `read(element, pointer) -> StatusOr<T>`.
template <typename T, typename Read>
absl::Status read_array(Reader& reader, const char* key, std::vector<T>& out, Read&& read) {
  const Json& array = reader.array(key);
  TRY(reader.status());
  for (size_t i = 0; i < array.size(); ++i) {
    TRY(out.emplace_back(), read(array[i], fmt::format("{}/{}", reader.pointer_to(key), i)));
  }
  return absl::OkStatus();
}

absl::StatusOr<ColumnSchema> read_column(const Json& json, const std::string& pointer) {
  ColumnSchema column;
  std::string type;
  Reader reader(json, pointer, {"name", "type"});
  reader.text("name", column.name, /*may_be_empty=*/false);
  reader.text("type", type);
  TRY(reader.status());
  const auto parsed = parse_column_type(type);
  if (!parsed) {
    return bad(pointer + "/type", "is not a column type");
  }
  column.type = *parsed;
  return column;
}

absl::StatusOr<ManifestPart> read_part(const Json& json, const std::string& pointer) {
  ManifestPart part;
  Reader reader(json, pointer, {"object", "row_count", "size_bytes", "content_hash"});
  reader.hash("object", part.object);
  reader.count("row_count", part.row_count);
  reader.count("size_bytes", part.size_bytes);
  reader.hash("content_hash", part.content_hash);
  TRY(reader.status());
  return part;
}

absl::StatusOr<ImportedSource::Note> read_note(const Json& json, const std::string& pointer) {
  ImportedSource::Note note;
  Reader reader(json, pointer, {"column", "text", "warning"});
  reader.text("column", note.column);
  reader.text("text", note.text);
  if (json.is_object() && json.contains("warning")) {
    reader.flag("warning", note.warning);
  }
  TRY(reader.status());
  return note;
}

absl::StatusOr<ImportedSource> read_source(const Json& json, const std::string& pointer) {
  ImportedSource source;
  Reader reader(json, pointer,
                {"name", "size_bytes", "hash", "format", "compression", "encoding", "delimiter",
                 "quote", "header", "row_count", "quarantined_count", "notes"});
  reader.text("name", source.name);
  reader.count("size_bytes", source.size_bytes);
  reader.hash("hash", source.hash, /*may_be_empty=*/true);
  reader.text("format", source.format);
  reader.text("compression", source.compression);
  reader.text("encoding", source.encoding);
  reader.text("delimiter", source.delimiter);
  reader.text("quote", source.quote);
  reader.flag("header", source.header);
  reader.count("row_count", source.row_count);
  reader.count("quarantined_count", source.quarantined_count);
  TRY(reader.status());
  TRY(read_array(reader, "notes", source.notes, read_note));
  return source;
}

absl::StatusOr<CheckResult> read_check(const Json& json, const std::string& pointer) {
  CheckResult check;
  Reader reader(json, pointer, {"check", "column", "on_fail", "failed_rows", "passed"});
  reader.text("check", check.check);
  reader.text("column", check.column);
  reader.text("on_fail", check.on_fail);
  reader.count("failed_rows", check.failed_rows);
  reader.flag("passed", check.passed);
  TRY(reader.status());
  if (check.on_fail != "warn" && check.on_fail != "quarantine" && check.on_fail != "reject") {
    return bad(pointer + "/on_fail", "is none of warn, quarantine, reject");
  }
  return check;
}

absl::StatusOr<std::string> read_parent(const Json& json, const std::string& pointer) {
  if (!json.is_string() || !base::parse_versioned_name("parent", json.get<std::string>()).ok()) {
    return bad(pointer, "is not the name of a version");
  }
  return json.get<std::string>();
}

// What must agree among the members.
absl::Status check_whole(const Manifest& manifest) {
  std::vector<std::string> names;
  for (const ColumnSchema& column : manifest.schema.columns) {
    names.push_back(base::lower(column.name));
  }
  std::sort(names.begin(), names.end());
  if (names.empty() || std::adjacent_find(names.begin(), names.end()) != names.end()) {
    return bad("/schema", "names no column, or one twice");
  }
  int64_t rows = 0;
  uint64_t bytes = 0;
  for (const ManifestPart& part : manifest.parts) {
    if (part.row_count == 0) {
      return bad("/parts", "has a part without rows");
    }
    rows += part.row_count;
    bytes += part.size_bytes;
  }
  if (rows != manifest.row_count || bytes != manifest.size_bytes) {
    return bad("/parts", "do not add up to row_count and size_bytes");
  }
  if (combined_hash(manifest.schema, manifest.parts) != manifest.content_hash) {
    return bad("/content_hash", "is not that of the schema and the parts");
  }
  if (!base::check_name("dataset", manifest.dataset).ok()) {
    return bad("/dataset", "is not a name");
  }
  return absl::OkStatus();
}

Json source_json(const ImportedSource& source) {
  Json notes = Json::array();
  for (const ImportedSource::Note& note : source.notes) {
    notes.push_back({{"column", note.column}, {"text", note.text}});
    if (note.warning) {
      notes.back()["warning"] = true;
    }
  }
  return {{"name", source.name},
          {"size_bytes", source.size_bytes},
          {"hash", source.hash},
          {"format", source.format},
          {"compression", source.compression},
          {"encoding", source.encoding},
          {"delimiter", source.delimiter},
          {"quote", source.quote},
          {"header", source.header},
          {"row_count", static_cast<uint64_t>(source.row_count)},
          {"quarantined_count", static_cast<uint64_t>(source.quarantined_count)},
          {"notes", std::move(notes)}};
}

}  // namespace

absl::StatusOr<Manifest> parse_manifest(std::string_view text) {
  auto parsed = base::parse_json(text);
  if (!parsed.ok()) {
    return bad("", fmt::format("is not JSON: {}", base::message(parsed.status())));
  }
  Manifest manifest;
  int64_t format = 0;
  std::string created_at;
  Reader reader(*parsed, "",
                {"format", "dataset", "version", "created_at", "schema", "row_count", "size_bytes",
                 "content_hash", "parts", "parents", "append", "query", "sources", "checks",
                 "quarantined_count", "quarantine_object", "profile_object", "engine"});
  if (parsed->is_object() && parsed->contains("format") &&
      (*parsed)["format"].is_number_unsigned() &&
      (*parsed)["format"].get<uint64_t>() > uint64_t{kManifestFormat}) {
    return base::damaged(fmt::format("the manifest has the format {}; this program knows up to {}",
                                     (*parsed)["format"].get<uint64_t>(), kManifestFormat),
                         "use the version of cromford that wrote it, or a newer one");
  }
  reader.count("format", format);
  reader.text("dataset", manifest.dataset);
  reader.count("version", manifest.version);
  reader.text("created_at", created_at);
  reader.count("row_count", manifest.row_count);
  reader.count("size_bytes", manifest.size_bytes);
  reader.hash("content_hash", manifest.content_hash);
  reader.flag("append", manifest.append);
  reader.text("query", manifest.query);
  reader.count("quarantined_count", manifest.quarantined_count);
  reader.hash("quarantine_object", manifest.quarantine_object, /*may_be_empty=*/true);
  reader.hash("profile_object", manifest.profile_object, /*may_be_empty=*/true);
  reader.text("engine", manifest.engine);
  TRY(reader.status());
  if (format != kManifestFormat || manifest.version < 1) {
    return bad(format != kManifestFormat ? "/format" : "/version", "is not a known one");
  }
  const auto time = base::parse_time(created_at);
  if (!time.ok()) {
    return bad("/created_at", "is not a time");
  }
  manifest.created_at = *time;
  TRY(read_array(reader, "schema", manifest.schema.columns, read_column));
  TRY(read_array(reader, "parts", manifest.parts, read_part));
  TRY(read_array(reader, "parents", manifest.parents, read_parent));
  TRY(read_array(reader, "sources", manifest.sources, read_source));
  TRY(read_array(reader, "checks", manifest.checks, read_check));
  TRY(check_whole(manifest));
  return manifest;
}

std::string format_manifest(const Manifest& manifest) {
  Json schema = Json::array();
  for (const ColumnSchema& column : manifest.schema.columns) {
    schema.push_back({{"name", column.name}, {"type", column_type_name(column.type)}});
  }
  Json parts = Json::array();
  for (const ManifestPart& part : manifest.parts) {
    parts.push_back({{"object", part.object},
                     {"row_count", static_cast<uint64_t>(part.row_count)},
                     {"size_bytes", part.size_bytes},
                     {"content_hash", part.content_hash}});
  }
  Json sources = Json::array();
  for (const ImportedSource& source : manifest.sources) {
    sources.push_back(source_json(source));
  }
  Json checks = Json::array();
  for (const CheckResult& check : manifest.checks) {
    checks.push_back({{"check", check.check},
                      {"column", check.column},
                      {"on_fail", check.on_fail},
                      {"failed_rows", static_cast<uint64_t>(check.failed_rows)},
                      {"passed", check.passed}});
  }
  return base::pretty_json(
      {{"format", kManifestFormat},
       {"dataset", manifest.dataset},
       {"version", static_cast<uint64_t>(manifest.version)},
       {"created_at", base::format_time(manifest.created_at)},
       {"schema", std::move(schema)},
       {"row_count", static_cast<uint64_t>(manifest.row_count)},
       {"size_bytes", manifest.size_bytes},
       {"content_hash", manifest.content_hash},
       {"parts", std::move(parts)},
       {"parents", manifest.parents},
       {"append", manifest.append},
       {"query", manifest.query},
       {"sources", std::move(sources)},
       {"checks", std::move(checks)},
       {"quarantined_count", static_cast<uint64_t>(manifest.quarantined_count)},
       {"quarantine_object", manifest.quarantine_object},
       {"profile_object", manifest.profile_object},
       {"engine", manifest.engine}});
}

std::string combined_hash(const Schema& schema, std::span<const ManifestPart> parts) {
  std::vector<HashedPart> hashed;
  for (const ManifestPart& part : parts) {
    hashed.push_back({part.row_count, part.content_hash});
  }
  return hash_of_parts(schema, hashed);
}

}  // namespace cromford::table
