#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "learn/features/plan.h"
#include "learn/features/target_statistics.h"
#include "learn/reader.h"
#include "learn/sample_tables.h"
#include "learn/split.h"
#include "testing/status_matchers.h"

namespace cromford::learn {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

std::vector<uint32_t> all_rows(const Problem& problem) {
  std::vector<uint32_t> rows(problem.row_count());
  std::iota(rows.begin(), rows.end(), 0U);
  return rows;
}

TEST(DictionaryTest, FrequentFirstTiesByTextRareNotKept) {
  std::vector<std::string> values;
  for (const auto& [text, count] : std::vector<std::pair<std::string, int>>{
           {"b", 6}, {"a", 6}, {"c", 20}, {"once", 1}, {"", 7}}) {
    values.insert(values.end(), static_cast<size_t>(count), text);
  }
  std::vector<double> y(values.size());
  std::iota(y.begin(), y.end(), 0.0);
  const table::Table table = table_of({text_column("t", values), number_column("y", y)});
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, {.target = "y"}));
  const model::Dictionary dictionary =
      make_dictionary(table.columns()[0], 0, problem, all_rows(problem));
  EXPECT_THAT(dictionary.entries, ElementsAre("c", "a", "b", "once"));
  EXPECT_EQ(dictionary.kept_count, 3U);
}

TEST(TokensTest, FrequentWordsWithTheirRarity) {
  std::vector<std::string> values;
  for (int i = 0; i < 100; ++i) {
    values.push_back("Always here " + std::string(i % 4 == 0 ? "offer " : "") + "unique" +
                     std::to_string(i));
  }
  std::vector<double> y(values.size());
  std::iota(y.begin(), y.end(), 0.0);
  const table::Table table = table_of({text_column("t", values), number_column("y", y)});
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, {.target = "y"}));
  EXPECT_EQ(problem.fields[0].role, Role::kText);
  const model::TextTokens tokens =
      make_tokens(table.columns()[0], 0, problem, all_rows(problem), 50);
  EXPECT_THAT(tokens.vocabulary, ElementsAre("offer")) << "words in every text tell nothing";
  EXPECT_NEAR(tokens.idf[0], std::log(101.0 / 26.0) + 1, 1e-6);
}

TEST(PlanTest, FeaturesOfEveryRoleFitThePipeline) {
  base::Random random(3);
  const size_t n = 600;
  std::vector<int64_t> stamps;
  std::vector<int64_t> days;
  std::vector<std::string> few;
  std::vector<std::string> many;
  std::vector<std::string> prose;
  for (size_t i = 0; i < n; ++i) {
    stamps.push_back(static_cast<int64_t>(random.below(700 * 86400)) * 1000000);
    days.push_back(static_cast<int64_t>(random.below(700)));
    few.push_back(random.uniform() < 0.1 ? "" : i % 3 == 0 ? "x" : "y");
    many.push_back("m" + std::to_string(random.below(80)));
    prose.push_back("some words about item " + std::to_string(i % 50) + " and " +
                    std::to_string(i));
  }
  table::Table table = binary_table(n, 2);
  table.mutable_columns().push_back(integer_column("at", table::ColumnType::kTimestamp, stamps));
  table.mutable_columns().push_back(integer_column("day", table::ColumnType::kDate, days));
  table.mutable_columns().push_back(text_column("few", few));
  table.mutable_columns().push_back(text_column("many", many));
  table.mutable_columns().push_back(text_column("prose", prose));
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, {.target = "late"}));
  ASSERT_OK_AND_ASSIGN(const FeaturePlan plan, plan_features(table, problem, all_rows(problem)));
  ASSERT_OK_AND_ASSIGN(const auto all,
                       model::FeaturePipeline::create(problem.contract, plan.all_parts()));
  ASSERT_OK_AND_ASSIGN(const auto trees,
                       model::FeaturePipeline::create(problem.contract, plan.tree_parts()));
  EXPECT_EQ(all.feature_count(), plan.feature_count);
  EXPECT_EQ(trees.feature_count(), plan.tree_feature_count);
  // The features of trees have the same numbers in both.
  for (size_t f = 0; f < trees.feature_count(); ++f) {
    EXPECT_EQ(trees.feature_names()[f], all.feature_names()[f]);
  }
  EXPECT_EQ(plan.statistics.size(), 2U) << "colour and many";
  EXPECT_TRUE(plan.trend_features().empty()) << "no split by time";
  const Matrix matrix = make_matrix(table, problem, all, all_rows(problem), 3);
  const Matrix alone = make_matrix(table, problem, all, std::vector<uint32_t>{7}, 1);
  EXPECT_TRUE(std::equal(alone.values.begin(), alone.values.end(), matrix.row(7).begin(),
                         [](float a, float b) { return a == b || (a != a && b != b); }));
}

