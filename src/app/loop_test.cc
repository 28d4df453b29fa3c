#include <gmock/gmock.h>

#include <random>

#include "app/factory_fixture.h"
#include "app/loop_world.h"
#include "app/worker.h"
#include "serve/known_packages.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

class LoopTest : public FactoryFixture {
 protected:
  void deploy() {
    add_model("late", serve::late_parts());
    ASSERT_OK(factory().deploy("default", "late", {{"model", "late"}}, {}));
  }
  base::Json loop() { return factory().lifecycle("default", "late").value(); }
  // A round; gives the loop as it is then.
  base::Json turn() {
    EXPECT_OK(factory().check_endpoint("default", "late"));
    return loop();
  }
};

TEST_F(LoopTest, WithoutAPolicyNothingHappens) {
  deploy();
  const base::Json after = turn();
  EXPECT_EQ(after["stage"], "idle");
  EXPECT_TRUE(after["history"].empty());
  EXPECT_THAT(factory().lifecycle("default", "lat"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("lat")));
}

TEST_F(LoopTest, APersonsWishIsKeptOverARestartAndOnlyOnce) {
  deploy();
  ASSERT_OK(factory().retrain_endpoint("default", "late", {{"reason", "new fares"}}));
  EXPECT_THAT(factory().retrain_endpoint("default", "late", base::Json::object()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("under way")));
  EXPECT_THAT(factory().retrain_endpoint("default", "late", {{"raeson", "x"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("did you mean 'reason'")));
  restart();
  const base::Json begun = turn();
  EXPECT_EQ(begun["stage"], "collecting");
  EXPECT_THAT(begun["history"][0]["reason"].get<std::string>(), HasSubstr("new fares"));
  const std::string job = begun["job"];
  EXPECT_OK(factory().job("default", job));
  restart();
  EXPECT_EQ(turn()["job"], job);
}

TEST_F(LoopTest, NobodyWaitsForADecision) {
  deploy();
  EXPECT_THAT(factory().decide_candidate("default", "late", {{"evidence", "ab"}}, true),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no candidate waits")));
  EXPECT_THAT(factory().decide_candidate("default", "late", base::Json::object(), false),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'evidence' is missing")));
  EXPECT_THAT(factory().loop_evidence("default", "late", "ab"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no evidence")));
}

TEST_F(LoopTest, TheLoopGoesWithItsEndpoint) {
  deploy();
  ASSERT_OK(factory().retrain_endpoint("default", "late", base::Json::object()));
  ASSERT_OK(factory().delete_endpoint("default", "late", {}));
  ASSERT_OK(factory().deploy("default", "late", {{"model", "late"}}, {}));
  EXPECT_EQ(loop()["asked"], "");
}

TEST_F(LoopTest, WhoDeploysByHandMeanwhileIsLeftAlone) {
  deploy();
  ASSERT_OK(factory().retrain_endpoint("default", "late", base::Json::object()));
  EXPECT_EQ(turn()["stage"], "collecting");
  add_model("other", serve::late_parts(0.02));
  ASSERT_OK(factory().deploy("default", "late", {{"model", "other"}}, {}));
  const base::Json after = turn();
  EXPECT_EQ(after["stage"], "idle");
  EXPECT_EQ(after["history"].back()["to"], "abandoned");
  EXPECT_THAT(after["history"].back()["reason"].get<std::string>(), HasSubstr("other@1"));
}

}  // namespace
}  // namespace cromford::app
