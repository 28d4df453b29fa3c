#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

namespace cromford::base {
namespace {

TEST(RandomTest, TheSequenceIsPromised) {
  // From an independent implementation of splitmix64 and xoshiro256**.
  Random random(42);
  for (const uint64_t expected :
       {0x15780b2e0c2ec716U, 0x6104d9866d113a7eU, 0xae17533239e499a1U, 0xecb8ad4703b360a1U}) {
    EXPECT_EQ(random.next(), expected);
  }
  EXPECT_EQ(Random(0).next(), 0x99ec5f36cb75f2b4U);
}

TEST(RandomTest, UniformNumbersFillTheUnitInterval) {
  Random random(1);
  constexpr int kCount = 100'000;
  double sum = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.uniform();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    sum += x;
  }
  EXPECT_NEAR(sum / kCount, 0.5, 5 * std::sqrt(1.0 / 12 / kCount));
}

TEST(RandomTest, NormalNumbersHaveTheMomentsOfTheNormalDistribution) {
  Random random(2);
  constexpr int kCount = 200'000;
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / kCount, 0, 5 / std::sqrt(kCount));
  EXPECT_NEAR(squares / kCount, 1, 5 * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(fourth / kCount, 3, 5 * std::sqrt(96.0 / kCount));
}

TEST(RandomTest, NormalNumbersAreTheSameOnEveryMachine) {
  Random random(42);
  const std::array<double, 3> expected{-0.7262191382447857, -0.21119691823195985,
                                       0.22162270150359337};
  for (const double value : expected) {
    EXPECT_EQ(random.normal(), value);
  }
}

TEST(RandomTest, NumbersBelowABoundAreEquallyFrequent) {
  Random random(3);
  std::array<int, 7> counts{};
  constexpr int kCount = 70'000;
  for (int i = 0; i < kCount; ++i) {
    ++counts[random.below(7)];
  }
  for (const int count : counts) {
    EXPECT_NEAR(count, kCount / 7, 5 * std::sqrt(kCount / 7.0));
  }
  EXPECT_EQ(random.below(1), 0U);
  EXPECT_LT(random.below(UINT64_MAX), UINT64_MAX);
}

TEST(RandomTest, StreamsAreIndependentOfTheOrderInWhichTheyAreMade) {
  Random random(4);
  Random early = random.split(7);
  random.next();
  Random late = random.split(7);
  EXPECT_EQ(early.next(), late.next());
  std::set<uint64_t> firsts;
  for (uint64_t stream = 0; stream < 1000; ++stream) {
    firsts.insert(random.split(stream).next());
  }
  EXPECT_EQ(firsts.size(), 1000U);
}

TEST(RandomTest, ShufflingKeepsAllAndDependsOnTheSeed) {
  std::vector<int> numbers(100);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::vector<int> first = numbers;
  std::vector<int> second = numbers;
  std::vector<int> other = numbers;
  Random(5).shuffle(std::span(first));
  Random(5).shuffle(std::span(second));
  Random(6).shuffle(std::span(other));
  EXPECT_EQ(first, second);
  EXPECT_NE(first, other);
  EXPECT_NE(first, numbers);
  std::sort(first.begin(), first.end());
  EXPECT_EQ(first, numbers);
}

TEST(RandomTest, EntropyDiffers) {
  std::array<std::byte, 32> first{};
  std::array<std::byte, 32> second{};
  system_entropy().fill(first);
  system_entropy().fill(second);
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace cromford::base
