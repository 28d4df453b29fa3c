#include "monitor/table_drift.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <random>

#include "base/file_system.h"
#include "table/csv_to_parquet.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::monitor {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

class TableDriftTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK_AND_ASSIGN(engine, table::Engine::create({})); }

  // Rows of which the number is shifted and the text is another more often.
  table::StoredTable make(const std::string& name, int rows, uint64_t seed, double shift,
                          double other) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    std::bernoulli_distribution often(other);
    std::string text = "steady,shifted,origin,when\n";
    for (int i = 0; i < rows; ++i) {
      text += fmt::format("{},{},{},2001-0{}-11\n", normal(random),
                          i % 50 == 0 ? std::string() : fmt::format("{}", shift + normal(random)),
                          often(random) ? "new" : fmt::format("o{}", random() % 5), 1 + i % 4);
    }
    const auto csv = folder.path() / (name + ".csv");
    EXPECT_OK(base::write_atomically(base::system_files(), csv, text));
    table::StoredTable stored{.schema = {{{"steady", table::ColumnType::kNumber},
                                          {"shifted", table::ColumnType::kNumber},
                                          {"origin", table::ColumnType::kText},
                                          {"when", table::ColumnType::kDate}}},
                              .parts = {folder.path() / (name + ".parquet")}};
    EXPECT_OK(table::csv_to_parquet(*engine, csv, stored.schema, stored.parts[0]));
    return stored;
  }

  testing::TempDir folder;
  std::unique_ptr<table::Engine> engine;
};

TEST_F(TableDriftTest, WhatMovedComesFirst) {
  const auto before = make("before", 20'000, 1, 0, 0.05);
  const auto now = make("now", 10'000, 2, 1.5, 0.3);
  ASSERT_OK_AND_ASSIGN(const auto columns, table_drift(*engine, before, now));
  ASSERT_EQ(columns.size(), 4U);
  EXPECT_EQ(columns[0].name, "shifted");
  EXPECT_EQ(columns[1].name, "origin");
  // The index of two normal distributions is the square of their distance.
  EXPECT_NEAR(columns[0].drift.effect, 1.5 * 1.5, 0.4);
  EXPECT_NEAR(columns[0].missing, 0.02, 1e-9);
  for (const ColumnDrift& column : columns) {
    EXPECT_EQ(column.moved, column.name == "shifted" || column.name == "origin") << column.name;
  }
}

TEST_F(TableDriftTest, WhereNothingMovedNothingIsSaid) {
  int moved = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const auto before = make("before", 3000, 100 + seed, 0, 0.1);
    const auto now = make("now", 3000, 200 + seed, 0, 0.1);
    ASSERT_OK_AND_ASSIGN(const auto columns, table_drift(*engine, before, now));
    for (const ColumnDrift& column : columns) {
      moved += column.moved ? 1 : 0;
    }
  }
  EXPECT_LE(moved, 1);
}

TEST_F(TableDriftTest, TablesWithoutACommonColumnAreRefused) {
  const auto before = make("before", 100, 1, 0, 0);
  table::StoredTable other = before;
  other.schema.columns = {{"steady", table::ColumnType::kText}};
  EXPECT_THAT(table_drift(*engine, before, other),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no column")));
}

}  // namespace
}  // namespace cromford::monitor
