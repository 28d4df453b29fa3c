#include <gmock/gmock.h>

#include "app/factory_fixture.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

class PipelinesTest : public FactoryFixture {
 protected:
  void SetUp() override {
    FactoryFixture::SetUp();
    runner().workers["train"] = fake_training();
    file_ = write("trips.csv", "late,a\ntrue,1\nfalse,2\n");
  }

  std::string dataset() const {
    return "dataset: {name: trips, source: {file: " + file_.string() + "}}\n";
  }
  void apply(const std::string& data, const std::string& endpoint = "late") {
    const std::string yaml =
        "pipeline: line\n" + data +
        "gate:\n  - better_than_champion: {metric: log_loss, confidence: 0.95}\n"
        "deploy: {endpoint: " +
        endpoint + "}\n";
    ASSERT_OK(
        factory().apply_pipeline({.owner = true}, "default", "line", yaml, directory_.path()));
  }
  void apply_line(const std::string& endpoint = "late") {
    apply(dataset() + "train: {target: late, model: m}\n", endpoint);
  }
  // Runs the line; gives its steps' states in one line.
  std::string run() {
    clock_.advance(std::chrono::seconds(1));
    const auto job = factory().run_pipeline({.owner = true}, "default", "line");
    EXPECT_OK(job);
    last_ = runner().run(job->value("id", std::string()));
    const base::Json history = factory().pipeline_history("default", "line", {}).value();
    std::string states;
    for (const base::Json& step : history.at("runs").at(0).at("steps")) {
      states += step.value("state", std::string()) + " ";
    }
    return states;
  }
  std::string champion(const std::string& endpoint = "late") {
    const base::Json variant = factory().endpoint("default", endpoint).value().at("variants").at(0);
    return variant.value("model", std::string()) + "@" +
           std::to_string(variant.value("model_version", 0));
  }
  void deploy_by_hand(const std::string& endpoint = "late") {
    add_model("other", serve::late_parts(0.5));
    ASSERT_OK(factory().deploy("default", endpoint, {{"model", "other"}}, {}));
  }

  std::filesystem::path file_;
  flow::Job last_;
};

TEST_F(PipelinesTest, WhatHasNotChangedIsSkipped) {
  apply_line();
  EXPECT_EQ(run(), "succeeded succeeded succeeded succeeded ");
  EXPECT_EQ(champion(), "m@1");
  EXPECT_EQ(run(), "skipped skipped skipped skipped ");
}

TEST_F(PipelinesTest, AnotherChampionIsComparedWithBeforeItIsReplaced) {
  apply_line();
  run();
  deploy_by_hand();
  EXPECT_EQ(run(), "skipped succeeded succeeded succeeded ");
  EXPECT_EQ(champion(), "m@2");
  EXPECT_EQ(factory().model_version("default", "m", "2")->at("comparison").at("champion"),
            "other@1");
}

TEST_F(PipelinesTest, AnotherChampionThatIsBetterStays) {
  apply_line();
  run();
  deploy_by_hand();
  difference = 0.05;
  EXPECT_EQ(run(), "skipped succeeded failed waiting ");
  EXPECT_EQ(champion(), "other@1");
}

TEST_F(PipelinesTest, AChampionThatCameDuringTrainingIsNotReplacedUncompared) {
  apply_line();
  during_training = [this] {
    during_training = nullptr;
    deploy_by_hand();
  };
  EXPECT_EQ(run(), "succeeded succeeded failed waiting ");
  EXPECT_THAT(std::string(last_.error.message()),
              AllOf(HasSubstr("never compared"), HasSubstr("other@1")));
  EXPECT_EQ(champion(), "other@1");
  EXPECT_EQ(run(), "skipped succeeded succeeded succeeded ");
  EXPECT_EQ(champion(), "m@2");
}

TEST_F(PipelinesTest, AnotherEndpointThatServesAlreadyIsComparedWith) {
  apply_line();
  run();
  deploy_by_hand("elsewhere");
  apply_line("elsewhere");
  difference = 0.05;
  EXPECT_EQ(run(), "skipped succeeded failed waiting ");
  EXPECT_EQ(champion("elsewhere"), "other@1");
}

TEST_F(PipelinesTest, DeployReplacesNothingThatTheGateDidNotSee) {
  deploy_by_hand();
  add_model("m", serve::late_parts());
  PipelineSteps steps(context(), factory());
  flow::StepRequest request{.project = "default",
                            .pipeline = "line",
                            .run_id = "r",
                            .step = "deploy",
                            .settings = R"({"endpoint":"late"})",
                            .spec = R"({"steps":[{"step":"deploy",
                                                  "settings":{"endpoint":"late"}}]})"};
  for (const char* compared : {"", "third@1"}) {
    request.outputs = base::dump_json(
        {{"train", {{"model", "m"}, {"model_version", 1}}}, {"gate", {{"champion", compared}}}});
    EXPECT_THAT(steps.start(request),
                StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("other@1")));
    EXPECT_EQ(this->champion(), "other@1");
  }
}

TEST_F(PipelinesTest, ANameOfADatasetMeansItsNewestVersion) {
  ASSERT_EQ(runner().run(submit_import("trips", "late,a\ntrue,1\n")).state,
            flow::JobState::kSucceeded);
  apply("train: {dataset: trips, target: late, model: m}\n");
  EXPECT_EQ(run(), "succeeded succeeded succeeded ");
  EXPECT_EQ(run(), "skipped skipped skipped ");
  ASSERT_EQ(runner().run(submit_import("trips", "late,a\ntrue,1\nfalse,7\n")).state,
            flow::JobState::kSucceeded);
  EXPECT_EQ(run(), "succeeded succeeded succeeded ");
  EXPECT_EQ(factory().model_version("default", "m", "2")->at("lineage").at("dataset_version"), 2);
}

TEST_F(PipelinesTest, AUrlIsReadInEveryRun) {
  PipelineSteps steps(context(), factory());
  flow::StepRequest request{.project = "default",
                            .pipeline = "line",
                            .run_id = "first",
                            .step = "dataset",
                            .settings = R"({"source":{"url":"https://example.org/a.csv"}})"};
  ASSERT_OK_AND_ASSIGN(const std::string first, steps.fingerprint(request));
  request.run_id = "second";
  ASSERT_OK_AND_ASSIGN(const std::string second, steps.fingerprint(request));
  EXPECT_NE(first, second);
  request.settings = base::dump_json({{"source", {{"file", file_.string()}}}});
  ASSERT_OK_AND_ASSIGN(const std::string file, steps.fingerprint(request));
  request.run_id = "third";
  EXPECT_EQ(*steps.fingerprint(request), file);
}

}  // namespace
}  // namespace cromford::app
