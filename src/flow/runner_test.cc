#include "flow/runner.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/file_system.h"
#include "base/json.h"
#include "base/process.h"
#include "base/status.h"
#include "flow/job_store.h"
#include "flow/test_programs.h"
#include "store/metadata.h"
#include "testing/simulated_clock.h"
#include "testing/simulated_entropy.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::flow {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::StatusIs;
using Path = std::filesystem::path;

// A kind whose three functions a test can replace.
class TestKind final : public JobKind {
 public:
  explicit TestKind(std::string name) : name_(std::move(name)) {}
  std::string_view name() const override { return name_; }
  absl::StatusOr<WorkerSpec> prepare(const Job& job, const Path& /*work_dir*/) override {
    WorkerSpec result = spec;
    result.input = job.payload;
    return prepare_status.ok() ? absl::StatusOr<WorkerSpec>(result) : prepare_status;
  }
  absl::StatusOr<std::string> finish(const Job& /*job*/, std::string_view worker_result,
                                     const Path& /*work_dir*/) override {
    ++finish_count;
    if (out_of_date_count > 0) {
      --out_of_date_count;
      return absl::AbortedError("somebody was faster");
    }
    return finish_status.ok() ? absl::StatusOr<std::string>(std::string(worker_result))
                              : finish_status;
  }
  bool runs_again(const absl::Status& finished) const override { return absl::IsAborted(finished); }
  std::string ended(const Job& /*job*/, const absl::Status& why, const Path& work_dir) override {
    ended_with = why;
    const auto checkpoint = base::system_files().read(work_dir / "checkpoint");
    return checkpoint.ok() ? fmt::format(R"({{"kept":"{}"}})", *checkpoint) : std::string();
  }

  std::string kept_payload(const Job& job) const override {
    return kept.empty() ? job.payload : kept;
  }

  WorkerSpec spec;
  std::string kept;  // Of the payload, at the end; empty: all.
  absl::Status prepare_status;
  absl::Status finish_status;
  absl::Status ended_with;
  int finish_count = 0;
  int out_of_date_count = 0;  // So many times finish() finds that somebody was faster.

 private:
  std::string name_;
};

class TestServerKind final : public InServerKind {
 public:
  using Function = std::function<absl::StatusOr<std::string>(const Job&, JobContext&)>;
  explicit TestServerKind(Function function) : function_(std::move(function)) {}
  std::string_view name() const override { return "in_server"; }
  absl::StatusOr<std::string> run(const Job& job, JobContext& context) override {
    return function_(job, context);
  }

 private:
  Function function_;
};

class RunnerTest : public ::testing::Test {
 protected:
  RunnerTest() {
    options_.worker_command = test_worker_command();
    options_.work_root = directory_ / "work";
    options_.log_root = directory_ / "logs";
    metadata_ = store::open_sqlite(directory_ / "test.db", clock_).value();
    make();
  }

  void make() {
    runner_ = make_runner(options_, *metadata_, *events_, clock_, ids_);
    kinds_.clear();
    for (const char* const name :
         {"echo", "patient", "stubborn", "hungry", "refuse", "break", "killed_twice",
          "always_killed", "crash", "chatty", "large_result", "no_such_worker"}) {
      auto kind = std::make_unique<TestKind>(name);
      kinds_[name] = kind.get();
      runner_->add(std::move(kind));
    }
    runner_->add(std::make_unique<TestServerKind>(
        [this](const Job& job, JobContext& context) { return in_server_(job, context); }));
  }

  Job submit(std::string kind, std::string payload = "{}") {
    return runner_
        ->submit({.project = "default",
                  .kind = kind,
                  .title = "a test of " + kind,
                  .payload = std::move(payload)})
        .value();
  }
  Job wait(const Job& job) { return runner_->wait("default", job.id, {}).value(); }
  // Until the job's child has told of a stage.
  void wait_for_stage(const Job& job, std::string_view stage) {
    while (runner_->get("default", job.id)->stage != stage) {
      std::this_thread::yield();
    }
  }
  std::string log_of(const Job& job) {
    return base::system_files().read(runner_->log_file(job.id)).value_or("");
  }

