#include "app/endpoint_policy.h"

#include <gmock/gmock.h>

#include "app/factory_fixture.h"
#include "serve/known_packages.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using std::chrono::hours;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

base::Json parsed(const std::string& text) {
  return base::parse_json(text).value();
}

TEST(EndpointPolicyTest, ReadsWhatWasWrittenAndFillsTheRest) {
  ASSERT_OK_AND_ASSIGN(const EndpointPolicy policy, parse_policy(parsed(R"({
    "monitor": {"window": "1d", "outcome_delay": "6h", "segments": ["origin"]},
    "gate": [{"metric": "auc", "comparison": ">=", "value": 0.65},
             {"better_than_champion": {"metric": "log_loss", "confidence": 0.9}}],
    "retrain": {"when": ["quality", {"every": "14d"}], "window": "auto", "cooldown": "3d",
                "budget": {"runs_max": 2, "period": "30d"}, "train": {"target": "late"}},
    "rollout": {"steps": [10, 100], "shadow": "1d", "key": "origin"},
    "approval": "required"})")));
  EXPECT_EQ(policy.monitor.window, hours(24));
  EXPECT_EQ(policy.monitor.outcome_delay, hours(6));
  EXPECT_EQ(policy.retrain.every, hours(24 * 14));
  EXPECT_TRUE(policy.retrain.on_quality);
  EXPECT_FALSE(policy.retrain.on_drift);
  EXPECT_EQ(policy.retrain.window, std::nullopt);
  EXPECT_EQ(policy.retrain.runs_max, 2);
  EXPECT_EQ(policy.rollout.steps, (std::vector<int64_t>{10, 100}));
  EXPECT_TRUE(policy.approval_required);
  EXPECT_EQ(policy.guards.error_rate_max, 0.01);
  ASSERT_OK_AND_ASSIGN(const EndpointPolicy again, parse_policy(policy_json(policy)));
  EXPECT_EQ(policy_json(again), policy_json(policy));
}

TEST(EndpointPolicyTest, TheDefaultsAreAPolicy) {
  ASSERT_OK_AND_ASSIGN(const EndpointPolicy policy, parse_policy(base::Json::object()));
  EXPECT_FALSE(policy.retrain.is_on());
  EXPECT_EQ(policy_json(policy), policy_json(EndpointPolicy()));
  EXPECT_OK(parse_policy(policy_json(policy)));
}

TEST(EndpointPolicyTest, EveryFaultIsNamedWithItsPlace) {
  struct Case {
    const char* document;
    const char* pointer;
    const char* detail;
  };
  for (const Case& c : {
           Case{R"({"monitr": {}})", "/monitr", "did you mean 'monitor'"},
           Case{R"({"monitor": {"windw": "1d"}})", "/monitor/windw", "did you mean 'window'"},
           Case{R"({"monitor": {"window": "day"}})", "/monitor/window", "must be a duration"},
           Case{R"({"monitor": {"reference": "moon"}})", "/monitor/reference", "is none of"},
           Case{R"({"gate": [{"metric": "auc"}]})", "/gate/0/value", "is missing"},
           Case{R"({"gate": [{"metrc": "auc", "value": 1}]})", "/gate/0/metrc",
                "did you mean 'metric'"},
           Case{R"({"gate": [{"not_worse_than_champion": {"metric": "auc", "margn": 1}}]})",
                "/gate/0/not_worse_than_champion/margn", "did you mean 'margin'"},
           Case{R"({"retrain": {"when": ["qality"]}})", "/retrain/when/0",
                "did you mean 'quality'"},
           Case{R"({"retrain": {"when": [{"evry": "1d"}]}})", "/retrain/when/0/evry",
                "did you mean 'every'"},
           Case{R"({"retrain": {"window": "often"}})", "/retrain/window", "must be a duration"},
           Case{R"({"rollout": {"steps": [25, 5]}})", "/rollout/steps", "larger than"},
           Case{R"({"rollout": {"strategy": "hope"}})", "/rollout/strategy", "is none of"},
           Case{R"({"approval": "maybe"})", "/approval", "none of none, required"},
           Case{R"({"guards": {"error_rate_max": 2}})", "/guards/error_rate_max", "from 0 to 1"},
       }) {
    const absl::Status status = parse_policy(parsed(c.document)).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument)) << c.document;
    EXPECT_THAT(base::field_errors(status),
                Contains(AllOf(Field(&base::FieldError::pointer, c.pointer),
                               Field(&base::FieldError::detail, HasSubstr(c.detail)))))
        << c.document;
  }
}

