#include "table/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"
#include "table/content_hash.h"
#include "table/import_input.h"
#include "table/import_pass.h"
#include "table/parquet_writer.h"
#include "table/sandbox.h"
#include "table/sandbox_engine.h"
#include "table/schema_merge.h"

namespace cromford::table {
namespace {

constexpr int kReadingsMax = 6;

// A folder that is gone when the import is over, however it ends.
class Scratch {
 public:
  explicit Scratch(std::filesystem::path path) : path_(std::move(path)) {}
  ~Scratch() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  absl::Status create() const {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
    if (!std::filesystem::create_directories(path_, error) || error) {
      return base::internal(fmt::format("cannot make {}: {}", path_.string(), error.message()));
    }
    return absl::OkStatus();
  }
  std::filesystem::path file(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

class Importer {
 public:
  explicit Importer(const ImportOptions& options)
      : options_(options), scratch_(options.output_directory / "import.tmp") {}
  ~Importer() { (void)close_quarantine(); }  // After an error its rows are of no use.
  Importer(const Importer&) = delete;
  Importer& operator=(const Importer&) = delete;

  absl::StatusOr<ImportResult> run() {
    TRY(check_options());
    TRY(scratch_.create());
    TRY(start_engine());
    report("looking", 0);
    TRY(look());
    TRY(read());
    TRY(check_quarantine());
    TRY(shape());
    TRY(screen());
    TRY(visit());
    TRY(finish());
    return std::move(result_);
  }

 private:
  // What the text readers and the program hold beside the engine.
  uint64_t engine_memory() const {
    constexpr uint64_t kBeside = 48ULL << 20;
    constexpr uint64_t kMin = 64ULL << 20;
    return std::max(kMin,
                    options_.memory_limit_bytes - std::min(options_.memory_limit_bytes, kBeside));
  }

  EngineOptions engine_options() const {
    EngineOptions engine;
    engine.memory_limit_bytes = engine_memory();
    engine.temp_directory = scratch_.file("spill");
    engine.temp_limit_bytes = options_.temp_limit_bytes;
    engine.threads = options_.threads;
    return engine;
  }

  absl::Status check_options() const {
    const base::Limits limits;
    if (options_.inputs.empty()) {
      return base::invalid("there is nothing to import", "name a file");
    }
    if (options_.inputs.size() > limits.import_files) {
      return base::exhausted(fmt::format("{} files are too many for one import; the limit is {}",
                                         options_.inputs.size(), limits.import_files));
    }
    if (!options_.query.empty()) {
      TRY(check_query(options_.query));
    }
    return absl::OkStatus();
  }

  absl::Status start_engine() {
    TRY(engine_, Engine::create(engine_options()));
    TRY(connection_, duck::connect(*engine_));
    TRY(quarantine_connection_, duck::connect(*engine_));
    return absl::OkStatus();
  }

  void report(std::string_view stage, double fraction) const {
    if (options_.progress) {
      options_.progress({stage, fraction, row_count_});
    }
  }

  absl::Status look() {
    for (const ImportInput& input : options_.inputs) {
      TRY(options_.cancel.check());
      TRY(inputs_.emplace_back(), look_at_input(connection_, input,
                                                {.scratch = scratch_.file(""),
                                                 .unpacked_bytes_max = options_.temp_limit_bytes,
                                                 .cancel = options_.cancel}));
      total_bytes_ += inputs_.back().source.size_bytes;
    }
    return absl::OkStatus();
  }

  // Whether the rows are stored as they are read, without a query in between.
  bool is_direct() const { return options_.query.empty(); }

  // Reads the inputs into one Parquet file, again if the first look at the types was wrong.
  absl::Status read() {
    // With a query over files that the engine reads itself, the query reads them.
    const bool all_by_engine = std::all_of(inputs_.begin(), inputs_.end(),
                                           [](const InputPlan& input) { return !input.text; });
    if (!is_direct() && all_by_engine) {
      TRY(unify());
      TRY(open_quarantine());
      return write_looked_bad();
    }
    for (int reading = 1;; ++reading) {
      TRY(unify());
      TRY(open_quarantine());
      TRY(write_looked_bad());
      TRY(const bool again, read_once(reading == kReadingsMax));
      if (!again) {
        break;
      }
    }
    TRY(close_quarantine());
    return absl::OkStatus();
  }

  absl::Status unify() {
    std::vector<Schema> schemas;
    for (InputPlan& input : inputs_) {
      schemas.push_back(input.schema);
    }
    merged_ = merge_schemas(schemas);
    if (options_.append_to && is_direct()) {
      for (InputPlan& input : inputs_) {
        if (input.text) {
          fit_plans(*options_.append_to, input.text->columns);
          input.refresh_schema();
        }
      }
      schemas.clear();
      for (const InputPlan& input : inputs_) {
        schemas.push_back(input.schema);
      }
      const Schema added = merge_schemas(schemas);
      TRY(merged_, extend_schema(*options_.append_to, added));
      growth_ = growth_of(*options_.append_to, added);
    }
    // A column that is text in one file is read as text in all, so that nothing of it is lost.
    for (InputPlan& input : inputs_) {
      if (input.text) {
        widen_plans(merged_, input.text->columns);
        input.refresh_schema();
      }
    }
    return absl::OkStatus();
  }

  absl::Status open_quarantine() {
    TRY(close_quarantine());
    TRY(quarantine_connection_.run(
        "CREATE OR REPLACE TABLE quarantine(line BIGINT, source VARCHAR, text VARCHAR, reason "
        "VARCHAR)"));
    quarantined_ = 0;
    first_bad_.clear();
    if (duckdb_appender_create(quarantine_connection_.get(), nullptr, "quarantine", &appender_) !=
        DuckDBSuccess) {
      return base::internal("the data engine does not take quarantined rows");
    }
    return absl::OkStatus();
  }

  absl::Status close_quarantine() {
    if (appender_ == nullptr) {
      return absl::OkStatus();
    }
    const bool closed = duckdb_appender_close(appender_) == DuckDBSuccess;
    duckdb_appender_destroy(&appender_);
    return closed ? absl::OkStatus()
                  : base::exhausted("the quarantined rows do not fit into memory",
                                    "raise the memory limit, or name the right format");
  }

  absl::Status add_bad(const InputPlan& input, const std::vector<BadRow>& rows) {
    for (const BadRow& row : rows) {
      if (first_bad_.empty()) {
        first_bad_ = fmt::format("line {} of {}: {}", row.line, input.display_name, row.reason);
      }
      ++quarantined_;
      const std::string& name = input.display_name;
      const bool taken =
          duckdb_append_int64(appender_, row.line) == DuckDBSuccess &&
          duckdb_append_varchar_length(appender_, name.data(), name.size()) == DuckDBSuccess &&
          duckdb_append_varchar_length(appender_, row.text.data(), row.text.size()) ==
              DuckDBSuccess &&
          duckdb_append_varchar_length(appender_, row.reason.data(), row.reason.size()) ==
              DuckDBSuccess &&
          duckdb_appender_end_row(appender_) == DuckDBSuccess;
      if (!taken) {
        return base::exhausted("the quarantined rows do not fit into memory",
                               "raise the memory limit, or name the right format");
      }
    }
    return absl::OkStatus();
  }

  absl::Status write_looked_bad() {
    for (InputPlan& input : inputs_) {
      TRY(add_bad(input, input.bad));
      input.source.quarantined_count = static_cast<int64_t>(input.bad.size());
    }
    return absl::OkStatus();
  }

  // The SELECT of one input in the merged schema.
  std::string select_input(const InputPlan& input, const std::string& from) const {
    return fmt::format("SELECT {} FROM {}", cast_columns(merged_, input.schema), from);
  }

  // Returns whether it must be read again.
  absl::StatusOr<bool> read_once(bool final_reading) {
    std::vector<std::unique_ptr<TextFeed>> feeds(inputs_.size());
    std::vector<std::string> selects;
    bytes_done_.assign(inputs_.size(), 0);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (!inputs_[i].text) {
        selects.push_back(select_input(inputs_[i], fmt::format("(\n{}\n)", inputs_[i].select)));
        continue;
      }
      const std::string name = fmt::format("cromford_rows_{}", next_function_++);
      feeds[i] = make_feed(i);
      TRY(feeds[i]->register_function(connection_, name));
      selects.push_back(select_input(inputs_[i], fmt::format("{}()", name)));
    }
    ParquetWrite write;
    write.select = base::join(selects, "\nUNION ALL\n");
    std::optional<StoringPass> pass;
    if (StoringPass::is_possible(options_, inputs_, merged_)) {
      pass.emplace(merged_, options_, [this](int64_t rows, int64_t total) {
        row_count_ = rows;
        constexpr double kShare = 0.95;
        report("reading", kShare * static_cast<double>(rows) / static_cast<double>(total));
      });
      TRY(write.select, pass->open(connection_, inputs_.front()));
      write.source_group_rows = pass->group_rows();
    }
    write.schema = merged_;
    write.output = scratch_.file("read.parquet");
    write.memory_limit_bytes = engine_memory();
    write.origin = duck::Origin::kFile;
    write.compact = is_direct();
    // The rows of text files come one after another. With more than one thread, the engine would
    // have one of them wait for the others in a busy loop, against our own.
    const bool all_text =
        std::all_of(feeds.begin(), feeds.end(), [](const auto& f) { return !!f; });
    TRY(set_threads(all_text ? 1 : engine_->threads()));
    const auto written = write_parquet(connection_, write, options_.cancel);
    TRY(set_threads(engine_->threads()));
    TRY(options_.cancel.check());
    bool again = false;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (feeds[i] != nullptr) {
        const TextFeedResult& feed = feeds[i]->result();
        if (!feed.status.ok() && !feed.hopeless) {
          return feed.status;
        }
        again = mend(inputs_[i], feed, final_reading) || again;
      }
    }
    if (again && !final_reading) {
      return true;
    }
    TRY(pass ? pass->status() : absl::OkStatus());
    if (!written.ok()) {
      absl::Status status = written.status();
      for (const InputPlan& input : inputs_) {
        status = in_words_of_file(status, input);
      }
      return status;
    }
    row_count_ = *written;
    if (pass) {
      TRY(part_hash_, pass->finish(row_count_));
    }
    return false;
  }

