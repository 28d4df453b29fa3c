#include "flow/pipeline_runner.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <utility>

#include "base/json.h"
#include "base/status.h"
#include "flow/test_programs.h"
#include "store/metadata.h"
#include "testing/simulated_clock.h"
#include "testing/simulated_entropy.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::flow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::StatusIs;

class PassOnKind final : public JobKind {
 public:
  explicit PassOnKind(std::string name) : name_(std::move(name)) {}
  std::string_view name() const override { return name_; }
  absl::StatusOr<WorkerSpec> prepare(const Job& job, const std::filesystem::path&) override {
    WorkerSpec spec;
    spec.input = job.payload;
    spec.cancel_grace = std::chrono::hours(1);
    return spec;
  }
  absl::StatusOr<std::string> finish(const Job&, std::string_view worker_result,
                                     const std::filesystem::path&) override {
    return std::string(worker_result);
  }

 private:
  std::string name_;
};

// Dataset and train are jobs; gate and deploy are done at once. Notes which steps were begun.
class FakeActions final : public StepActions {
 public:
  std::string code_version() const override { return code; }
  absl::StatusOr<std::string> fingerprint(const StepRequest& request) override {
    return fingerprint_status.ok() ? absl::StatusOr<std::string>(outside[request.step])
                                   : fingerprint_status;
  }
  std::string identity(const StepRequest& request, std::string_view output) override {
    return identities.contains(request.step) ? identities[request.step] : std::string(output);
  }
  bool is_usable(const StepRequest& request, std::string_view /*output*/) override {
    return !gone.contains(request.step);
  }
  absl::StatusOr<StepStart> start(const StepRequest& request) override {
    note(request.step);
    last_outputs = request.outputs;
    if (request.step == "gate" && !gate_status.ok()) {
      return gate_status;
    }
    if (request.step == "gate" || request.step == "deploy") {
      return StepStart{.job_id = {}, .output = fmt::format(R"({{"step":"{}"}})", request.step)};
    }
    NewJob job{.project = request.project,
               .kind = request.step == "train" ? train_kind : "echo",
               .title = request.step,
               .payload = request.settings};
    job.id = request.job_id;
    TRY(const Job submitted, runner->submit(job));
    return StepStart{.job_id = submitted.id, .output = {}};
  }

  // The steps begun since the last forget_begun(). Guarded, for a test may look while one begins.
  std::vector<std::string> begun() {
    const std::scoped_lock lock(mutex_);
    return begun_;
  }
  void forget_begun() {
    const std::scoped_lock lock(mutex_);
    begun_.clear();
  }

  Runner* runner = nullptr;
  std::string code = "1.0";
  std::map<std::string, std::string> outside;
  std::map<std::string, std::string> identities;
  std::set<std::string> gone;
  absl::Status fingerprint_status;
  absl::Status gate_status;
  std::string train_kind = "echo";
  std::string last_outputs;

 private:
  void note(const std::string& step) {
    const std::scoped_lock lock(mutex_);
    begun_.push_back(step);
  }

  std::mutex mutex_;
  std::vector<std::string> begun_;
};

class PipelineRunnerTest : public ::testing::Test {
 protected:
  PipelineRunnerTest() {
    options_.worker_command = test_worker_command();
    options_.work_root = directory_ / "work";
    options_.log_root = directory_ / "logs";
    spec_.name = "line";
    for (const char* const step : {"dataset", "train", "gate", "deploy"}) {
      spec_.steps.push_back({step, fmt::format(R"({{"of":"{}"}})", step)});
    }
    start();
  }

  void start() {
    runner_ = make_runner(options_, *metadata_, *events_, clock_, ids_);
    actions_.runner = runner_.get();
    for (const char* const name : {"echo", "patient", "refuse"}) {
      runner_->add(std::make_unique<PassOnKind>(name));
    }
    runner_->add(make_pipeline_kind(*metadata_, *runner_, clock_, ids_, actions_));
    ASSERT_OK(runner_->start());
  }