TEST(TargetStatisticsTest, SmoothedByTenImaginaryRows) {
  std::vector<std::string> shop;
  std::vector<int64_t> y;
  for (int i = 0; i < 200; ++i) {
    shop.push_back("s" + std::to_string(i % 10));
    y.push_back(i % 10 == 3 ? 1 : i % 4 == 0 ? 1 : 0);
  }
  const table::Table table =
      table_of({text_column("shop", shop), integer_column("y", table::ColumnType::kBoolean, y)});
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, {.target = "y"}));
  ASSERT_OK_AND_ASSIGN(const FeaturePlan plan, plan_features(table, problem, all_rows(problem)));
  const TargetStatistics statistics(table, problem, plan, problem.labels);
  ASSERT_EQ(statistics.width(), 1U);
  const StatisticTables tables = statistics.fit(all_rows(problem));
  const double mean = std::accumulate(problem.labels.begin(), problem.labels.end(), 0.0) / 200.0;
  float value = 0;
  statistics.look_up(tables, 3, {&value, 1});
  EXPECT_NEAR(value, (20 + 10 * mean) / 30, 1e-6);
  FeaturePlan filled = plan;
  TargetStatistics::install(tables, filled);
  ASSERT_OK_AND_ASSIGN(const auto pipeline,
                       model::FeaturePipeline::create(problem.contract, filled.all_parts()));
  const Matrix matrix = make_matrix(table, problem, pipeline, all_rows(problem), 1);
  EXPECT_EQ(matrix.row(3)[statistics.features()[0]], value) << "the package says the same";
}

// Each group has one category and one target: what its rows know of the target must not come from
// the group itself, since the groups to come will be new.
TEST(TargetStatisticsTest, AGroupDoesNotTeachItself) {
  base::Random random(8);
  std::vector<std::string> shop;
  std::vector<int64_t> y;
  std::vector<uint64_t> keys;
  for (uint64_t group = 0; group < 100; ++group) {
    const int64_t target = random.uniform() < 0.5 ? 1 : 0;
    for (int row = 0; row < 5; ++row) {
      shop.push_back("s" + std::to_string(group));
      y.push_back(target);
      keys.push_back(group);
    }
  }
  const table::Table table =
      table_of({text_column("shop", shop), integer_column("y", table::ColumnType::kBoolean, y)});
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, {.target = "y"}));
  ASSERT_OK_AND_ASSIGN(const FeaturePlan plan, plan_features(table, problem, all_rows(problem)));
  const auto auc = [&](const TargetStatistics& statistics) {
    const std::vector<float> values = statistics.out_of_fold(all_rows(problem));
    const std::vector<double> scores(values.begin(), values.end());
    return *metric::evaluate("auc", {.labels = problem.labels, .predictions = scores});
  };
  EXPECT_GT(auc({table, problem, plan, problem.labels}), 0.9) << "its own rows tell";
  EXPECT_LT(auc({table, problem, plan, problem.labels, {.keys = keys}}), 0.55);
}

TEST(TargetStatisticsTest, WithMomentsOnlyThePastTeaches) {
  std::vector<std::string> shop;
  std::vector<int64_t> y;
  std::vector<double> moments;
  for (int i = 0; i < 800; ++i) {
    shop.push_back("s" + std::to_string(i % 10));
    y.push_back(i % 3 == 0 ? 1 : 0);
    moments.push_back(800 - i);  // The file runs backwards.
  }
  std::vector<int64_t> other = y;
  for (int i = 0; i < 400; ++i) {
    other[static_cast<size_t>(i)] = 1;  // The later half only.
  }
  const auto values_of = [&](const std::vector<int64_t>& targets) {
    const table::Table table = table_of(
        {text_column("shop", shop), integer_column("y", table::ColumnType::kBoolean, targets)});
    const Problem problem = *understand(table, {.target = "y"});
    const FeaturePlan plan = *plan_features(table, problem, all_rows(problem));
    const TargetStatistics statistics(table, problem, plan, problem.labels, {.moments = moments});
    return statistics.out_of_fold(all_rows(problem));
  };
  const std::vector<float> before = values_of(y);
  const std::vector<float> after = values_of(other);
  ASSERT_EQ(before.size(), 800U);
  for (size_t i = 400; i < 800; ++i) {
    EXPECT_EQ(before[i], after[i]) << i;
  }
  EXPECT_NE(before[0], after[0]);
}