  testing::TempDir directory_;
  testing::SimulatedClock clock_;
  testing::SimulatedEntropy entropy_;
  base::IdSource ids_{clock_, entropy_};
  std::unique_ptr<store::Metadata> metadata_;
  std::unique_ptr<EventHub> events_ = make_event_hub();
  RunnerOptions options_;
  std::map<std::string, TestKind*> kinds_;
  TestServerKind::Function in_server_ = [](const Job&, JobContext&) { return "{}"; };
  std::unique_ptr<Runner> runner_;
};

TEST_F(RunnerTest, AJobRunsInItsOwnProcessAndTellsOfIt) {
  ASSERT_OK(runner_->start());
  const uint64_t before = events_->last_id();
  const Job submitted = submit("echo", R"({"x":1})");
  EXPECT_EQ(submitted.state, JobState::kQueued);
  const Job job = wait(submitted);
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_EQ(job.result, R"({"echo":{"x":1}})");
  EXPECT_EQ(job.stage, "writing");
  EXPECT_EQ(job.detail, R"({"rows":2})");
  EXPECT_EQ(job.progress, 1);
  EXPECT_EQ(job.attempt, 1);
  EXPECT_TRUE(job.started_at.has_value());
  EXPECT_TRUE(job.finished_at.has_value());
  EXPECT_FALSE(base::system_files().exists(options_.work_root / job.id));

  // Every step was told, in order, with growing ids.
  std::string states;
  uint64_t last = before;
  const auto subscription = events_->subscribe("default", {"job/" + job.id}, before, [] {});
  while (const auto event = subscription->next()) {
    EXPECT_GT(event->id, last);
    last = event->id;
    const base::Json resource = *base::parse_json(event->data);
    EXPECT_FALSE(resource.contains("payload"));
    states += resource["state"].get<std::string>() + resource["stage"].get<std::string>() + " ";
  }
  EXPECT_EQ(states, "queued running runningreading runningwriting succeededwriting ");
  // What is stored is what is answered.
  ASSERT_OK_AND_ASSIGN(const Job stored, runner_->get("default", job.id));
  EXPECT_EQ(to_document(stored), to_document(job));
  EXPECT_THAT(log_of(job),
              AllOf(HasSubstr("Z read one row and no more\n"), HasSubstr("succeeded")));
}

