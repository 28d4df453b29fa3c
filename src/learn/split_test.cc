#include "learn/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "learn/leakage.h"
#include "learn/sample_tables.h"
#include "testing/status_matchers.h"

namespace cromford::learn {
namespace {

using cromford::testing::StatusIs;
using ::testing::HasSubstr;

// Every row is on one side; the folds hold work rows only and never teach what they judge.
void expect_sound(const Split& split, size_t rows) {
  std::set<uint32_t> all(split.work.begin(), split.work.end());
  all.insert(split.test.begin(), split.test.end());
  EXPECT_EQ(all.size(), rows);
  EXPECT_EQ(split.work.size() + split.test.size(), rows);
  const std::set<uint32_t> work(split.work.begin(), split.work.end());
  for (const Fold& fold : split.folds) {
    EXPECT_FALSE(fold.train.empty());
    EXPECT_FALSE(fold.valid.empty());
    const std::set<uint32_t> train(fold.train.begin(), fold.train.end());
    for (const uint32_t row : fold.valid) {
      EXPECT_FALSE(train.contains(row));
      EXPECT_TRUE(work.contains(row));
    }
    EXPECT_TRUE(std::is_sorted(fold.train.begin(), fold.train.end()));
    EXPECT_TRUE(std::is_sorted(fold.valid.begin(), fold.valid.end()));
  }
}

double positive_share(const Problem& problem, const std::vector<uint32_t>& rows) {
  double sum = 0;
  for (const uint32_t row : rows) {
    sum += problem.labels[row];
  }
  return sum / static_cast<double>(rows.size());
}

TEST(SplitTest, StratifiedPartsHaveTheSameShare) {
  const table::Table table = binary_table(1000, 2);
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, {.target = "late"}));
  ASSERT_OK_AND_ASSIGN(const Split split, split_rows(table, problem, {}));
  expect_sound(split, 1000);
  EXPECT_EQ(split.method, "stratified");
  EXPECT_EQ(split.folds.size(), 5U);
  EXPECT_NEAR(static_cast<double>(split.test.size()), 200, 1);
  const double share = positive_share(problem, split.work);
  EXPECT_NEAR(positive_share(problem, split.test), share, 0.01);
  for (const Fold& fold : split.folds) {
    EXPECT_NEAR(positive_share(problem, fold.valid), share, 0.01);
  }
}

TEST(SplitTest, ManyRowsGetAHoldout) {
  const table::Table table = binary_table(5000, 2);
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, {.target = "late"}));
  ASSERT_OK_AND_ASSIGN(const Split split, split_rows(table, problem, {.fold_rows_max = 1000}));
  expect_sound(split, 5000);
  EXPECT_EQ(split.validation, "holdout");
  EXPECT_EQ(split.folds.size(), 1U);
}

// Copies that chance does not make: each row stands three times, with a target of its own.
TEST(SplitTest, CopiesShareASide) {
  base::Random random(3);
  std::vector<double> x;
  std::vector<double> z;
  std::vector<double> y;
  for (int i = 0; i < 200; ++i) {
    x.insert(x.end(), 3, random.normal());
    z.insert(z.end(), 3, random.normal());
    for (int copy = 0; copy < 3; ++copy) {
      y.push_back(x.back() + copy);
    }
  }
  const table::Table table =
      table_of({number_column("x", x), number_column("z", z), number_column("y", y)});
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, {.target = "y"}));
  ASSERT_OK_AND_ASSIGN(const Split split, split_rows(table, problem, {}));
  expect_sound(split, 600);
  EXPECT_TRUE(split.test_part.copies_together);
  const auto expect_apart = [&x](const std::vector<uint32_t>& some,
                                 const std::vector<uint32_t>& others) {
    std::set<double> values;
    for (const uint32_t row : some) {
      values.insert(x[row]);
    }
    for (const uint32_t row : others) {
      EXPECT_FALSE(values.contains(x[row]));
    }
  };
  expect_apart(split.test, split.work);
  for (const Fold& fold : split.folds) {
    expect_apart(fold.valid, fold.train);
    EXPECT_NEAR(static_cast<double>(fold.valid.size()), 96, 3);
  }
}

table::Table dated_table(size_t rows, size_t per_day) {
  table::Table table = regression_table(rows, 3);
  std::vector<int64_t> days;
  std::vector<std::string> groups;
  for (size_t i = 0; i < rows; ++i) {
    days.push_back(static_cast<int64_t>(i / per_day));
    groups.push_back("g" + std::to_string(i % 40));
  }
  table.mutable_columns().push_back(integer_column("day", table::ColumnType::kDate, days));
  table.mutable_columns().push_back(text_column("who", groups));
  return table;
}

TEST(SplitTest, TimeKeepsTheLatestAndWholeMoments) {
  const table::Table table = dated_table(1000, 7);
  ASSERT_OK_AND_ASSIGN(const Problem problem,
                       understand(table, {.target = "price", .time_column = "day"}));
  ASSERT_OK_AND_ASSIGN(const Split split, split_rows(table, problem, {}));
  expect_sound(split, 1000);
  EXPECT_EQ(split.method, "time");
  EXPECT_EQ(split.validation, "forward");
  EXPECT_LT(split.work.back() / 7, split.test.front() / 7) << "a day is on one side";
  for (const Fold& fold : split.folds) {
    EXPECT_LT(fold.train.back() / 7, fold.valid.front() / 7) << "the past teaches the future";
  }
  EXPECT_EQ(split.test_from, static_cast<double>(split.test.front() / 7) * 86400.0);
  for (size_t row = 1; row < 1000; ++row) {
    EXPECT_EQ(split.keys[row] == split.keys[row - 1], row % 7 != 0) << row;
  }
}

