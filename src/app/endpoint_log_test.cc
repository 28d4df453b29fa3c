#include "app/endpoint_log.h"

#include <gmock/gmock.h>

#include <future>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "app/dataset_files.h"
#include "app/factory_fixture.h"
#include "app/log_upkeep.h"
#include "serve/known_packages.h"
#include "table/engine.h"
#include "table/scan.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(LogDatasetNameTest, FitsTheRuleOfNames) {
  EXPECT_EQ(log_dataset_name("late"), "late-log");
  const std::string long_name(63, 'a');
  EXPECT_THAT(log_dataset_name(long_name), SizeIs(63));
  EXPECT_NE(log_dataset_name(long_name), log_dataset_name(std::string(62, 'a') + "b"));
}

TEST(CompactionPlanTest, NothingIsDoneWhereNothingIsNew) {
  const std::vector<LogPart> parts = {{.part = {.object = "x", .row_count = 10}, .segments = {1}}};
  const std::vector<feedback::SegmentShare> segments = {{.segment = 1, .predictions = 10}};
  EXPECT_TRUE(plan_compaction(parts, segments, 100).groups.empty());
}

TEST(CompactionPlanTest, WhatIsSmallJoinsWhatIsNew) {
  const std::vector<LogPart> parts = {
      {.part = {.object = "x", .row_count = 600'000}, .segments = {1, 2}},
      {.part = {.object = "y", .row_count = 10}, .segments = {4}}};
  const std::vector<feedback::SegmentShare> segments = {{.segment = 1, .predictions = 300'000},
                                                        {.segment = 2, .predictions = 300'000},
                                                        {.segment = 4, .predictions = 10},
                                                        {.segment = 7, .predictions = 5}};
  const CompactionPlan plan = plan_compaction(parts, segments, 10'000'000);
  EXPECT_THAT(plan.groups, ElementsAre(ElementsAre(4U, 7U)));
  EXPECT_THAT(plan.replaced, ElementsAre(1U));
}

TEST(CompactionPlanTest, AJobIsBounded) {
  std::vector<feedback::SegmentShare> segments;
  for (uint32_t i = 1; i <= 10; ++i) {
    segments.push_back({.segment = i, .predictions = 250'000});
  }
  const CompactionPlan plan = plan_compaction({}, segments, 1'200'000);
  EXPECT_EQ(plan.row_count, 1'000'000);
  EXPECT_EQ(plan.row_count_left, 1'500'000);
  EXPECT_THAT(plan.groups, ElementsAre(SizeIs(4)));
}

// Whatever comes in whatever order: jobs end, and then every segment that is still there stands in
// exactly one part.
TEST(CompactionPlanTest, EverySegmentEndsInOnePart) {
  std::mt19937 random(7);
  const auto up_to = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  for (int round = 0; round < 200; ++round) {
    std::vector<LogPart> parts;
    std::vector<feedback::SegmentShare> segments;
    for (uint32_t step = 1; step <= 12; ++step) {
      for (uint32_t i = 0; i < up_to(3); ++i) {
        segments.push_back({.segment = step * 10 + i, .predictions = 1 + up_to(300'000)});
      }
      if (!parts.empty()) {
        parts[up_to(static_cast<uint32_t>(parts.size()))].late_outcomes += up_to(2);
      }
      for (int jobs = 0;; ++jobs) {
        ASSERT_LT(jobs, 100);
        const CompactionPlan plan = plan_compaction(parts, segments, 400'000);
        if (plan.groups.empty()) {
          break;
        }
        for (auto at = plan.replaced.rbegin(); at != plan.replaced.rend(); ++at) {
          parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(*at));
        }
        for (const auto& group : plan.groups) {
          LogPart part{.part = {.object = "x"}, .segments = group};
          for (const feedback::SegmentShare& share : segments) {
            if (std::find(group.begin(), group.end(), share.segment) != group.end()) {
              part.part.row_count += static_cast<int64_t>(share.predictions);
            }
          }
          parts.push_back(std::move(part));
        }
      }
    }
    std::multiset<uint32_t> covered;
    for (const LogPart& part : parts) {
      covered.insert(part.segments.begin(), part.segments.end());
      EXPECT_EQ(part.late_outcomes, 0U);
    }
    std::multiset<uint32_t> there;
    for (const feedback::SegmentShare& share : segments) {
      there.insert(share.segment);
    }
    EXPECT_EQ(covered, there);
  }
}

class EndpointLogTest : public FactoryFixture {
 protected:
  void SetUp() override {
    FactoryFixture::SetUp();
    runner().workers["compact"] = compact_log;
    add_model("a", serve::late_parts());
    ASSERT_OK(factory().deploy("default", "late", {{"model", "a"}}, {}));
  }
  void predict(const std::string& ids) {
    std::string out;
    ASSERT_OK(factory().predict_json(
        "default", "late",
        R"({"rows":[{"origin":"ORD","distance":600,"weekend":true}],"ids":[")" + ids + "\"]}",
        false, false, out));
    factory().commit_predictions([](const absl::Status& how) { EXPECT_OK(how); });
  }
  void tell(const std::string& id, const std::string& value) {
    std::promise<void> told;
    factory().add_outcomes("default", "late",
                           R"({"outcomes":[{"id":")" + id + R"(","value":)" + value + "}]}",
                           [&](const absl::StatusOr<std::string>& how) {
                             EXPECT_OK(how);
                             told.set_value();
                           });
    told.get_future().get();
  }
  std::string submit() {
    const auto job = factory().start_compaction({}, "default", "late");
    EXPECT_OK(job);
    return job.ok() ? job->value("id", std::string()) : std::string();
  }
  base::Json compact() {
    const flow::Job job = runner().run(submit());
    EXPECT_OK(job.error);
    return base::parse_json(job.result).value();
  }
  // A column of the newest version, as texts.
  std::vector<std::string> cells(std::string_view column) {
    const Versioned version =
        find_version(context(), "dataset", "default", "late-log", "latest").value();
    const table::StoredTable stored = stored_table(context(), version).value();
    const auto engine = table::Engine::create({}).value();
    const table::Table rows = table::read_table(*engine, stored).value();
    std::vector<std::string> texts;
    for (int64_t row = 0; row < rows.row_count(); ++row) {
      texts.push_back(table::cell_text(*rows.find(column), row));
    }
    return texts;
  }
  base::Json version(const std::string& number = "latest") {
    return factory().dataset_version("default", "late-log", number).value();
  }
};

TEST_F(EndpointLogTest, TheLogIsADatasetThatGrows) {
  predict("a");
  predict("b");
  tell("a", "true");
  base::Json result = compact();
  EXPECT_EQ(result["dataset"], "late-log");
  EXPECT_EQ(result["version"], 1);
  EXPECT_THAT(cells("id"), ElementsAre("a", "b"));
  EXPECT_THAT(cells("outcome"), ElementsAre("true", ""));
  EXPECT_THAT(cells("distance"), ElementsAre("600", "600"));
  EXPECT_EQ(version()["endpoint"], "late");
  EXPECT_THAT(version()["sources"][0]["name"].get<std::string>(), HasSubstr("predictions-"));
  EXPECT_EQ(version()["sources"][0]["hash"].get<std::string>().size(), 64U);

  result = compact();
  EXPECT_TRUE(result["unchanged"].get<bool>());
  EXPECT_EQ(result["version"], 1);

  predict("c");
  tell("b", "false");  // After its part was made.
  result = compact();
  EXPECT_EQ(result["version"], 2);
  EXPECT_EQ(version()["parents"][0], "late-log@1");
  EXPECT_THAT(cells("id"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(cells("outcome"), ElementsAre("true", "false", ""));
  EXPECT_EQ(version("1")["row_count"], 2);  // What was is not touched.
  // The profile is of all rows, each counted once.
  const base::Json dataset = version();
  EXPECT_EQ(dataset["row_count"], 3);
}

TEST_F(EndpointLogTest, AnOutcomeThatComesLaterIsInALaterVersion) {
  predict("a");
  EXPECT_EQ(compact()["version"], 1);
  tell("a", "false");
  EXPECT_EQ(compact()["version"], 2);
  EXPECT_THAT(cells("outcome"), ElementsAre("false"));
  clock_.advance(std::chrono::hours(1));
  tell("a", "true");  // A correction.
  EXPECT_EQ(compact()["version"], 3);
  EXPECT_THAT(cells("outcome"), ElementsAre("true"));
}

TEST_F(EndpointLogTest, AJobThatIsDoneAgainAfterAKillMakesNoSecondVersion) {
  predict("a");
  const std::string id = submit();
  HandRunner::Attempt attempt = runner().begin(id);
  ASSERT_OK(attempt.result);
  EXPECT_OK(runner().finish(attempt).error);
  const std::string first = version()["content_hash"];
  restart();
  runner().workers["compact"] = compact_log;
  EXPECT_OK(runner().finish(runner().begin(id)).error);
  EXPECT_EQ(version()["version"], 1);
  EXPECT_EQ(version()["content_hash"], first);
}

TEST_F(EndpointLogTest, OfTwoJobsAtOnceTheSecondSeesWhatTheFirstMade) {
  predict("a");
  const std::string first = submit();
  const std::string second = submit();
  const HandRunner::Attempt one = runner().begin(first);
  predict("b");
  const HandRunner::Attempt two = runner().begin(second);
  EXPECT_OK(runner().finish(one).error);
  EXPECT_OK(runner().finish(two).error);
  EXPECT_EQ(runner().reruns, 1);
  EXPECT_THAT(cells("id"), ElementsAre("a", "b"));
}

TEST_F(EndpointLogTest, ItsNameIsKeptForIt) {
  ASSERT_OK(runner().run(submit_import("late-log", "a\n1\n")).error);
  EXPECT_THAT(factory().start_compaction({}, "default", "late"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is not the log of")));
  ASSERT_OK(factory().delete_dataset("default", "late-log"));
  predict("a");
  compact();
  EXPECT_THAT(runner().run(submit_import("late-log", "a\n1\n")).error,
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is the log of")));
  EXPECT_THAT(factory().start_compaction({}, "default", "other"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("other")));
}

TEST_F(EndpointLogTest, ItIsDueAnHourAfterWhatItDoesNotHold) {
  const auto due = [this] { return compaction_is_due(context(), "default", "late").value(); };
  EXPECT_FALSE(due());
  predict("a");
  ASSERT_OK(context().log->seal());
  EXPECT_FALSE(due());
  clock_.advance(std::chrono::hours(1));
  EXPECT_TRUE(due());
  compact();
  EXPECT_FALSE(due());
  tell("a", "true");
  EXPECT_FALSE(due());
  clock_.advance(std::chrono::hours(1));
  EXPECT_TRUE(due());
  compact();
  EXPECT_FALSE(due());
}

TEST_F(EndpointLogTest, WhatRetentionTookStaysInTheDataset) {
  predict("a");
  compact();
  clock_.advance(std::chrono::hours(3));
  apply_retention(*context().log, {.age = std::chrono::hours(1)});
  predict("b");
  EXPECT_EQ(compact()["version"], 2);
  EXPECT_THAT(cells("id"), ElementsAre("a", "b"));
  EXPECT_TRUE(version()["append"].get<bool>());
}

}  // namespace
}  // namespace cromford::app