// The share of positive rows changes from day to day. A row must not know what its own day was
// like, nor may its values tell when it happened: a tree would learn the days by heart.
TEST(TargetStatisticsTest, ValuesKnowNothingOfTheirMoment) {
  constexpr int days = 200;
  base::Random random(8);
  std::vector<std::string> shop;
  std::vector<int64_t> y;
  std::vector<int64_t> day;
  for (int each = 0; each < days; ++each) {
    const double share = random.uniform();
    for (int row = 0; row < 40; ++row) {
      shop.push_back("s" + std::to_string(row % 10));
      y.push_back(random.uniform() < share ? 1 : 0);
      day.push_back(each);
    }
  }
  const table::Table table =
      table_of({text_column("shop", shop), integer_column("y", table::ColumnType::kBoolean, y),
                integer_column("day", table::ColumnType::kDate, day)});
  ASSERT_OK_AND_ASSIGN(const Problem problem,
                       understand(table, {.target = "y", .time_column = "day"}));
  ASSERT_OK_AND_ASSIGN(const Split split, split_rows(table, problem, {}));
  ASSERT_OK_AND_ASSIGN(const FeaturePlan plan, plan_features(table, problem, split.work));
  const TargetStatistics statistics(table, problem, plan, problem.labels, {.keys = split.keys});
  const std::vector<float> values = statistics.out_of_fold(split.work);
  ASSERT_EQ(values.size(), split.work.size());
  std::vector<double> of_one_shop;
  std::vector<double> late;
  std::map<std::pair<std::string, int64_t>, std::set<float>> seen;
  for (size_t i = 0; i < split.work.size(); ++i) {
    const uint32_t row = split.work[i];
    seen[{shop[row], day[row]}].insert(values[i]);
    if (shop[row] == "s3") {
      of_one_shop.push_back(values[i]);
      late.push_back(i > split.work.size() / 2 ? 1 : 0);
    }
  }
  for (const auto& [where, distinct] : seen) {
    ASSERT_EQ(distinct.size(), 1U) << "rows of one day are taught by the same others";
  }
  const double told = *metric::evaluate("auc", {.labels = late, .predictions = of_one_shop});
  EXPECT_NEAR(told, 0.5, 0.12);
}

// Empty texts are missing and in no dictionary, however many there are.
TEST(FeaturePlanTest, CountsBelongToTheirCategories) {
  std::vector<std::string> city(1000, "x");
  std::vector<int64_t> y;
  for (size_t i = 0; i < 1000; ++i) {
    city[i] = i % 2 == 0 ? "gone" : "c" + std::to_string(i * i % 41);
    y.push_back(static_cast<int64_t>(i % 3 == 0));
  }
  table::Table table =
      table_of({text_column("city", city), integer_column("y", table::ColumnType::kBoolean, y)});
  for (std::string& text : table.mutable_columns()[0].dictionary) {
    text = text == "gone" ? "" : text;
  }
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, {.target = "y"}));
  ASSERT_OK_AND_ASSIGN(const FeaturePlan plan, plan_features(table, problem, all_rows(problem)));
  const model::CategoryTable* counts = nullptr;
  for (const PlannedTransform& planned : plan.transforms) {
    const auto* each = std::get_if<model::CategoryTable>(&planned.transform);
    counts = each != nullptr && each->kind == model::CategoryTableKind::kCount ? each : counts;
  }
  ASSERT_NE(counts, nullptr);
  const model::Dictionary& dictionary = plan.dictionaries[0];
  for (uint32_t code = 0; code < dictionary.kept_count; ++code) {
    const auto count = std::count(city.begin(), city.end(), dictionary.entries[code]);
    EXPECT_FLOAT_EQ(counts->values[code], std::log1p(static_cast<float>(count)));
  }
}

// Where the target is pure noise, a statistic that saw its own row would still tell it.
TEST(TargetStatisticsTest, OutOfFoldDoesNotKnowItsRow) {
  base::Random random(8);
  std::vector<std::string> shop;
  std::vector<int64_t> y;
  for (int i = 0; i < 3000; ++i) {
    shop.push_back("s" + std::to_string(random.below(700)));
    y.push_back(random.uniform() < 0.5 ? 1 : 0);
  }
  const table::Table table =
      table_of({text_column("shop", shop), integer_column("y", table::ColumnType::kBoolean, y)});
  ASSERT_OK_AND_ASSIGN(const Problem problem, understand(table, {.target = "y"}));
  ASSERT_OK_AND_ASSIGN(const FeaturePlan plan, plan_features(table, problem, all_rows(problem)));
  const TargetStatistics statistics(table, problem, plan, problem.labels);
  const std::vector<float> blind = statistics.out_of_fold(all_rows(problem));
  const StatisticTables tables = statistics.fit(all_rows(problem));
  std::vector<double> seen_scores;
  std::vector<double> blind_scores(blind.begin(), blind.end());
  for (uint32_t i = 0; i < 3000; ++i) {
    float value = 0;
    statistics.look_up(tables, i, {&value, 1});
    seen_scores.push_back(value);
  }
  const auto auc = [&problem](const std::vector<double>& scores) {
    return *metric::evaluate("auc", {.labels = problem.labels, .predictions = scores});
  };
  EXPECT_GT(auc(seen_scores), 0.65);
  EXPECT_LT(auc(blind_scores), 0.55);
}

}  // namespace
}  // namespace cromford::learn
