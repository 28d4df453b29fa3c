#include "metric/metric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"
#include "metric/influence.h"
#include "metric/normal.h"
#include "testing/status_matchers.h"

namespace cromford::metric {
namespace {

using cromford::testing::StatusIs;
using ::testing::DoubleNear;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// Small rows with ties, whose golden values were computed once with scikit-learn 1.9.
const std::vector<double> kLabels = {0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0};
const std::vector<double> kScores = {.1, .8, .3, .3, .9, .4, .2, .55, .55, .6, .05, .7};
const std::vector<double> kOther = {.2, .7, .25, .45, .85, .5, .1, .4, .6, .75, .15, .3};
const std::vector<double> kWeights = {1, 2, 1, .5, 1, 3, 1, 1, .25, 2, 1, 1};

const std::vector<double> kClassLabels = {0, 1, 2, 1, 0, 2, 2, 1};
const std::vector<double> kClassScores = {.7, .2, .1, .2, .5, .3, .1, .3, .6, .5, .3, .2,
                                          .6, .3, .1, .2, .4, .4, .1, .1, .8, .3, .4, .3};
const std::vector<double> kClassWeights = {1, 2, 1, 1, .5, 1, 3, 1};

const std::vector<double> kValues = {3, -.5, 2, 7, 0, 4.2};
const std::vector<double> kPredicted = {2.5, 0, 2, 8, .3, 4};
const std::vector<double> kValueWeights = {1, 2, 1, 1, .5, 3};

Scored binary(bool weighted = false) {
  return {.labels = kLabels,
          .predictions = kScores,
          .weights = weighted ? std::span<const double>(kWeights) : std::span<const double>()};
}

// So many copies of some rows: two models are not compared on a handful.
std::vector<double> times(size_t count, const std::vector<double>& values) {
  std::vector<double> all;
  for (size_t i = 0; i < count; ++i) {
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

Scored multiclass(bool weighted = false) {
  return {.task = Task::kMulticlass,
          .labels = kClassLabels,
          .predictions = kClassScores,
          .class_count = 3,
          .weights = weighted ? std::span<const double>(kClassWeights) : std::span<const double>()};
}

Scored regression(bool weighted = false) {
  return {.task = Task::kRegression,
          .labels = kValues,
          .predictions = kPredicted,
          .weights = weighted ? std::span<const double>(kValueWeights) : std::span<const double>()};
}

struct Golden {
  std::string metric;
  double plain;
  double weighted;
};

void expect_golden(const std::vector<Golden>& goldens, const Scored& plain,
                   const Scored& weighted) {
  for (const Golden& golden : goldens) {
    SCOPED_TRACE(golden.metric);
    ASSERT_OK_AND_ASSIGN(const double value, evaluate(golden.metric, plain));
    EXPECT_NEAR(value, golden.plain, 1e-12);
    ASSERT_OK_AND_ASSIGN(const double with_weights, evaluate(golden.metric, weighted));
    EXPECT_NEAR(with_weights, golden.weighted, 1e-12);
  }
}

TEST(MetricTest, BinaryEqualsScikitLearn) {
  expect_golden({{"auc", 0.828571428571429, 0.897435897435897},
                 {"average_precision", 0.794444444444445, 0.887822864345241},
                 {"log_loss", 0.490909827118967, 0.436994655844982},
                 {"brier", 0.166458333333333, 0.138686440677966},
                 {"accuracy", 0.75, 0.88135593220339},
                 {"balanced_accuracy", 0.757142857142857, 0.885780885780886},
                 {"f1", 0.727272727272727, 0.872727272727273}},
                binary(), binary(true));
}

TEST(MetricTest, MulticlassEqualsScikitLearn) {
  expect_golden({{"auc", 0.944444444444444, 0.971153846153846},
                 {"average_precision", 0.907407407407407, 0.947115384615385},
                 {"log_loss", 0.666396398927389, 0.591923110735665},
                 {"brier", 0.3725, 0.319047619047619},
                 {"accuracy", 0.75, 0.80952380952381},
                 {"balanced_accuracy", 0.777777777777778, 0.85},
                 {"f1", 0.755555555555556, 0.796296296296296}},
                multiclass(), multiclass(true));
}

TEST(MetricTest, RegressionEqualsScikitLearn) {
  expect_golden({{"rmse", 0.52121652570373, 0.474651574996922},
                 {"mae", 0.416666666666667, 0.382352941176471},
                 {"r2", 0.957998711616921, 0.961619626983566},
                 {"mape", 0.271428571428571, 0.306547619047619}},
                regression(), regression(true));
}

TEST(MetricTest, AucIntervalIsDeLongs) {
  ASSERT_OK_AND_ASSIGN(const Estimate auc, estimate("auc", binary()));
  const double half = 1.959963984540054 * std::sqrt(0.015476190476190477);
  EXPECT_NEAR(auc.lower, 0.828571428571429 - half, 1e-12);
  EXPECT_EQ(auc.upper, 1.0) << "cut at the bound";
}

TEST(MetricTest, PairedAucIsDeLongs) {
  const std::vector<double> labels = times(2, kLabels);
  const std::vector<double> scores = times(2, kScores);
  const std::vector<double> other = times(2, kOther);
  ASSERT_OK_AND_ASSIGN(const Comparison c, compare("auc", {.labels = labels, .predictions = scores},
                                                   {.labels = labels, .predictions = other}));
  EXPECT_NEAR(c.difference, 0.05714285714285705, 1e-12);
  EXPECT_NEAR(c.standard_error, 0.07475758835909867, 1e-12);
  EXPECT_NEAR(c.p_value, normal_cdf(-0.05714285714285705 / 0.07475758835909867), 1e-12);
}

// One row, or rows that all say the same, have no variance; that is no certainty.
TEST(MetricTest, TooFewRowsAreUnknown) {
  const std::vector<double> y = {1};
  const std::vector<double> good = {0.9};
  const std::vector<double> bad = {0.2};
  constexpr auto refused = absl::StatusCode::kFailedPrecondition;
  EXPECT_THAT(
      compare("log_loss", {.labels = y, .predictions = bad}, {.labels = y, .predictions = good}),
      StatusIs(refused, HasSubstr("1 rows are too few")));
  EXPECT_THAT(compare_losses(bad, good), StatusIs(refused, HasSubstr("too few")));
  // Thirty rows of which one weighs all.
  const std::vector<double> labels = times(30, y);
  std::vector<double> weights(30, 0.001);
  weights[0] = 1;
  const std::vector<double> low = times(30, bad);
  const std::vector<double> high = times(30, good);
  EXPECT_THAT(compare("brier", {.labels = labels, .predictions = low, .weights = weights},
                      {.labels = labels, .predictions = high, .weights = weights}),
              StatusIs(refused, HasSubstr("too few")));
  // Three positive rows say nothing of how the next would be ranked.
  std::vector<double> rare(30, 0);
  rare[3] = rare[7] = rare[20] = 1;
  const std::vector<double> flat = times(15, {0.1, 0.3});
  std::vector<double> scores(30);
  for (size_t i = 0; i < 30; ++i) {
    scores[i] = static_cast<double>(i * 7 % 30) / 30;
  }
  EXPECT_THAT(compare("auc", {.labels = rare, .predictions = scores},
                      {.labels = rare, .predictions = flat}),
              StatusIs(refused, HasSubstr("rarest class")));
  EXPECT_OK(compare("log_loss", {.labels = rare, .predictions = scores},
                    {.labels = rare, .predictions = flat}));

  ASSERT_OK_AND_ASSIGN(
      const Estimate mae,
      estimate("mae", {.task = Task::kRegression, .labels = y, .predictions = good}));
  EXPECT_EQ(mae.lower, 0);
  EXPECT_EQ(mae.upper, std::numeric_limits<double>::infinity());
}

// A weight w on a row does what w equal rows do.
TEST(MetricTest, WholeWeightsAreRepetitions) {
  const std::vector<double> weights = {1, 2, 1, 3, 1, 3, 1, 1, 2, 2, 1, 1};
  std::vector<double> labels;
  std::vector<double> scores;
  for (size_t i = 0; i < weights.size(); ++i) {
    labels.insert(labels.end(), static_cast<size_t>(weights[i]), kLabels[i]);
    scores.insert(scores.end(), static_cast<size_t>(weights[i]), kScores[i]);
  }
  const Scored weighted{.labels = kLabels, .predictions = kScores, .weights = weights};
  const Scored repeated{.labels = labels, .predictions = scores};
  for (const MetricInfo& info : metrics_of(Task::kBinary)) {
    if (info.name == "calibration_error") {
      continue;  // Its variance knows how many rows there really are.
    }
    SCOPED_TRACE(info.name);
    ASSERT_OK_AND_ASSIGN(const double a, evaluate(info.name, weighted));
    ASSERT_OK_AND_ASSIGN(const double b, evaluate(info.name, repeated));
    EXPECT_NEAR(a, b, 1e-12);
  }
}

// The influence of a row is the derivative by its weight, here by central differences.
TEST(MetricTest, InfluenceIsTheDerivative) {
  for (const bool large : {false, true}) {
    const Scored base = large ? multiclass(true) : binary(true);
    for (const MetricInfo& info : metrics_of(base.task)) {
      if (info.name == "calibration_error") {
        continue;
      }
      SCOPED_TRACE(info.name);
      std::vector<double> influence;
      EXPECT_OK(measure(info.name, base, &influence));
      std::vector<double> weights(base.weights.begin(), base.weights.end());
      std::vector<double> numeric;
      for (size_t i = 0; i < weights.size(); ++i) {
        Scored moved = base;
        const double step = 1e-6;
        std::vector<double> changed = weights;
        moved.weights = changed;
        changed[i] = weights[i] + step;
        ASSERT_OK_AND_ASSIGN(const double up, measure(info.name, moved, nullptr));
        changed[i] = weights[i] - step;
        ASSERT_OK_AND_ASSIGN(const double down, measure(info.name, moved, nullptr));
        numeric.push_back((up - down) / (2 * step) * weights[i]);
      }
      for (size_t i = 0; i < weights.size(); ++i) {
        // The small sample factors are at most sqrt(2) here; signs and proportions are exact.
        const double ratio = std::abs(numeric[i]) < 1e-8 ? 1 : influence[i] / numeric[i];
        EXPECT_GE(ratio, 1 - 1e-4) << i;
        EXPECT_LE(ratio, 1.42) << i;
      }
    }
  }
}

// The promise of an interval, on 400 simulated samples of rows whose truth is known.
TEST(MetricTest, IntervalsCoverTheTruth) {
  base::Random random(5);
  const auto sample = [&random](size_t n, std::vector<double>& y, std::vector<double>& p) {
    y.resize(n);
    p.resize(n);
    for (size_t i = 0; i < n; ++i) {
      const double truth = 1 / (1 + std::exp(-1.2 * random.normal()));
      y[i] = random.uniform() < truth ? 1 : 0;
      p[i] = std::clamp(truth * 1.1 - 0.02 + 0.1 * random.normal(), 0.01, 0.99);
    }
  };
  std::vector<double> y;
  std::vector<double> p;
  sample(400000, y, p);
  ASSERT_OK_AND_ASSIGN(const auto truth, estimate_all({.labels = y, .predictions = p}));
  std::vector<int> covered(truth.size(), 0);
  for (int trial = 0; trial < 400; ++trial) {
    sample(500, y, p);
    ASSERT_OK_AND_ASSIGN(const auto each, estimate_all({.labels = y, .predictions = p}));
    for (size_t m = 0; m < truth.size(); ++m) {
      covered[m] += each[m].estimate.lower <= truth[m].estimate.value &&
                            truth[m].estimate.value <= each[m].estimate.upper
                        ? 1
                        : 0;
    }
  }
  for (size_t m = 0; m < truth.size(); ++m) {
    EXPECT_GE(covered[m], truth[m].name == "calibration_error" ? 350 : 366) << truth[m].name;
  }
}

TEST(MetricTest, CalibrationErrorOfCalibratedRowsIsNearZero) {
  base::Random random(9);
  std::vector<double> y(5000);
  std::vector<double> p(5000);
  for (size_t i = 0; i < y.size(); ++i) {
    p[i] = random.uniform();
    y[i] = random.uniform() < p[i] ? 1 : 0;
  }
  ASSERT_OK_AND_ASSIGN(const Estimate good,
                       estimate("calibration_error", {.labels = y, .predictions = p}));
  EXPECT_LT(good.value, 0.012);
  EXPECT_EQ(good.lower, 0);
  for (double& each : p) {
    each = each * 0.8;
  }
  ASSERT_OK_AND_ASSIGN(const Estimate bad,
                       estimate("calibration_error", {.labels = y, .predictions = p}));
  EXPECT_THAT(bad.value, DoubleNear(0.2 / std::sqrt(3.0), 0.012));
  EXPECT_GT(bad.lower, 0.08);
}

TEST(MetricTest, PerfectOrderOfFewRowsIsNotCertain) {
  const std::vector<double> y = {0, 0, 0, 1, 1};
  const std::vector<double> p = {.1, .2, .3, .8, .9};
  ASSERT_OK_AND_ASSIGN(const Estimate auc, estimate("auc", {.labels = y, .predictions = p}));
  EXPECT_EQ(auc.value, 1);
  EXPECT_LT(auc.lower, 0.5);
}

TEST(MetricTest, LossesCompareAsTheMetricDoes) {
  const std::vector<double> labels = times(4, kLabels);
  const std::vector<double> scores = times(4, kScores);
  const std::vector<double> other = times(4, kOther);
  const std::vector<double> weights = times(4, kWeights);
  const Scored champion{.labels = labels, .predictions = scores, .weights = weights};
  const Scored challenger{.labels = labels, .predictions = other, .weights = weights};
  for (const std::string metric : {"log_loss", "brier", "accuracy"}) {
    ASSERT_OK_AND_ASSIGN(const auto first, row_losses(metric, champion));
    ASSERT_OK_AND_ASSIGN(const auto second, row_losses(metric, challenger));
    ASSERT_OK_AND_ASSIGN(const Comparison a, compare_losses(first, second, weights));
    ASSERT_OK_AND_ASSIGN(const Comparison b, compare(metric, champion, challenger));
    const double sign = metric == "accuracy" ? -1 : 1;
    EXPECT_NEAR(a.difference, sign * b.difference, 1e-12);
    EXPECT_NEAR(a.standard_error, b.standard_error, 1e-12);
    EXPECT_NEAR(a.p_value, b.p_value, 1e-12);
  }
}

TEST(MetricTest, RegressionComparesPaired) {
  const std::vector<double> labels = times(5, kValues);
  const std::vector<double> predicted = times(5, kPredicted);
  std::vector<double> shifted = predicted;
  for (double& each : shifted) {
    each += 0.5;
  }
  const Scored champion{.task = Task::kRegression, .labels = labels, .predictions = predicted};
  Scored worse = champion;
  worse.predictions = shifted;
  ASSERT_OK_AND_ASSIGN(const Comparison c, compare("rmse", champion, worse));
  EXPECT_GT(c.difference, 0);
  EXPECT_GT(c.p_value, 0.5);
}

TEST(MetricTest, ErrorsNameWhatIsWrong) {
  const std::vector<double> y = {0, 1, 1};
  const std::vector<double> p = {.2, .7, .9};
  const std::vector<double> two = {.2, .7};
  const std::vector<double> ones = {1, 1, 1};
  const std::vector<double> nan = {.2, std::numeric_limits<double>::quiet_NaN(), .9};
  const std::vector<double> large = {.2, .7, 1.5};
  const std::vector<double> negative = {1, -1, 1};
  const std::vector<double> zero = {0, 0, 0};
  const std::vector<double> labels = {0, 1, 2};
  const std::vector<double> infinite = {0, 1, std::numeric_limits<double>::infinity()};
  EXPECT_THAT(evaluate("acu", {.labels = y, .predictions = p}),
              StatusIs(kInvalid, HasSubstr("acu")));
  EXPECT_THAT(evaluate("rmse", {.labels = y, .predictions = p}),
              StatusIs(kInvalid, HasSubstr("binary")));
  EXPECT_THAT(evaluate("auc", {}), StatusIs(kInvalid, HasSubstr("no rows")));
  EXPECT_THAT(evaluate("auc", {.labels = y, .predictions = two}),
              StatusIs(kInvalid, HasSubstr("3 predictions")));
  EXPECT_THAT(evaluate("auc", {.labels = y, .predictions = p, .weights = two}),
              StatusIs(kInvalid, HasSubstr("3 weights")));
  EXPECT_THAT(evaluate("auc", {.labels = y, .predictions = p, .weights = negative}),
              StatusIs(kInvalid, HasSubstr("weight -1 of row 1")));
  EXPECT_THAT(evaluate("auc", {.labels = y, .predictions = p, .weights = zero}),
              StatusIs(kInvalid, HasSubstr("all weights are zero")));
  EXPECT_THAT(evaluate("auc", {.labels = y, .predictions = nan}),
              StatusIs(kInvalid, HasSubstr("row 1")));
  EXPECT_THAT(evaluate("auc", {.labels = y, .predictions = large}),
              StatusIs(kInvalid, HasSubstr("not a probability")));
  EXPECT_THAT(evaluate("auc", {.labels = labels, .predictions = p}),
              StatusIs(kInvalid, HasSubstr("none of the 2 classes")));
  EXPECT_THAT(evaluate("rmse", {.task = Task::kRegression, .labels = infinite, .predictions = p}),
              StatusIs(kInvalid, HasSubstr("label of row 2")));
  EXPECT_THAT(evaluate("auc", {.labels = ones, .predictions = p}),
              StatusIs(kInvalid, HasSubstr("only positive")));
  EXPECT_THAT(evaluate("average_precision", {.labels = zero, .predictions = p}),
              StatusIs(kInvalid, HasSubstr("only negative")));
  EXPECT_THAT(evaluate("r2", {.task = Task::kRegression, .labels = ones, .predictions = p}),
              StatusIs(kInvalid, HasSubstr("labels that differ")));
  EXPECT_THAT(evaluate("mape", {.task = Task::kRegression, .labels = zero, .predictions = p}),
              StatusIs(kInvalid, HasSubstr("not 0")));
  EXPECT_THAT(
      evaluate("log_loss",
               {.task = Task::kMulticlass, .labels = y, .predictions = p, .class_count = 1}),
      StatusIs(kInvalid, HasSubstr("1 classes")));
  EXPECT_THAT(estimate("auc", {.labels = y, .predictions = p}, 1.0),
              StatusIs(kInvalid, HasSubstr("confidence")));
  EXPECT_THAT(compare("calibration_error", {.labels = y, .predictions = p},
                      {.labels = y, .predictions = p}),
              StatusIs(kInvalid, HasSubstr("row by row")));
  EXPECT_THAT(compare("auc", {.labels = y, .predictions = p}, {.labels = ones, .predictions = p}),
              StatusIs(kInvalid, HasSubstr("same rows")));
  EXPECT_THAT(row_losses("auc", {.labels = y, .predictions = p}),
              StatusIs(kInvalid, HasSubstr("not a mean over rows")));
  EXPECT_THAT(parse_task("ranking"), StatusIs(kInvalid, HasSubstr("ranking")));
}

TEST(MetricTest, NamesRoundTrip) {
  for (const Task task : {Task::kBinary, Task::kMulticlass, Task::kRegression}) {
    EXPECT_THAT(parse_task(task_name(task)), ::testing::Eq(absl::StatusOr<Task>(task)));
    for (const MetricInfo& info : metrics_of(task)) {
      ASSERT_OK_AND_ASSIGN(const MetricInfo found, find_metric(info.name, task));
      EXPECT_EQ(found.title, info.title);
    }
  }
}

TEST(NormalTest, QuantilesAndWilsonAreTheKnownOnes) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-13);
  EXPECT_NEAR(normal_quantile(1e-6), -4.753424308822899, 1e-11);
  EXPECT_NEAR(normal_quantile(0.999), 3.090232306167813, 1e-12);
  EXPECT_EQ(normal_quantile(0), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(normal_quantile(1), std::numeric_limits<double>::infinity());
  const Interval eight_of_ten = wilson(0.8, 10, 0.95);
  EXPECT_NEAR(eight_of_ten.lower, 0.4901624715, 1e-9);
  EXPECT_NEAR(eight_of_ten.upper, 0.9433178485, 1e-9);
  EXPECT_EQ(wilson(0, 0, 0.95).upper, 1);
}

}  // namespace
}  // namespace cromford::metric