  Job submit() {
    actions_.forget_begun();
    clock_.advance(std::chrono::seconds(1));
    return runner_
        ->submit({.project = "default",
                  .kind = "pipeline",
                  .title = "pipeline line",
                  .payload = pipeline_payload(spec_)})
        .value();
  }
  Job wait(const Job& job) { return runner_->wait("default", job.id, {}).value(); }
  Job run() { return wait(submit()); }
  base::Json history() { return pipeline_history(*metadata_, "default", "line", {}).value(); }
  // "dataset skipped, train succeeded, ..." of the newest run.
  std::string newest() {
    std::string result;
    const base::Json all = history();
    for (const base::Json& step : all["runs"][0]["steps"]) {
      result += step["step"].get<std::string>() + " " + step["state"].get<std::string>() + ", ";
    }
    return result;
  }
  std::string reason(size_t step) {
    return history()["runs"][0]["steps"][step]["reason"].get<std::string>();
  }
  size_t job_count() {
    return metadata_->list({.project = "default", .kind = "job"})->documents.size();
  }

  testing::TempDir directory_;
  testing::SimulatedClock clock_;
  testing::SimulatedEntropy entropy_;
  base::IdSource ids_{clock_, entropy_};
  std::unique_ptr<store::Metadata> metadata_ =
      store::open_sqlite(directory_ / "test.db", clock_).value();
  std::unique_ptr<EventHub> events_ = make_event_hub();
  RunnerOptions options_;
  FakeActions actions_;
  PipelineSpec spec_;
  std::unique_ptr<Runner> runner_;
};

TEST_F(PipelineRunnerTest, StepsRunInOrderAndSeeWhatCameBefore) {
  const Job job = run();
  EXPECT_EQ(job.state, JobState::kSucceeded) << base::describe(job.error);
  EXPECT_THAT(actions_.begun(), ElementsAre("dataset", "train", "gate", "deploy"));
  EXPECT_EQ(actions_.last_outputs, R"({"dataset":{"echo":{"of":"dataset"}},"gate":{"step":"gate"},)"
                                   R"("train":{"echo":{"of":"train"}}})");
  const base::Json result = *base::parse_json(job.result);
  EXPECT_EQ(result["pipeline"], "line");
  EXPECT_EQ(result["steps"][3]["result"]["step"], "deploy");
  const base::Json run = history()["runs"][0];
  EXPECT_EQ(run["id"], job.id);
  EXPECT_EQ(run["state"], "succeeded");
  EXPECT_TRUE(run["error"].is_null());
  EXPECT_EQ(run["steps"][0]["reason"], "it has not succeeded before");
  EXPECT_EQ(run["steps"][0]["result"]["echo"]["of"], "dataset");
  EXPECT_TRUE(run["steps"][0]["job"].is_string());
  EXPECT_TRUE(run["steps"][3]["job"].is_null());
  EXPECT_EQ(run["steps"][0]["seconds"], 0.0);
  EXPECT_FALSE(run["steps"][0].contains("depends_on"));
}

TEST_F(PipelineRunnerTest, WhatIsUnchangedIsSkippedAndTheHistorySaysSo) {
  const Job first = run();
  const Job second = run();
  EXPECT_EQ(second.state, JobState::kSucceeded);
  EXPECT_THAT(actions_.begun(), IsEmpty());
  EXPECT_EQ(newest(), "dataset skipped, train skipped, gate skipped, deploy skipped, ");
  EXPECT_EQ(reason(1), "nothing has changed since the run " + first.id);
  EXPECT_EQ(history()["runs"][0]["steps"][1]["result"]["echo"]["of"], "train");
  EXPECT_EQ(history()["runs"].size(), 2U);
}

