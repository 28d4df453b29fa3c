#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/assert.h"
#include "base/json.h"
#include "testing/simulated_clock.h"

namespace cromford::base {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    set_log_sink([this](std::string_view line) { lines_.emplace_back(line); });
    set_log_clock(clock_);
    set_log_format(LogFormat::kText);
    set_log_level(LogLevel::kInfo);
  }
  ~LogTest() override {
    set_log_sink({});
    set_log_clock(system_clock());
    set_log_level(LogLevel::kInfo);
  }

  testing::SimulatedClock clock_;
  std::vector<std::string> lines_;
};

TEST_F(LogTest, ALineForPeopleQuotesOnlyWhereItMust) {
  log_info("imported", {{"dataset", "flights"},
                        {"rows", 3},
                        {"bytes", uint64_t{5}},
                        {"share", 0.5},
                        {"new", true},
                        {"note", "two words"},
                        {"empty", ""},
                        {"hostile", "a\nb\x1b[0m\""}});
  EXPECT_THAT(lines_, ElementsAre("2026-01-01T00:00:00Z info imported dataset=flights rows=3 "
                                  "bytes=5 share=0.5 new=true note=\"two words\" empty=\"\" "
                                  "hostile=\"a\\nb\\u001b[0m\\\"\"\n"));
}

TEST_F(LogTest, ALineForMachinesIsJson) {
  set_log_format(LogFormat::kJson);
  const RequestScope scope("r1");
  log_warning("slow \"query\"", {{"text", "a\n\xff"}, {"nothing", std::nan("")}, {"n", -1}});
  ASSERT_EQ(lines_.size(), 1U);
  ASSERT_EQ(lines_[0].find('\n'), lines_[0].size() - 1);
  const Json line = *parse_json(lines_[0]);
  EXPECT_EQ(line["time"], "2026-01-01T00:00:00Z");
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["event"], "slow \"query\"");
  EXPECT_EQ(line["text"], "a\n\xEF\xBF\xBD");
  EXPECT_TRUE(line["nothing"].is_null());
  EXPECT_EQ(line["n"], -1);
  EXPECT_EQ(line["request"], "r1");
}

TEST_F(LogTest, LevelsAreKept) {
  log_debug("hidden");
  EXPECT_THAT(lines_, IsEmpty());
  set_log_level(LogLevel::kDebug);
  EXPECT_EQ(log_level(), LogLevel::kDebug);
  log_debug("shown");
  set_log_level(LogLevel::kOff);
  log_error("hidden");
  EXPECT_THAT(lines_, ElementsAre("2026-01-01T00:00:00Z debug shown\n"));
}

TEST_F(LogTest, RequestIdsNestAndBelongToTheirThread) {
  EXPECT_EQ(current_request_id(), "");
  {
    const RequestScope outer("outer");
    {
      const RequestScope inner("inner");
      log_error("x");
      std::thread([] { EXPECT_EQ(current_request_id(), ""); }).join();
    }
    EXPECT_EQ(current_request_id(), "outer");
  }
  EXPECT_EQ(current_request_id(), "");
  EXPECT_THAT(lines_, ElementsAre("2026-01-01T00:00:00Z error x request=inner\n"));
}

TEST(AssertDeathTest, ABrokenInvariantAbortsAndSaysWhy) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  CROMFORD_ASSERT(true, "nothing happens");
  EXPECT_DEATH(CROMFORD_ASSERT(1 > 2, "numbers are ordered"), "numbers are ordered");
}

}  // namespace
}  // namespace cromford::base
