#include "monitor/loss_change.h"

#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "testing/status_matchers.h"

namespace cromford::monitor {
namespace {

base::Time minute(int64_t n) {
  return base::Time(std::chrono::minutes(n));
}

// Brier losses of a coin with this chance that is said to have 0.2.
double loss(std::mt19937_64& random, double chance) {
  return std::bernoulli_distribution(chance)(random) ? 0.64 : 0.04;
}

TEST(LossChangeTest, AStreamAsPromisedIsQuiet) {
  int alarms = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random(seed);
    LossChange change(0.16);
    for (int64_t i = 0; i < 50'000; ++i) {
      change.observe(loss(random, 0.2), minute(i));
    }
    alarms += change.alarm_at() ? 1 : 0;
  }
  EXPECT_LE(alarms, 1);  // One in a million rows.
}

TEST(LossChangeTest, AWorseStreamIsNoticedAndDated) {
  for (const double chance : {0.35, 0.6}) {
    std::mt19937_64 random(5);
    LossChange change(0.16);
    for (int64_t i = 0; i < 5000; ++i) {
      change.observe(loss(random, 0.2), minute(i));
    }
    EXPECT_FALSE(change.alarm_at().has_value());
    for (int64_t i = 5000; i < 8000; ++i) {
      change.observe(loss(random, chance), minute(i));
    }
    ASSERT_TRUE(change.alarm_at().has_value()) << chance;
    EXPECT_GE(*change.alarm_at(), minute(5000));
    EXPECT_LT(*change.alarm_at(), minute(chance > 0.5 ? 5200 : 6500));
    EXPECT_GT(*change.changed_at(), minute(4800));
    EXPECT_LE(*change.changed_at(), *change.alarm_at());
  }
}

TEST(LossChangeTest, WithoutAPromiseTheFirstThousandTell) {
  std::mt19937_64 random(6);
  LossChange change;
  for (int64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(change.tolerated(), 0);
    change.observe(loss(random, 0.2), minute(i));
  }
  EXPECT_NEAR(change.tolerated(), 1.1 * (0.16 + 2 * 0.24 / std::sqrt(1000)), 0.03);
  for (int64_t i = 0; i < 20'000; ++i) {
    change.observe(loss(random, 0.2), minute(i));
  }
  EXPECT_FALSE(change.alarm_at().has_value());
}

TEST(LossChangeTest, GoesOnFromWhatWasStored) {
  std::mt19937_64 random(7);
  LossChange one(0.1);
  LossChange stored(0.1);
  for (int64_t i = 0; i < 3000; ++i) {
    const double value = loss(random, i < 1500 ? 0.1 : 0.3);
    one.observe(value, minute(i));
    stored.observe(value, minute(i));
    if (i % 100 == 0) {
      ASSERT_OK_AND_ASSIGN(stored, LossChange::from_json(stored.to_json()));
    }
  }
  EXPECT_EQ(one.to_json(), stored.to_json());
  EXPECT_FALSE(LossChange::from_json({{"rows", 1}}).ok());
}

}  // namespace
}  // namespace cromford::monitor