  absl::Status set_threads(int count) {
    return connection_.run(fmt::format("SET GLOBAL threads = {}", count)).status();
  }

  std::unique_ptr<TextFeed> make_feed(size_t index) {
    TextFeedOptions feed;
    feed.file = *inputs_[index].text;
    feed.threads = engine_->threads();
    feed.unpacked_bytes_max = options_.temp_limit_bytes;
    feed.cancel = options_.cancel;
    feed.on_bad = [this, index](const std::vector<BadRow>& rows) {
      return add_bad(inputs_[index], rows);
    };
    feed.on_progress = [this, index](uint64_t bytes, int64_t rows) {
      bytes_done_[index] = bytes;
      uint64_t done = 0;
      for (const uint64_t count : bytes_done_) {
        done += count;
      }
      row_count_ = rows;
      constexpr double kShare = 0.75;
      report("reading", kShare * static_cast<double>(done) /
                            static_cast<double>(std::max<uint64_t>(1, total_bytes_)));
    };
    return std::make_unique<TextFeed>(std::move(feed));
  }

  // Takes over what a reading found out. Whether the plans changed.
  static bool mend(InputPlan& input, const TextFeedResult& feed, bool final_reading) {
    bool changed = false;
    input.source.notes.clear();
    for (size_t i = 0; i < feed.misfits.size(); ++i) {
      PlannedColumn& column = input.text->columns[i];
      ColumnPlan mended =
          mend_plan(column.plan, feed.misfits[i], input.text->layout.dialect.delimiter);
      if (final_reading && mended != column.plan) {
        mended = column.plan;
      }
      changed = changed || mended != column.plan;
      column.plan = mended;
      if (const std::string note = plan_note(column.plan, feed.marks[i]); !note.empty()) {
        input.source.notes.push_back({column.name, note});
      }
      if (feed.infinite[i] > 0) {
        input.source.notes.push_back(
            {column.name,
             fmt::format("{} infinite value{} taken as missing", feed.infinite[i],
                         feed.infinite[i] == 1 ? " was" : "s were"),
             true});
      }
    }
    const int64_t comments = input.text->layout.comment_lines + feed.comment_count;
    if (comments > 0 && input.text->layout.dialect.comment == '#') {
      input.source.notes.push_back({"", fmt::format("{} comment line{} left out", comments,
                                                    comments == 1 ? " was" : "s were")});
    }
    if (input.text->layout.open_header) {
      input.source.notes.push_back({"", "the header opens a quote that is never closed", true});
    }
    if (feed.repaired_count > 0) {
      input.source.notes.push_back(
          {"", fmt::format("{} bytes were not {} and were read as Windows-1252 or replaced",
                           feed.repaired_count, input.source.encoding)});
    }
    input.source.hash = feed.hash;
    input.source.quarantined_count = static_cast<int64_t>(input.bad.size()) + feed.bad_count;
    input.source.row_count = feed.row_count + input.source.quarantined_count;
    input.refresh_schema();
    return changed;
  }

