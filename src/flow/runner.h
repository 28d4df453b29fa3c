#pragma once

// Carries out jobs: a bounded number at once, each heavy one in a child process of its own under a
// memory and a time limit, so that no job can take the server with it. The life of a child job:
//
//   1. submit() stores the job (queued) and answers.
//   2. The kind's prepare() turns the payload into the child's input: plain file paths and limits.
//   3. The child (worker.h) runs in an empty work directory, reports progress as JSON lines, and
//      leaves result.json last.
//   4. The kind's finish() takes the files over and commits metadata. It must be idempotent: after
//      a crash of the server between 3 and 5 the job is run again from 2.
//   5. The job is stored as succeeded, failed or cancelled; its topic "job/ID" tells who listens.
//
// A job that was running when the server died is run again (up to `attempts_max` times), for a job
// has no effect before finish(). A runner that lives for one command only (`takes_up` false) leaves
// it to the next one that stays.
//
// Thread safety: every member may be called from any thread.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/id.h"
#include "flow/events.h"
#include "flow/job.h"
#include "store/metadata.h"

namespace cromford::flow {

// What a child process is given.
struct WorkerSpec {
  std::string input;                // JSON object, read by the child.
  uint64_t memory_limit_bytes = 0;  // 0: the runner's default.
  // Wall clock; then the child is asked to end, and killed after `cancel_grace`. Absent: the
  // runner's default.
  std::optional<std::chrono::nanoseconds> time_limit;
  // After a cancel: how long the child may take to leave a partial result (training keeps its
  // best).
  std::chrono::nanoseconds cancel_grace = std::chrono::seconds(2);
  // Whether it is tried again when somebody else kills the child (an operator, the kernel).
  bool retry_when_killed = true;
};

// What the runner must know of one kind of job.
class JobKind {
 public:
  virtual ~JobKind() = default;
  virtual std::string_view name() const = 0;

  virtual absl::StatusOr<WorkerSpec> prepare(const Job& job,
                                             const std::filesystem::path& work_dir) = 0;
  // `worker_result` is the child's result.json. Gives the job's result (JSON). Idempotent. Called
  // for a cancelled job too where the child left a result; the job then ends as cancelled with it.
  virtual absl::StatusOr<std::string> finish(const Job& job, std::string_view worker_result,
                                             const std::filesystem::path& work_dir) = 0;
  // Whether a job whose finish() gave this error is run again from 2: what it was prepared with is
  // out of date, because another job has committed meanwhile. Each such turn means that another job
  // got through, so all do in the end; `reruns_max` bounds it.
  virtual bool runs_again(const absl::Status& /*finished*/) const { return false; }
  // Called once a job ended without success, before that is stored; also for a queued job that was
  // cancelled. `work_dir` may hold what the child left (checkpoints); a result other than "" makes
  // it the job's result.
  virtual std::string ended(const Job& /*job*/, const absl::Status& /*why*/,
                            const std::filesystem::path& /*work_dir*/) {
    return {};
  }
  // What is kept of the payload once the job has ended: without what was secret and is needed no
  // more.
  virtual std::string kept_payload(const Job& job) const { return job.payload; }
};

// For a kind that runs inside the server on a thread of its own (a pipeline, which only submits
// other jobs and waits). It does not count against `jobs_at_once`.
class JobContext {
 public:
  virtual ~JobContext() = default;
  virtual void progress(std::string_view stage, double fraction, const std::string& detail) = 0;
  virtual void log(std::string_view line) = 0;
  virtual const base::CancelToken& cancel() const = 0;
};
class InServerKind {
 public:
  virtual ~InServerKind() = default;
  virtual std::string_view name() const = 0;
  // Gives the result (JSON). Must be resumable: it is called again after a crash.
  virtual absl::StatusOr<std::string> run(const Job& job, JobContext& context) = 0;
};

struct RunnerOptions {
  std::vector<std::string> worker_command;  // argv; the kind's name is appended.
  std::filesystem::path work_root;          // Each job gets a folder below it.
  std::filesystem::path log_root;           // ID.log for each job; kept.
  bool takes_up = true;  // Whether start() goes on with what an earlier process left.
  int jobs_at_once = 2;
  int queue_max = 1000;
  int attempts_max = 3;
  int reruns_max = 32;  // See JobKind::runs_again.
  uint64_t memory_limit_bytes = uint64_t{4} << 30;
  std::chrono::nanoseconds time_limit = std::chrono::hours(24);
  uint64_t log_bytes_max = uint64_t{16} << 20;     // Of one job; what comes later is dropped.
  uint64_t result_bytes_max = uint64_t{64} << 20;  // Of result.json.
  int finished_max = 10'000;                       // Finished jobs kept of each project.
};

class Runner {
 public:
  virtual ~Runner() = default;

  // Kinds are registered before start().
  virtual void add(std::unique_ptr<JobKind> kind) = 0;
  virtual void add(std::unique_ptr<InServerKind> kind) = 0;
  // Takes up what an earlier process left (queued and running jobs) and begins. Without `takes_up`
  // these jobs stay queued, where they can be looked at and cancelled.
  virtual absl::Status start() = 0;

  // Stores the job and answers; RESOURCE_EXHAUSTED names the queue's limit.
  virtual absl::StatusOr<Job> submit(NewJob job) = 0;
  virtual absl::StatusOr<Job> get(std::string_view project, std::string_view id) const = 0;
  // Asks for a stop and answers with the job as it is now; a finished job is FAILED_PRECONDITION.
  virtual absl::StatusOr<Job> cancel(std::string_view project, std::string_view id) = 0;
  // Blocks until the job is final, or `cancel` strikes (then the job goes on). Never gives a job
  // that is not final: one that only the store knows is looked at again and again.
  virtual absl::StatusOr<Job> wait(std::string_view project, std::string_view id,
                                   const base::CancelToken& cancel) = 0;
  virtual std::filesystem::path log_file(std::string_view id) const = 0;

  struct Counts {
    int queued = 0;
    int running = 0;
  };
  virtual Counts counts() const = 0;

  // Takes no new work; running children are stopped and their jobs stay to be taken up again.
  virtual void stop() = 0;
};

std::unique_ptr<Runner> make_runner(RunnerOptions options, store::Metadata& metadata,
                                    EventHub& events, base::Clock& clock, base::IdSource& ids);

}  // namespace cromford::flow
