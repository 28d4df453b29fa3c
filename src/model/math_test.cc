#include "model/math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace cromford::model {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double ulps(double got, double expected) {
  const double unit = std::nextafter(std::abs(expected), kInfinity) - std::abs(expected);
  return std::abs(got - expected) / unit;
}

TEST(Math, ExpIsWithinTwoUlps) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> wide(-745.0, 709.7);
  std::uniform_real_distribution<double> narrow(-3.0, 3.0);
  for (int i = 0; i < 100000; ++i) {
    const double x = (i % 2) == 0 ? wide(random) : narrow(random);
    EXPECT_LE(ulps(portable_exp(x), std::exp(x)), 2.0) << x;
  }
}

TEST(Math, ExpAtTheEnds) {
  EXPECT_EQ(portable_exp(0.0), 1.0);
  EXPECT_EQ(portable_exp(710.0), kInfinity);
  EXPECT_EQ(portable_exp(kInfinity), kInfinity);
  EXPECT_EQ(portable_exp(-kInfinity), 0.0);
  EXPECT_EQ(portable_exp(-746.0), 0.0);
  EXPECT_GT(portable_exp(-745.0), 0.0);
  EXPECT_TRUE(std::isfinite(portable_exp(709.78)));
  EXPECT_TRUE(std::isnan(portable_exp(std::nan(""))));
}

TEST(Math, LogIsWithinTwoUlps) {
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> exponent(-300.0, 300.0);
  std::uniform_real_distribution<double> near_one(0.5, 2.0);
  for (int i = 0; i < 100000; ++i) {
    const double x = (i % 2) == 0 ? std::pow(10.0, exponent(random)) : near_one(random);
    EXPECT_LE(ulps(portable_log(x), std::log(x)), 2.0) << x;
  }
  EXPECT_EQ(portable_log(1.0), 0.0);
  EXPECT_EQ(portable_log(0.0), -kInfinity);
  EXPECT_EQ(portable_log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(portable_log(-1.0)));
}

TEST(Math, Log1pKeepsSmallValues) {
  for (double x = 1e-300; x < 1e300; x *= 7.3) {
    EXPECT_NEAR(portable_log1p(x) / std::log1p(x), 1.0, 1e-15) << x;
  }
  EXPECT_EQ(portable_log1p(0.0), 0.0);
  EXPECT_EQ(portable_log1p(kInfinity), kInfinity);
}

TEST(Math, SineAndCosineOfTurns) {
  EXPECT_EQ(sine_of_turn(0.0), 0.0);
  EXPECT_EQ(sine_of_turn(0.25), 1.0);
  EXPECT_EQ(cosine_of_turn(0.0), 1.0);
  EXPECT_EQ(cosine_of_turn(0.5), -1.0);
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> turns(-3.0, 3.0);
  const double two_pi = 8.0 * std::atan(1.0);
  for (int i = 0; i < 100000; ++i) {
    const double t = turns(random);
    EXPECT_NEAR(sine_of_turn(t), std::sin(two_pi * t), 4e-15);
    EXPECT_NEAR(cosine_of_turn(t), std::cos(two_pi * t), 4e-15);
  }
}

}  // namespace
}  // namespace cromford::model