  absl::Status check_quarantine() {
    const int64_t all = row_count_ + quarantined_;
    const bool too_many =
        quarantined_ > 0 && static_cast<double>(quarantined_) >
                                options_.quarantine_share_max * static_cast<double>(all);
    if (!too_many || (!is_direct() && row_count_ == 0)) {
      return absl::OkStatus();
    }
    return base::invalid(
        fmt::format("{} of {} rows cannot be read; the first is {}", quarantined_, all, first_bad_),
        "name the format with --format, or mend the file");
  }

  // Runs the query, if there is one, over what was read.
  absl::Status shape() {
    stored_ = scratch_.file("read.parquet");
    schema_ = merged_;
    if (is_direct()) {
      return absl::OkStatus();
    }
    report("querying", 0.75);
    TRY(close_quarantine());
    std::error_code error;
    SandboxSetup setup;
    setup.engine = engine_options();
    setup.engine.temp_directory = scratch_.file("query_spill");
    if (std::filesystem::exists(stored_, error)) {
      setup.files = {stored_};
      setup.input_sql = select_stored({merged_, {stored_}});
    } else {
      std::vector<std::string> selects;
      for (const InputPlan& input : inputs_) {
        setup.files.push_back(input.path);
        selects.push_back(select_input(input, fmt::format("(\n{}\n)", input.select)));
      }
      setup.input_sql = base::join(selects, "\nUNION ALL\n");
    }
    const std::filesystem::path output = scratch_.file("shaped.parquet");
    setup.files.push_back(temporary_name(output));
    TRY(const WrittenQuery written, write_query(setup, options_.query, output));
    stored_ = output;
    row_count_ = written.row_count;
    return absl::OkStatus();
  }

