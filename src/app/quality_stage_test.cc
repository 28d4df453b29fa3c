#include "app/quality_stage.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <future>
#include <random>
#include <string>
#include <utility>

#include "app/endpoint_policy.h"
#include "app/factory_fixture.h"
#include "app/quality_report.h"
#include "serve/known_packages.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const EndpointName kLate{"default", "late"};

class QualityStageTest : public FactoryFixture {
 protected:
  void SetUp() override {
    FactoryFixture::SetUp();
    add_model("a", serve::late_parts());
    ASSERT_OK(factory().deploy("default", "late", {{"model", "a"}}, {}));
  }
  static base::Time minute(int day, int i) {
    return base::parse_time("2001-02-01").value() + std::chrono::hours(24 * (day - 1)) +
           std::chrono::minutes(i);
  }
  // Flights of a day of February 2001, one each minute from midnight on; ids "DAY-NUMBER".
  void predict(int day, int from, int count) {
    base::Json body = {
        {"rows", base::Json::array()}, {"ids", base::Json::array()}, {"at", base::Json::array()}};
    for (int i = from; i < from + count; ++i) {
      body["rows"].push_back({{"origin", i % 3 == 0 ? "ORD" : "JFK"},
                              {"distance", 100 + 37 * (i % 60)},
                              {"weekend", i % 2 == 0}});
      body["ids"].push_back(fmt::format("{}-{}", day, i));
      body["at"].push_back(base::format_time(minute(day, i)));
    }
    std::string out;
    ASSERT_OK(factory().predict_json("default", "late", base::dump_json(body), false, false, out));
    factory().commit_predictions([](const absl::Status& how) { EXPECT_OK(how); });
    const base::Json answered = base::parse_json(out).value();
    for (const base::Json& answer : answered["predictions"]) {
      chances_[answer["id"]] = answer["probability"];
    }
  }
  void tell(const base::Json& outcomes) {
    std::promise<void> told;
    factory().add_outcomes("default", "late", base::dump_json({{"outcomes", outcomes}}),
                           [&](const absl::StatusOr<std::string>& how) {
                             EXPECT_OK(how);
                             told.set_value();
                           });
    told.get_future().get();
  }
  // What the probabilities say, by chance, two hours after the flight; `add` makes more of them
  // late.
  void tell(int day, int from, int count, double add = 0) {
    base::Json outcomes = base::Json::array();
    for (int i = from; i < from + count; ++i) {
      const std::string id = fmt::format("{}-{}", day, i);
      const double chance = std::min(1.0, chances_.at(id) + add);
      outcomes.push_back({{"id", id},
                          {"value", std::bernoulli_distribution(chance)(random_)},
                          {"at", base::format_time(minute(day, i) + std::chrono::hours(2))}});
    }
    tell(outcomes);
  }
  base::Json round() {
    const auto result = factory().check_endpoint("default", "late");
    EXPECT_OK(result);
    for (const base::Json& stage : (*result)["stages"]) {
      if (stage["name"] == "quality") {
        return stage;
      }
    }
    ADD_FAILURE() << "the round has no stage quality";
    return {};
  }
  std::vector<QualityWindow> windows() {
    auto found = quality_windows(context(), kLate, {});
    EXPECT_OK(found);
    return found.ok() ? *std::move(found) : std::vector<QualityWindow>();
  }
  base::Json sections() {
    const auto found =
        quality_sections(context(), kLate, {}, context().metadata ? served().get() : nullptr);
    EXPECT_OK(found);
    return found.ok() ? *found : base::Json();
  }
  std::shared_ptr<const serve::Endpoint> served() { return nullptr; }

  std::map<std::string, double> chances_;
  std::mt19937_64 random_{4};
};

TEST_F(QualityStageTest, CountsEachThingOnceOverRoundsAndRestarts) {
  predict(1, 0, 600);
  tell(1, 0, 300);
  base::Json found = round()["found"];
  EXPECT_EQ(found["predictions"], 600);
  EXPECT_EQ(found["outcomes"], 300);
  EXPECT_EQ(round()["found"]["predictions"], 0);
  restart();
  tell(1, 300, 200);
  tell(1, 0, 0);
  EXPECT_EQ(round()["found"]["outcomes"], 200);
  ASSERT_THAT(windows(), SizeIs(1));
  EXPECT_EQ(windows()[0].counts.answered, 600);
  EXPECT_EQ(windows()[0].counts.known, 500);
}

