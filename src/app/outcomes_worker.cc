// The worker's half of outcomes from a file: rows of any format become lines of JSON, each an
// outcome as `:outcomes` takes them.

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "app/upload_table.h"
#include "app/worker.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/limits.h"
#include "base/name.h"
#include "table/chunk.h"
#include "table/engine.h"

namespace cromford::app {
namespace {

// Of the columns id, value and at, in the file.
struct Places {
  size_t id = 0;
  size_t value = 0;
  std::optional<size_t> at;
};

absl::StatusOr<size_t> place_of(const table::Schema& schema, std::string_view name) {
  if (const auto place = schema.find(name)) {
    return *place;
  }
  std::vector<std::string> names;
  names.reserve(schema.columns.size());
  for (const table::ColumnSchema& column : schema.columns) {
    names.push_back(column.name);
  }
  return base::invalid(
      fmt::format("the file has no column '{}'{}", name, base::did_you_mean(name, names)),
      "outcomes have the columns id and value and, where it is known when they happened, at");
}

absl::StatusOr<Places> find_places(const table::Schema& schema) {
  Places places;
  TRY(places.id, place_of(schema, "id"));
  TRY(places.value, place_of(schema, "value"));
  places.at = schema.find("at");
  return places;
}

base::Json time_json(int64_t microseconds, bool is_date) {
  const std::string text = base::format_time(base::Time(std::chrono::microseconds(microseconds)));
  return is_date ? text.substr(0, 10) : text;
}

base::Json cell(const table::ColumnView& view, size_t row) {
  if (!view.valid(row)) {
    return {};
  }
  switch (view.type) {
    case table::ColumnType::kBoolean:
      return view.booleans[row] != 0;
    case table::ColumnType::kInteger:
      return view.integers[row];
    case table::ColumnType::kNumber:
      return std::isfinite(view.numbers[row]) ? base::Json(view.numbers[row]) : base::Json();
    case table::ColumnType::kDate:
      return time_json(view.days[row] * int64_t{86'400'000'000}, true);
    case table::ColumnType::kTimestamp:
      return time_json(view.integers[row], false);
    case table::ColumnType::kText:
      break;
  }
  return std::string(view.texts[row]);
}

// Ids are texts, whatever the file says.
std::string text_of(const base::Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

class OutcomeWriter final : public table::ChunkVisitor {
 public:
  OutcomeWriter(const Places& places, base::File& file, flow::WorkerContext& context)
      : places_(places), file_(file), context_(context) {}

  absl::Status visit(const table::Chunk& chunk) override {
    lines_.clear();
    for (size_t row = 0; row < chunk.row_count(); ++row) {
      const base::Json id = cell(chunk.column(places_.id), row);
      const base::Json value = cell(chunk.column(places_.value), row);
      const int64_t number = chunk.first_row() + static_cast<int64_t>(row) + 1;
      if (id.is_null() || value.is_null()) {
        return base::invalid(fmt::format("row {} has no {}", number, id.is_null() ? "id" : "value"),
                             "leave out the rows whose outcome is not known yet");
      }
      base::Json line = {{"id", text_of(id)}, {"value", value}};
      if (places_.at) {
        line["at"] = cell(chunk.column(*places_.at), row);
      }
      lines_ += base::dump_json(line);
      lines_ += '\n';
    }
    done_ += static_cast<int64_t>(chunk.row_count());
    context_.progress("reading", 0.5, fmt::format(R"({{"rows":{}}})", done_));
    return file_.write(lines_);
  }

  int64_t row_count() const { return done_; }

 private:
  Places places_;
  base::File& file_;
  flow::WorkerContext& context_;
  std::string lines_;
  int64_t done_ = 0;
};

}  // namespace

absl::StatusOr<std::string> read_outcomes(std::string_view text, flow::WorkerContext& context) {
  TRY(const base::Json input, base::parse_json(text));
  TRY(const table::StoredTable rows, read_upload(input, context));
  TRY(const Places places, find_places(rows.schema));
  TRY(const auto engine,
      table::Engine::create(
          {.memory_limit_bytes = input.value("memory_bytes", uint64_t{1} << 30) / 2,
           .temp_directory = context.work_dir() / "spill"}));
  TRY(const auto file, base::system_files().open_write(context.work_dir() / "outcomes.jsonl"));
  OutcomeWriter writer(places, *file, context);
  TRY(table::for_each_chunk(*engine, rows, {}, writer, context.cancel()));
  TRY(file->close());
  context.log(fmt::format("read {} outcomes", base::with_thousands(writer.row_count())));
  return base::dump_json({{"row_count", writer.row_count()}});
}

}  // namespace cromford::app
