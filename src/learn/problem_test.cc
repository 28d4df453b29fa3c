#include "learn/problem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "learn/sample_tables.h"
#include "testing/status_matchers.h"

namespace cromford::learn {
namespace {

using cromford::testing::StatusIs;
using table::ColumnType;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::vector<int64_t> repeated(size_t rows, int64_t modulus) {
  std::vector<int64_t> values;
  for (size_t i = 0; i < rows; ++i) {
    values.push_back(static_cast<int64_t>(i * 7 % 97) % modulus);
  }
  return values;
}

std::vector<double> ramp(size_t rows) {
  std::vector<double> values;
  for (size_t i = 0; i < rows; ++i) {
    values.push_back(0.5 * static_cast<double>(i * 13 % rows));
  }
  return values;
}

// A number x beside the given columns.
table::Table with_input(std::vector<table::Column> columns, size_t rows) {
  columns.push_back(number_column("x", ramp(rows)));
  return table_of(std::move(columns));
}

TEST(ProblemTest, FindsTheTask) {
  const size_t n = 120;
  std::vector<std::string> words;
  for (size_t i = 0; i < n; ++i) {
    words.emplace_back(i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c");
  }
  const table::Table table = with_input(
      {integer_column("flag", ColumnType::kBoolean, repeated(n, 2)),
       integer_column("two", ColumnType::kInteger, repeated(n, 2)),
       integer_column("stars", ColumnType::kInteger, repeated(n, 5)),
       integer_column("count", ColumnType::kInteger, repeated(n, 60)), text_column("word", words)},
      n);
  const auto task = [&table](const char* target) {
    return understand(table, {.target = target})->task;
  };
  EXPECT_EQ(task("flag"), metric::Task::kBinary);
  EXPECT_EQ(task("two"), metric::Task::kBinary);
  EXPECT_EQ(task("stars"), metric::Task::kMulticlass);
  EXPECT_EQ(task("count"), metric::Task::kRegression);
  EXPECT_EQ(task("word"), metric::Task::kMulticlass);
  EXPECT_EQ(task("x"), metric::Task::kRegression);
  ASSERT_OK_AND_ASSIGN(const Problem asked,
                       understand(table, {.target = "stars", .task = metric::Task::kRegression}));
  EXPECT_EQ(asked.task, metric::Task::kRegression);
  EXPECT_FALSE(asked.task_found);
}

TEST(ProblemTest, ThePositiveClassIsTheOneThatSaysSoElseTheRarer) {
  const size_t n = 60;
  const auto classes = [](const char* common, const char* rare, const char* asked = "") {
    std::vector<std::string> words;
    for (size_t i = 0; i < n; ++i) {
      words.emplace_back(i % 3 == 0 ? rare : common);
    }
    TrainSettings settings{.target = "y"};
    settings.positive_class = asked;
    return understand(with_input({text_column("y", words)}, n), settings)->classes;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(classes("Yes", "No"), (Names{"No", "Yes"}));
  EXPECT_EQ(classes("good", "bad"), (Names{"good", "bad"}));
  EXPECT_EQ(classes("cat", "dog"), (Names{"cat", "dog"}));
  EXPECT_EQ(classes("dog", "cat"), (Names{"dog", "cat"}));
  EXPECT_EQ(classes("dog", "cat", "dog"), (Names{"cat", "dog"}));
}

TEST(ProblemTest, RolesAndIgnoredColumns) {
  const size_t n = 200;
  std::vector<std::string> ids;
  std::vector<std::string> prose;
  std::vector<std::string> cities;
  std::vector<int64_t> numbers;
  std::vector<int64_t> days;
  for (size_t i = 0; i < n; ++i) {
    ids.push_back("C-" + std::to_string(i * 31));
    prose.push_back("free text number " + std::to_string(i) + " of many");
    cities.push_back("city" + std::to_string(i % 7));
    numbers.push_back(static_cast<int64_t>(i) + 1);
    days.push_back(static_cast<int64_t>(i * 37 % 300));
  }
  const table::Table table = with_input(
      {integer_column("y", ColumnType::kBoolean, repeated(n, 2)), text_column("customer", ids),
       text_column("note", prose), text_column("city", cities),
       integer_column("row_number", ColumnType::kInteger, numbers),
       integer_column("hour", ColumnType::kInteger, repeated(n, 24)),
       integer_column("day", ColumnType::kDate, days),
       number_column("same", std::vector<double>(n, 4.0)),
       number_column("empty", std::vector<double>(n, std::numeric_limits<double>::quiet_NaN())),
       number_column("unwanted", ramp(n))},
      n);
  TrainSettings settings{.target = "y"};
  settings.ignore = {"unwanted"};
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, settings));
  std::vector<std::string> reasons;
  for (const Ignored& each : problem.ignored) {
    reasons.push_back(each.column + ": " + each.reason);
  }
  EXPECT_THAT(reasons,
              ::testing::ElementsAre("customer: identifier", "row_number: identifier",
                                     "same: constant", "empty: empty", "unwanted: asked for"));
  std::vector<Role> roles;
  for (const Field& field : problem.fields) {
    roles.push_back(field.role);
  }
  EXPECT_THAT(roles, ::testing::ElementsAre(Role::kText, Role::kCategory, Role::kNumber,
                                            Role::kTime, Role::kNumber));
  EXPECT_FALSE(problem.time_column.has_value()) << "the rows do not follow the date";
}

TEST(ProblemTest, FindsTheTimeThatRowsFollow) {
  const size_t n = 200;
  std::vector<int64_t> days;
  for (size_t i = 0; i < n; ++i) {
    days.push_back(static_cast<int64_t>(i / 3));
  }
  const table::Table table = with_input({integer_column("day", ColumnType::kDate, days)}, n);
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, {.target = "x"}));
  EXPECT_EQ(problem.time_column, 0U);
  EXPECT_TRUE(problem.time_found);
}

