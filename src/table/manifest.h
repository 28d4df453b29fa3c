#pragma once

// The manifest of a dataset version: everything that is known of it, as one JSON document
// (docs/formats/manifest.md). A version is its manifest and the objects that it names; neither ever
// changes. Appending makes a manifest with the parent's parts and new ones.
//
//   TRY(const table::Manifest manifest, table::parse_manifest(text));
//   const std::string text = table::format_manifest(manifest);    // the same text for equal values
//
// Thread safety: values and functions only.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "table/import.h"
#include "table/table.h"

namespace cromford::table {

inline constexpr int kManifestFormat = 1;

struct ManifestPart {
  std::string object;  // content hash of the Parquet file's bytes: its name among the objects
  int64_t row_count = 0;
  uint64_t size_bytes = 0;
  std::string content_hash;  // of schema and values, independent of the file's layout
  bool operator==(const ManifestPart&) const = default;
};

// The verdict of one check; see ingest/check.h.
struct CheckResult {
  std::string check;    // "between 10 and 6000"
  std::string column;   // empty for checks of the whole table
  std::string on_fail;  // "warn", "quarantine", "reject"
  int64_t failed_rows = 0;
  bool passed = true;
  bool operator==(const CheckResult&) const = default;
};

struct Manifest {
  std::string dataset;
  int64_t version = 0;
  base::Time created_at{};
  Schema schema;
  int64_t row_count = 0;
  uint64_t size_bytes = 0;   // of all parts
  std::string content_hash;  // `combined_hash` of the schema and the parts
  std::vector<ManifestPart> parts;
  std::vector<std::string> parents;  // "flights@1"
  bool append = false;
  std::string query;
  std::vector<ImportedSource> sources;
  std::vector<CheckResult> checks;
  int64_t quarantined_count = 0;
  std::string quarantine_object;  // hash of the quarantine file; empty when there is none
  std::string profile_object;     // hash of the profile's JSON; empty when there is none
  std::string engine;             // "duckdb 1.5.5"
  bool operator==(const Manifest&) const = default;
};

// Strict: unknown and absent members, wrong types, negative counts, counts that do not add up, bad
// hashes and names and a newer format are refused (DATA_LOSS, naming the member by its pointer).
absl::StatusOr<Manifest> parse_manifest(std::string_view text);
std::string format_manifest(const Manifest& manifest);

// The content hash of a table that consists of these parts: of its schema, and the row count and
// content hash of each part in order. An import writes at most one part, so an appended version is
// found unchanged without reading what was there before.
std::string combined_hash(const Schema& schema, std::span<const ManifestPart> parts);

}  // namespace cromford::table
