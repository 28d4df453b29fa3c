#include <gmock/gmock.h>

#include "app/factory_fixture.h"
#include "serve/known_packages.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

model::PackageParts other_classes() {
  model::PackageParts parts = serve::late_parts();
  parts.classes = {"on time", "late"};
  return parts;
}

model::PackageParts other_columns() {
  model::PackageParts parts = serve::late_parts();
  parts.contract.push_back({"airline", model::InputType::kText});
  return parts;
}

class EndpointsTest : public FactoryFixture {
 protected:
  absl::StatusOr<base::Json> deploy(const std::string& model,
                                    const std::string& strategy = "direct") {
    return factory().deploy("default", "late", {{"model", model}, {"strategy", strategy}}, {});
  }
  base::Json show() { return factory().endpoint("default", "late").value(); }
  absl::Status predict() {
    std::string out;
    return factory().predict_json("default", "late", R"({"rows":[{"distance":600}]})", false, false,
                                  out);
  }
};

TEST_F(EndpointsTest, WhatCannotBeServedIsNeverWritten) {
  add_model("a", serve::late_parts());
  add_model("b", other_classes());
  ASSERT_OK(deploy("a"));
  const base::Json before = show();
  EXPECT_THAT(deploy("b", "canary"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("classes")));
  EXPECT_EQ(show()["etag"], before["etag"]);
  restart();
  EXPECT_OK(predict());
}

TEST_F(EndpointsTest, VersionsOfOneNumberOfTwoModelsServeSideBySide) {
  add_model("a", serve::late_parts());
  add_model("b", serve::late_parts(0.02));
  ASSERT_OK(deploy("a"));
  ASSERT_OK_AND_ASSIGN(const base::Json canary, deploy("b", "canary"));
  EXPECT_EQ(canary["variants"].size(), 2U);
  const IfMatch any("*");
  EXPECT_OK(
      factory().split_endpoint("default", "late", {{"weights", {{"a@1", 50}, {"b@1", 50}}}}, any));
  restart();
  EXPECT_OK(predict());
}

TEST_F(EndpointsTest, ARollbackFindsTheModelsThatItNeeds) {
  add_model("a", serve::late_parts());
  add_model("b", serve::late_parts(0.02));
  add_model("c", serve::late_parts(0.03));
  ASSERT_OK(deploy("a"));
  ASSERT_OK(deploy("b"));
  EXPECT_THAT(factory().delete_model("default", "a"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("rollback")));
  ASSERT_OK(factory().rollback_endpoint("default", "late", {}));
  EXPECT_EQ(show()["variants"][0]["model"], "a");
  ASSERT_OK(deploy("c"));
  EXPECT_OK(factory().delete_model("default", "b"));
}

TEST_F(EndpointsTest, ColumnsAreThoseOfWhatServes) {
  add_model("a", serve::late_parts());
  add_model("b", other_columns());
  ASSERT_OK(deploy("a"));
  const base::Json columns = show()["columns"];
  ASSERT_OK(deploy("b", "shadow"));
  EXPECT_EQ(show()["columns"], columns);
  ASSERT_OK(factory().promote_endpoint("default", "late", IfMatch("*")));
  EXPECT_EQ(show()["columns"].size(), columns.size() + 1);
  ASSERT_OK(factory().rollback_endpoint("default", "late", {}));
  EXPECT_EQ(show()["columns"], columns);
}

TEST_F(EndpointsTest, DeployingWhatServesChangesNothing) {
  add_model("a", serve::late_parts());
  add_model("b", serve::late_parts(0.02));
  ASSERT_OK(deploy("a"));
  ASSERT_OK(deploy("b"));
  const base::Json before = show();
  ASSERT_OK(deploy("b"));
  EXPECT_EQ(show()["etag"], before["etag"]);
  ASSERT_OK(factory().rollback_endpoint("default", "late", {}));
  EXPECT_EQ(show()["variants"][0]["model"], "a");
}