TEST(ProblemTest, RowsWithoutTargetAreLeftOut) {
  std::vector<double> y = ramp(100);
  y[3] = std::numeric_limits<double>::quiet_NaN();
  ASSERT_OK_AND_ASSIGN(const Problem problem,
                       understand(with_input({number_column("y", y)}, 100), {.target = "y"}));
  EXPECT_EQ(problem.row_count(), 99U);
  EXPECT_EQ(problem.rows[3], 4U);
  EXPECT_EQ(problem.warnings.front().code, "target_missing");
}

TEST(ProblemErrorTest, Settings) {
  const table::Table table = binary_table(100, 1);
  const auto error = [&table](const TrainSettings& settings) {
    return understand(table, settings).status();
  };
  EXPECT_THAT(error({.target = ""}), StatusIs(kInvalid, HasSubstr("no target")));
  const absl::Status misspelt = error({.target = "lat"});
  EXPECT_THAT(misspelt, StatusIs(kInvalid, HasSubstr("'lat'")));
  EXPECT_THAT(base::remedy(misspelt), HasSubstr("'late'"));
  TrainSettings settings{.target = "late"};
  settings.ignore = {"colr"};
  EXPECT_THAT(error(settings), StatusIs(kInvalid, HasSubstr("'colr' (ignored column)")));
  settings = {.target = "late"};
  settings.learners = {"magic"};
  EXPECT_THAT(error(settings), StatusIs(kInvalid, HasSubstr("'magic'")));
  settings = {.target = "late"};
  settings.metric = "rmse";
  EXPECT_THAT(error(settings), StatusIs(kInvalid, HasSubstr("'rmse'")));
  settings = {.target = "late"};
  settings.positive_class = "maybe";
  EXPECT_THAT(error(settings), StatusIs(kInvalid, HasSubstr("'maybe'")));
  settings = {.target = "late"};
  settings.time_column = "colour";
  EXPECT_THAT(error(settings), StatusIs(kInvalid, HasSubstr("time column colour is text")));
  settings = {.target = "late"};
  settings.weight_column = "colour";
  EXPECT_THAT(error(settings), StatusIs(kInvalid, HasSubstr("weight column colour is text")));
  EXPECT_THAT(error({.target = "colour", .task = metric::Task::kRegression}),
              StatusIs(kInvalid, HasSubstr("is text")));
  EXPECT_THAT(error({.target = "colour", .task = metric::Task::kBinary}),
              StatusIs(kInvalid, HasSubstr("9 classes")));
}

