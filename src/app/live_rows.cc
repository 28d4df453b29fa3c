#include "app/live_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/resources.h"
#include "feedback/compaction.h"
#include "learn/problem.h"
#include "table/engine.h"
#include "table/scan.h"

namespace cromford::app {
namespace {

constexpr double kLeast = 1e-6;  // No probability is taken for less.
constexpr uint64_t kMemoryBytes = uint64_t{256} << 20;

std::string sql_time(base::Time time) {
  std::string text = base::format_time(time);
  text.pop_back();
  return text;
}

// A file that goes with its holder.
class TemporaryFile {
 public:
  TemporaryFile(const Context& context, std::filesystem::path path)
      : context_(context), path_(std::move(path)) {}
  ~TemporaryFile() { (void)context_.files->remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  const Context& context_;
  std::filesystem::path path_;
};

class Reader {
 public:
  Reader(const table::Table& table, const model::Package& package, bool with_ids)
      : table_(table), package_(package), with_ids_(with_ids) {}

  LiveRows read() {
    LiveRows rows;
    for (int64_t row = 0; row < table_.row_count(); ++row) {
      add(row, rows);
    }
    return rows;
  }

 private:
  std::string text(const char* name, int64_t row) const {
    const table::Column* column = table_.find(name);
    return column != nullptr && column->valid(row) ? table::cell_text(*column, row) : std::string();
  }
  double number(const std::string& name, int64_t row) const {
    const table::Column* column = table_.find(name);
    return column != nullptr && column->valid(row)
               ? learn::cell_number(*column, static_cast<uint32_t>(row))
               : std::nan("");
  }
  // The probability of the class, or NaN.
  double probability(const std::string& of, int64_t row) const {
    const auto& classes = package_.classes();
    if (classes.size() == 2) {
      const double positive = number("probability", row);
      return of == classes[1] ? positive : 1 - positive;
    }
    return number("probability_" + of, row);
  }
  void add(int64_t row, LiveRows& rows) const {
    VersionRows& version = rows.versions[version_name(
        text("model", row), std::stoll("0" + text("model_version", row)))];
    ++version.row_count;
    const bool regression = package_.task() == model::Task::kRegression;
    const std::string value = text("value", row);
    const std::string outcome = text("outcome", row);
    const double score = regression                       ? number("value", row)
                         : package_.classes().size() == 2 ? number("probability", row)
                                                          : probability(value, row);
    version.scores.push_back(score);
    if (with_ids_) {
      rows.by_id[text("id", row)] = {.score = score, .value = value, .outcome = outcome};
    }
    if (outcome.empty()) {
      return;
    }
    if (regression) {
      const double truth = number("outcome", row);
      version.labels.push_back(truth);
      version.predictions.push_back(score);
      version.losses.add((truth - score) * (truth - score));
      return;
    }
    const auto& classes = package_.classes();
    const auto found = std::find(classes.begin(), classes.end(), outcome);
    if (found == classes.end()) {
      return;
    }
    version.labels.push_back(static_cast<double>(found - classes.begin()));
    if (classes.size() == 2) {
      version.predictions.push_back(score);
    } else {
      for (const std::string& name : classes) {
        version.predictions.push_back(probability(name, row));
      }
    }
    version.losses.add(-std::log(std::max(kLeast, probability(outcome, row))));
  }

  const table::Table& table_;
  const model::Package& package_;
  bool with_ids_;
};

}  // namespace

absl::StatusOr<LiveRows> read_live_rows(const Context& context, const LiveQuery& query,
                                        const model::Package& package) {
  TRY(context.log->seal());
  std::vector<uint32_t> segments;
  for (const feedback::SegmentShare& share : context.log->segments(query.key)) {
    if (share.last_event >= query.from && share.first_event < query.to) {
      segments.push_back(share.segment);
    }
  }
  if (segments.empty()) {
    return LiveRows();
  }
  const std::filesystem::path folder = context.home->tmp();
  TRY(const auto engine,
      table::Engine::create(
          {.memory_limit_bytes = kMemoryBytes, .temp_directory = folder / "live", .threads = 1}));
  const TemporaryFile part(context, folder / fmt::format("live-{}", context.ids->next()));
  TRY(const feedback::CompactedPart compacted,
      feedback::compact(*context.log, *engine,
                        {.endpoint = query.key, .segments = segments, .output = part.path()}));
  std::vector<std::string> columns;
  for (const table::ColumnSchema& column : compacted.schema.columns) {
    const bool read = column.name == "id"
                          ? query.with_ids
                          : column.name == "model" || column.name == "value" ||
                                column.name == "model_version" || column.name == "outcome" ||
                                column.name.starts_with("probability");
    if (read) {
      columns.push_back(column.name);
    }
  }
  TRY(const table::Table table,
      table::read_table(
          *engine, {.schema = compacted.schema, .parts = {part.path()}},
          {.columns = columns,
           .where = fmt::format("\"at\" >= TIMESTAMP '{}' AND \"at\" < TIMESTAMP '{}'",
                                sql_time(query.from), sql_time(query.to))}));
  return Reader(table, package, query.with_ids).read();
}

}  // namespace cromford::app
