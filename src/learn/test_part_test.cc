#include "learn/test_part.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "learn/sample_tables.h"
#include "learn/split.h"
#include "testing/status_matchers.h"

namespace cromford::learn {
namespace {

using cromford::testing::StatusIs;
using ::testing::HasSubstr;

// The rows of a table, in the order given.
table::Table rows_of(const table::Table& table, const std::vector<size_t>& rows) {
  std::vector<table::Column> columns;
  for (const table::Column& column : table.columns()) {
    if (column.type == table::ColumnType::kText) {
      std::vector<std::string> texts;
      for (const size_t row : rows) {
        texts.push_back(table::cell_text(column, static_cast<int64_t>(row)));
      }
      columns.push_back(text_column(column.name, texts));
    } else if (column.type == table::ColumnType::kNumber) {
      std::vector<double> numbers;
      for (const size_t row : rows) {
        numbers.push_back(cell_number(column, static_cast<uint32_t>(row)));
      }
      columns.push_back(number_column(column.name, numbers));
    } else {
      std::vector<int64_t> integers;
      for (const size_t row : rows) {
        integers.push_back(column.integers[row]);
      }
      columns.push_back(integer_column(column.name, column.type, integers));
    }
  }
  return table_of(std::move(columns));
}

std::vector<size_t> counted(size_t first, size_t last) {
  std::vector<size_t> rows;
  for (size_t i = first; i < last; ++i) {
    rows.push_back(i);
  }
  return rows;
}

// Three categories, nine cells: every row has many equals.
table::Table cell_table(size_t rows) {
  base::Random random(7);
  std::vector<std::string> a;
  std::vector<std::string> b;
  std::vector<int64_t> y;
  for (size_t i = 0; i < rows; ++i) {
    a.push_back(std::string(1, static_cast<char>('p' + random.below(3))));
    b.push_back(random.uniform() < 0.8 ? "often" : random.uniform() < 0.5 ? "seldom" : "rarely");
    y.push_back(random.uniform() < (a.back() == "p" ? 0.7 : 0.2) ? 1 : 0);
  }
  return table_of({text_column("a", a), text_column("b", b),
                   integer_column("y", table::ColumnType::kBoolean, y)});
}

TEST(TestPartTest, IsTheSameForEverySeedAndOrderOfRows) {
  const table::Table table = binary_table(1000, 2);
  std::vector<size_t> backwards = counted(0, 1000);
  std::reverse(backwards.begin(), backwards.end());
  const table::Table turned = rows_of(table, backwards);
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, {.target = "late"}));
  ASSERT_OK_AND_ASSIGN(const Problem other, understand(turned, {.target = "late"}));
  ASSERT_OK_AND_ASSIGN(const Split first, split_rows(table, problem, {.seed = 1}));
  ASSERT_OK_AND_ASSIGN(const Split again, split_rows(table, problem, {.seed = 2}));
  ASSERT_OK_AND_ASSIGN(const Split third, split_rows(turned, other, {.seed = 3, .threads = 2}));
  EXPECT_EQ(first.test, again.test);
  EXPECT_NE(first.folds[0].valid, again.folds[0].valid) << "folds are dealt by the seed";
  std::set<uint32_t> turned_back;
  for (const uint32_t position : third.test) {
    turned_back.insert(999 - position);
  }
  EXPECT_EQ(turned_back, std::set<uint32_t>(first.test.begin(), first.test.end()));
}

// Of a dataset that grew, with another seed: the rows that both models were tested on.
void expect_fair(const table::Table& all, const TrainSettings& settings) {
  const auto grown_count = static_cast<size_t>(all.row_count());
  const size_t old_count = grown_count / 2;
  const table::Table old_table = rows_of(all, counted(0, old_count));
  ASSERT_OK_AND_ASSIGN(const Problem old_problem, understand(old_table, settings));
  ASSERT_OK_AND_ASSIGN(const Split old_split, split_rows(old_table, old_problem, {.seed = 1}));
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(all, settings));
  ASSERT_OK_AND_ASSIGN(const Split split, split_rows(all, problem, {.seed = 2}));
  // The rule goes through the package.
  base::Json manifest = {{"test_part", test_part_json(old_split.test_part)}};
  ASSERT_OK_AND_ASSIGN(const TestPart part,
                       test_part_of(base::Json::parse(base::dump_json(manifest))));
  ASSERT_OK_AND_ASSIGN(const std::vector<bool> unseen, never_taught(all, part, 1));
  const std::set<uint32_t> taught(old_split.work.begin(), old_split.work.end());
  size_t fair = 0;
  for (const uint32_t position : split.test) {
    if (unseen[problem.rows[position]]) {
      ++fair;
      EXPECT_FALSE(taught.contains(position)) << position;
    }
  }
  EXPECT_GT(fair, split.test.size() * 3 / 4) << "of " << split.test.size();
  for (const uint32_t position : old_split.test) {
    EXPECT_TRUE(unseen[position]) << "what was tested on was not taught";
  }
}