TEST(ProblemErrorTest, Targets) {
  const size_t n = 60;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> infinite = ramp(n);
  infinite[5] = std::numeric_limits<double>::infinity();
  std::vector<std::string> many(300);
  for (size_t i = 0; i < many.size(); ++i) {
    many[i] = "k" + std::to_string(i);
  }
  std::vector<std::string> lonely(n, "common");
  lonely[7] = "rare";
  const auto error = [](table::Column column, size_t rows,
                        std::optional<metric::Task> task = std::nullopt) {
    const std::string name = column.name;
    return understand(with_input({std::move(column)}, rows), {.target = name, .task = task})
        .status();
  };
  EXPECT_THAT(error(number_column("y", std::vector<double>(n, nan)), n),
              StatusIs(kInvalid, HasSubstr("missing in every row")));
  EXPECT_THAT(error(number_column("y", ramp(19)), 19), StatusIs(kInvalid, HasSubstr("too few")));
  EXPECT_THAT(error(number_column("y", infinite), n),
              StatusIs(kInvalid, HasSubstr("infinite in row 6")));
  EXPECT_THAT(error(text_column("y", std::vector<std::string>(n, "one")), n),
              StatusIs(kInvalid, HasSubstr("one class only (one)")));
  EXPECT_THAT(error(number_column("y", std::vector<double>(n, 2.0)), n, metric::Task::kRegression),
              StatusIs(kInvalid, HasSubstr("one value only")));
  EXPECT_THAT(error(text_column("y", many), many.size()),
              StatusIs(kInvalid, HasSubstr("300 classes; the limit is 200")));
  EXPECT_THAT(error(text_column("y", lonely), n),
              StatusIs(kInvalid, HasSubstr("rare of y has 1 rows")));
  EXPECT_THAT(error(integer_column("y", ColumnType::kDate, repeated(n, 30)), n),
              StatusIs(kInvalid, HasSubstr("is a date")));
}

TEST(ProblemErrorTest, WeightsGroupsAndInputs) {
  const size_t n = 60;
  const auto table = [](std::vector<double> weights) {
    return with_input({number_column("w", std::move(weights)), number_column("y", ramp(n))}, n);
  };
  TrainSettings weighted{.target = "y"};
  weighted.weight_column = "w";
  std::vector<double> weights(n, 1.0);
  weights[2] = -1;
  EXPECT_THAT(understand(table(weights), weighted), StatusIs(kInvalid, HasSubstr("row 3 is -1")));
  weights[2] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(understand(table(weights), weighted), StatusIs(kInvalid, HasSubstr("is missing")));
  EXPECT_THAT(understand(table(std::vector<double>(n, 0.0)), weighted),
              StatusIs(kInvalid, HasSubstr("are zero")));
  TrainSettings grouped{.target = "y"};
  grouped.group_column = "w";
  EXPECT_THAT(understand(table(std::vector<double>(n, 1.0)), grouped),
              StatusIs(kInvalid, HasSubstr("one group only")));
  std::vector<double> infinite(n, 1.0);
  infinite[9] = -std::numeric_limits<double>::infinity();
  EXPECT_THAT(understand(table(infinite), {.target = "y"}),
              StatusIs(kInvalid, HasSubstr("w holds infinite")));
  TrainSettings none{.target = "y"};
  none.ignore = {"x", "w"};
  EXPECT_THAT(understand(table(ramp(n)), none), StatusIs(kInvalid, HasSubstr("no input column")));
}

}  // namespace
}  // namespace cromford::learn