TEST(EndpointPolicyTest, APipelinesSectionsGoOverWhatIsThere) {
  EndpointPolicy before;
  before.approval_required = true;
  before.monitor.segments = {"origin"};
  ASSERT_OK_AND_ASSIGN(const EndpointPolicy after, with_pipeline_sections(before, parsed(R"({
    "pipeline": "p", "monitor": {"window": "2d"},
    "retrain": {"when": ["quality"], "window": "auto", "cooldown": "3d"},
    "steps": [{"step": "train", "settings": {"dataset": "d", "target": "late"}},
              {"step": "gate", "settings": {"rules": [
                  {"metric": "auc", "comparison": ">=", "value": 0.6}]}},
              {"step": "deploy", "settings": {"endpoint": "e", "strategy": "canary"}}]})")));
  EXPECT_TRUE(after.approval_required);
  EXPECT_EQ(after.monitor.segments, before.monitor.segments);
  EXPECT_EQ(after.monitor.window, hours(48));
  EXPECT_TRUE(after.retrain.on_quality);
  EXPECT_EQ(after.retrain.train["target"], "late");
  EXPECT_EQ(after.gate.size(), 1U);
  EXPECT_EQ(after.rollout.strategy, "canary");
}

class StoredPolicyTest : public FactoryFixture {
 protected:
  absl::StatusOr<base::Json> put(const base::Json& policy, const IfMatch& tag) {
    return factory().put_endpoint_policy("default", "late", policy, tag);
  }
  void deploy() {
    add_model("a", serve::late_parts());
    ASSERT_OK(factory().deploy("default", "late", {{"model", "a"}}, {}));
  }
};

TEST_F(StoredPolicyTest, IsReplacedOnlyByWhoSawIt) {
  EXPECT_THAT(factory().endpoint_policy("default", "late"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("late")));
  deploy();
  ASSERT_OK_AND_ASSIGN(base::Json policy, factory().endpoint_policy("default", "late"));
  EXPECT_TRUE(is_missing_etag(put(policy, {}).status()));
  const std::string first = policy["etag"];
  policy["approval"] = "required";
  ASSERT_OK_AND_ASSIGN(const base::Json after, put(policy, first));
  EXPECT_EQ(after["approval"], "required");
  EXPECT_TRUE(is_stale_etag(put(policy, first).status()));
  restart();
  ASSERT_OK_AND_ASSIGN(const base::Json kept, factory().endpoint_policy("default", "late"));
  EXPECT_EQ(kept["approval"], "required");
}

TEST_F(StoredPolicyTest, NamesColumnsThatThereAre) {
  deploy();
  const absl::Status status = put({{"monitor", {{"segments", {"orign"}}}}}, "*").status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'orign'")));
  ASSERT_FALSE(base::field_errors(status).empty());
  EXPECT_EQ(base::field_errors(status).front().pointer, "/monitor/segments/0");
  EXPECT_OK(put({{"rollout", {{"key", "origin"}}}}, "*"));
}

TEST_F(StoredPolicyTest, GoesWithItsEndpoint) {
  deploy();
  ASSERT_OK(put({{"approval", "required"}}, "*"));
  ASSERT_OK(factory().delete_endpoint("default", "late", {}));
  ASSERT_OK(factory().deploy("default", "late", {{"model", "a"}}, {}));
  ASSERT_OK_AND_ASSIGN(const base::Json policy, factory().endpoint_policy("default", "late"));
  EXPECT_EQ(policy["approval"], "none");
}

}  // namespace
}  // namespace cromford::app
