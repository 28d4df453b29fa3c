#include "lifecycle/machine.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>

#include "testing/simulated_clock.h"
#include "testing/status_matchers.h"

namespace cromford::lifecycle {
namespace {

using ::cromford::testing::StatusIs;
using std::chrono::hours;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// An endpoint, its jobs and a disk. With `stop_at` the process dies at that operation: before it
// takes effect, or right after.
class SimulatedWorld final : public World {
 public:
  testing::SimulatedClock clock;
  Traffic served{.champion = "late@1"};
  bool gone = false;
  std::map<std::string, Work> jobs;
  std::map<Stage, Work> outcome;  // Of the jobs of a stage; default: done.
  std::optional<Trigger> wants;
  Observation seen{.candidate_rows = 1000, .champion_rows = 1000};
  base::Json disk;
  std::vector<Traffic> shown;  // All that was ever served.
  int jobs_started = 0;
  int operations = 0;
  int stop_at = -1;
  bool stop_after = false;

  base::Time now() override { return clock.now(); }
  std::string new_id() override { return fmt::format("id-{}", ++ids_); }

  absl::Status save(const State& state) override {
    return operation([&] { disk = to_json(state); });
  }
  absl::StatusOr<Traffic> traffic() override {
    if (gone) {
      return base::not_found("the endpoint is gone", "");
    }
    return served;
  }
  absl::Status set_traffic(const Traffic& traffic, const std::string& /*reason*/) override {
    return operation([&] {
      served = traffic;
      shown.push_back(traffic);
    });
  }
  absl::Status start(const State& state) override {
    return operation([&] {
      if (!jobs.contains(state.job)) {
        ++jobs_started;
        jobs[state.job] = outcome.contains(state.stage) ? outcome[state.stage] : done(state.stage);
      }
    });
  }
  absl::StatusOr<Work> work(const std::string& job) override {
    const auto found = jobs.find(job);
    if (found == jobs.end()) {
      return base::not_found("no such job", "");
    }
    return found->second;
  }
  void stop(const std::string& job) override { stopped.push_back(job); }
  absl::StatusOr<std::optional<Trigger>> trigger(const State& /*state*/) override { return wants; }
  absl::StatusOr<Observation> observe(const State& /*state*/) override { return seen; }

  std::vector<std::string> stopped;

 private:
  static Work done(Stage stage) {
    base::Json result = base::Json::object();
    if (stage == Stage::kTraining) {
      result = {{"model", "late@2"}};
    } else if (stage == Stage::kJudging) {
      result = {{"passed", true},
                {"evidence", "e1"},
                {"reason", "better by far"},
                {"quality", {{"log_loss", 0.4}}}};
    }
    return {.state = Work::State::kDone, .result = result};
  }
  template <typename Effect>
  absl::Status operation(const Effect& effect) {
    const bool stops = operations++ == stop_at;
    if (!stops || stop_after) {
      effect();
    }
    return stops ? base::unavailable("killed", "") : absl::OkStatus();
  }
  int ids_ = 0;
};

class MachineTest : public ::testing::Test {
 protected:
  absl::Status turn(std::chrono::nanoseconds passed = hours(1)) {
    watermark_ += std::chrono::duration_cast<base::Time::duration>(passed);
    return Machine(rules_, world_).run(state_, watermark_);
  }
  // Turns until the loop rests again.
  void until_idle(int turns = 500) {
    do {
      ASSERT_OK(turn());
    } while (state_.stage != Stage::kIdle && --turns > 0);
    ASSERT_EQ(state_.stage, Stage::kIdle);
  }
  void run_by_hand() {
    ASSERT_OK(turn());
    ASSERT_OK(ask(state_, "the fares changed"));
    until_idle();
  }
  std::vector<std::string> path() const {
    std::vector<std::string> stages;
    for (const Transition& entry : state_.history) {
      stages.push_back(entry.to);
    }
    return stages;
  }
  const Transition& last() const { return state_.history.back(); }

