#include <gmock/gmock.h>

#include <future>
#include <string>
#include <utility>

#include "app/factory_fixture.h"
#include "serve/known_packages.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

class FeedbackTest : public FactoryFixture {
 protected:
  void SetUp() override {
    FactoryFixture::SetUp();
    add_model("a", serve::late_parts());
    ASSERT_OK(factory().deploy("default", "late", {{"model", "a"}}, {}));
  }
  void predict(const std::string& body) {
    std::string out;
    ASSERT_OK(factory().predict_json("default", "late", body, false, false, out));
    absl::Status status = absl::UnknownError("never called");
    EXPECT_TRUE(factory().has_uncommitted_predictions());
    factory().commit_predictions([&](absl::Status how) { status = std::move(how); });
    EXPECT_OK(status);
  }
  absl::StatusOr<base::Json> tell(const std::string& body, const std::string& endpoint = "late") {
    std::promise<absl::StatusOr<std::string>> answer;
    factory().add_outcomes("default", endpoint, body, [&](absl::StatusOr<std::string> how) {
      answer.set_value(std::move(how));
    });
    TRY(const std::string text, answer.get_future().get());
    return base::parse_json(text);
  }
};

TEST_F(FeedbackTest, APredictionMeetsItsOutcome) {
  predict(R"({"rows":[{"origin":"ORD","distance":600,"weekend":true}],"ids":["a"],)"
          R"("at":["2001-02-01T10:00:00Z"]})");
  ASSERT_OK_AND_ASSIGN(base::Json found, factory().prediction("default", "late", "a"));
  EXPECT_EQ(found["at"], "2001-02-01T10:00:00Z");
  EXPECT_EQ(found["row"]["origin"], "ORD");
  EXPECT_EQ(found["row"]["distance"], 600.0);
  EXPECT_EQ(found["row"]["weekend"], true);
  EXPECT_EQ(found["model_version"], 1);
  EXPECT_NEAR(found["probability"].get<double>(), serve::late_probability(600, "ORD"), 1e-9);
  EXPECT_TRUE(found["outcome"].is_null());

  ASSERT_OK_AND_ASSIGN(const base::Json receipt,
                       tell(R"({"outcomes":[{"id":"a","value":true,"at":"2001-02-01T13:00:00Z"},)"
                            R"({"id":"early","value":false},{"id":"b","value":"maybe"}]})"));
  EXPECT_EQ(receipt["accepted"], 2);
  EXPECT_EQ(receipt["joined"], 1);
  EXPECT_EQ(receipt["waiting"], 1);
  EXPECT_EQ(receipt["rejected"][0]["id"], "b");
  EXPECT_THAT(receipt["rejected"][0]["detail"].get<std::string>(), HasSubstr("maybe"));
  ASSERT_OK_AND_ASSIGN(found, factory().prediction("default", "late", "a"));
  EXPECT_EQ(found["outcome"]["value"], "true");
  EXPECT_EQ(found["outcome"]["at"], "2001-02-01T13:00:00Z");
}

TEST_F(FeedbackTest, AllOfItOutlivesARestart) {
  predict(R"({"rows":[{"distance":600}],"ids":["a"]})");
  ASSERT_OK(tell(R"({"outcomes":[{"id":"a","value":true}]})"));
  restart();
  ASSERT_OK_AND_ASSIGN(const base::Json found, factory().prediction("default", "late", "a"));
  EXPECT_EQ(found["outcome"]["value"], "true");
}

TEST_F(FeedbackTest, AShadowIsNotFoundUnderTheEndpointsIds) {
  add_model("b", serve::late_parts(0.02));
  ASSERT_OK(factory().deploy("default", "late", {{"model", "b"}, {"strategy", "shadow"}}, {}));
  predict(R"({"rows":[{"distance":600}],"ids":["a"]})");
  ASSERT_OK_AND_ASSIGN(const base::Json found, factory().prediction("default", "late", "a"));
  EXPECT_EQ(found["model"], "a");
}

TEST_F(FeedbackTest, OutcomesComeFromAFile) {
  runner().workers["outcomes"] = read_outcomes;
  predict(R"({"rows":[{"distance":600},{"distance":700}],"ids":["1","2"]})");
  const auto upload = [this](const std::string& text) {
    const std::filesystem::path file = factory().spool_directory() / "outcomes.csv";
    EXPECT_OK(base::write_atomically(base::system_files(), file, text));
    const auto job = factory().start_outcomes({}, "default", "late", "", "outcomes.csv", file);
    EXPECT_OK(job);
    return runner().wait("default", job->value("id", ""), {}).value();
  };
  const std::string text = "id,value,at\n1,true,2001-02-01 13:00:00\n2,false,\n3,maybe,\n";
  flow::Job done = upload(text);
  ASSERT_OK(done.error);
  base::Json result = base::parse_json(done.result).value();
  EXPECT_EQ(result["joined"], 2) << done.result;
  EXPECT_EQ(result["rejected_count"], 1);
  EXPECT_EQ(result["rejected"][0]["row"], 3);
  EXPECT_EQ(result["rejected"][0]["id"], "3");
  ASSERT_OK_AND_ASSIGN(const base::Json found, factory().prediction("default", "late", "1"));
  EXPECT_EQ(found["outcome"]["value"], "true");
  EXPECT_EQ(found["outcome"]["at"], "2001-02-01T13:00:00Z");
  // The same once more changes nothing, as after a crash.
  done = upload(text);
  result = base::parse_json(done.result).value();
  EXPECT_EQ(result["duplicates"], 2) << done.result;

  EXPECT_THAT(upload("id,valeu\n1,true\n").error,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("did you mean 'valeu'")));
  EXPECT_THAT(upload("id,value\n1,\n2,true\n").error,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 1 has no value")));
}

TEST_F(FeedbackTest, TheLogIsKeptAsLongAsConfigured) {
  predict(R"({"rows":[{"distance":600}],"ids":["old"]})");
  ASSERT_OK(context().log->seal());
  clock_.advance(std::chrono::hours(2));
  predict(R"({"rows":[{"distance":600}],"ids":["new"]})");
  ASSERT_OK(context().log->seal());
  apply_retention(*context().log, {});
  EXPECT_OK(factory().prediction("default", "late", "old"));
  apply_retention(*context().log, {.age = std::chrono::hours(1)});
  EXPECT_THAT(factory().prediction("default", "late", "old"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("old")));
  EXPECT_OK(factory().prediction("default", "late", "new"));
}

TEST_F(FeedbackTest, WhatIsUnknownIsNamed) {
  EXPECT_THAT(tell(R"({"outcomes":[]})", "other"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("other")));
  EXPECT_THAT(tell("{"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("")));
  EXPECT_THAT(factory().prediction("default", "late", "a"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("a")));
}

}  // namespace
}  // namespace cromford::app
