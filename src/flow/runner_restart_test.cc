// What a runner does with the jobs that a dead server left.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "flow/job_store.h"
#include "flow/runner.h"
#include "flow/test_programs.h"
#include "store/metadata.h"
#include "testing/simulated_clock.h"
#include "testing/simulated_entropy.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::flow {
namespace {

// Tells when a list of documents is read.
class WatchedMetadata final : public store::Metadata {
 public:
  explicit WatchedMetadata(std::unique_ptr<store::Metadata> inner) : inner_(std::move(inner)) {}
  std::function<void(const store::ListQuery&)> on_list = [](const store::ListQuery&) {};

  absl::StatusOr<store::Document> get(const store::DocumentKey& key) const override {
    return inner_->get(key);
  }
  using store::Metadata::commit;
  absl::StatusOr<int64_t> commit(std::span<const store::Write> writes) override {
    return inner_->commit(writes);
  }
  absl::StatusOr<store::DocumentPage> list(const store::ListQuery& query) const override {
    on_list(query);
    return inner_->list(query);
  }
  absl::Status visit_all(
      const std::function<absl::Status(const store::Document&)>& visit) const override {
    return inner_->visit_all(visit);
  }

 private:
  std::unique_ptr<store::Metadata> inner_;
};

class EchoKind final : public JobKind {
 public:
  std::string_view name() const override { return "echo"; }
  absl::StatusOr<WorkerSpec> prepare(const Job& job, const std::filesystem::path&) override {
    WorkerSpec spec;
    spec.input = job.payload;
    return spec;
  }
  absl::StatusOr<std::string> finish(const Job&, std::string_view worker_result,
                                     const std::filesystem::path&) override {
    ++finish_count;
    return std::string(worker_result);
  }
  std::atomic<int> finish_count = 0;
};

class ParentKind final : public InServerKind {
 public:
  std::string_view name() const override { return "parent"; }
  absl::StatusOr<std::string> run(const Job& job, JobContext&) override { return function(job); }
  std::function<absl::StatusOr<std::string>(const Job&)> function;
};

class RunnerRestartTest : public ::testing::Test {
 protected:
  // A job as the dead server left it.
  Job leave(std::string kind, JobState state) {
    Job job;
    job.id = ids_.next();
    job.project = "default";
    job.kind = std::move(kind);
    job.payload = "{}";
    job.state = state;
    job.attempt = state == JobState::kRunning ? 1 : 0;
    EXPECT_OK(put_job(metadata_, job));
    return job;
  }

  testing::TempDir directory_;
  testing::SimulatedClock clock_;
  testing::SimulatedEntropy entropy_;
  base::IdSource ids_{clock_, entropy_};
  WatchedMetadata metadata_{store::open_sqlite(directory_ / "test.db", clock_).value()};
  std::unique_ptr<EventHub> events_ = make_event_hub();
};

TEST_F(RunnerRestartTest, NothingRunsBeforeAllJobsAreKnown) {
  const Job parent = leave("parent", JobState::kRunning);
  const Job child = leave("echo", JobState::kQueued);
  std::mutex mutex;
  std::condition_variable changed;
  bool listed = false;
  bool began = false;
  bool began_too_early = false;
  metadata_.on_list = [&](const store::ListQuery& query) {
    if (query.filter == "state = queued") {
      // Time enough for a job that was let go too early to begin.
      std::unique_lock lock(mutex);
      changed.wait_for(lock, std::chrono::milliseconds(200), [&] { return began; });
      listed = true;
    }
  };
  RunnerOptions options;
  options.worker_command = test_worker_command();
  options.work_root = directory_ / "work";
  options.log_root = directory_ / "logs";
  const std::unique_ptr<Runner> runner = make_runner(options, metadata_, *events_, clock_, ids_);
  auto echo = std::make_unique<EchoKind>();
  const EchoKind& echoed = *echo;
  auto waiting = std::make_unique<ParentKind>();
  waiting->function = [&](const Job&) -> absl::StatusOr<std::string> {
    {
      const std::lock_guard lock(mutex);
      began = true;
      began_too_early = !listed;
      changed.notify_all();
    }
    // As a pipeline does that is taken up again: the same id once more, then wait.
    NewJob again{.project = "default", .kind = "echo", .title = {}, .payload = "{}"};
    again.id = child.id;
    TRY(const Job same, runner->submit(again));
    TRY(const Job done, runner->wait("default", same.id, {}));
    return fmt::format(R"({{"child":"{}"}})", state_name(done.state));
  };
  runner->add(std::move(echo));
  runner->add(std::move(waiting));
  ASSERT_OK(runner->start());
  ASSERT_OK_AND_ASSIGN(const Job ended, runner->wait("default", parent.id, {}));
  EXPECT_EQ(ended.result, R"({"child":"succeeded"})");
  ASSERT_OK_AND_ASSIGN(const Job done, runner->wait("default", child.id, {}));
  EXPECT_EQ(done.attempt, 1);
  EXPECT_EQ(echoed.finish_count, 1);
  EXPECT_FALSE(began_too_early);
}

// A command that hosts the factory for its own work has other things to do.
TEST_F(RunnerRestartTest, WhoDoesNotStayLeavesTheJobsOfOthersQueued) {
  const Job ran = leave("echo", JobState::kRunning);
  const Job waited = leave("echo", JobState::kQueued);
  const Job unwanted = leave("echo", JobState::kQueued);
  Job often = leave("echo", JobState::kRunning);
  often.attempt = 3;
  ASSERT_OK(put_job(metadata_, often));
  RunnerOptions options;
  options.worker_command = test_worker_command();
  options.work_root = directory_ / "work";
  options.log_root = directory_ / "logs";
  options.takes_up = false;
  std::unique_ptr<Runner> runner = make_runner(options, metadata_, *events_, clock_, ids_);
  auto echo = std::make_unique<EchoKind>();
  const EchoKind& echoed = *echo;
  runner->add(std::move(echo));
  ASSERT_OK(runner->start());
  ASSERT_OK_AND_ASSIGN(
      const Job own,
      runner->submit({.project = "default", .kind = "echo", .title = {}, .payload = "{}"}));
  EXPECT_EQ(runner->wait("default", own.id, {})->state, JobState::kSucceeded);
  EXPECT_EQ(echoed.finish_count, 1);
  EXPECT_EQ(runner->cancel("default", unwanted.id)->state, JobState::kCancelled);
  runner->stop();
  runner.reset();
  EXPECT_EQ(get_job(metadata_, "default", ran.id)->state, JobState::kQueued);
  EXPECT_EQ(get_job(metadata_, "default", ran.id)->attempt, 1);
  EXPECT_EQ(get_job(metadata_, "default", waited.id)->attempt, 0);

  options.takes_up = true;
  runner = make_runner(options, metadata_, *events_, clock_, ids_);
  runner->add(std::make_unique<EchoKind>());
  ASSERT_OK(runner->start());
  EXPECT_EQ(runner->wait("default", ran.id, {})->state, JobState::kSucceeded);
  EXPECT_EQ(runner->get("default", ran.id)->attempt, 2);
  EXPECT_EQ(runner->wait("default", waited.id, {})->state, JobState::kSucceeded);
  // Lying idle between does not give it another three attempts.
  EXPECT_EQ(runner->wait("default", often.id, {})->state, JobState::kFailed);
}

}  // namespace
}  // namespace cromford::flow
