#include "table/row_tap.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/status.h"
#include "base/text.h"
#include "table/import.h"
#include "table/parquet_writer.h"
#include "table/profile_builder.h"
#include "table/scan.h"
#include "testing/data.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::table {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The rows of one block, as text.
class Recorder final : public ChunkVisitor {
 public:
  absl::Status visit(const Chunk& chunk) override {
    for (size_t i = 0; i < chunk.row_count(); ++i) {
      const ColumnView& number = chunk.column(0);
      const ColumnView& text = chunk.column(1);
      rows.push_back((number.valid(i) ? std::to_string(number.integers[i]) : "") + "|" +
                     (text.valid(i) ? std::string(text.texts[i]) : ""));
    }
    return absl::OkStatus();
  }
  std::vector<std::string> rows;
};

// Some cells of both columns are missing; the text says whose row it is and is too long to lie in
// the engine's vector itself.
std::string rows_from(int64_t begin, int64_t end) {
  return fmt::format(
      "SELECT CASE WHEN i % 7 <> 0 THEN i END AS number, "
      "CASE WHEN i % 5 <> 0 THEN concat('the text of row ', i) END AS \"a text\", "
      "i AS \"{}\" FROM range({}, {}) AS r(i)",
      RowTap::kRowNumber, begin, end);
}

std::string row_text(int64_t i) {
  return (i % 7 != 0 ? std::to_string(i) : "") + "|" +
         (i % 5 != 0 ? fmt::format("the text of row {}", i) : "");
}

class RowTapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(engine_, Engine::create({.threads = 1}));
    ASSERT_OK_AND_ASSIGN(connection_, duck::connect(*engine_));
  }

  RowTapOptions recording() {
    return {.make_visitor = [](int64_t) { return std::make_unique<Recorder>(); },
            .sink =
                [this](int64_t block, std::unique_ptr<ChunkVisitor> visitor) {
                  blocks_.push_back(block);
                  const auto& rows = static_cast<Recorder&>(*visitor).rows;
                  rows_.insert(rows_.end(), rows.begin(), rows.end());
                  return absl::OkStatus();
                }};
  }

  // Sends the rows through the tap; gives how many came out behind it.
  absl::StatusOr<int64_t> run(RowTap& tap, const std::string& select) {
    TRY(tap.register_function(connection_, "tap"));
    TRY(auto counted, connection_.run(fmt::format("SELECT count(*), count(number) FROM ({})",
                                                  tap.select_through("tap", select))));
    return counted.integer(0, 0);
  }

  void expect_all_rows(int64_t count) const {
    ASSERT_EQ(static_cast<int64_t>(rows_.size()), count);
    for (int64_t i = 0; i < count; ++i) {
      ASSERT_EQ(rows_[static_cast<size_t>(i)], row_text(i));
    }
  }

  const Schema schema_{{{"number", ColumnType::kInteger}, {"a text", ColumnType::kText}}};
  std::unique_ptr<Engine> engine_;
  duck::Connection connection_;
  std::vector<int64_t> blocks_;
  std::vector<std::string> rows_;
};

TEST_F(RowTapTest, CutsBlocksOutOfWhatGoesBy) {
  RowTap tap(schema_, recording());
  const int64_t count = 2 * kBlockRows + 1001;
  EXPECT_EQ(run(tap, rows_from(0, count)).value_or(-1), count);
  EXPECT_THAT(blocks_, ElementsAre(0, 1));
  EXPECT_TRUE(tap.finish(count).value_or(false));
  EXPECT_THAT(blocks_, ElementsAre(0, 1, 2));
  expect_all_rows(count);
}

TEST_F(RowTapTest, HoldsRowsUntilTheirTurn) {
  RowTap tap(schema_, recording());
  // Borders inside of blocks and of the engine's vectors.
  const int64_t count = 2 * kBlockRows + 1001;
  const std::string select =
      base::join(std::vector<std::string>{rows_from(kBlockRows - 777, kBlockRows + 5000),
                                          rows_from(kBlockRows + 5000, count),
                                          rows_from(100, kBlockRows - 777), rows_from(0, 100)},
                 " UNION ALL ");
  EXPECT_EQ(run(tap, select).value_or(-1), count);
  EXPECT_TRUE(tap.finish(count).value_or(false));
  EXPECT_THAT(blocks_, ElementsAre(0, 1, 2));
  expect_all_rows(count);
}