  Rules rules_;
  SimulatedWorld world_;
  State state_;
  base::Time watermark_ = base::parse_time("2001-02-01T00:00:00Z").value();
};

TEST_F(MachineTest, ACandidateGoesAllTheWay) {
  rules_.shadow = hours(24);
  run_by_hand();
  EXPECT_THAT(path(), ElementsAre("collecting", "choosing", "training", "judging", "shadow",
                                  "canary", "canary", "canary", "canary", "promoting", "promoted"));
  EXPECT_EQ(world_.served, (Traffic{.champion = "late@2"}));
  EXPECT_EQ(last().model, "late@2");
  EXPECT_EQ(last().evidence, "e1");
  EXPECT_EQ(state_.quality.at("log_loss"), 0.4);
  EXPECT_THAT(state_.history.front().reason, HasSubstr("the fares changed"));
  std::vector<int64_t> shares;
  for (const Traffic& traffic : world_.shown) {
    shares.push_back(traffic.share);
  }
  EXPECT_THAT(shares, ElementsAre(0, 5, 25, 50, 100, 0));
}

TEST_F(MachineTest, AStepLastsAsLongAsItMustAndNeedsItsRows) {
  rules_.steps = {10, 100};
  ASSERT_OK(turn());
  ASSERT_OK(ask(state_, ""));
  while (!state_.applied) {
    ASSERT_OK(turn());
  }
  ASSERT_OK(turn(hours(22)));
  EXPECT_EQ(world_.served.share, 10);
  world_.seen.candidate_rows = 99;
  ASSERT_OK(turn(hours(10)));
  EXPECT_EQ(world_.served.share, 10);
  world_.seen.candidate_rows = 100;
  ASSERT_OK(turn());
  EXPECT_EQ(world_.served.share, 100);
}

TEST_F(MachineTest, ARefusedCandidateNeverSeesTraffic) {
  world_.outcome[Stage::kJudging] = {
      .state = Work::State::kDone,
      .result = {{"passed", false}, {"evidence", "e9"}, {"reason", "log_loss is worse"}}};
  run_by_hand();
  EXPECT_EQ(last().to, "rejected");
  EXPECT_EQ(last().reason, "log_loss is worse");
  EXPECT_EQ(last().evidence, "e9");
  EXPECT_TRUE(world_.shown.empty());
}

TEST_F(MachineTest, AGateWithoutEvidenceIsNoPass) {
  world_.outcome[Stage::kJudging] = {.state = Work::State::kDone, .result = {{"passed", true}}};
  run_by_hand();
  EXPECT_EQ(last().to, "rejected");
  EXPECT_THAT(last().reason, HasSubstr("no evidence"));
}

TEST_F(MachineTest, AFailedJobSaysWhy) {
  for (const Stage stage :
       {Stage::kCollecting, Stage::kChoosing, Stage::kTraining, Stage::kJudging}) {
    for (const char* reason : {"killed by signal 9", "out of memory: 4 GiB", "out of time: 90s"}) {
      world_.outcome.clear();
      world_.outcome[stage] = {.state = Work::State::kFailed, .reason = reason};
      run_by_hand();
      EXPECT_EQ(last().to, "failed");
      EXPECT_EQ(last().reason, fmt::format("{}: {}", stage_name(stage), reason));
      EXPECT_EQ(world_.served.champion, "late@1");
    }
  }
}

TEST_F(MachineTest, AGateThatNeverDecidesIsGivenUp) {
  world_.outcome[Stage::kJudging] = {.state = Work::State::kRunning};
  ASSERT_OK(turn());
  ASSERT_OK(ask(state_, ""));
  while (state_.stage != Stage::kJudging) {
    ASSERT_OK(turn());
  }
  ASSERT_OK(turn());
  world_.clock.jump(-hours(48));  // A clock that is set back makes no gate wait longer.
  ASSERT_OK(turn());
  world_.clock.advance(hours(7));
  ASSERT_OK(turn());
  EXPECT_EQ(last().to, "failed");
  EXPECT_THAT(last().reason, HasSubstr("took longer than 6h"));
  EXPECT_EQ(world_.stopped.size(), 1U);
}

TEST_F(MachineTest, ABrokenGuardGivesTheTrafficBackAtTheNextLook) {
  ASSERT_OK(turn());
  ASSERT_OK(ask(state_, ""));
  while (!state_.applied) {
    ASSERT_OK(turn());
  }
  EXPECT_EQ(world_.served.share, 5);
  world_.seen.loss =
      Observation::Loss{.candidate_outcomes = 300, .champion_outcomes = 900, .lower = 0.1};
  ASSERT_OK(turn());
  EXPECT_EQ(world_.served, (Traffic{.champion = "late@1"}));
  EXPECT_EQ(last().to, "rolled_back");
  EXPECT_THAT(last().reason, HasSubstr("worse on live traffic"));
}

TEST_F(MachineTest, APersonDecidesOnTheEvidenceThatTheySaw) {
  rules_.approval_required = true;
  rules_.strategy = "direct";
  ASSERT_OK(turn());
  ASSERT_OK(ask(state_, ""));
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK(turn());
  }
  ASSERT_EQ(state_.stage, Stage::kApproval);
  EXPECT_EQ(world_.served.champion, "late@1");
  EXPECT_THAT(approve(state_, "e0", "", world_.now()), StatusIs(absl::StatusCode::kAlreadyExists));
  ASSERT_OK(approve(state_, "e1", "looks right", world_.now()));
  EXPECT_THAT(reject(state_, "e1", "", world_.now()),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  until_idle();
  EXPECT_EQ(last().to, "promoted");
  EXPECT_THAT(path(), ::testing::Contains("approval"));
  EXPECT_THAT(approve(state_, "e1", "", world_.now()),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(MachineTest, ANoEndsTheRun) {
  rules_.approval_required = true;
  ASSERT_OK(turn());
  ASSERT_OK(ask(state_, ""));
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK(turn());
  }
  ASSERT_OK(reject(state_, "e1", "not before Easter", world_.now()));
  ASSERT_OK(turn());
  EXPECT_EQ(last().to, "rejected");
  EXPECT_THAT(last().reason, HasSubstr("not before Easter"));
}

TEST_F(MachineTest, DriftAloneNeverPromotes) {
  world_.wants = Trigger{.name = "drift", .reason = "origin moved"};
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK(turn());
  }
  EXPECT_EQ(state_.stage, Stage::kApproval);
  EXPECT_EQ(world_.served, (Traffic{.champion = "late@1"}));
}

TEST_F(MachineTest, CoolDownAndBudgetCountInEventTime) {
  rules_.strategy = "direct";
  rules_.runs_max = 2;
  rules_.cooldown = hours(48);
  world_.wants = Trigger{.name = "quality", .reason = "log loss rose"};
  const auto runs_after = [&](std::chrono::nanoseconds passed) {
    EXPECT_OK(turn(passed));
    for (int i = 0; i < 10; ++i) {
      EXPECT_OK(turn(hours(0)));
    }
    return state_.runs.size();
  };
  EXPECT_EQ(runs_after(hours(1)), 1U);
  world_.clock.advance(hours(1000));  // The time of day does not matter.
  EXPECT_EQ(runs_after(hours(47)), 1U);
  EXPECT_EQ(runs_after(hours(1)), 2U);
  EXPECT_EQ(runs_after(hours(24 * 20)), 2U);
  EXPECT_EQ(runs_after(hours(24 * 10)), 3U);
}

TEST_F(MachineTest, AScheduleStartsRuns) {
  rules_.every = hours(24 * 14);
  ASSERT_OK(turn());
  ASSERT_OK(turn(hours(24 * 13)));
  EXPECT_EQ(state_.stage, Stage::kIdle);
  ASSERT_OK(turn(hours(24)));
  EXPECT_EQ(state_.trigger, "schedule");
}

TEST_F(MachineTest, EventTimeThatJumpsBackChangesNothing) {
  rules_.every = hours(24 * 14);
  ASSERT_OK(turn());
  ASSERT_OK(turn(-hours(24 * 365)));
  ASSERT_OK(turn(hours(24 * 364)));
  EXPECT_EQ(state_.stage, Stage::kIdle);
  ASSERT_OK(turn(hours(24 * 15)));
  EXPECT_NE(state_.stage, Stage::kIdle);
}

TEST_F(MachineTest, OneRunAtATime) {
  ASSERT_OK(turn());
  ASSERT_OK(ask(state_, ""));
  EXPECT_THAT(ask(state_, ""), StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_OK(turn());
  EXPECT_THAT(ask(state_, ""), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(MachineTest, WhoChangesTheTrafficByHandIsLeftAlone) {
  for (const Traffic& changed :
       {Traffic{.champion = "late@7"}, Traffic{.champion = "late@1"},
        Traffic{.champion = "late@1", .candidate = "late@2", .share = 40},
        Traffic{.champion = "late@1", .candidate = "other@1", .share = 5}}) {
    world_.served = {.champion = "late@1"};
    ASSERT_OK(ask(state_, ""));
    do {
      ASSERT_OK(turn());
    } while (!state_.applied);
    world_.served = changed;
    ASSERT_OK(turn());
    EXPECT_EQ(state_.stage, Stage::kIdle);
    EXPECT_EQ(last().to, "abandoned");
    EXPECT_EQ(world_.served, changed);
  }
}

TEST_F(MachineTest, ADeletedEndpointEndsTheTurn) {
  ASSERT_OK(turn());
  ASSERT_OK(ask(state_, ""));
  ASSERT_OK(turn());
  world_.gone = true;
  EXPECT_THAT(turn(), StatusIs(absl::StatusCode::kNotFound));
}

// The process is killed at every operation of a whole life in turn, before and after its effect,
// and what was saved goes on to the same end: each job started once, one champion at any time.
TEST_F(MachineTest, GoesOnWhereverItIsKilled) {
  rules_.shadow = hours(2);
  rules_.step = hours(2);
  for (const bool breaks : {false, true}) {
    int operations = 1;
    for (int stop = 0; stop < 2 * operations; ++stop) {
      SimulatedWorld world;
      world.stop_after = stop % 2 == 1;
      State state;
      base::Time at = watermark_;
      ASSERT_OK(Machine(rules_, world).run(state, at));
      ASSERT_OK(ask(state, "try"));
      ASSERT_OK(world.save(state));
      world.operations = 0;
      world.stop_at = stop / 2;
      bool killed = false;
      for (int i = 0; i < 100 && (state.stage != Stage::kIdle || !state.asked.empty()); ++i) {
        at += hours(1);
        if (breaks && world.served.share == 25) {
          world.seen.prediction_psi = 3;
        }
        if (!Machine(rules_, world).run(state, at).ok()) {
          killed = true;
          ASSERT_OK_AND_ASSIGN(state, state_from(world.disk));
        }
        EXPECT_TRUE(world.served.champion == "late@1" || world.served.champion == "late@2");
      }
      operations = std::max(operations, world.operations);
      ASSERT_EQ(killed, world.stop_at < world.operations);
      ASSERT_EQ(state.stage, Stage::kIdle) << stop;
      EXPECT_EQ(world.jobs_started, 4) << stop;
      EXPECT_EQ(state.history.back().to, breaks ? "rolled_back" : "promoted") << stop;
      EXPECT_EQ(world.served, (Traffic{.champion = breaks ? "late@1" : "late@2"})) << stop;
    }
    EXPECT_GT(operations, 15);
  }
}

TEST(StateTest, IsReadBackAsItWasWritten) {
  State state{.stage = Stage::kCanary,
              .run = "r",
              .candidate = "late@4",
              .step = 2,
              .applied = true,
              .watermark = base::parse_time("2001-02-01T00:00:00Z").value()};
  state.runs.push_back(*state.watermark);
  state.history.push_back({.from = "idle", .to = "collecting", .reason = "why"});
  ASSERT_OK_AND_ASSIGN(const State again, state_from(to_json(state)));
  EXPECT_EQ(to_json(again), to_json(state));
  EXPECT_THAT(state_from({{"stage", "lunch"}}).status(), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace cromford::lifecycle