TEST_F(PipelineRunnerTest, AChangeRunsTheStepAndWhatDependsOnIt) {
  run();
  spec_.steps[1].settings = R"({"of":"train","seed":2})";
  run();
  EXPECT_EQ(newest(), "dataset skipped, train succeeded, gate succeeded, deploy succeeded, ");
  EXPECT_EQ(reason(1), "its settings changed");
  EXPECT_EQ(reason(2), "an earlier step gave something new");
}

TEST_F(PipelineRunnerTest, WhatGivesTheSameStopsTheChange) {
  actions_.identities["dataset"] = "flights@1";
  run();
  actions_.outside["dataset"] = "another time of the file";
  run();
  EXPECT_EQ(newest(), "dataset succeeded, train skipped, gate skipped, deploy skipped, ");
  EXPECT_EQ(reason(0), "what it reads changed, or may have");
  actions_.identities["dataset"] = "flights@2";
  actions_.outside["dataset"] = "yet another";
  run();
  EXPECT_EQ(newest(), "dataset succeeded, train succeeded, gate succeeded, deploy succeeded, ");
}

TEST_F(PipelineRunnerTest, AnotherProgramOrALostOutputRunsAgain) {
  run();
  actions_.gone.insert("train");
  run();
  EXPECT_EQ(newest(), "dataset skipped, train succeeded, gate skipped, deploy skipped, ");
  EXPECT_EQ(reason(1), "its output is gone or holds no longer");
  actions_.gone.clear();
  actions_.code = "1.1";
  run();
  EXPECT_EQ(newest(), "dataset succeeded, train succeeded, gate succeeded, deploy succeeded, ");
  EXPECT_EQ(reason(0), "the version of the program changed");
}

TEST_F(PipelineRunnerTest, AGateThatRefusesEndsTheRun) {
  actions_.gate_status = base::refused("auc is 0.61, the gate wants >= 0.65", "more data");
  const Job job = run();
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_THAT(job.error, StatusIs(absl::StatusCode::kFailedPrecondition,
                                  std::string("step gate: auc is 0.61, the gate wants >= 0.65")));
  EXPECT_EQ(base::remedy(job.error), "more data");
  EXPECT_EQ(newest(), "dataset succeeded, train succeeded, gate failed, deploy waiting, ");
  EXPECT_EQ(history()["runs"][0]["error"]["code"], "FAILED_PRECONDITION");
  EXPECT_EQ(reason(3), "the run ended before it");
  actions_.gate_status = absl::OkStatus();
  EXPECT_EQ(run().state, JobState::kSucceeded);
  EXPECT_EQ(newest(), "dataset skipped, train skipped, gate succeeded, deploy succeeded, ");
}

TEST_F(PipelineRunnerTest, TheErrorOfAStepsJobIsThePipelines) {
  actions_.train_kind = "refuse";
  const Job job = run();
  EXPECT_THAT(job.error, StatusIs(absl::StatusCode::kFailedPrecondition,
                                  std::string("step train: the column 'late' is constant")));
  EXPECT_EQ(newest(), "dataset succeeded, train failed, gate waiting, deploy waiting, ");
}

TEST_F(PipelineRunnerTest, AnErrorBeforeAStepBeginsEndsTheRun) {
  actions_.fingerprint_status = base::not_found("there is no file flights.csv");
  EXPECT_THAT(run().error, StatusIs(absl::StatusCode::kNotFound, HasSubstr("step dataset")));
  EXPECT_EQ(newest(), "dataset failed, train waiting, gate waiting, deploy waiting, ");
}

TEST_F(PipelineRunnerTest, CancellingThePipelineCancelsItsJob) {
  actions_.train_kind = "patient";
  const Job job = submit();
  while (runner_->counts().running < 2 || runner_->get("default", job.id)->stage != "train") {
    std::this_thread::yield();
  }
  ASSERT_OK(runner_->cancel("default", job.id));
  const Job ended = wait(job);
  EXPECT_EQ(ended.state, JobState::kCancelled);
  EXPECT_EQ(newest(), "dataset succeeded, train cancelled, gate waiting, deploy waiting, ");
  const std::string child = history()["runs"][0]["steps"][1]["job"].get<std::string>();
  EXPECT_EQ(runner_->get("default", child)->state, JobState::kCancelled);
}