  absl::StatusOr<WrittenQuery> write_query(SandboxSetup setup, const std::string& sql,
                                           const std::filesystem::path& output) {
    TRY(ReadyQuery ready, make_ready_query(std::move(setup), sql));
    schema_ = ready.schema;
    if (options_.append_to) {
      TRY(schema_, extend_schema(*options_.append_to, ready.schema));
      growth_ = growth_of(*options_.append_to, ready.schema);
    }
    ParquetWrite write;
    write.select =
        fmt::format("SELECT {} FROM (\n{}\n)", cast_columns(schema_, ready.schema), ready.select);
    write.schema = schema_;
    write.output = output;
    write.memory_limit_bytes = engine_memory();
    write.origin = duck::Origin::kUser;
    TRY(const int64_t rows, write_parquet(ready.sandbox.connection, write, options_.cancel));
    return WrittenQuery{schema_, rows, 0};
  }

  absl::Status screen() {
    if (!options_.screen) {
      return absl::OkStatus();
    }
    report("checking", 0.8);
    TRY(const ScreenedRows kept, options_.screen({stored_rows(), row_count_}));
    row_count_ = kept.row_count;
    if (row_count_ > 0) {
      stored_ = kept.rows.parts.front();
    }
    return absl::OkStatus();
  }

  StoredTable stored_rows() const {
    StoredTable rows{schema_, {}};
    if (row_count_ > 0) {
      rows.parts.push_back(stored_);
    }
    return rows;
  }

