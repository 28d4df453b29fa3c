#include "model/contract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/status.h"
#include "model/row_batch.h"
#include "testing/status_matchers.h"

namespace cromford::model {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

double number_of(InputType type, std::string_view raw) {
  const absl::StatusOr<Value> value = parse_value(type, raw);
  EXPECT_OK(value.status()) << raw;
  return value.ok() ? value->number : -12345.0;
}

TEST(ParseValue, Numbers) {
  EXPECT_EQ(number_of(InputType::kNumber, "612"), 612.0);
  EXPECT_EQ(number_of(InputType::kNumber, "  -1.5e-3\t"), -0.0015);
  EXPECT_EQ(number_of(InputType::kNumber, "+4"), 4.0);
  EXPECT_EQ(number_of(InputType::kNumber, ".5"), 0.5);
  EXPECT_TRUE(std::isnan(number_of(InputType::kNumber, "   ")));
  EXPECT_TRUE(std::isnan(number_of(InputType::kNumber, "")));
  EXPECT_TRUE(std::isnan(number_of(InputType::kNumber, "NaN")));
  for (const std::string_view bad :
       {"12a", "1,5", "0x10", "inf", "1e999", "--1", "+-1", "1 2", "+", "true"}) {
    EXPECT_THAT(parse_value(InputType::kNumber, bad).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is not a number")))
        << bad;
  }
  EXPECT_FALSE(base::remedy(parse_value(InputType::kNumber, "x").status()).empty());
}

TEST(ParseValue, Booleans) {
  for (const std::string_view yes : {"true", "TRUE", " yes ", "Y", "t", "1"}) {
    EXPECT_EQ(number_of(InputType::kBoolean, yes), 1.0);
  }
  for (const std::string_view no : {"false", "No", "n", "F", "0"}) {
    EXPECT_EQ(number_of(InputType::kBoolean, no), 0.0);
  }
  EXPECT_TRUE(std::isnan(number_of(InputType::kBoolean, " ")));
  EXPECT_THAT(parse_value(InputType::kBoolean, "2").status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'2' is not a boolean")));
}

TEST(ParseValue, DatesAndTimestamps) {
  EXPECT_EQ(number_of(InputType::kDate, "1970-01-02"), 86400.0);
  EXPECT_EQ(number_of(InputType::kDate, "2001-02-28T23:59:59+09:00"), 983318400.0);
  EXPECT_EQ(number_of(InputType::kTimestamp, "2001-02-28T17:05:00Z"), 983379900.0);
  EXPECT_EQ(number_of(InputType::kTimestamp, "2001-02-28 17:05"), 983379900.0);
  EXPECT_EQ(number_of(InputType::kTimestamp, "2001-02-28 17:05:00.25 +01:30"),
            983379900.25 - 5400.0);
  EXPECT_EQ(number_of(InputType::kTimestamp, "2001-02-28T17:05:00-08"), 983379900.0 + 28800.0);
  EXPECT_EQ(number_of(InputType::kTimestamp, "2001-02-28T17:05:00-0830"), 983379900.0 + 30600.0);
  EXPECT_EQ(number_of(InputType::kTimestamp, " 1969-12-31 "), -86400.0);
  EXPECT_EQ(number_of(InputType::kTimestamp, "2000-02-29"), 951782400.0);
  for (const std::string_view bad :
       {"2001-02-29", "2001-13-01", "2001-00-01", "2001-1-1", "01/02/2001", "2001-02-28T",
        "2001-02-28T25:00", "2001-02-28T10:60", "2001-02-28T10:00:61", "2001-02-28T10:00:00.",
        "2001-02-28T10:00Q", "2001-02-28T10:00+1", "2001-02-28T10:00+01:0", "2001-02-28x", "now"}) {
    EXPECT_THAT(parse_value(InputType::kTimestamp, bad).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is not a timestamp")))
        << bad;
    EXPECT_FALSE(parse_value(InputType::kDate, bad).ok()) << bad;
  }
}

TEST(ParseValue, TextKeepsItsBlanksAndBlankIsMissing) {
  ASSERT_OK_AND_ASSIGN(const Value value, parse_value(InputType::kText, " ORD "));
  EXPECT_EQ(value.text, " ORD ");
  ASSERT_OK_AND_ASSIGN(const Value missing, parse_value(InputType::kText, "  "));
  EXPECT_TRUE(missing.text.empty());
}

TEST(ParseValue, LongValuesAreClippedInMessages) {
  const std::string text(100000, 'x');
  EXPECT_LT(base::message(parse_value(InputType::kNumber, text).status()).size(), 200U);
}

TEST(Contract, NamesGoBothWays) {
  for (const InputType type : {InputType::kNumber, InputType::kBoolean, InputType::kText,
                               InputType::kDate, InputType::kTimestamp}) {
    EXPECT_EQ(input_type_by_name(input_type_name(type)), type);
  }
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression}) {
    EXPECT_EQ(task_by_name(task_name(task)), task);
  }
  EXPECT_EQ(task_by_name("clustering"), std::nullopt);
  EXPECT_EQ(input_type_by_name("blob"), std::nullopt);
  const Contract contract = {{"a", InputType::kText}, {"b", InputType::kNumber}};
  EXPECT_EQ(find_column(contract, "b"), 1U);
  EXPECT_EQ(find_column(contract, "B"), std::nullopt);
}

TEST(Contract, CalendarGoesBothWays) {
  for (int64_t days = -800000; days < 800000; days += 37) {
    const CivilDate date = civil_from_days(days);
    EXPECT_EQ(days_from_civil(date.year, date.month, date.day), days);
  }
  EXPECT_EQ(days_from_civil(1970, 1, 1), 0);
  EXPECT_EQ(days_from_civil(2001, 1, 1), 11323);
}

TEST(RowBuffer, StartsMissingAndTakesValues) {
  const Contract contract = {{"origin", InputType::kText}, {"distance", InputType::kNumber}};
  RowBuffer rows(contract);
  rows.reset(2);
  rows.set_text(1, 0, "ORD");
  rows.set(0, 1, Value{.number = 3.0});
  const RowBatch batch = rows.batch();
  EXPECT_EQ(batch.row_count, 2U);
  EXPECT_TRUE(batch.columns[0].texts[0].empty());
  EXPECT_EQ(batch.columns[0].texts[1], "ORD");
  EXPECT_EQ(batch.columns[1].numbers[0], 3.0);
  EXPECT_TRUE(std::isnan(batch.columns[1].numbers[1]));
  rows.set_text(1, 0, "");
  EXPECT_TRUE(batch.columns[0].texts[1].empty());
  rows.reset(1);
  EXPECT_TRUE(std::isnan(rows.batch().columns[1].numbers[0]));
}

}  // namespace
}  // namespace cromford::model