TEST_F(PipelineRunnerTest, AStepsJobThatSomebodyCancelsFailsTheRun) {
  actions_.train_kind = "patient";
  const Job job = submit();
  while (history()["runs"].empty() || !history()["runs"][0]["steps"][1]["job"].is_string()) {
    std::this_thread::yield();
  }
  const std::string child = history()["runs"][0]["steps"][1]["job"].get<std::string>();
  ASSERT_OK(runner_->cancel("default", child));
  EXPECT_EQ(wait(job).state, JobState::kFailed);
  EXPECT_EQ(newest(), "dataset succeeded, train failed, gate waiting, deploy waiting, ");
}

TEST_F(PipelineRunnerTest, TheNextServerGoesOnWhereThisOneStopped) {
  actions_.train_kind = "patient";
  const Job job = submit();
  while (history()["runs"].empty() || !history()["runs"][0]["steps"][1]["job"].is_string()) {
    std::this_thread::yield();
  }
  runner_->stop();
  EXPECT_EQ(runner_->get("default", job.id)->state, JobState::kQueued);
  EXPECT_EQ(newest(), "dataset succeeded, train running, gate waiting, deploy waiting, ");
  const std::string child = history()["runs"][0]["steps"][1]["job"].get<std::string>();

  actions_.forget_begun();
  start();
  while (runner_->get("default", child)->stage != "searching") {
    std::this_thread::yield();
  }
  ASSERT_OK(runner_->cancel("default", job.id));
  EXPECT_EQ(wait(job).state, JobState::kCancelled);
  EXPECT_THAT(actions_.begun(), IsEmpty());
  EXPECT_EQ(job_count(), 3U);  // The pipeline, its dataset, its training.
}

TEST_F(PipelineRunnerTest, APipelineRunsOnceAtATime) {
  actions_.train_kind = "patient";
  const Job first = submit();
  while (runner_->get("default", first.id)->stage != "train") {
    std::this_thread::yield();
  }
  const Job second = run();
  EXPECT_THAT(second.error,
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("'line' runs already")));
  ASSERT_OK(runner_->cancel("default", first.id));
  wait(first);
}

TEST_F(PipelineRunnerTest, HistoryComesInPagesAndCanBeForgotten) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(run().id);
  }
  ASSERT_OK_AND_ASSIGN(base::Json page, pipeline_history(*metadata_, "default", "line",
                                                         {.page_size = 2, .page_token = {}}));
  EXPECT_EQ(page["runs"][0]["id"], ids[2]);
  EXPECT_EQ(page["runs"][1]["id"], ids[1]);
  ASSERT_OK_AND_ASSIGN(
      page,
      pipeline_history(*metadata_, "default", "line",
                       {.page_size = 2, .page_token = page["next_page_token"].get<std::string>()}));
  EXPECT_EQ(page["runs"].size(), 1U);
  EXPECT_EQ(page["next_page_token"], "");
  ASSERT_OK(forget_pipeline(*metadata_, "default", "line"));
  EXPECT_THAT(history()["runs"], IsEmpty());
  run();
  EXPECT_EQ(newest(), "dataset succeeded, train succeeded, gate succeeded, deploy succeeded, ");
}

TEST_F(PipelineRunnerTest, APayloadThatIsNoPipelineIsAnError) {
  const Job job =
      runner_
          ->submit({.project = "default", .kind = "pipeline", .title = {}, .payload = R"({"x":1})"})
          .value();
  EXPECT_THAT(wait(job).error, StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace cromford::flow