  // The pass over what is stored, unless the rows were seen while they were stored.
  absl::Status visit() {
    if (!part_hash_.empty()) {
      return absl::OkStatus();
    }
    report("profiling", 0.85);
    // A second thread of the engine would have nothing to read, and the first would ask it for rows
    // in a busy loop.
    const bool one_group = row_count_ <= row_group_rows(schema_, engine_memory());
    TRY(set_threads(one_group ? 1 : engine_->threads()));
    const int64_t blocks = std::max<int64_t>(1, (row_count_ + kBlockRows - 1) / kBlockRows);
    ImportPass pass(schema_, options_, [&](int64_t block) {
      report("profiling",
             0.85 + 0.15 * static_cast<double>(block + 1) / static_cast<double>(blocks));
    });
    TRY(for_each_block(*engine_, stored_rows(), pass.factory(), pass.sink(), options_.cancel));
    part_hash_ = pass.finish(row_count_);
    return absl::OkStatus();
  }

  absl::Status finish() {
    TRY(close_quarantine());
    result_.schema = schema_;
    result_.row_count = row_count_;
    result_.quarantined_count = quarantined_;
    std::error_code error;
    if (quarantined_ > 0) {
      ParquetWrite write;
      write.select = "SELECT line, source, text, reason FROM quarantine";
      write.output = options_.output_directory / "quarantine.parquet";
      TRY(write_parquet(quarantine_connection_, write, options_.cancel));
      result_.quarantine_path = write.output;
    }
    std::vector<HashedPart> parts;
    if (row_count_ > 0) {
      const std::filesystem::path path = options_.output_directory / "part-0.parquet";
      std::filesystem::rename(stored_, path, error);
      if (error) {
        return base::internal(
            fmt::format("cannot rename to {}: {}", path.string(), error.message()));
      }
      result_.parts.push_back(
          {path, row_count_, std::filesystem::file_size(path, error), part_hash_});
      parts.push_back({row_count_, part_hash_});
    }
    result_.content_hash = hash_of_parts(schema_, parts);
    if (!growth_.empty()) {
      inputs_.front().source.notes.push_back({"", growth_, true});
    }
    for (InputPlan& input : inputs_) {
      result_.sources.push_back(std::move(input.source));
    }
    return absl::OkStatus();
  }

  const ImportOptions& options_;
  Scratch scratch_;
  std::unique_ptr<Engine> engine_;
  duck::Connection connection_;
  duck::Connection quarantine_connection_;
  duckdb_appender appender_ = nullptr;
  std::vector<InputPlan> inputs_;
  std::vector<uint64_t> bytes_done_;
  uint64_t total_bytes_ = 0;
  int next_function_ = 0;
  Schema merged_;
  Schema schema_;
  std::string growth_;  // what an append changes about the columns
  std::filesystem::path stored_;
  std::string part_hash_;  // empty until the pass over the rows
  int64_t row_count_ = 0;
  int64_t quarantined_ = 0;
  std::string first_bad_;
  ImportResult result_;
};

}  // namespace

absl::StatusOr<ImportResult> import_files(const ImportOptions& options) {
  return Importer(options).run();
}

absl::StatusOr<std::vector<QuarantinedRow>> read_quarantine(Engine& engine,
                                                            const std::filesystem::path& path,
                                                            int64_t limit,
                                                            const base::CancelToken& cancel) {
  TRY(auto connection, duck::connect(engine));
  TRY(auto rows,
      connection.run(fmt::format("SELECT line, source, text, reason FROM read_parquet({}) LIMIT {}",
                                 quote_text(path.string()), std::max<int64_t>(0, limit)),
                     cancel));
  std::vector<QuarantinedRow> result;
  for (int64_t row = 0; row < rows.row_count(); ++row) {
    result.push_back(
        {rows.integer(row, 0), rows.text(row, 1), rows.text(row, 2), rows.text(row, 3)});
  }
  return result;
}

}  // namespace cromford::table
