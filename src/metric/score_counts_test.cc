#include "metric/score_counts.h"

#include <gmock/gmock.h>

#include <random>

#include "testing/status_matchers.h"

namespace cromford::metric {
namespace {

struct Sample {
  std::vector<double> labels;
  std::vector<double> scores;
  std::vector<double> positives = std::vector<double>(kScoreBuckets);
  std::vector<double> negatives = std::vector<double>(kScoreBuckets);
};

// Scores in the middle of buckets, so that nothing is lost by counting.
Sample sample(size_t rows, uint64_t seed, double shift) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  Sample made;
  for (size_t i = 0; i < rows; ++i) {
    const bool positive = random() % 4 == 0;
    const double score = 1 / (1 + std::exp(-normal(random) - (positive ? shift : -shift) + 1));
    const size_t bucket = score_bucket(score);
    made.labels.push_back(positive ? 1 : 0);
    made.scores.push_back(bucket_score(bucket));
    (positive ? made.positives : made.negatives)[bucket] += 1;
  }
  return made;
}

TEST(ScoreCountsTest, BucketsCoverAllProbabilities) {
  EXPECT_EQ(score_bucket(0), 0U);
  EXPECT_EQ(score_bucket(1), kScoreBuckets - 1);
  for (size_t b = 0; b < kScoreBuckets; ++b) {
    EXPECT_EQ(score_bucket(bucket_score(b)), b);
  }
}

TEST(ScoreCountsTest, AucAndCalibrationAreThoseOfTheRows) {
  for (const size_t rows : {size_t{50}, size_t{500}, size_t{5000}}) {
    for (uint64_t seed = 1; seed < 6; ++seed) {
      const Sample made = sample(rows, seed, 0.6);
      const Scored scored{.labels = made.labels, .predictions = made.scores};
      ASSERT_OK_AND_ASSIGN(const Estimate auc, estimate("auc", scored));
      const auto counted = auc_of(made.positives, made.negatives);
      ASSERT_TRUE(counted.has_value());
      EXPECT_NEAR(counted->value, auc.value, 1e-12);
      EXPECT_NEAR(counted->lower, auc.lower, 0.02 / std::sqrt(static_cast<double>(rows)));
      EXPECT_NEAR(counted->upper, auc.upper, 0.02 / std::sqrt(static_cast<double>(rows)));
      if (rows == 5000) {
        ASSERT_OK_AND_ASSIGN(const Estimate error, estimate("calibration_error", scored));
        EXPECT_NEAR(calibration_error_of(made.positives, made.negatives)->value, error.value, 0.01);
      }
    }
  }
}

TEST(ScoreCountsTest, NothingIsSaidOfNothing) {
  const std::vector<double> none(kScoreBuckets);
  std::vector<double> some = none;
  some[3] = 2;
  EXPECT_FALSE(auc_of(none, some).has_value());
  EXPECT_FALSE(auc_of(some, none).has_value());
  EXPECT_FALSE(calibration_error_of(none, none).has_value());
  EXPECT_FALSE(mean_of(0, 0, 0).has_value());
  EXPECT_FALSE(share_of(0, 0).has_value());
  EXPECT_FALSE(share_gap(1, 2, 0, 0).has_value());
  EXPECT_FALSE(selection_ratio({0, 10}, {3, 10}).has_value());
}

// 95 of 100 intervals hold the truth, or nearly so.
TEST(ScoreCountsTest, IntervalsHoldTheTruthAsOftenAsTheySay) {
  std::mt19937_64 random(11);
  int mean_held = 0;
  int gap_held = 0;
  int ratio_held = 0;
  constexpr int kRounds = 1000;
  for (int round = 0; round < kRounds; ++round) {
    std::binomial_distribution<int> first(400, 0.3);
    std::binomial_distribution<int> second(600, 0.2);
    const double a = first(random);
    const double b = second(random);
    const auto mean = mean_of(a, a, 400);
    mean_held += mean->lower <= 0.3 && 0.3 <= mean->upper ? 1 : 0;
    const auto gap = share_gap(a, 400, b, 600);
    gap_held += gap->lower <= 0.1 && 0.1 <= gap->upper ? 1 : 0;
    const auto ratio = selection_ratio({a, 400}, {b, 600});
    ratio_held += ratio->lower <= 1.5 && 1.5 <= ratio->upper ? 1 : 0;
  }
  for (const int held : {mean_held, gap_held, ratio_held}) {
    EXPECT_GT(held, 0.93 * kRounds);
    EXPECT_LT(held, 0.97 * kRounds);
  }
}

TEST(ScoreCountsTest, FourFifthsSaysWhenItCannotSay) {
  EXPECT_EQ(four_fifths({25, 100}, {250, 1000}), FairnessVerdict::kNotEnoughData);
  EXPECT_EQ(four_fifths({2500, 10'000}, {25'000, 100'000}), FairnessVerdict::kGreen);
  EXPECT_EQ(four_fifths({1500, 10'000}, {25'000, 100'000}), FairnessVerdict::kRed);
  EXPECT_EQ(four_fifths({18, 100}, {250, 1000}), FairnessVerdict::kAmber);
  EXPECT_EQ(four_fifths({3, 100}, {250, 1000}), FairnessVerdict::kNotEnoughData);
  EXPECT_EQ(verdict_name(FairnessVerdict::kRed), "red");
}

}  // namespace
}  // namespace cromford::metric