TEST_F(QualityStageTest, WhatCouldNotBeStoredIsCountedByTheNextRound) {
  predict(1, 0, 100);
  tell(1, 0, 100);
  metadata().fail_commit(2);  // After that of the counters.
  const base::Json stage = round();
  EXPECT_FALSE(stage["ok"].get<bool>()) << stage;
  EXPECT_TRUE(round()["ok"].get<bool>());
  ASSERT_THAT(windows(), SizeIs(1));
  EXPECT_EQ(windows()[0].counts.answered, 100);
  EXPECT_EQ(windows()[0].counts.known, 100);
}

TEST_F(QualityStageTest, ACorrectionTakesThePlaceOfWhatWasCounted) {
  predict(1, 0, 1);
  tell({{{"id", "1-0"}, {"value", true}, {"at", "2001-02-01T02:00:00Z"}}});
  round();
  tell({{{"id", "1-0"}, {"value", false}, {"at", "2001-02-01T03:00:00Z"}}});
  EXPECT_EQ(round()["found"]["corrections"], 1);
  const monitor::QualityCounts counts = windows().at(0).counts;
  EXPECT_EQ(counts.known, 1);
  double positives = 0;
  for (const double count : counts.positives) {
    positives += count;
  }
  EXPECT_EQ(positives, 0);
}

TEST_F(QualityStageTest, WindowsAreMatureWhenTheClockHasPassedTheDelay) {
  predict(1, 0, 1400);
  tell(1, 0, 1400);
  round();
  EXPECT_FALSE(windows().at(0).mature);
  predict(2, 0, 1400);
  round();
  ASSERT_THAT(windows(), SizeIs(2));
  EXPECT_TRUE(windows()[0].mature);  // Two hours, as the delays seen have it.
  EXPECT_FALSE(windows()[1].mature);
  const base::Json all = sections();
  const base::Json& first = all["quality"]["windows"][0];
  EXPECT_EQ(first["state"], "mature");
  EXPECT_EQ(first["coverage"], 1.0);
  EXPECT_NEAR(all["quality"]["outcome_delay_s"].get<double>(), 7200, 600);
  // The truth followed the probabilities, so the estimate held.
  for (const auto& [name, metric] : all["estimate"]["windows"][0]["metrics"].items()) {
    EXPECT_LT(metric["lower"], metric["measured"]) << name;
    EXPECT_GT(metric["upper"], metric["measured"]) << name;
  }
  EXPECT_TRUE(all["estimate"]["windows"][0]["reliable"].get<bool>());
  EXPECT_EQ(all["estimate"]["band_coverage"][0]["metrics"]["auc"]["windows"], 1);
  EXPECT_EQ(all["estimate"]["windows"][1]["metrics"]["auc"]["measured"], nullptr);
}

TEST_F(QualityStageTest, WhereTheRelationChangesItIsNoticed) {
  for (int day = 1; day <= 3; ++day) {
    predict(day, 0, 1400);
    tell(day, 0, 1400);
  }
  round();
  EXPECT_EQ(sections()["quality"]["changes"][0]["state"], "steady");
  for (int day = 4; day <= 5; ++day) {
    predict(day, 0, 1400);
    tell(day, 0, 1400, 0.4);
  }
  round();
  const base::Json change = sections()["quality"]["changes"][0];
  EXPECT_EQ(change["state"], "worse") << change;
  EXPECT_GE(change["since"].get<std::string>(), "2001-02-03");
  EXPECT_GE(change["noticed_at"].get<std::string>(), "2001-02-04");
}

TEST_F(QualityStageTest, GroupsThatThePolicyNamesAreCompared) {
  ASSERT_OK(factory().put_endpoint_policy("default", "late",
                                          {{"monitor", {{"sensitive", {"origin"}}}}}, "*"));
  predict(1, 0, 1400);
  tell(1, 0, 1400);
  round();
  const base::Json bias = sections()["bias"];
  ASSERT_THAT(bias, SizeIs(1)) << bias;
  EXPECT_EQ(bias[0]["column"], "origin");
  EXPECT_EQ(bias[0]["reference"], "JFK");
  EXPECT_EQ(bias[0]["groups"][0]["value"], "ORD");
  EXPECT_EQ(bias[0]["groups"][0]["known"], 467);
}

}  // namespace
}  // namespace cromford::app
