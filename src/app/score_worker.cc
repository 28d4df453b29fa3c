// The worker's half of batch scoring: one pass of rows through the model, in constant memory.

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "app/dataset_files.h"
#include "app/score_columns.h"
#include "app/upload_table.h"
#include "app/worker.h"
#include "base/limits.h"
#include "base/text.h"
#include "learn/rows.h"
#include "serve/batch.h"
#include "table/chunk.h"
#include "table/csv_to_parquet.h"
#include "table/engine.h"
#include "table/import.h"
#include "table/scan.h"

namespace cromford::app {
namespace {

constexpr int64_t kRowsBetweenProgress = 65'536;
constexpr size_t kBatchRows = 1024;

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

// Copies one column of a chunk; `missing` fills what is not there.
template <typename From, typename To>
void copy_cells(std::span<const From> from, const table::ColumnView& view, To missing,
                std::vector<To>& to) {
  to.resize(from.size());
  for (size_t i = 0; i < from.size(); ++i) {
    to[i] = view.valid(i) ? static_cast<To>(from[i]) : missing;
  }
}

table::Column column_of(const table::ColumnSchema& schema, const table::ColumnView& view,
                        size_t row_count) {
  table::Column column;
  column.name = schema.name;
  column.type = schema.type;
  if (!view.all_valid()) {
    column.validity.assign(view.validity, view.validity + (row_count + 63) / 64);
  }
  switch (view.type) {
    case table::ColumnType::kNumber:
      copy_cells(view.numbers, view, std::numeric_limits<double>::quiet_NaN(), column.numbers);
      break;
    case table::ColumnType::kDate:
      copy_cells(view.days, view, int64_t{0}, column.integers);
      break;
    case table::ColumnType::kBoolean:
      copy_cells(view.booleans, view, int64_t{0}, column.integers);
      break;
    case table::ColumnType::kText:
      // The rows are read once, so that a dictionary would cost more than it saves.
      for (size_t i = 0; i < row_count; ++i) {
        column.codes.push_back(view.valid(i) ? static_cast<uint32_t>(column.dictionary.size())
                                             : table::Column::kMissingCode);
        if (view.valid(i)) {
          column.dictionary.emplace_back(view.texts[i]);
        }
      }
      break;
    default:
      copy_cells(view.integers, view, int64_t{0}, column.integers);
  }
  return column;
}

// Scores and writes chunk after chunk of one scan.
class ScoreVisitor final : public table::ChunkVisitor {
 public:
  ScoreVisitor(table::Schema schema, serve::BatchScorer& scorer, const model::Package& package,
               base::File& file, flow::WorkerContext& context, int64_t total)
      : schema_(std::move(schema)),
        scorer_(scorer),
        package_(package),
        file_(file),
        context_(context),
        total_(total) {}

  absl::Status visit(const table::Chunk& chunk) override {
    std::vector<table::Column> columns;
    columns.reserve(schema_.columns.size());
    for (size_t c = 0; c < schema_.columns.size(); ++c) {
      columns.push_back(column_of(schema_.columns[c], chunk.column(c), chunk.row_count()));
    }
    const table::Table rows(std::move(columns), static_cast<int64_t>(chunk.row_count()));
    TRY(const learn::ModelRows inputs, learn::ModelRows::create(rows, package_.contract()));
    for (size_t first = 0; first < inputs.row_count(); first += kBatchRows) {
      const size_t count = std::min(kBatchRows, inputs.row_count() - first);
      scorer_.score(inputs.batch(first, count, views_));
      text_.clear();
      append_csv_rows(text_, scorer_.columns(), count);
      TRY(file_.write(text_));
    }
    done_ += static_cast<int64_t>(chunk.row_count());
    if (done_ - told_ >= kRowsBetweenProgress) {
      told_ = done_;
      context_.progress("scoring", static_cast<double>(done_) / static_cast<double>(total_),
                        fmt::format(R"({{"rows":{}}})", done_));
    }
    return absl::OkStatus();
  }

  int64_t row_count() const { return done_; }

 private:
  table::Schema schema_;
  serve::BatchScorer& scorer_;
  const model::Package& package_;
  base::File& file_;
  flow::WorkerContext& context_;
  int64_t total_;
  int64_t done_ = 0;
  int64_t told_ = 0;
  learn::ModelRows::BatchViews views_;
  std::string text_;
};

absl::StatusOr<std::vector<std::string>> check_columns(const table::Schema& schema,
                                                       const model::Package& package,
                                                       const base::Json& input) {
  std::vector<std::string> names;
  names.reserve(schema.columns.size());
  for (const table::ColumnSchema& column : schema.columns) {
    names.push_back(column.name);
  }
  std::vector<std::string> other = {package.target()};
  for (const base::Json& ignored : package.manifest().value("ignored", base::Json::array())) {
    other.push_back(ignored.value("column", std::string()));
  }
  return check_score_columns(names, {.contract = package.contract(),
                                     .other = std::move(other),
                                     .ignore_unknown = input.value("ignore_unknown", false)});
}

// Reads, scores and writes in one pass; gives the number of rows.
absl::StatusOr<int64_t> score_stream(table::Engine& engine, const table::StoredTable& stored,
                                     const base::Json& input, serve::BatchScorer& scorer,
                                     const model::Package& package, base::File& file,
                                     flow::WorkerContext& context) {
  table::ReadOptions options{.where = input.value("where", std::string())};
  table::Schema schema;
  for (const model::InputColumn& column : package.contract()) {
    if (const auto at = stored.schema.find(column.name)) {
      options.columns.push_back(column.name);
      schema.columns.push_back(stored.schema.columns[*at]);
    }
  }
  if (options.columns.empty()) {
    schema = stored.schema;  // A model without inputs: all are read for the number of rows.
  }
  TRY(const int64_t total, table::count_rows(engine, stored, options.where, context.cancel()));
  ScoreVisitor visitor(std::move(schema), scorer, package, file, context, total);
  TRY(table::for_each_chunk(engine, stored, options, visitor, context.cancel()));
  return visitor.row_count();
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
  TRY(const std::vector<std::string> warnings, check_columns(stored.schema, *package, input));
  for (const std::string& warning : warnings) {
    context.log("warning: " + warning);
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
      score_stream(*engine, stored, input, scorer, *package, *file, context));
  TRY(file->sync());
  TRY(file->close());
  base::Json result = {
      {"row_count", row_count}, {"output", "predictions.csv"}, {"warnings", warnings}};
  if (input.value("format", std::string()) == "parquet") {
    TRY(table::csv_to_parquet(*engine, csv, result_schema(scorer.columns()),
                              folder / "predictions.parquet"));
    result["output"] = "predictions.parquet";
  }
  context.log(fmt::format("scored {} rows, wrote {}", base::with_thousands(row_count),
                          result.value("output", std::string())));
  return base::dump_json(result);
}

}  // namespace cromford::app
