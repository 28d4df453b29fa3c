// The worker's half of batch scoring: blocks of rows through the model, in constant memory.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/dataset_files.h"
#include "app/worker.h"
#include "base/text.h"
#include "learn/rows.h"
#include "serve/batch.h"
#include "table/csv_to_parquet.h"
#include "table/engine.h"
#include "table/import.h"
#include "table/scan.h"

namespace cromford::app {
namespace {

constexpr int64_t kBlockRows = 65'536;
constexpr size_t kBatchRows = 1024;

// A file that was uploaded becomes a stored table first, so that every format is read the same way.
absl::StatusOr<table::StoredTable> read_upload(const base::Json& input,
                                               flow::WorkerContext& context) {
  table::ImportOptions options{
      .output_directory = context.work_dir(),
      .memory_limit_bytes = input.value("memory_bytes", uint64_t{1} << 30) / 2,
      .cancel = context.cancel()};
  options.inputs.push_back({.path = input.value("spooled_file", std::string()),
                            .display_name = input.value("source_name", std::string()),
                            .format = input.value("input_format", std::string())});
  TRY(const table::ImportResult imported, table::import_files(options));
  if (imported.quarantined_count > 0) {
    return base::invalid(
        fmt::format("{} rows of the input cannot be read, so predictions could not be told apart "
                    "by their order",
                    imported.quarantined_count),
        "add the file as a dataset to see which rows and why, then score the dataset");
  }
  table::StoredTable stored{.schema = imported.schema, .parts = {}};
  for (const table::ImportedPart& part : imported.parts) {
    stored.parts.push_back(part.path);
  }
  return stored;
}

void append_csv_text(std::string& out, std::string_view text) {
  if (text.find_first_of(",\"\n\r") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    out += c;
    if (c == '"') {
      out += '"';
    }
  }
  out += '"';
}

void append_csv_rows(std::string& out, const std::vector<serve::ResultColumn>& columns,
                     size_t row_count) {
  for (size_t row = 0; row < row_count; ++row) {
    for (size_t k = 0; k < columns.size(); ++k) {
      const serve::ResultColumn& column = columns[k];
      if (k > 0) {
        out += ',';
      }
      if (column.kind == serve::ResultColumn::Kind::kNumber) {
        base::append_number(out, column.numbers[row]);
      } else if (column.kind == serve::ResultColumn::Kind::kCategory) {
        append_csv_text(out, column.categories[column.codes[row]]);
      } else {
        append_csv_text(out, column.texts[row]);
      }
    }
    out += '\n';
  }
}

table::Schema result_schema(const std::vector<serve::ResultColumn>& columns) {
  table::Schema schema;
  for (const serve::ResultColumn& column : columns) {
    schema.columns.push_back({column.name, column.kind == serve::ResultColumn::Kind::kNumber
                                               ? table::ColumnType::kNumber
                                               : table::ColumnType::kText});
  }
  return schema;
}

// Reads, scores and writes block after block; gives the number of rows.
absl::StatusOr<int64_t> score_blocks(table::Engine& engine, const table::StoredTable& stored,
                                     const base::Json& input, serve::BatchScorer& scorer,
                                     const model::Package& package, base::File& file,
                                     flow::WorkerContext& context) {
  table::ReadOptions options{.where = input.value("where", std::string()), .limit = kBlockRows};
  for (const model::InputColumn& column : package.contract()) {
    if (stored.schema.find(column.name).has_value()) {
      options.columns.push_back(column.name);
    }
  }
  TRY(const int64_t total, table::count_rows(engine, stored, options.where, context.cancel()));
  learn::ModelRows::BatchViews views;
  std::string text;
  for (; options.offset < total; options.offset += kBlockRows) {
    TRY(const table::Table rows, table::read_table(engine, stored, options, context.cancel()));
    TRY(const learn::ModelRows inputs, learn::ModelRows::create(rows, package.contract()));
    for (size_t first = 0; first < inputs.row_count(); first += kBatchRows) {
      const size_t count = std::min(kBatchRows, inputs.row_count() - first);
      scorer.score(inputs.batch(first, count, views));
      text.clear();
      append_csv_rows(text, scorer.columns(), count);
      TRY(file.write(text));
    }
    context.progress("scoring", static_cast<double>(options.offset) / static_cast<double>(total),
                     fmt::format(R"({{"rows":{}}})", options.offset));
  }
  return total;
}

}  // namespace

absl::StatusOr<std::string> score_rows(std::string_view text, flow::WorkerContext& context) {
  TRY(const base::Json input, base::parse_json(text));
  TRY(const auto package, model::Package::open(input.value("package", std::string())));
  TRY(serve::BatchScorer scorer,
      serve::BatchScorer::create(package, {.explain = input.value("explain", uint32_t{0})}));
  table::StoredTable stored;
  if (input.contains("table")) {
    TRY(stored, stored_table_from(input.at("table")));
  } else {
    TRY(stored, read_upload(input, context));
  }
  const std::filesystem::path& folder = context.work_dir();
  TRY(const auto engine,
      table::Engine::create(
          {.memory_limit_bytes = input.value("memory_bytes", uint64_t{1} << 30) / 2,
           .temp_directory = folder / "spill"}));
  const std::filesystem::path csv = folder / "predictions.csv";
  TRY(const auto file, base::system_files().open_write(csv));
  std::string header;
  for (const serve::ResultColumn& column : scorer.columns()) {
    header += header.empty() ? "" : ",";
    append_csv_text(header, column.name);
  }
  TRY(file->write(header + "\n"));
  TRY(const int64_t row_count,
      score_blocks(*engine, stored, input, scorer, *package, *file, context));
  TRY(file->sync());
  TRY(file->close());
  base::Json result = {{"row_count", row_count}, {"output", "predictions.csv"}};
  if (input.value("format", std::string()) == "parquet") {
    TRY(table::csv_to_parquet(*engine, csv, result_schema(scorer.columns()),
                              folder / "predictions.parquet"));
    result["output"] = "predictions.parquet";
  }
  return base::dump_json(result);
}

}  // namespace cromford::app
