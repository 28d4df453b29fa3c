#include "monitor/quality_counts.h"

#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "testing/status_matchers.h"

namespace cromford::monitor {
namespace {

using metric::Task;

struct Row {
  std::vector<double> answer;
  int32_t label = -1;
  Truth truth;
  Answered answered() const { return {answer, label}; }
};

// Calibrated rows of a binary task: what really happens follows the probability.
std::vector<Row> binary_rows(size_t count, uint64_t seed, double bias = 0) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform;
  std::vector<Row> rows;
  for (size_t i = 0; i < count; ++i) {
    const double p = uniform(random) * uniform(random);
    const bool happened = uniform(random) < std::min(1.0, p + bias);
    rows.push_back({{1 - p, p}, p >= 0.5 ? 1 : 0, {.label = happened ? 1 : 0}});
  }
  return rows;
}

std::vector<Row> regression_rows(size_t count, uint64_t seed, double sigma) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<Row> rows;
  for (size_t i = 0; i < count; ++i) {
    const double value = 10 + 3 * normal(random);
    rows.push_back(
        {{value, value - 1.645, value + 1.645}, -1, {.number = value + sigma * normal(random)}});
  }
  return rows;
}

QualityCounts count(Task task, size_t classes, const std::vector<Row>& rows) {
  QualityCounts counts = quality_counts(task, classes);
  for (const Row& row : rows) {
    counts.add_answer(row.answered());
    counts.add_truth(row.answered(), row.truth);
  }
  return counts;
}

const Measure& find(const std::vector<Measure>& all, std::string_view name) {
  for (const Measure& one : all) {
    if (one.name == name) {
      return one;
    }
  }
  ADD_FAILURE() << name;
  return all.front();
}

TEST(QualityCountsTest, MeasuresAreThoseOfTheRows) {
  const std::vector<Row> rows = binary_rows(4000, 1);
  std::vector<double> labels;
  std::vector<double> scores;
  for (const Row& row : rows) {
    labels.push_back(row.truth.label);
    scores.push_back(row.answer[1]);
  }
  const metric::Scored scored{.labels = labels, .predictions = scores};
  const std::vector<Measure> all = measures(count(Task::kBinary, 2, rows));
  for (const auto& [name, margin] : std::initializer_list<std::pair<const char*, double>>{
           {"auc", 1e-3}, {"log_loss", 1e-9}, {"brier", 1e-9}, {"accuracy", 1e-9}}) {
    ASSERT_OK_AND_ASSIGN(const metric::Estimate wanted, metric::estimate(name, scored));
    const Measure& found = find(all, name);
    EXPECT_NEAR(found.measured->value, wanted.value, margin) << name;
    EXPECT_NEAR(found.measured->lower, wanted.lower, 1e-3) << name;
    EXPECT_NEAR(found.measured->upper, wanted.upper, 1e-3) << name;
  }
}

TEST(QualityCountsTest, WithoutOutcomesTheBandHoldsWhatComesLater) {
  std::map<std::string, int> held;
  constexpr int kCohorts = 200;
  for (int cohort = 0; cohort < kCohorts; ++cohort) {
    const auto rows = binary_rows(1000, 100 + static_cast<uint64_t>(cohort));
    for (const Measure& m : measures(count(Task::kBinary, 2, rows))) {
      if (m.expected) {
        held[m.name] +=
            m.expected->lower <= m.measured->value && m.measured->value <= m.expected->upper ? 1
                                                                                             : 0;
      }
    }
  }
  for (const char* const name : {"auc", "log_loss", "brier", "accuracy"}) {
    EXPECT_GT(held[name], 0.88 * kCohorts) << name;
  }
}

TEST(QualityCountsTest, WhereTheRelationChangedTheGapSaysSo) {
  const auto all = measures(count(Task::kBinary, 2, binary_rows(4000, 5, 0.3)));
  const Measure& loss = find(all, "log_loss");
  EXPECT_GT(loss.measured->lower, loss.expected->upper);
}

