#include "metric/sequential.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <random>

namespace cromford::metric {
namespace {

TEST(SequentialTest, MeanAndVarianceInOnePass) {
  RunningMean values;
  for (const double value : {1.0, 2.0, 4.0, 9.0}) {
    values.add(value);
  }
  EXPECT_EQ(values.count(), 4U);
  EXPECT_DOUBLE_EQ(values.mean(), 4);
  EXPECT_NEAR(values.variance(), 38.0 / 3, 1e-12);
}

TEST(SequentialTest, AFewValuesTellNothing) {
  RunningMean values;
  for (uint64_t i = 0; i + 1 < kSequenceRowsMin; ++i) {
    values.add(static_cast<double>(i % 3));
  }
  EXPECT_TRUE(std::isinf(radius_at_any_time(values, 0.95)));
  values.add(1);
  EXPECT_FALSE(std::isinf(radius_at_any_time(values, 0.95)));
}

TEST(SequentialTest, CostsAboutSixTenthsOfTheWidth) {
  std::mt19937 random(3);
  std::normal_distribution<double> noise;
  RunningMean values;
  for (int i = 0; i < 1000; ++i) {
    values.add(noise(random));
  }
  const double fixed = 1.96 * std::sqrt(values.variance() / 1000);
  EXPECT_GT(radius_at_any_time(values, 0.95) / fixed, 1.4);
  EXPECT_LT(radius_at_any_time(values, 0.95) / fixed, 1.8);
}

struct Rates {
  double any_time = 0;
  double naive = 0;
};

// How often a candidate whose losses are worse by `worse` is told to be, when both streams of log
// losses are looked at after every row from the burn-in on.
Rates told_worse(double worse, int streams, int rows) {
  std::mt19937 random(11);
  std::exponential_distribution<double> loss(2.0);  // Skewed, as log losses are.
  int any_time = 0;
  int naive = 0;
  for (int stream = 0; stream < streams; ++stream) {
    RunningMean candidate;
    RunningMean champion;
    bool at_any_time = false;
    bool at_fixed = false;
    for (int row = 0; row < rows; ++row) {
      candidate.add(loss(random) + worse);
      champion.add(loss(random));
      if (candidate.count() < kSequenceRowsMin) {
        continue;
      }
      const Interval seen = difference_at_any_time(candidate, champion, 0.95);
      at_any_time = at_any_time || seen.lower > 0 || seen.upper < 0;
      const double n = static_cast<double>(candidate.count());
      const double z =
          std::abs(seen.value) / std::sqrt((candidate.variance() + champion.variance()) / n);
      at_fixed = at_fixed || z > 1.96;
    }
    any_time += at_any_time ? 1 : 0;
    naive += at_fixed ? 1 : 0;
  }
  return {.any_time = static_cast<double>(any_time) / streams,
          .naive = static_cast<double>(naive) / streams};
}

// The figures of docs/loop.md.
TEST(SequentialTest, LookingAfterEveryRowRaisesNoFalseVerdicts) {
  const Rates equal = told_worse(0, 1000, 3000);
  std::printf(
      "equal models, looked at after each of 3000 rows: %.1f%% false verdicts; an ordinary "
      "95%% interval: %.1f%%\n",
      100 * equal.any_time, 100 * equal.naive);
  EXPECT_LE(equal.any_time, 0.05);
  EXPECT_GT(equal.naive, 0.3);
  const Rates worse = told_worse(0.15, 200, 3000);
  std::printf("worse by 0.15 (0.3 standard deviations): %.1f%% found\n", 100 * worse.any_time);
  EXPECT_GT(worse.any_time, 0.99);
}

}  // namespace
}  // namespace cromford::metric
