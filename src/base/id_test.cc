#include "base/id.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "testing/simulated_clock.h"
#include "testing/simulated_entropy.h"

namespace cromford::base {
namespace {

// All bits set: the next id counts over.
class FullEntropy final : public Entropy {
 public:
  void fill(std::span<std::byte> bytes) override {
    std::fill(bytes.begin(), bytes.end(), std::byte{0xff});
  }
};

TEST(IdTest, AnIdHoldsItsTimeInCrockfordsDigits) {
  testing::SimulatedClock clock(*parse_time("2016-07-30T23:54:10.259Z"));
  testing::SimulatedEntropy entropy;
  IdSource ids(clock, entropy);
  const std::string id = ids.next();
  EXPECT_EQ(id.substr(0, 10), "01arz3ndek");  // The example of the ULID specification.
  EXPECT_EQ(id.size(), 26U);
  EXPECT_TRUE(is_id(id));
}

TEST(IdTest, IdsGrowAlsoWhenTheClockStandsOrJumpsBack) {
  testing::SimulatedClock clock;
  testing::SimulatedEntropy entropy;
  IdSource ids(clock, entropy);
  std::string last;
  for (int i = 0; i < 1000; ++i) {
    if (i % 10 == 3) {
      clock.jump(-std::chrono::hours(1));
    }
    if (i % 10 == 7) {
      clock.advance(std::chrono::milliseconds(1));
    }
    const std::string id = ids.next();
    EXPECT_GT(id, last);
    last = id;
  }
}

TEST(IdTest, ARandomPartThatIsUsedUpBorrowsFromTheTime) {
  testing::SimulatedClock clock;
  FullEntropy entropy;
  IdSource ids(clock, entropy);
  const std::string first = ids.next();
  const std::string second = ids.next();
  EXPECT_EQ(first.substr(10), "zzzzzzzzzzzzzzzz");
  EXPECT_EQ(second.substr(10), "0000000000000000");
  EXPECT_GT(second, first);
}

TEST(IdTest, ThreadsNeverGetTheSameId) {
  testing::SimulatedClock clock;
  testing::SimulatedEntropy entropy;
  IdSource ids(clock, entropy);
  std::mutex mutex;
  std::set<std::string> all;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        const std::string id = ids.next();
        const std::lock_guard lock(mutex);
        all.insert(id);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(all.size(), 4000U);
}

TEST(IdTest, OtherTextsAreNoIds) {
  for (const char* const text : {"", "01arz3ndektsv4rrffq69g5fa", "01arz3ndektsv4rrffq69g5favx",
                                 "01ARZ3NDEKTSV4RRFFQ69G5FAV", "81arz3ndektsv4rrffq69g5fav",
                                 "01arz3ndektsv4rrffq69g5fau", "../arz3ndektsv4rrffq69g5fa"}) {
    EXPECT_FALSE(is_id(text)) << text;
  }
  EXPECT_TRUE(is_id("7zzzzzzzzzzzzzzzzzzzzzzzzz"));
}

}  // namespace
}  // namespace cromford::base