TEST(TestPartTest, TellsWhatTheChampionLearnedFromAlsoAfterRowsWereAppended) {
  expect_fair(binary_table(3000, 2), {.target = "late"});
  expect_fair(multiclass_table(3000, 2), {.target = "grade"});
  expect_fair(regression_table(3000, 2), {.target = "price"});
  expect_fair(cell_table(3000), {.target = "y"});
  table::Table grouped = regression_table(3000, 3);
  std::vector<std::string> who;
  for (size_t i = 0; i < 3000; ++i) {
    who.push_back(i % 97 == 0 ? "" : "g" + std::to_string(i * i % 211));
  }
  grouped.mutable_columns().push_back(text_column("who", who));
  expect_fair(grouped, {.target = "price", .group_column = "who"});
}

TEST(TestPartTest, CopiesByChanceAreDealtLikeOtherRows) {
  const table::Table table = cell_table(891);
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, {.target = "y"}));
  ASSERT_OK_AND_ASSIGN(const Split split, split_rows(table, problem, {}));
  EXPECT_FALSE(split.test_part.copies_together);
  EXPECT_NEAR(static_cast<double>(split.test.size()), 891 * 0.2, 1);
  const auto cells_of = [&](const std::vector<uint32_t>& positions) {
    std::set<std::string> cells;
    for (const uint32_t i : positions) {
      cells.insert(table::cell_text(table.columns()[0], i) +
                   table::cell_text(table.columns()[1], i));
    }
    return cells;
  };
  EXPECT_EQ(cells_of(split.work).size(), 9U);
  EXPECT_GE(cells_of(split.test).size(), 8U) << "the test is of the same kind as the rest";
  double positive = 0;
  for (const uint32_t i : split.test) {
    positive += problem.labels[i];
  }
  double all = 0;
  for (const double label : problem.labels) {
    all += label;
  }
  EXPECT_NEAR(positive / static_cast<double>(split.test.size()), all / 891, 0.01);
}

TEST(TestPartTest, TheColumnsOfTheChampionAreKept) {
  const table::Table table = binary_table(1000, 2);
  ASSERT_OK_AND_ASSIGN(const Problem wide, understand(table, {.target = "late"}));
  ASSERT_OK_AND_ASSIGN(const Problem narrow,
                       understand(table, {.target = "late", .ignore = {"colour"}}));
  ASSERT_OK_AND_ASSIGN(const Split first, split_rows(table, wide, {}));
  ASSERT_OK_AND_ASSIGN(const Split alone, split_rows(table, narrow, {}));
  ASSERT_OK_AND_ASSIGN(const Split like,
                       split_rows(table, narrow, {.seed = 4, .like = &first.test_part}));
  EXPECT_NE(alone.test, first.test);
  EXPECT_EQ(like.test, first.test);
}

TEST(TestPartTest, OldPackagesTellOnlyTheirTime) {
  ASSERT_OK_AND_ASSIGN(
      const TestPart part,
      test_part_of({{"split", {{"time_column", "day"}, {"test_from", "1970-01-03T00:00:00Z"}}}}));
  EXPECT_EQ(part.from, 2 * 86400.0);
  table::Table table = table_of({integer_column("day", table::ColumnType::kDate, {0, 1, 2, 3})});
  ASSERT_OK_AND_ASSIGN(const std::vector<bool> unseen, never_taught(table, part, 1));
  EXPECT_EQ(unseen, (std::vector<bool>{false, false, true, true}));
  EXPECT_THAT(test_part_of({{"split", {{"method", "stratified"}}}}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("does not say")));
  EXPECT_THAT(test_part_of(base::Json::parse("3")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("does not say")));
  EXPECT_THAT(never_taught(table, {.columns = {"gone"}, .below = {0.5}}, 1),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("gone")));
}

}  // namespace
}  // namespace cromford::learn