TEST(SplitTest, GroupsStayWhole) {
  const table::Table table = dated_table(1000, 7);
  for (const bool timed : {false, true}) {
    TrainSettings settings{.target = "price"};
    settings.group_column = "who";
    settings.ignore = {"day"};
    if (timed) {
      settings.ignore = {};
      settings.time_column = "day";
    }
    ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, settings));
    ASSERT_OK_AND_ASSIGN(const Split split, split_rows(table, problem, {}));
    expect_sound(split, 1000);
    EXPECT_EQ(split.method, timed ? "group_by_time" : "group");
    for (size_t row = 40; row < 1000; ++row) {
      EXPECT_EQ(split.keys[row], split.keys[row - 40]) << row;
    }
    for (const uint32_t row : split.work) {
      for (const uint32_t other : split.test) {
        ASSERT_NE(row % 40, other % 40);
      }
    }
  }
}

// One group of more than a test part always teaches; the others are dealt by their hashes.
TEST(SplitTest, AHugeGroupTeaches) {
  table::Table table = regression_table(1000, 3);
  std::vector<std::string> who;
  for (size_t i = 0; i < 1000; ++i) {
    who.push_back(i % 2 == 0 ? "huge" : "g" + std::to_string(i % 70));
  }
  table.mutable_columns().push_back(text_column("who", who));
  ASSERT_OK_AND_ASSIGN(const Problem problem,
                       understand(table, {.target = "price", .group_column = "who"}));
  ASSERT_OK_AND_ASSIGN(const Split split, split_rows(table, problem, {}));
  expect_sound(split, 1000);
  EXPECT_NEAR(static_cast<double>(split.test.size()), 200, 20);
  EXPECT_EQ(split.test_part.taught.size(), 1U);
  for (const uint32_t row : split.test) {
    EXPECT_NE(row % 2, 0U);
  }
}

TEST(SplitErrorTest, NamesWhatDoesNotDivide) {
  const table::Table table = dated_table(200, 1000);
  ASSERT_OK_AND_ASSIGN(Problem problem, understand(table, {.target = "price"}));
  problem.time_column = 4;
  EXPECT_THAT(split_rows(table, problem, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("one moment")));
  std::vector<std::string> who;
  for (size_t i = 0; i < 200; ++i) {
    who.push_back("g" + std::to_string(i % 3));
  }
  table::Table few = regression_table(200, 1);
  few.mutable_columns().push_back(text_column("who", who));
  ASSERT_OK_AND_ASSIGN(const Problem grouped,
                       understand(few, {.target = "price", .group_column = "who"}));
  EXPECT_THAT(split_rows(few, grouped, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("3 distinct groups")));
}

TEST(LeakageTest, SoundsTheAlarms) {
  base::Random random(4);
  const size_t n = 1000;
  std::vector<int64_t> late;
  std::vector<double> copy;
  std::vector<double> strong;
  std::vector<double> refund;
  std::vector<double> fine;
  std::vector<double> half;
  std::vector<int64_t> day;
  std::vector<int64_t> closed;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (size_t i = 0; i < n; ++i) {
    const bool positive = random.uniform() < 0.3;
    late.push_back(positive ? 1 : 0);
    copy.push_back(positive ? 7 + random.uniform() : random.uniform());
    strong.push_back((positive ? 2.6 : 0) + random.normal());
    refund.push_back(positive && random.uniform() < 0.97 ? random.uniform() : nan);
    half.push_back(random.uniform() < (positive ? 0.9 : 0.2) ? 1.0 + random.uniform() : nan);
    fine.push_back(random.normal());
    day.push_back(static_cast<int64_t>(i));
    closed.push_back(static_cast<int64_t>(i + 1 + random.below(30)));
  }
  const table::Table table =
      table_of({integer_column("late", table::ColumnType::kBoolean, late),
                number_column("copy", copy), number_column("strong", strong),
                number_column("refund", refund), number_column("half", half),
                number_column("fine", fine), integer_column("day", table::ColumnType::kDate, day),
                integer_column("closed", table::ColumnType::kDate, closed)});
  ASSERT_OK_AND_ASSIGN(Problem problem,
                       understand(table, {.target = "late", .time_column = "day"}));
  std::vector<uint32_t> rows;
  for (uint32_t i = 0; i < n; ++i) {
    rows.push_back(i);
  }
  find_leaks(table, rows, problem);
  std::vector<std::string> alarms;
  for (const Warning& warning : problem.warnings) {
    alarms.push_back(warning.code + " " + warning.column);
  }
  EXPECT_THAT(alarms, ::testing::UnorderedElementsAre(
                          "leak_certain copy", "leak_suspect strong", "leak_suspect refund",
                          "filled_after refund", "missing_tells half", "later_than_row closed"));
}

TEST(LeakageTest, RegressionGoesByR2) {
  table::Table table = regression_table(800, 4);
  std::vector<double> nearly = table.columns()[3].numbers;
  for (size_t i = 0; i < nearly.size(); ++i) {
    nearly[i] += static_cast<double>(i % 5);
  }
  table.mutable_columns().push_back(number_column("nearly", nearly));
  ASSERT_OK_AND_ASSIGN(Problem problem, understand(table, {.target = "price"}));
  std::vector<uint32_t> rows;
  for (uint32_t i = 0; i < 800; ++i) {
    rows.push_back(i);
  }
  find_leaks(table, rows, problem);
  ASSERT_EQ(problem.warnings.size(), 1U);
  EXPECT_EQ(problem.warnings[0].code, "leak_suspect");
  EXPECT_EQ(problem.warnings[0].column, "nearly");
}

}  // namespace
}  // namespace cromford::learn
