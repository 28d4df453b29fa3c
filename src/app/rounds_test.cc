#include "app/rounds.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <thread>

#include "app/factory_fixture.h"
#include "monitor/window_store.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

class RoundsTest : public FactoryFixture {
 protected:
  void deploy(const std::string& model, const std::string& strategy = "direct") {
    ASSERT_OK(factory().deploy("default", "late", {{"model", model}, {"strategy", strategy}}, {}));
  }
  void predict(const std::string& at) {
    std::string out;
    ASSERT_OK(factory().predict_json("default", "late",
                                     R"({"rows":[{"distance":600}],"at":[")" + at + "\"]}", false,
                                     false, out));
  }
  base::Json check() {
    const auto round = factory().check_endpoint("default", "late");
    EXPECT_OK(round);
    return round.ok() ? *round : base::Json();
  }
  std::vector<monitor::StoredWindow> windows() {
    return monitor::WindowStore(metadata()).list("default", "late", {}).value();
  }
  uint64_t rows() {
    uint64_t sum = 0;
    for (const monitor::StoredWindow& each : windows()) {
      sum += each.window.rows;
    }
    return sum;
  }
  std::string later() {
    static int minute = 0;
    return fmt::format("1970-01-01T00:{:02}:00Z", ++minute % 60);
  }
};

// Does what a test tells it to.
class ScriptedStage final : public RoundStage {
 public:
  explicit ScriptedStage(std::function<absl::Status(RoundContext&)> script)
      : script_(std::move(script)) {}
  std::string_view name() const override { return "scripted"; }
  absl::Status run(RoundContext& round) override { return script_(round); }
  absl::Status close() override {
    ++closed;
    return absl::OkStatus();
  }
  int closed = 0;

 private:
  std::function<absl::Status(RoundContext&)> script_;
};

TEST_F(RoundsTest, CountsAreStoredByHourOfEventTime) {
  add_model("a", serve::late_parts());
  deploy("a");
  predict("1970-01-01T00:10:00Z");
  predict("1970-01-01T00:50:00Z");
  predict("1970-01-01T03:00:00Z");
  const base::Json round = check();
  EXPECT_EQ(round["watermark"], "1970-01-01T03:00:00Z");
  EXPECT_EQ(round["stages"][0]["name"], "counters");
  EXPECT_EQ(round["stages"][0]["found"]["rows"], 3);
  predict("1970-01-01T00:20:00Z");
  check();
  ASSERT_EQ(windows().size(), 2U);
  EXPECT_EQ(windows()[0].window.rows, 3U);
  EXPECT_EQ(windows()[1].window.rows, 1U);
}

TEST_F(RoundsTest, WhatCouldNotBeStoredIsStoredOnceLater) {
  add_model("a", serve::late_parts());
  deploy("a");
  predict(later());
  metadata().fail_commit(1);
  const base::Json failed = check();
  EXPECT_EQ(failed["stages"][0]["ok"], false);
  EXPECT_THAT(failed["stages"][0]["error"].get<std::string>(), HasSubstr("injected"));
  EXPECT_EQ(rows(), 0U);
  predict(later());
  EXPECT_EQ(check()["stages"][0]["found"]["rows"], 2);
  EXPECT_EQ(rows(), 2U);
  check();
  EXPECT_EQ(rows(), 2U);
}

TEST_F(RoundsTest, CountsOfWhatWasReplacedOrDeletedAreNotLost) {
  add_model("a", serve::late_parts());
  add_model("b", serve::late_parts(0.02));
  deploy("a");
  predict(later());
  deploy("b");
  predict(later());
  check();
  EXPECT_EQ(rows(), 2U);
  ASSERT_EQ(windows().size(), 2U);
  predict(later());
  ASSERT_OK(factory().delete_endpoint("default", "late", {}));
  EXPECT_THAT(factory().check_endpoint("default", "late"), StatusIs(absl::StatusCode::kNotFound));
  factory().stop();
  EXPECT_EQ(rows(), 3U);
}

TEST_F(RoundsTest, AnEndInGoodOrderStoresTheLastCounts) {
  add_model("a", serve::late_parts());
  deploy("a");
  predict(later());
  restart();
  EXPECT_EQ(rows(), 1U);
}

TEST_F(RoundsTest, WhatAVersionScoredAsShadowIsKeptApart) {
  add_model("a", serve::late_parts());
  add_model("b", serve::late_parts(0.02));
  deploy("a");
  deploy("b", "shadow");
  predict(later());
  factory().stop();  // Waits for no shadow; the answered row is there in any case.
  for (const monitor::StoredWindow& each : windows()) {
    EXPECT_EQ(each.shadow, each.window.model == "b");
  }
}

TEST_F(RoundsTest, AStageThatFailsStopsNoOther) {
  serve::Registry registry;
  Rounds rounds(context(), registry);
  int ran = 0;
  rounds.add(std::make_unique<ScriptedStage>(
      [](RoundContext&) { return base::unavailable("no luck today"); }));
  auto second = std::make_unique<ScriptedStage>([&](RoundContext& round) {
    round.found["ran"] = ++ran;
    return absl::OkStatus();
  });
  const ScriptedStage& closing = *second;
  rounds.add(std::move(second));
  ASSERT_OK_AND_ASSIGN(const base::Json round, rounds.check({"default", "late"}));
  EXPECT_THAT(round["stages"][0]["error"].get<std::string>(), HasSubstr("no luck"));
  EXPECT_EQ(round["stages"][0]["found"], base::Json::object());
  EXPECT_EQ(round["stages"][1]["found"]["ran"], 1);
  rounds.stop();
  rounds.stop();
  EXPECT_EQ(closing.closed, 1);
  EXPECT_THAT(rounds.check({"default", "late"}), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(RoundsTest, RoundsOfOneEndpointNeverOverlap) {
  serve::Registry registry;
  Rounds rounds(context(), registry);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  rounds.add(std::make_unique<ScriptedStage>([&](RoundContext&) {
    most = std::max(most.load(), ++inside);
    std::this_thread::yield();
    --inside;
    return absl::OkStatus();
  }));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        ASSERT_OK(rounds.check({"default", "late"}));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(most, 1);
}

}  // namespace
}  // namespace cromford::app