TEST_F(RunnerTest, OfThePayloadThatIsKeptWhichMayBe) {
  ASSERT_OK(runner_->start());
  const std::string secret = R"({"url":"https://x/?signature=1"})";
  for (TestKind* const kind : {kinds_["echo"], kinds_["refuse"], kinds_["patient"]}) {
    kind->kept = R"({"url":"https://x/"})";
  }
  const Job done = submit("echo", secret);
  EXPECT_EQ(wait(done).result, fmt::format(R"({{"echo":{}}})", secret));
  const Job failed = submit("refuse", secret);
  const Job cancelled = submit("patient", secret);
  wait_for_stage(cancelled, "searching");
  EXPECT_EQ(runner_->get("default", cancelled.id)->payload, secret);
  ASSERT_OK(runner_->cancel("default", cancelled.id));
  for (const Job& job : {done, failed, cancelled}) {
    EXPECT_EQ(wait(job).payload, R"({"url":"https://x/"})");
    EXPECT_EQ(get_job(*metadata_, "default", job.id)->payload, R"({"url":"https://x/"})");
  }
}

TEST_F(RunnerTest, WhatIsWrongWithASubmissionIsSaid) {
  EXPECT_THAT(runner_->submit({.project = "default", .kind = "dance", .title = {}, .payload = {}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("dance")));
  NewJob job{.project = "default", .kind = "echo", .title = {}, .payload = "{}"};
  job.id = "../../etc/passwd";
  EXPECT_THAT(runner_->submit(job),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("../../etc/passwd")));
  EXPECT_THAT(runner_->submit({.project = "p", .kind = "echo", .title = {}, .payload = "[1]"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("payload")));
  EXPECT_THAT(runner_->get("default", "nothing"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nothing")));
  EXPECT_THAT(runner_->wait("default", "nothing", {}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(runner_->cancel("default", "nothing"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(RunnerTest, AJobBelongsToItsProject) {
  ASSERT_OK(runner_->start());
  const Job job = submit("patient");
  EXPECT_THAT(runner_->get("other", job.id), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(runner_->cancel("other", job.id), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK(runner_->cancel("default", job.id));
  wait(job);
}

TEST_F(RunnerTest, AChosenIdMakesSubmittingRepeatable) {
  ASSERT_OK(runner_->start());
  NewJob request{.project = "default", .kind = "echo", .title = {}, .payload = R"({"n":1})"};
  request.id = ids_.next();
  ASSERT_OK_AND_ASSIGN(const Job first, runner_->submit(request));
  const Job done = wait(first);
  request.payload = R"({"n":2})";
  ASSERT_OK_AND_ASSIGN(const Job second, runner_->submit(request));
  EXPECT_EQ(second.id, first.id);
  EXPECT_EQ(second.result, done.result);
}

TEST_F(RunnerTest, TheQueueIsBoundedAndTheErrorNamesTheLimit) {
  options_.queue_max = 3;
  options_.jobs_at_once = 1;
  make();
  ASSERT_OK(runner_->start());
  const Job running = submit("patient");
  wait_for_stage(running, "searching");
  for (int i = 0; i < 3; ++i) {
    submit("echo");
  }
  EXPECT_EQ(runner_->counts().queued, 3);
  EXPECT_EQ(runner_->counts().running, 1);
  EXPECT_THAT(runner_->submit({.project = "p", .kind = "echo", .title = {}, .payload = "{}"}),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("3 jobs wait")));
  ASSERT_OK(runner_->cancel("default", running.id));
}

TEST_F(RunnerTest, ACancelledJobKeepsItsBest) {
  ASSERT_OK(runner_->start());
  kinds_["patient"]->spec.cancel_grace = std::chrono::hours(1);
  const Job job = submit("patient");
  wait_for_stage(job, "searching");
  ASSERT_OK(runner_->cancel("default", job.id));
  const Job ended = wait(job);
  EXPECT_EQ(ended.state, JobState::kCancelled);
  EXPECT_EQ(ended.result, R"({"best":1})");
  EXPECT_THAT(ended.error, StatusIs(absl::StatusCode::kCancelled));
  const absl::Status late = runner_->cancel("default", job.id).status();
  EXPECT_THAT(late, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("was cancelled")));
  EXPECT_THAT(base::remedy(late), HasSubstr("cromford job show " + job.id));
}

TEST_F(RunnerTest, AWorkerThatDoesNotStopIsKilledAfterTheGrace) {
  ASSERT_OK(runner_->start());
  kinds_["stubborn"]->spec.cancel_grace = std::chrono::milliseconds(1);
  const Job job = submit("stubborn");
  wait_for_stage(job, "searching");
  ASSERT_OK(runner_->cancel("default", job.id));
  const Job ended = wait(job);
  EXPECT_EQ(ended.state, JobState::kCancelled);
  EXPECT_EQ(ended.result, R"({"kept":"half"})");
  EXPECT_THAT(kinds_["stubborn"]->ended_with, StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(RunnerTest, AQueuedJobIsCancelledAtOnce) {
  options_.jobs_at_once = 1;
  make();
  ASSERT_OK(runner_->start());
  const Job running = submit("patient");
  wait_for_stage(running, "searching");
  const Job queued = submit("echo");
  ASSERT_OK_AND_ASSIGN(const Job cancelled, runner_->cancel("default", queued.id));
  EXPECT_EQ(cancelled.state, JobState::kCancelled);
  EXPECT_EQ(cancelled.attempt, 0);
  EXPECT_THAT(kinds_["echo"]->ended_with, StatusIs(absl::StatusCode::kCancelled));
  ASSERT_OK(runner_->cancel("default", running.id));
  wait(running);
}

TEST_F(RunnerTest, TooMuchMemoryEndsTheJobWithThatReason) {
  ASSERT_OK(runner_->start());
  kinds_["hungry"]->spec.memory_limit_bytes = 256ULL << 20U;
  const Job job = wait(submit("hungry"));
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_THAT(job.error, StatusIs(absl::StatusCode::kResourceExhausted,
                                  HasSubstr("killed: used more than 256.0 MiB")));
  EXPECT_THAT(base::remedy(job.error), HasSubstr("more memory"));
  EXPECT_THAT(log_of(job), HasSubstr("used more than 256.0 MiB"));
}

TEST_F(RunnerTest, TooMuchTimeEndsTheJobWithThatReasonAndItsCheckpoint) {
  ASSERT_OK(runner_->start());
  kinds_["stubborn"]->spec.time_limit = std::chrono::hours(2);
  kinds_["stubborn"]->spec.cancel_grace = std::chrono::milliseconds(1);
  const Job job = submit("stubborn");
  wait_for_stage(job, "searching");
  clock_.advance(std::chrono::hours(2));
  const Job ended = wait(job);
  EXPECT_EQ(ended.state, JobState::kFailed);
  EXPECT_THAT(ended.error, StatusIs(absl::StatusCode::kDeadlineExceeded,
                                    HasSubstr("killed: took longer than 2h")));
  EXPECT_EQ(ended.result, R"({"kept":"half"})");
}

TEST_F(RunnerTest, TheWorkersOwnErrorIsTheJobsError) {
  ASSERT_OK(runner_->start());
  const Job job = wait(submit("refuse"));
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_THAT(job.error, StatusIs(absl::StatusCode::kFailedPrecondition,
                                  std::string("the column 'late' is constant")));
  EXPECT_EQ(base::remedy(job.error), "choose another");
  EXPECT_EQ(base::field_errors(job.error).at(0).pointer, "/target");
  const base::Json resource = to_resource(job);
  EXPECT_EQ(resource["error"]["code"], "FAILED_PRECONDITION");
  EXPECT_EQ(resource["error"]["status"], 422);
}

TEST_F(RunnerTest, BrokenWorkersAreDescribed) {
  ASSERT_OK(runner_->start());
  EXPECT_THAT(wait(submit("break")).error,
              StatusIs(absl::StatusCode::kInternal, HasSubstr("unexpected error: vector")));
  EXPECT_THAT(wait(submit("crash")).error,
              StatusIs(absl::StatusCode::kInternal, HasSubstr("crashed with signal 11")));
  EXPECT_THAT(wait(submit("no_such_worker")).error,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no_such_worker")));
  options_.worker_command = {"sh", "-c", "exit 0"};
  make();
  ASSERT_OK(runner_->start());
  EXPECT_THAT(wait(submit("echo")).error,
              StatusIs(absl::StatusCode::kInternal, HasSubstr("without a result")));
  options_.worker_command = {"sh", "-c", "exit 9"};
  make();
  ASSERT_OK(runner_->start());
  EXPECT_THAT(wait(submit("echo")).error,
              StatusIs(absl::StatusCode::kInternal, HasSubstr("exited with code 9")));
  options_.worker_command = {"/no/such/program"};
  make();
  ASSERT_OK(runner_->start());
  EXPECT_THAT(wait(submit("echo")).error,
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/program")));
}

TEST_F(RunnerTest, AResultThatIsTooLongIsAnError) {
  options_.result_bytes_max = 1000;
  make();
  ASSERT_OK(runner_->start());
  EXPECT_THAT(wait(submit("large_result")).error,
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("result")));
}

TEST_F(RunnerTest, AnErrorBeforeOrAfterTheWorkFailsTheJob) {
  ASSERT_OK(runner_->start());
  kinds_["echo"]->prepare_status = base::not_found("the dataset 'flights' was deleted");
  EXPECT_THAT(wait(submit("echo")).error, StatusIs(absl::StatusCode::kNotFound));
  kinds_["echo"]->prepare_status = absl::OkStatus();
  kinds_["echo"]->finish_status = base::exhausted("the disk is full");
  const Job job = wait(submit("echo"));
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_THAT(job.error, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(kinds_["echo"]->ended_with, StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(RunnerTest, AWorkerThatSomebodyKilledIsTriedAgain) {
  ASSERT_OK(runner_->start());
  const std::string payload = fmt::format(R"({{"marks":"{}"}})", directory_.path().native());
  const Job job = wait(submit("killed_twice", payload));
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_EQ(job.attempt, 3);
  EXPECT_THAT(log_of(job), HasSubstr("was killed from outside"));
  const Job hopeless = wait(submit("always_killed"));
  EXPECT_EQ(hopeless.state, JobState::kFailed);
  EXPECT_EQ(hopeless.attempt, 3);
  EXPECT_THAT(hopeless.error,
              StatusIs(absl::StatusCode::kInternal, HasSubstr("was killed from outside")));
}

TEST_F(RunnerTest, AWorkerThatShallNotBeTriedAgainEndsItsJob) {
  kinds_["always_killed"]->spec.retry_when_killed = false;
  ASSERT_OK(runner_->start());
  const Job job = wait(submit("always_killed"));
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.attempt, 1);
  EXPECT_THAT(job.error,
              StatusIs(absl::StatusCode::kInternal, HasSubstr("was killed from outside")));
  EXPECT_THAT(kinds_["always_killed"]->ended_with, StatusIs(absl::StatusCode::kInternal));
}

TEST_F(RunnerTest, ALogIsBoundedAndTakesWhatLibrariesPrint) {
  options_.log_bytes_max = 100'000;
  make();
  ASSERT_OK(runner_->start());
  const Job job = wait(submit("chatty"));
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_EQ(job.detail, "{}");
  EXPECT_THAT(log_of(job), HasSubstr("a library that prints to standard output"));
  EXPECT_LT(log_of(job).size(), 110'000U);
}

TEST_F(RunnerTest, AJobInsideTheServerReportsAndCanBeCancelled) {
  std::atomic<bool> reached = false;
  in_server_ = [&](const Job& job, JobContext& context) -> absl::StatusOr<std::string> {
    if (job.payload == "{}") {
      context.progress("half", 0.5, R"({"x":1})");
      context.log("good morning");
      return R"({"done":true})";
    }
    reached = true;
    while (!context.cancel().cancelled()) {
      std::this_thread::yield();
    }
    return context.cancel().check();
  };
  ASSERT_OK(runner_->start());
  const Job done = wait(submit("in_server"));
  EXPECT_EQ(done.state, JobState::kSucceeded);
  EXPECT_EQ(done.stage, "half");
  EXPECT_EQ(done.result, R"({"done":true})");
  EXPECT_THAT(log_of(done), HasSubstr("good morning"));

  const Job endless = submit("in_server", R"({"endless":true})");
  while (!reached) {
    std::this_thread::yield();
  }
  ASSERT_OK(runner_->cancel("default", endless.id));
  EXPECT_EQ(wait(endless).state, JobState::kCancelled);
}

TEST_F(RunnerTest, WaitingCanBeCancelledWhileTheJobGoesOn) {
  ASSERT_OK(runner_->start());
  const Job job = submit("patient");
  base::CancelSource impatient;
  impatient.cancel();
  EXPECT_THAT(runner_->wait("default", job.id, impatient.token()),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_FALSE(is_final(runner_->get("default", job.id)->state));
  ASSERT_OK(runner_->cancel("default", job.id));
  wait(job);
}

TEST_F(RunnerTest, StoppingPutsJobsBackForTheNextServer) {
  options_.jobs_at_once = 1;
  make();
  std::atomic<int> calls = 0;
  in_server_ = [&](const Job&, JobContext& context) -> absl::StatusOr<std::string> {
    if (++calls == 2) {
      return "{}";
    }
    while (!context.cancel().cancelled()) {
      std::this_thread::yield();
    }
    return context.cancel().check();
  };
  ASSERT_OK(runner_->start());
  const Job running = submit("patient");
  wait_for_stage(running, "searching");
  const Job queued = submit("echo");
  const Job in_server = submit("in_server");
  while (calls == 0) {
    std::this_thread::yield();
  }
  runner_->stop();
  EXPECT_THAT(runner_->submit({.project = "p", .kind = "echo", .title = {}, .payload = "{}"}),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(runner_->wait("default", queued.id, {}), StatusIs(absl::StatusCode::kUnavailable));
  for (const Job& job : {running, queued, in_server}) {
    EXPECT_EQ(runner_->get("default", job.id)->state, JobState::kQueued);
    EXPECT_EQ(runner_->get("default", job.id)->attempt, 0);
  }

  make();
  ASSERT_OK(runner_->start());
  wait_for_stage(running, "searching");
  ASSERT_OK(runner_->cancel("default", running.id));
  EXPECT_EQ(wait(running).state, JobState::kCancelled);
  EXPECT_EQ(wait(queued).state, JobState::kSucceeded);
  EXPECT_EQ(wait(in_server).state, JobState::kSucceeded);
}

TEST_F(RunnerTest, JobsOfADeadServerAreTakenUpOrEndedWithAReason) {
  const auto leave = [&](std::string kind, int attempt, bool cancel_requested) {
    Job job;
    job.id = ids_.next();
    job.project = "default";
    job.kind = std::move(kind);
    job.payload = "{}";
    job.state = JobState::kRunning;
    job.attempt = attempt;
    job.cancel_requested = cancel_requested;
    job.created_at = clock_.now();
    EXPECT_OK(metadata_->commit({store::Write::put({"default", "job", job.id}, to_document(job))}));
    return job;
  };
  const Job again = leave("echo", 1, false);
  const Job too_often = leave("echo", 3, false);
  const Job cancelled = leave("echo", 1, true);
  const Job unknown = leave("dance", 1, false);
  EXPECT_OK(metadata_->commit(
      {store::Write::put({"default", "job", "broken"}, R"({"state":"running"})")}));
  ASSERT_OK(runner_->start());
  const Job done = wait(again);
  EXPECT_EQ(done.state, JobState::kSucceeded);
  EXPECT_EQ(done.attempt, 2);
  EXPECT_THAT(log_of(done), HasSubstr("the server ended while this job ran"));
  EXPECT_THAT(wait(too_often).error,
              StatusIs(absl::StatusCode::kInternal, HasSubstr("ended 3 times")));
  EXPECT_EQ(wait(cancelled).state, JobState::kCancelled);
  EXPECT_THAT(wait(unknown).error, StatusIs(absl::StatusCode::kInternal, HasSubstr("dance")));
}

TEST_F(RunnerTest, WaitingNeverGivesAJobThatIsNotFinal) {
  ASSERT_OK(runner_->start());
  Job elsewhere;  // In the store, but none of this runner's.
  elsewhere.id = ids_.next();
  elsewhere.project = "default";
  elsewhere.kind = "echo";
  elsewhere.payload = "{}";
  elsewhere.state = JobState::kRunning;
  ASSERT_OK(put_job(*metadata_, elsewhere));
  base::CancelSource source;
  source.cancel();
  EXPECT_THAT(runner_->wait("default", elsewhere.id, source.token()),
              StatusIs(absl::StatusCode::kCancelled));
  elsewhere.state = JobState::kSucceeded;
  ASSERT_OK(put_job(*metadata_, elsewhere));
  EXPECT_EQ(wait(elsewhere).state, JobState::kSucceeded);
}

TEST_F(RunnerTest, WhatIsOutOfDateIsRunAgainButNotForEver) {
  options_.reruns_max = 3;
  make();
  ASSERT_OK(runner_->start());
  kinds_["echo"]->out_of_date_count = 3;
  const Job job = wait(submit("echo"));
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_EQ(job.attempt, 1);
  EXPECT_EQ(kinds_["echo"]->finish_count, 4);
  EXPECT_THAT(log_of(job), HasSubstr("somebody was faster; once more"));
  kinds_["echo"]->out_of_date_count = 4;
  EXPECT_TRUE(absl::IsAborted(wait(submit("echo")).error));
}

TEST_F(RunnerTest, OldFinishedJobsAreForgotten) {
  ASSERT_OK(runner_->start());
  std::vector<Job> jobs;
  for (int i = 0; i < 5; ++i) {
    jobs.push_back(wait(submit("in_server")));
  }
  options_.finished_max = 2;
  make();
  ASSERT_OK(runner_->start());
  EXPECT_THAT(runner_->get("default", jobs[2].id), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_FALSE(base::system_files().exists(runner_->log_file(jobs[2].id)));
  EXPECT_OK(runner_->get("default", jobs[3].id));
}

}  // namespace
}  // namespace cromford::flow
