#include "app/dataset_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/resources.h"

namespace cromford::app {
namespace {

base::Json cell_json(const table::Column& column, int64_t row) {
  if (!column.valid(row)) {
    return nullptr;
  }
  const auto index = static_cast<size_t>(row);
  switch (column.type) {
    case table::ColumnType::kNumber:
      return column.numbers[index];
    case table::ColumnType::kInteger:
      return column.integers[index];
    case table::ColumnType::kBoolean:
      return column.integers[index] != 0;
    default:
      return table::cell_text(column, row);
  }
}

}  // namespace

absl::StatusOr<table::Manifest> read_manifest(const Context& context, const Versioned& dataset) {
  TRY(const base::Json body, body_of(dataset.document));
  TRY(const base::ContentHash hash,
      base::parse_content_hash(body.at("internal").value("manifest", std::string())));
  TRY(const base::MappedFile file, context.objects->open(hash));
  return table::parse_manifest(file.text());
}

absl::StatusOr<table::StoredTable> stored_table(const Context& context,
                                                const table::Manifest& manifest) {
  table::StoredTable stored{.schema = manifest.schema, .parts = {}};
  for (const table::ManifestPart& part : manifest.parts) {
    TRY(const base::ContentHash hash, base::parse_content_hash(part.object));
    absl::StatusOr<std::filesystem::path> path = context.objects->path_of(hash);
    if (!path.ok()) {
      return base::damaged(fmt::format("a part of dataset {}@{} is gone: {}", manifest.dataset,
                                       manifest.version, base::message(path.status())),
                           "restore objects/ from a copy of the data directory");
    }
    stored.parts.push_back(*std::move(path));
  }
  return stored;
}

absl::StatusOr<table::StoredTable> stored_table(const Context& context, const Versioned& dataset) {
  TRY(const table::Manifest manifest, read_manifest(context, dataset));
  return stored_table(context, manifest);
}

absl::StatusOr<table::StoredTable> verified_table(const Context& context,
                                                  const Versioned& dataset) {
  TRY(const table::Manifest manifest, read_manifest(context, dataset));
  for (const table::ManifestPart& part : manifest.parts) {
    TRY(const base::ContentHash hash, base::parse_content_hash(part.object));
    if (const absl::Status whole = context.objects->verify(hash); absl::IsDataLoss(whole)) {
      return base::damaged(fmt::format("a part of dataset {}@{} is damaged: {}", manifest.dataset,
                                       manifest.version, base::message(whole)),
                           "import the same data again, which mends it, or restore objects/ from a "
                           "copy of the data directory");
    }
  }
  return stored_table(context, manifest);
}

base::Json schema_json(const table::Schema& schema) {
  base::Json columns = base::Json::array();
  for (const table::ColumnSchema& column : schema.columns) {
    columns.push_back({{"name", column.name}, {"type", table::column_type_name(column.type)}});
  }
  return columns;
}

absl::StatusOr<table::Schema> schema_from(const base::Json& columns) {
  table::Schema schema;
  for (const base::Json& column : columns) {
    const auto type = table::parse_column_type(column.value("type", std::string()));
    if (!type.has_value()) {
      return base::internal("a worker was handed a schema with an unknown type");
    }
    schema.columns.push_back({column.value("name", std::string()), *type});
  }
  return schema;
}

base::Json stored_table_json(const table::StoredTable& stored) {
  base::Json parts = base::Json::array();
  for (const std::filesystem::path& part : stored.parts) {
    parts.push_back(part.string());
  }
  return {{"schema", schema_json(stored.schema)}, {"parts", std::move(parts)}};
}

absl::StatusOr<table::StoredTable> stored_table_from(const base::Json& document) {
  table::StoredTable stored;
  TRY(stored.schema, schema_from(document.at("schema")));
  for (const base::Json& part : document.at("parts")) {
    stored.parts.emplace_back(part.get<std::string>());
  }
  return stored;
}

base::Json rows_json(const table::Schema& schema, const table::Table& rows) {
  base::Json answer = {{"columns", schema_json(schema)}, {"rows", base::Json::array()}};
  for (int64_t row = 0; row < rows.row_count(); ++row) {
    base::Json& cells = answer["rows"].emplace_back(base::Json::array());
    for (const table::Column& column : rows.columns()) {
      cells.push_back(cell_json(column, row));
    }
  }
  return answer;
}

}  // namespace cromford::app
