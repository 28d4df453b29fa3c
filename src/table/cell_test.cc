#include "table/cell.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "table/table.h"

namespace cromford::table {
namespace {

TEST(Cell, ReadsIntegersButNoCodes) {
  int64_t value = 0;
  EXPECT_TRUE(parse_integer("0", value));
  EXPECT_TRUE(parse_integer("-42", value));
  EXPECT_EQ(value, -42);
  EXPECT_TRUE(parse_integer("+7", value));
  EXPECT_TRUE(parse_integer("999999999999999999", value));
  for (const char* text :
       {"", "-", "007", "1.0", "1e3", "12a", " 1", "1234567890123456789", "--1"}) {
    EXPECT_FALSE(parse_integer(text, value)) << text;
  }
}

TEST(Cell, ReadsNumbersInThreeStyles) {
  const std::vector<std::tuple<const char*, NumberStyle, double>> good = {
      {"1.5", NumberStyle::kPlain, 1.5},
      {"-.5", NumberStyle::kPlain, -0.5},
      {"1e-3", NumberStyle::kPlain, 0.001},
      {"+2.", NumberStyle::kPlain, 2},
      {"0012.50", NumberStyle::kPlain, 12.5},
      {"1e-999", NumberStyle::kPlain, 0},
      {"1,5", NumberStyle::kDecimalComma, 1.5},
      {"1.234,5", NumberStyle::kDecimalComma, 1234.5},
      {"1 234,5", NumberStyle::kDecimalComma, 1234.5},
      {"-3", NumberStyle::kDecimalComma, -3},
      {"1,234.5", NumberStyle::kThousands, 1234.5},
      {"1,234,567", NumberStyle::kThousands, 1234567},
      {"12.5", NumberStyle::kThousands, 12.5}};
  for (const auto& [text, style, expected] : good) {
    double value = 0;
    EXPECT_TRUE(parse_number(text, style, value)) << text;
    EXPECT_EQ(value, expected) << text;
  }
  const std::vector<std::pair<const char*, NumberStyle>> bad = {
      {"", NumberStyle::kPlain},           {"nan", NumberStyle::kPlain},
      {"inf", NumberStyle::kPlain},        {"-inf", NumberStyle::kPlain},
      {"1e999", NumberStyle::kPlain},      {"1,5", NumberStyle::kPlain},
      {"0x10", NumberStyle::kPlain},       {"+-1", NumberStyle::kPlain},
      {"1.5", NumberStyle::kDecimalComma}, {"1,2,3", NumberStyle::kDecimalComma},
      {"12,34", NumberStyle::kThousands},  {",123", NumberStyle::kThousands},
      {"1,2345", NumberStyle::kThousands}};
  for (const auto& [text, style] : bad) {
    double value = 0;
    EXPECT_FALSE(parse_number(text, style, value)) << text;
  }
}

TEST(Cell, TellsTheFormatsOfDates) {
  bool has_time = false;
  EXPECT_EQ(date_formats_of("2001-02-25", has_time), bit(DateFormat::kYearMonthDay));
  EXPECT_EQ(date_formats_of("25/02/2001", has_time), bit(DateFormat::kDayMonthYear));
  EXPECT_EQ(date_formats_of("02.25.2001", has_time), bit(DateFormat::kMonthDayYear));
  EXPECT_EQ(date_formats_of("3/4/2001", has_time),
            bit(DateFormat::kDayMonthYear) | bit(DateFormat::kMonthDayYear));
  EXPECT_EQ(date_formats_of("25/02/01", has_time), bit(DateFormat::kDayMonthShortYear));
  EXPECT_EQ(date_formats_of("25-Feb-2001", has_time), bit(DateFormat::kDayNameYear));
  EXPECT_EQ(date_formats_of("25-Feb-01", has_time), bit(DateFormat::kDayNameShortYear));
  EXPECT_EQ(date_formats_of("February 25, 2001", has_time), bit(DateFormat::kNameDayYear));
  EXPECT_EQ(date_formats_of("1949-01", has_time), bit(DateFormat::kYearMonth));
  EXPECT_FALSE(has_time);
  EXPECT_NE(date_formats_of("2001-02-25 10:00", has_time), 0U);
  EXPECT_TRUE(has_time);
  for (const char* text : {"", "2001", "2001-13-01", "2001-02-30", "2001-02/03", "10:00:00",
                           "192.168.1.1", "1-2", "555-1234", "Feb", "2001-02-25x", "12.5.3.4"}) {
    EXPECT_EQ(date_formats_of(text, has_time), 0U) << text;
  }
}

TEST(Cell, ReadsDatesAndTimes) {
  int32_t days = 0;
  EXPECT_TRUE(parse_date("25/02/01", DateFormat::kDayMonthShortYear, days));
  EXPECT_EQ(format_date(days), "2001-02-25");
  EXPECT_TRUE(parse_date("25/02/68", DateFormat::kDayMonthShortYear, days));
  EXPECT_EQ(format_date(days), "2068-02-25");
  EXPECT_TRUE(parse_date("25/02/69", DateFormat::kDayMonthShortYear, days));
  EXPECT_EQ(format_date(days), "1969-02-25");
  EXPECT_FALSE(parse_date("2001-02-25 10:00", DateFormat::kYearMonthDay, days));
  const std::vector<std::pair<const char*, const char*>> times = {
      {"2001-02-25", "2001-02-25T00:00:00Z"},
      {"2001-02-25 10:00", "2001-02-25T10:00:00Z"},
      {"2001-02-25T10:00:00.25", "2001-02-25T10:00:00.250000Z"},
      {"2001-02-25T10:00:00+02:00", "2001-02-25T08:00:00Z"},
      {"2001-02-25 10:00:00-0530", "2001-02-25T15:30:00Z"},
      {"2001-02-25T10:00:00Z", "2001-02-25T10:00:00Z"},
      {"2001-02-25 9:05 PM", "2001-02-25T21:05:00Z"},
      {"2001-02-25 12:00 AM", "2001-02-25T00:00:00Z"}};
  for (const auto& [text, expected] : times) {
    int64_t microseconds = 0;
    EXPECT_TRUE(parse_timestamp(text, DateFormat::kYearMonthDay, microseconds)) << text;
    EXPECT_EQ(format_timestamp(microseconds), expected) << text;
  }
  int64_t ignored = 0;
  for (const char* text :
       {"2001-02-25 25:00", "2001-02-25 10:61", "2001-02-25 10", "2001-02-25 13:00 PM",
        "2001-02-25 10:00 +25:00", "2001-02-25 10:00 noon", "2001-02-25x"}) {
    EXPECT_FALSE(parse_timestamp(text, DateFormat::kYearMonthDay, ignored)) << text;
  }
}

TEST(Cell, KnowsMissingMarks) {
  for (const char* mark : {"?", "NA", "N/A", "NULL", "nan", "\\N", "#N/A"}) {
    EXPECT_NE(missing_mark_of(mark) & kMarksOfText, 0U) << mark;
  }
  for (const char* mark : {"None", "-", "unknown", "inf"}) {
    EXPECT_EQ(missing_mark_of(mark) & kMarksOfText, 0U) << mark;
    EXPECT_NE(missing_mark_of(mark) & kMarksOfTyped, 0U) << mark;
  }
  for (const char* text : {"", "N", "no", "Nah", "nothing at all", "0"}) {
    EXPECT_EQ(missing_mark_of(text), 0U) << text;
  }
}

TEST(Cell, ReadsTruth) {
  bool value = false;
  EXPECT_TRUE(parse_boolean("TRUE", value));
  EXPECT_TRUE(value);
  EXPECT_TRUE(parse_boolean("false", value));
  EXPECT_FALSE(value);
  EXPECT_FALSE(parse_boolean("yes", value));
  EXPECT_FALSE(parse_boolean("t", value));
}

}  // namespace
}  // namespace cromford::table