TEST_F(EndpointsTest, AChangeLoadsNoPackageThatServesAlready) {
  add_model("a", serve::late_parts());
  add_model("b", serve::late_parts(0.02));
  ASSERT_OK(deploy("a"));
  ASSERT_OK(deploy("b", "canary"));
  // What is mapped stays readable without its file, which a second load would miss.
  ASSERT_OK(base::system_files().remove_all(context().home->objects()));
  const IfMatch any("*");
  EXPECT_OK(
      factory().split_endpoint("default", "late", {{"weights", {{"a@1", 50}, {"b@1", 50}}}}, any));
  EXPECT_OK(factory().promote_endpoint("default", "late", any));
  EXPECT_OK(predict());
}

TEST_F(EndpointsTest, AnEndpointThatCannotBeServedIsNamedAndKeepsNoOtherFromServing) {
  add_model("a", serve::late_parts());
  add_model("b", serve::late_parts(0.02));
  ASSERT_OK(deploy("a"));
  ASSERT_OK(factory().deploy("default", "other", {{"model", "b"}}, {}));
  const std::string hash =
      factory().model_version("default", "b", "1")->at("package").value("hash", std::string());
  const auto parsed = base::parse_content_hash(hash);
  ASSERT_OK(parsed);
  ASSERT_OK(context().objects->remove(*parsed));
  restart();
  EXPECT_OK(predict());
  const base::Json degraded = factory().status()["degraded"];
  ASSERT_EQ(degraded.size(), 1U);
  EXPECT_EQ(degraded[0]["endpoint"], "other");
  EXPECT_EQ(degraded[0]["serving"], false);
  EXPECT_THAT(degraded[0].value("reason", std::string()), HasSubstr("b@1"));
  EXPECT_OK(factory().ready());
  ASSERT_OK(factory().delete_endpoint("default", "late", {}));
  EXPECT_THAT(factory().ready(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("other")));
  ASSERT_OK(factory().deploy("default", "other", {{"model", "a"}}, {}));
  EXPECT_OK(factory().ready());
  EXPECT_TRUE(factory().status()["degraded"].empty());
}

TEST_F(EndpointsTest, ReconcilingFollowsWhatSomebodyElseWrote) {
  serve::Registry registry;
  EndpointHost replica(context(), registry);
  ASSERT_OK(replica.open());
  add_model("a", serve::late_parts());
  ASSERT_OK(deploy("a"));
  EXPECT_EQ(registry.get("default", "late"), nullptr);
  ASSERT_OK(replica.reconcile("default", "late"));
  ASSERT_NE(registry.get("default", "late"), nullptr);
  EXPECT_EQ(registry.get("default", "late")->champion().spec.model, "a");

  // What cannot be served leaves what serves, and is named until it is mended.
  const store::DocumentKey key{"default", "endpoint", "late"};
  ASSERT_OK_AND_ASSIGN(const store::Document good, metadata().get(key));
  ASSERT_OK_AND_ASSIGN(base::Json broken, base::parse_json(good.body));
  broken["variants"][0]["model_version"] = 7;
  ASSERT_OK(metadata().commit({store::Write::put(key, base::dump_json(broken))}));
  EXPECT_THAT(replica.reconcile("default", "late"), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_EQ(replica.degraded().size(), 1U);
  EXPECT_TRUE(replica.degraded()[0].serving);
  ASSERT_OK(metadata().commit({store::Write::put(key, good.body)}));
  ASSERT_OK(replica.reconcile("default", "late"));
  EXPECT_TRUE(replica.degraded().empty());

  ASSERT_OK(factory().delete_endpoint("default", "late", {}));
  ASSERT_OK(replica.reconcile("default", "late"));
  EXPECT_EQ(registry.get("default", "late"), nullptr);
}

TEST_F(EndpointsTest, AChangeThatIsNotWrittenIsNotServed) {
  add_model("a", serve::late_parts());
  add_model("b", serve::late_parts(0.02));
  ASSERT_OK(deploy("a"));
  metadata().fail_commit(1);
  EXPECT_THAT(deploy("b"), StatusIs(absl::StatusCode::kUnavailable));
  std::string out;
  ASSERT_OK(factory().predict_json("default", "late", R"({"rows":[{"distance":600}]})", false,
                                   false, out));
  const double probability = base::parse_json(out)->at("predictions")[0].value("probability", 0.0);
  EXPECT_NEAR(probability, serve::late_probability(600, ""), 1e-9);
}

}  // namespace
}  // namespace cromford::app