TEST_F(RowTapTest, GivesUpWhereTooMuchWouldBeHeld) {
  RowTapOptions options = recording();
  options.held_bytes_max = 100'000;
  RowTap tap(schema_, std::move(options));
  const std::string select = rows_from(10'000, 20'000) + " UNION ALL " + rows_from(0, 10'000);
  EXPECT_EQ(run(tap, select).value_or(-1), 20'000);
  ASSERT_OK_AND_ASSIGN(const bool seen, tap.finish(20'000));
  EXPECT_FALSE(seen);
  EXPECT_THAT(blocks_, ElementsAre());
}

TEST_F(RowTapTest, FindsThatRowsAreLacking) {
  RowTap tap(schema_, recording());
  EXPECT_EQ(run(tap, rows_from(0, 5000)).value_or(-1), 5000);
  EXPECT_THAT(tap.finish(5001), StatusIs(absl::StatusCode::kInternal));
  RowTap gap(schema_, recording());
  const std::string select = rows_from(0, 100) + " UNION ALL " + rows_from(101, 200);
  EXPECT_EQ(run(gap, select).value_or(-1), 199);
  EXPECT_THAT(gap.finish(199), StatusIs(absl::StatusCode::kInternal));
}

TEST_F(RowTapTest, EndsTheQueryWithTheErrorOfAVisitorOrTheSink) {
  class Failing final : public ChunkVisitor {
    absl::Status visit(const Chunk&) override { return base::invalid("these rows are not liked"); }
  };
  RowTapOptions options = recording();
  options.make_visitor = [](int64_t) { return std::make_unique<Failing>(); };
  RowTap tap(schema_, std::move(options));
  EXPECT_FALSE(run(tap, rows_from(0, 5000)).ok());
  EXPECT_THAT(tap.status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("these rows are not liked")));
  options = recording();
  options.sink = [](int64_t, const auto&) { return base::exhausted("the sink is full"); };
  RowTap full(schema_, std::move(options));
  EXPECT_FALSE(run(full, rows_from(0, kBlockRows + 1)).ok());
  EXPECT_THAT(full.status(), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(RowTapTest, NeedsTwoNamesAndNotTooManyColumns) {
  EXPECT_TRUE(RowTap::fits({std::vector<ColumnSchema>(RowTap::kColumnsMax)}));
  EXPECT_FALSE(RowTap::fits({std::vector<ColumnSchema>(RowTap::kColumnsMax + 1)}));
  EXPECT_TRUE(RowTap::fits(schema_));
  EXPECT_FALSE(RowTap::fits({{{"Cromford Row Number", ColumnType::kText}}}));
  EXPECT_FALSE(RowTap::fits({{{"cromford row seen", ColumnType::kText}}}));
}

// --- imports of Parquet files ---------------------------------------------------------------

struct Imported {
  std::string stored_hash;  // of what can be read again
  std::string content_hash;
  std::string profile_state;
  int schemas = 0;
  double fraction_max = 0;
};

absl::StatusOr<Imported> import_parquet(const std::filesystem::path& file, int threads,
                                        bool twice) {
  const testing::TempDir directory;
  ImportOptions options;
  options.inputs.push_back({.path = file});
  options.output_directory = directory.path();
  options.threads = threads;
  Imported imported;
  ProfileCollector collector;
  options.on_schema = [&](const Schema& schema) {
    ++imported.schemas;
    collector.start(schema);
  };
  options.make_visitor = collector.factory();
  options.sink = collector.sink();
  options.progress = [&](const ImportProgress& progress) {
    EXPECT_GE(progress.fraction, imported.fraction_max);
    imported.fraction_max = std::max(imported.fraction_max, progress.fraction);
  };
  if (twice) {  // A look at the rows comes between reading and the pass over what is kept.
    options.screen = [](const ScreenedRows& rows) -> absl::StatusOr<ScreenedRows> { return rows; };
  }
  TRY(const ImportResult result, import_files(options));
  TRY(const auto engine, Engine::create({}));
  StoredTable stored{result.schema, {}};
  for (const ImportedPart& part : result.parts) {
    stored.parts.push_back(part.path);
  }
  TRY(imported.stored_hash, content_hash_of(*engine, stored));
  imported.content_hash = result.content_hash;
  imported.profile_state = collector.builder().finish().state;
  return imported;
}

class ParquetImportTest : public ::testing::TestWithParam<int64_t> {};

// All types, missing and infinite cells, repeated rows; groups of rows that do and do not end where
// blocks end. What is hashed and profiled in passing is what a second look at it finds.
TEST_P(ParquetImportTest, SeesInPassingWhatItStores) {
  const testing::TempDir directory;
  const std::filesystem::path file = directory / "a.parquet";
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::create({}));
  ASSERT_OK_AND_ASSIGN(auto connection, duck::connect(*engine));
  ASSERT_OK(connection.run(fmt::format(
      "COPY (SELECT i % 1000 AS small, CAST(i AS INTEGER) AS \"an id\", i % 3 = 0 AS flag, "
      "CASE WHEN i % 11 = 0 THEN 'inf'::DOUBLE WHEN i % 13 <> 0 THEN i / 7 END AS number, "
      "(i / 10)::FLOAT AS narrow, DATE '2020-01-01' + CAST(i % 500 AS INTEGER) AS day, "
      "TIMESTAMP '2020-01-01' + to_minutes(i) AS time, "
      "CASE WHEN i % 17 <> 0 THEN concat('text ', i % 5000) END AS text, "
      "[i % 4, NULL] AS list FROM range({}) AS r(i)) TO '{}' (FORMAT parquet, ROW_GROUP_SIZE {})",
      kBlockRows + 45'678, file.string(), GetParam())));
  ASSERT_OK_AND_ASSIGN(const Imported wanted, import_parquet(file, 2, true));
  EXPECT_EQ(wanted.content_hash, wanted.stored_hash);
  for (const int threads : {1, 4}) {
    ASSERT_OK_AND_ASSIGN(const Imported found, import_parquet(file, threads, false));
    EXPECT_EQ(found.stored_hash, wanted.stored_hash);
    EXPECT_EQ(found.content_hash, wanted.content_hash);
    EXPECT_EQ(found.profile_state, wanted.profile_state);
    EXPECT_EQ(found.schemas, 1);
    EXPECT_GT(found.fraction_max, 0.9);
  }
}

INSTANTIATE_TEST_SUITE_P(RowGroups, ParquetImportTest, ::testing::Values(2048, 60'000, kBlockRows));

TEST(ParquetImport, ReadsAFileWithAColumnNamedLikeTheEnginesCounter) {
  const testing::TempDir directory;
  const std::filesystem::path file = directory / "a.parquet";
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::create({}));
  ASSERT_OK_AND_ASSIGN(auto connection, duck::connect(*engine));
  ASSERT_OK(connection.run(fmt::format(
      "COPY (SELECT i AS \"File_Row_Number\", i AS \"cromford row number\" FROM range(9) AS r(i)) "
      "TO '{}' (FORMAT parquet)",
      file.string())));
  ASSERT_OK_AND_ASSIGN(const Imported imported, import_parquet(file, 2, false));
  EXPECT_EQ(imported.content_hash, imported.stored_hash);
}

TEST(ParquetImport, KeepsRowGroupsOfAUsualSize) {
  const Schema narrow{{{"a", ColumnType::kInteger}}};
  constexpr uint64_t kMemory = 1ULL << 30;
  EXPECT_EQ(row_group_rows(narrow, kMemory), kBlockRows);
  EXPECT_EQ(row_group_rows(narrow, kMemory, 70'001), 70'001);
  EXPECT_EQ(row_group_rows(narrow, kMemory, 400'000), 400'000);
  EXPECT_EQ(row_group_rows(narrow, kMemory, 2048), kBlockRows);
  EXPECT_EQ(row_group_rows(narrow, kMemory, 1'000'000), kBlockRows);
  const Schema wide{std::vector<ColumnSchema>(1000)};
  EXPECT_EQ(row_group_rows(wide, kMemory, 70'001), 4096);

  const testing::TempDir directory;
  const std::filesystem::path file = directory / "a.parquet";
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::create({}));
  ASSERT_OK_AND_ASSIGN(auto connection, duck::connect(*engine));
  ASSERT_OK(connection.run(fmt::format(
      "COPY (SELECT i FROM range(140002) AS r(i)) TO '{}' (FORMAT parquet, ROW_GROUP_SIZE 71680)",
      file.string())));
  ImportOptions options;
  options.inputs.push_back({.path = file});
  options.output_directory = directory / "out";
  std::filesystem::create_directories(options.output_directory);
  ASSERT_OK_AND_ASSIGN(const ImportResult result, import_files(options));
  ASSERT_OK_AND_ASSIGN(auto groups,
                       connection.run(fmt::format("SELECT count(*) FROM parquet_metadata('{}')",
                                                  result.parts[0].path.string())));
  EXPECT_EQ(groups.integer(0, 0), 2);
}

TEST(ParquetImport, LeavesNothingWhenCancelledWhileRowsGoBy) {
  const testing::TempDir directory;
  base::CancelSource source;
  ImportOptions options;
  options.inputs.push_back({.path = testing::flights_file()});
  options.output_directory = directory.path();
  options.cancel = source.token();
  options.make_visitor = [&](int64_t) {
    source.cancel();
    return nullptr;
  };
  options.sink = [](int64_t, const auto&) { return absl::OkStatus(); };
  EXPECT_THAT(import_files(options), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(ParquetImport, ReadsAFileWithoutRows) {
  const testing::TempDir directory;
  const std::filesystem::path file = directory / "a.parquet";
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::create({}));
  ASSERT_OK_AND_ASSIGN(auto connection, duck::connect(*engine));
  ASSERT_OK(connection.run(fmt::format(
      "COPY (SELECT 1 AS a, 'x' AS b WHERE false) TO '{}' (FORMAT parquet)", file.string())));
  ASSERT_OK_AND_ASSIGN(const Imported imported, import_parquet(file, 2, false));
  EXPECT_EQ(imported.content_hash, imported.stored_hash);
  EXPECT_EQ(imported.schemas, 1);
}

}  // namespace
}  // namespace cromford::table
