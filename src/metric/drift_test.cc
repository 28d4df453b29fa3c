#include "metric/drift.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "testing/status_matchers.h"

namespace cromford::metric {
namespace {

using cromford::testing::StatusIs;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Counts = std::vector<uint64_t>;

TEST(DriftTest, EqualsTheFormulaWorkedOutElsewhere) {
  const Counts reference = {100, 200, 300, 400};
  const Counts current = {40, 50, 60, 50};
  ASSERT_OK_AND_ASSIGN(const Drift moved, drift({.reference = reference, .current = current}));
  EXPECT_EQ(moved.bin_count, 4U);
  EXPECT_NEAR(moved.psi, 0.1475879743829056, 1e-12);
  EXPECT_NEAR(moved.chance, 0.018, 1e-12);
  EXPECT_NEAR(moved.effect, moved.psi - 0.018, 1e-12);
  EXPECT_NEAR(moved.p_value, 1.634127046110667e-05, 1e-15);
  EXPECT_NEAR(moved.js_distance, 0.163895133830422, 1e-12);
}

TEST(DriftTest, TheSameDistributionIsNoDrift) {
  const Counts counts = {500, 0, 500, 20, 0};
  ASSERT_OK_AND_ASSIGN(const Drift moved,
                       drift({.reference = counts, .current = counts, .own_bins = 2}));
  EXPECT_NEAR(moved.psi, 0, 1e-15);
  EXPECT_EQ(moved.effect, 0);
  EXPECT_GT(moved.p_value, 0.9);
  EXPECT_NEAR(moved.js_distance, 0, 1e-7);
  ASSERT_OK_AND_ASSIGN(const Drift one, drift({.reference = Counts{7}, .current = Counts{9}}));
  EXPECT_EQ(one.p_value, 1);
}

TEST(DriftTest, MissingAndUnseenKeepBinsOfTheirOwn) {
  Counts reference(100, 1000);
  reference.insert(reference.end(), {0, 100});
  Counts current(100, 10);
  current.insert(current.end(), {50, 1});
  ASSERT_OK_AND_ASSIGN(const Drift moved,
                       drift({.reference = reference, .current = current, .own_bins = 2}));
  EXPECT_EQ(moved.bin_count, 16U);
  EXPECT_GT(moved.effect, 0.1);
  EXPECT_LT(moved.p_value, 1e-4);
  ASSERT_OK_AND_ASSIGN(const Drift coarse,
                       drift({.reference = reference, .current = current}, {.bins_max = 4}));
  EXPECT_EQ(coarse.bin_count, 4U);
}

TEST(DriftTest, RefusesWhatCannotBeCompared) {
  const auto invalid = [](const char* text) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text));
  };
  const Counts two = {1, 2};
  const Counts three = {1, 2, 3};
  const Counts none = {0, 0};
  EXPECT_THAT(drift({.reference = two, .current = three}), invalid("3 bins"));
  EXPECT_THAT(drift({.reference = two, .current = two, .own_bins = 3}), invalid("2 bins"));
  EXPECT_THAT(drift({.reference = two, .current = none}), invalid("without rows"));
  EXPECT_THAT(drift({.reference = none, .current = two}), invalid("without rows"));
}

// Streams of rows with `bins` bins, drawn from a fixed distribution.
class Stream {
 public:
  explicit Stream(std::vector<double> mass) : cumulative_(mass.size()) {
    std::partial_sum(mass.begin(), mass.end(), cumulative_.begin());
  }
  Counts window(size_t rows, base::Random& random) const {
    Counts counts(cumulative_.size(), 0);
    for (size_t i = 0; i < rows; ++i) {
      const double x = random.uniform() * cumulative_.back();
      ++counts[static_cast<size_t>(std::ranges::upper_bound(cumulative_, x) - cumulative_.begin())];
    }
    return counts;
  }

 private:
  std::vector<double> cumulative_;
};

std::vector<double> tilted(size_t bins, double slope) {
  std::vector<double> mass(bins);
  double sum = 0;
  for (size_t i = 0; i < bins; ++i) {
    mass[i] = std::exp(slope * static_cast<double>(i) / static_cast<double>(bins));
    sum += mass[i];
  }
  for (double& x : mass) {
    x /= sum;
  }
  return mass;
}

double index_against_uniform(std::span<const double> mass) {
  double psi = 0;
  const double q = 1.0 / static_cast<double>(mass.size());
  for (const double p : mass) {
    psi += (p - q) * std::log(p / q);
  }
  return psi;
}

// The distribution whose true index against the uniform one is `psi`.
std::vector<double> moved_by(double psi, size_t bins) {
  double low = 0;
  double high = 10;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (index_against_uniform(tilted(bins, middle)) < psi ? low : high) = middle;
  }
  return tilted(bins, low);
}

