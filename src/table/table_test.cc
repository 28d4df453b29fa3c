#include "table/table.h"

#include <gtest/gtest.h>

namespace cromford::table {
namespace {

TEST(Table, TypesHaveNamesThatReadBack) {
  for (const auto* name : {"boolean", "integer", "number", "date", "timestamp", "text"}) {
    const auto type = parse_column_type(name);
    ASSERT_TRUE(type.has_value()) << name;
    EXPECT_EQ(column_type_name(*type), name);
  }
  EXPECT_FALSE(parse_column_type("Text").has_value());
}

TEST(Table, FindsColumnsByTheirExactName) {
  Column origin{.name = "origin", .type = ColumnType::kText};
  const Table table({origin}, 0);
  EXPECT_NE(table.find("origin"), nullptr);
  EXPECT_EQ(table.find("Origin"), nullptr);
  EXPECT_EQ(table.schema().find("origin"), 0U);
  EXPECT_EQ(table.schema().names(), std::vector<std::string>{"origin"});
}

TEST(Table, WritesDatesAndTimestamps) {
  EXPECT_EQ(format_date(0), "1970-01-01");
  EXPECT_EQ(format_date(11354), "2001-02-01");
  EXPECT_EQ(format_date(-1), "1969-12-31");
  EXPECT_EQ(format_timestamp(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_timestamp(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_timestamp(981'021'600'000'000), "2001-02-01T10:00:00Z");
}

TEST(Table, WritesCellsAsPeopleReadThem) {
  const Column numbers{
      .name = "x", .type = ColumnType::kNumber, .numbers = {0.1, 0}, .validity = {1}};
  EXPECT_EQ(cell_text(numbers, 0), "0.1");
  EXPECT_EQ(cell_text(numbers, 1), "");
  const Column flags{.name = "b", .type = ColumnType::kBoolean, .integers = {1, 0}};
  EXPECT_EQ(cell_text(flags, 0), "true");
  EXPECT_EQ(cell_text(flags, 1), "false");
  const Column words{
      .name = "t", .type = ColumnType::kText, .codes = {1, 0}, .dictionary = {"a", "b"}};
  EXPECT_EQ(cell_text(words, 0), "b");
  const Column dates{.name = "d", .type = ColumnType::kDate, .integers = {1}};
  EXPECT_EQ(cell_text(dates, 0), "1970-01-02");
  const Column whole{.name = "i", .type = ColumnType::kInteger, .integers = {-7}};
  EXPECT_EQ(cell_text(whole, 0), "-7");
}

}  // namespace
}  // namespace cromford::table