TEST(QualityCountsTest, OfSeveralClassesToo) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> uniform;
  std::vector<Row> rows;
  for (int i = 0; i < 3000; ++i) {
    std::vector<double> p = {uniform(random), uniform(random), uniform(random)};
    const double sum = p[0] + p[1] + p[2];
    for (double& one : p) {
      one /= sum;
    }
    const double draw = uniform(random);
    const int truth = draw < p[0] ? 0 : draw < p[0] + p[1] ? 1 : 2;
    const auto label = static_cast<int32_t>(std::max_element(p.begin(), p.end()) - p.begin());
    rows.push_back({p, label, {.label = truth}});
  }
  const auto all = measures(count(Task::kMulticlass, 3, rows));
  for (const char* const name : {"log_loss", "brier", "accuracy"}) {
    const Measure& m = find(all, name);
    EXPECT_NEAR(m.measured->value, m.expected->value, 0.03) << name;
  }
}

TEST(QualityCountsTest, OfARegressionErrorsFollowTheIntervals) {
  const QualityCounts good = count(Task::kRegression, 0, regression_rows(4000, 7, 1));
  const auto all = measures(good);
  EXPECT_NEAR(find(all, "rmse").measured->value, 1, 0.05);
  EXPECT_NEAR(find(all, "rmse").expected->value, 1, 0.01);
  EXPECT_NEAR(find(all, "mae").expected->value, find(all, "mae").measured->value, 0.03);
  EXPECT_NEAR(find(all, "r2").measured->value, 1 - 1.0 / 10, 0.02);
  EXPECT_NEAR(error_scale_of(good), 1, 0.03);
  EXPECT_NEAR(*error_quantile(good, 0.5), 0.6745, 0.06);
  // Errors twice what the intervals say are seen by the rows that are known.
  const QualityCounts worse = count(Task::kRegression, 0, regression_rows(4000, 8, 2));
  EXPECT_NEAR(error_scale_of(worse), 2, 0.1);
  EXPECT_NEAR(find(measures(worse, error_scale_of(worse)), "rmse").expected->value, 2, 0.1);
}

TEST(QualityCountsTest, AddingUpAndTakingBackLeavesNothing) {
  const std::vector<Row> rows = binary_rows(500, 9);
  const QualityCounts whole = count(Task::kBinary, 2, rows);
  QualityCounts merged = count(Task::kBinary, 2, {rows.begin(), rows.begin() + 200});
  ASSERT_OK(merged.merge(count(Task::kBinary, 2, {rows.begin() + 200, rows.end()})));
  EXPECT_EQ(merged.positives, whole.positives);
  EXPECT_NEAR(merged.first.sum, whole.first.sum, 1e-9);
  ASSERT_OK_AND_ASSIGN(const QualityCounts again, quality_counts_from(to_json(whole)));
  EXPECT_EQ(to_json(again), to_json(whole));
  for (const Row& row : rows) {
    merged.add_truth(row.answered(), row.truth, -1);
  }
  EXPECT_EQ(merged.known, 0);
  EXPECT_NEAR(merged.first.sum, 0, 1e-9);
  EXPECT_FALSE(find(measures(merged), "auc").measured.has_value());
  EXPECT_FALSE(merged.merge(quality_counts(Task::kRegression, 0)).ok());
  EXPECT_FALSE(quality_counts_from({{"task", "binary"}}).ok());
}

TEST(QualityCountsTest, WhatDoesNotFitIsLeftOut) {
  QualityCounts counts = quality_counts(Task::kBinary, 2);
  const double three[] = {0.2, 0.3, 0.5};
  counts.add_answer({three, 1});
  const double two[] = {0.2, 0.8};
  counts.add_truth({two, 1}, {.label = 7});
  EXPECT_EQ(counts.answered, 0);
  EXPECT_EQ(counts.known, 0);
}

}  // namespace
}  // namespace cromford::monitor
