#include "app/audit.h"

#include <gmock/gmock.h>

#include "app/factory_fixture.h"
#include "serve/known_packages.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;

class AppAuditTest : public FactoryFixture {
 protected:
  absl::Status deploy(const std::string& model) {
    return factory().deploy("default", "late", {{"model", model}}, {}).status();
  }
  // All entries, the oldest first.
  base::Json entries(AuditRequest request = {}) {
    request.list.order_by = "name";
    request.list.page_size = 1000;
    const absl::StatusOr<base::Json> answer = factory().list_audit("default", request);
    EXPECT_OK(answer);
    return answer.ok() ? answer->at("entries") : base::Json::array();
  }
  std::vector<std::string> actions() {
    std::vector<std::string> actions;
    for (const base::Json& entry : entries()) {
      actions.push_back(entry.at("action"));
    }
    return actions;
  }
};

TEST_F(AppAuditTest, EveryChangeIsToldWithWhoAskedForIt) {
  const ActingFor acting({.actor = "user", .request_id = "r-1"});
  add_model("a", serve::late_parts());
  add_model("b", serve::late_parts(0.02));
  ASSERT_OK(deploy("a"));
  ASSERT_OK(factory().deploy("default", "late", {{"model", "b"}, {"strategy", "canary"}}, {}));
  const IfMatch any("*");
  ASSERT_OK(
      factory().split_endpoint("default", "late", {{"weights", {{"a@1", 50}, {"b@1", 50}}}}, any));
  ASSERT_OK(factory().promote_endpoint("default", "late", any));
  ASSERT_OK(factory().rollback_endpoint("default", "late", {}));
  ASSERT_OK(factory().delete_endpoint("default", "late", {}));
  ASSERT_OK(factory().delete_model("default", "b"));
  EXPECT_EQ(actions(), (std::vector<std::string>{
                           "model_version.made", "model_version.made", "endpoint.deployed",
                           "endpoint.deployed", "endpoint.split", "endpoint.promoted",
                           "endpoint.rolled_back", "endpoint.deleted", "model.deleted"}));
  for (const base::Json& entry : entries()) {
    EXPECT_EQ(entry["actor"], "user");
    EXPECT_EQ(entry["request_id"], "r-1");
  }
}

TEST_F(AppAuditTest, AJobActsForWhoSubmittedIt) {
  std::string id;
  {
    const ActingFor acting({.actor = "owner", .request_id = "r-2"});
    id = submit_import("trips", "a\n1\n2\n");
  }
  runner().run(id);
  const base::Json made = entries({.object = "dataset/trips@1"});
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made[0]["actor"], "owner");
  EXPECT_EQ(made[0]["job"], id);
  EXPECT_EQ(made[0]["details"]["row_count"], 2);
}

TEST_F(AppAuditTest, TheLoopTellsItsReasonAndTheInnermostScopeCounts) {
  add_model("a", serve::late_parts());
  const ActingFor outer({.actor = "user"});
  {
    const ActingFor loop({.actor = std::string(govern::kLoop),
                          .reason = "the gate passed",
                          .evidence = R"({"gate":"abc"})"});
    ASSERT_OK(deploy("a"));
  }
  EXPECT_EQ(ActingFor::now().actor, "user");
  const base::Json deployed = entries({.actor = "loop"});
  ASSERT_EQ(deployed.size(), 1U);
  EXPECT_EQ(deployed[0]["reason"], "the gate passed");
  EXPECT_EQ(deployed[0]["evidence"]["gate"], "abc");
}

TEST_F(AppAuditTest, WhatFailedIsNotTold) {
  add_model("a", serve::late_parts());
  const size_t before = actions().size();
  metadata().fail_commit(1);
  EXPECT_FALSE(deploy("a").ok());
  EXPECT_EQ(actions().size(), before);
  EXPECT_FALSE(factory().endpoint("default", "late").ok());
  restart();
  EXPECT_EQ(actions().size(), before);
}

TEST_F(AppAuditTest, WhatWasTrueAtATimeIsReadFromTheLog) {
  add_model("a", serve::late_parts());
  add_model("b", serve::late_parts(0.02));
  ASSERT_OK(deploy("a"));
  const std::string first = base::format_time(clock_.now());
  clock_.advance(std::chrono::hours(1));
  ASSERT_OK(deploy("b"));
  const auto served_at = [&](const std::string& at) -> base::Json {
    const auto answer = factory().list_audit("default", {.object = "endpoint/late", .at = at});
    EXPECT_OK(answer);
    return answer->at("state");
  };
  EXPECT_EQ(served_at(first)["variants"][0]["model"], "a");
  EXPECT_EQ(served_at("2027-01-01")["variants"][0]["model"], "b");
  EXPECT_EQ(served_at("2025-01-01"), base::Json({{"exists", false}}));
  // Also once nothing of it is there any more.
  ASSERT_OK(factory().delete_endpoint("default", "late", {}));
  ASSERT_OK(factory().delete_model("default", "a"));
  EXPECT_EQ(served_at(first)["variants"][0]["model"], "a");
}

TEST_F(AppAuditTest, APolicyIsToldWithoutWhomItsAlertsReach) {
  add_model("a", serve::late_parts());
  ASSERT_OK(deploy("a"));
  ASSERT_OK_AND_ASSIGN(const base::Json policy, factory().endpoint_policy("default", "late"));
  ASSERT_OK(factory().put_endpoint_policy("default", "late", policy, IfMatch("*")));
  const base::Json changed = entries({.object = "policy/late"});
  ASSERT_EQ(changed.size(), 1U);
  EXPECT_EQ(changed[0]["action"], "policy.changed");
  EXPECT_FALSE(changed[0]["details"].contains("alerts"));
  EXPECT_TRUE(changed[0]["details"].contains("approval"));
}

TEST_F(AppAuditTest, WrongQuestionsAreBadInput) {
  EXPECT_THAT(factory().list_audit("default", {.object = "late"}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(factory().list_audit("default", {.at = "2026-01-01"}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(factory().list_audit("default", {.object = "endpoint/late", .at = "yesterday"}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(factory().list_audit("default", {.object = "endpoint/a\" OR \"b"}),
              ::testing::Not(StatusIs(absl::StatusCode::kInternal)));
  EXPECT_THAT(factory().audit_entry("default", "01hv3c9k2m8q4z7x5y6w1t0s9r"),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(factory().audit_checkpoint(1000), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(factory().lineage("default", "what"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(factory().lineage("default", "model/none"), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace cromford::app
