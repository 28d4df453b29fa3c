#include "table/csv_to_parquet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_system.h"
#include "table/scan.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::table {
namespace {

using ::cromford::testing::TempDir;

TEST(CsvToParquetTest, KeepsTypesQuotesAndMissingCells) {
  TempDir folder;
  const auto csv = folder.path() / "in.csv";
  ASSERT_OK(base::write_atomically(base::system_files(), csv,
                                   "prediction,probability_a\n\"x, \"\"y\"\"\",0.25\n1,\n"));
  const Schema schema{{{"prediction", ColumnType::kText}, {"probability_a", ColumnType::kNumber}}};
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::create({}));
  const auto parquet = folder.path() / "out.parquet";
  ASSERT_OK(csv_to_parquet(*engine, csv, schema, parquet));
  ASSERT_OK_AND_ASSIGN(const Table table, read_table(*engine, {schema, {parquet}}));
  ASSERT_EQ(table.row_count(), 2);
  EXPECT_EQ(table.columns()[0].text(0), "x, \"y\"");
  EXPECT_EQ(table.columns()[0].text(1), "1");
  EXPECT_EQ(table.columns()[1].numbers[0], 0.25);
  EXPECT_FALSE(table.columns()[1].valid(1));
}

TEST(CsvToParquetTest, AFileThatIsNotThereLeavesNothing) {
  TempDir folder;
  ASSERT_OK_AND_ASSIGN(const auto engine, Engine::create({}));
  EXPECT_FALSE(csv_to_parquet(*engine, folder.path() / "none.csv", {{{"a", ColumnType::kText}}},
                              folder.path() / "out.parquet")
                   .ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace cromford::table
