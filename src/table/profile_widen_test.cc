// Profiles of columns that come later and of columns whose type grows.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "table/column_samples_test.h"
#include "table/profile_builder.h"
#include "table/profile_state.h"
#include "testing/status_matchers.h"

namespace cromford::table {
namespace {

Profile profile_of(std::vector<Column> columns, size_t rows) {
  const Table table(std::move(columns), static_cast<int64_t>(rows));
  absl::StatusOr<Profile> profile = profile_table(table);
  EXPECT_OK(profile);
  return *profile;
}

Profile appended(std::vector<Column> earlier, std::vector<Column> later, size_t rows) {
  const Profile first = profile_of(std::move(earlier), rows);
  const Profile second = profile_of(std::move(later), rows);
  ProfileBuilder builder = *ProfileBuilder::resume(schema_of(first), first);
  EXPECT_OK(builder.merge(*ProfileBuilder::resume(schema_of(second), second)));
  return builder.finish();
}

TEST(ProfileWidenTest, ColumnsMayComeAndTypesMayGrow) {
  const Profile both =
      appended({integers("i", {1, 2, 2}), integers("d", {0, 1, 2}, ColumnType::kDate),
                integers("f", {0, 1, 1}, ColumnType::kBoolean), numbers("t", {1, 2.5, 1})},
               {texts("new", {"a", "b", "c"}), numbers("i", {2, 0.5, 7}),
                integers("d", {86'400'000'000, 5, 6}, ColumnType::kTimestamp),
                integers("f", {0, 7, 8}), texts("t", {"1.0", "x", "y"})},
               3);
  EXPECT_EQ(both.row_count, 6);
  EXPECT_EQ(both.columns[0].name, "new");
  EXPECT_EQ(both.columns[0].missing, 3);
  EXPECT_EQ(both.columns[1].distinct, 4);
  EXPECT_EQ(both.columns[1].top[0], (TopValue{"2", 3}));
  EXPECT_EQ(both.columns[2].distinct, 5);
  EXPECT_EQ(both.columns[2].number->max, 2 * 86'400e6);
  EXPECT_EQ(both.columns[3].distinct, 4);
  EXPECT_EQ(both.columns[4].top[0], (TopValue{"1.0", 3}));
  // The grown profile is one to go on from.
  EXPECT_OK(ProfileBuilder::resume(schema_of(both), both));
}

TEST(ProfileWidenTest, SketchesGrowToo) {
  constexpr size_t kRows = 50'000;
  std::vector<int64_t> values;
  std::vector<double> halves;
  std::vector<std::string> words;
  for (size_t i = 0; i < kRows; ++i) {
    values.push_back(static_cast<int64_t>(i * 7919 % kRows));
    halves.push_back(static_cast<double>(i) + 0.5);
    words.push_back("w" + std::to_string(i));
  }
  const Profile wider = appended({integers("x", values)}, {numbers("x", halves)}, kRows);
  EXPECT_NEAR(static_cast<double>(wider.columns[0].distinct), 100'000, 4000);
  EXPECT_NEAR(wider.columns[0].number->mean, 25'000, 1);
  EXPECT_EQ(wider.columns[0].number->min, 0);
  EXPECT_OK(ProfileBuilder::resume(schema_of(wider), wider));
  const Profile times =
      appended({integers("x", values, ColumnType::kDate)},
               {integers("x", std::vector<int64_t>(kRows, 0), ColumnType::kTimestamp)}, kRows);
  EXPECT_EQ(times.columns[0].number->max, 49'999 * 86'400e6);
  EXPECT_NEAR(times.columns[0].number->mean, 12'500 * 86'400e6, 86'400e6);
  const Profile text = appended({integers("x", values)}, {texts("x", words)}, kRows);
  EXPECT_NEAR(static_cast<double>(text.columns[0].distinct), 100'000, 4000);
  EXPECT_EQ(text.columns[0].text->length_max, 6);
  EXPECT_OK(ProfileBuilder::resume(schema_of(text), text));
}

// The same values come again in a file that makes the column's type grow.
TEST(ProfileWidenTest, GrownColumnsCountNoValueTwice) {
  constexpr size_t kRows = 20'000;
  constexpr int64_t kDay = 86'400'000'000;
  std::vector<int64_t> values;
  std::vector<int64_t> midnights;
  std::vector<double> same;
  std::vector<double> halves;
  std::vector<std::string> digits;
  std::vector<std::string> half_texts;
  std::vector<std::string> day_texts;
  std::vector<std::string> codes;
  for (size_t i = 0; i < kRows; ++i) {
    const auto value = static_cast<int64_t>(i) - 1000;
    values.push_back(value);
    midnights.push_back(value * kDay);
    same.push_back(static_cast<double>(value));
    halves.push_back(static_cast<double>(value) + 0.5);
    digits.push_back(std::to_string(value));
    half_texts.push_back(value_text(ColumnType::kNumber, halves.back()));
    day_texts.push_back(value_text(ColumnType::kDate, same.back()));
    codes.push_back("0" + std::to_string(i));
  }
  const std::vector<std::tuple<std::string, Column, Column, double>> cases = {
      {"integers, numbers", integers("x", values), numbers("x", same), 1},
      {"integers, texts", integers("x", values), texts("x", digits), 1},
      {"numbers, texts", numbers("x", halves), texts("x", half_texts), 1},
      {"dates, timestamps", integers("x", values, ColumnType::kDate),
       integers("x", midnights, ColumnType::kTimestamp), 1},
      {"dates, texts", integers("x", values, ColumnType::kDate), texts("x", day_texts), 1},
      {"other values", integers("x", values), texts("x", codes), 2},
  };
  for (const auto& [name, earlier, later, times] : cases) {
    SCOPED_TRACE(name);
    const Profile both = appended({earlier}, {later}, kRows);
    EXPECT_FALSE(both.columns[0].exact);
    EXPECT_NEAR(static_cast<double>(both.columns[0].distinct), times * kRows, times * 0.04 * kRows);
  }
}

}  // namespace
}  // namespace cromford::table