// The share of windows with p < 0.01.
double alarm_rate(const Counts& reference, const Stream& stream, size_t rows, size_t bins_max) {
  constexpr int kWindows = 400;
  base::Random random(rows * 100 + reference.size());
  int alarms = 0;
  for (int i = 0; i < kWindows; ++i) {
    const Counts current = stream.window(rows, random);
    const auto moved = drift({.reference = reference, .current = current}, {.bins_max = bins_max});
    alarms += moved.ok() && moved->p_value < 0.01 ? 1 : 0;
  }
  return alarms / static_cast<double>(kWindows);
}

TEST(DriftSimulation, QuietOnCleanWindows) {
  base::Random random(5);
  for (const size_t bins : {10U, 32U}) {
    const Stream uniform(tilted(bins, 0));
    // Half of the bins are rare: below one expected row in small windows.
    const Stream skewed(tilted(bins, -12));
    for (const Stream* stream : {&uniform, &skewed}) {
      const Counts reference = stream->window(100000, random);
      for (const size_t rows : {200U, 1000U, 5000U}) {
        for (const size_t bins_max : {size_t{16}, bins}) {
          EXPECT_LE(alarm_rate(reference, *stream, rows, bins_max), 0.01)
              << bins << " bins merged to " << bins_max << ", " << rows << " rows";
        }
      }
    }
  }
}

TEST(DriftSimulation, FindsAnIndexOfATenthFromAThousandRowsOn) {
  base::Random random(6);
  for (const size_t bins : {10U, 32U}) {
    const Counts reference = Stream(tilted(bins, 0)).window(100000, random);
    const Stream moved(moved_by(0.1, bins));
    for (const size_t rows : {1000U, 5000U}) {
      EXPECT_GE(alarm_rate(reference, moved, rows, 16), 0.95) << bins << " bins, " << rows;
    }
    // What is tolerable is not reported much more often than the level says.
    EXPECT_LE(alarm_rate(reference, Stream(moved_by(0.02, bins)), 2000, 16), 0.04) << bins;
  }
}

TEST(DriftSimulation, InflationMakesBunchedRowsQuiet) {
  base::Random random(7);
  const Stream uniform(tilted(10, 0));
  const Counts reference = uniform.window(100000, random);
  const auto bunched = [&] {
    Counts counts = uniform.window(100, random);
    std::ranges::transform(counts, counts.begin(), [](uint64_t n) { return n * 10; });
    return *drift({.reference = reference, .current = counts});
  };
  std::vector<Drift> good(40);
  std::ranges::generate(good, bunched);
  const double inflation = drift_inflation(good);
  EXPECT_NEAR(inflation, 10, 2.5);
  EXPECT_EQ(drift_inflation(std::span(good).first(19)), 1.0);
  int plain = 0;
  int inflated = 0;
  for (int i = 0; i < 500; ++i) {
    Counts counts = uniform.window(100, random);
    std::ranges::transform(counts, counts.begin(), [](uint64_t n) { return n * 10; });
    const BinPair pair = {.reference = reference, .current = counts};
    plain += drift(pair)->p_value < 0.01 ? 1 : 0;
    inflated += drift(pair, {.inflation = inflation})->p_value < 0.01 ? 1 : 0;
  }
  EXPECT_GT(plain, 200);
  EXPECT_LE(inflated, 15);
}

TEST(DriftTest, WassersteinIsTheShiftBetweenTheEdges) {
  const std::vector<double> edges = {0, 1, 2, 3};
  // Uniform on 0..1 against uniform on 2..3.
  const Counts low = {0, 10, 0, 0, 0};
  const Counts high = {0, 0, 0, 50, 0};
  EXPECT_DOUBLE_EQ(wasserstein({.reference = low, .current = high}, edges), 2.0);
  // The functions cross in the middle of 1..2: differences 0.5 and -0.5.
  const Counts ends = {0, 5, 0, 5, 0};
  const Counts middle = {0, 0, 10, 0, 0};
  EXPECT_DOUBLE_EQ(wasserstein({.reference = ends, .current = middle}, edges), 0.75);
  EXPECT_EQ(wasserstein({.reference = Counts(6, 0), .current = Counts(6, 1)}, edges), 0);
  EXPECT_EQ(wasserstein({.reference = low, .current = low}, edges), 0);
}

TEST(AdjustedPValues, AreBenjaminiAndHochbergsWithWeights) {
  const std::vector<double> p = {.01, .04, .03, .5};
  EXPECT_THAT(adjusted_p_values(p), ElementsAre(DoubleNear(.04, 1e-12), DoubleNear(.16 / 3, 1e-12),
                                                DoubleNear(.16 / 3, 1e-12), DoubleNear(.5, 1e-12)));
  EXPECT_EQ(adjusted_p_values(p, std::vector<double>(4, 0.0)), adjusted_p_values(p));
  EXPECT_THAT(adjusted_p_values(p, std::vector<double>{4, 2, 1, 0}),
              ElementsAre(DoubleNear(.0179375, 1e-9), DoubleNear(.07175, 1e-9),
                          DoubleNear(.07175, 1e-9), 1.0));
  EXPECT_TRUE(adjusted_p_values({}).empty());
}

}  // namespace
}  // namespace cromford::metric
