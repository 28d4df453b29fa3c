#include "flow/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/file_system.h"
#include "base/log.h"
#include "base/status.h"
#include "flow/child_run.h"
#include "flow/job_store.h"
#include "flow/work_queue.h"

namespace cromford::flow {
namespace {

constexpr size_t kInServerAtOnce = 16;
constexpr auto kLookInterval = std::chrono::milliseconds(50);
constexpr int kPruneEvery = 1000;  // finished jobs

// A job that is not final yet.
struct Live {
  Job job;               // Guarded by the runner's mutex.
  bool claimed = false;  // Likewise: somebody carries it out or ends it.
  base::CancelSource cancel;
  // Held while the job is read and then stored or told, so that nothing older comes after.
  std::mutex order;
};
using LivePtr = std::shared_ptr<Live>;

class RunnerImpl final : public Runner {
 public:
  RunnerImpl(RunnerOptions options, store::Metadata& metadata, EventHub& events, base::Clock& clock,
             base::IdSource& ids)
      : options_(std::move(options)),
        metadata_(metadata),
        events_(events),
        clock_(clock),
        ids_(ids),
        children_(static_cast<size_t>(std::max(options_.jobs_at_once, 1))),
        in_server_(kInServerAtOnce) {}
  ~RunnerImpl() override { stop(); }

  void add(std::unique_ptr<JobKind> kind) override {
    const std::string name(kind->name());
    child_kinds_[name] = std::move(kind);
  }
  void add(std::unique_ptr<InServerKind> kind) override {
    const std::string name(kind->name());
    server_kinds_[name] = std::move(kind);
  }
  absl::Status start() override;
  absl::StatusOr<Job> submit(NewJob job) override;
  absl::StatusOr<Job> get(std::string_view project, std::string_view id) const override;
  absl::StatusOr<Job> cancel(std::string_view project, std::string_view id) override;
  absl::StatusOr<Job> wait(std::string_view project, std::string_view id,
                           const base::CancelToken& cancel) override;
  std::filesystem::path log_file(std::string_view id) const override {
    return options_.log_root / fmt::format("{}.log", id);
  }
  Counts counts() const override;
  void stop() override;

 private:
  class Context;

  void take_up(const LivePtr& live);
  void leave_queued(const LivePtr& live);
  void enqueue(const LivePtr& live);
  LivePtr find(std::string_view project, std::string_view id) const;
  Job snapshot(const Live& live) const;
  bool known(const std::string& kind) const;

  void carry_out(const LivePtr& live);
  bool claim(Live& live);
  void run_child_job(const LivePtr& live, JobKind& kind);
  ChildOutcome run_attempts(const LivePtr& live, JobKind& kind);
  ChildOutcome run_attempt(const LivePtr& live, JobKind& kind);
  void run_in_server_job(const LivePtr& live, InServerKind& kind);
  void update(Live& live, const WorkerLine& line);
  // Ends a job without success; the kind may add a result. `result`: what is known already.
  void end(const LivePtr& live, const absl::Status& why, std::string result = {});
  void conclude(const LivePtr& live, JobState state, const absl::Status& why,
                std::string_view result);
  void put_back(Live& live);
  void requeue(Live& live, int attempt);
  absl::Status save(Live& live);
  void tell(Live& live);
  void prune();

  std::filesystem::path work_dir(const Job& job) const { return options_.work_root / job.id; }

  const RunnerOptions options_;
  store::Metadata& metadata_;
  EventHub& events_;
  base::Clock& clock_;
  base::IdSource& ids_;
  std::map<std::string, std::unique_ptr<JobKind>> child_kinds_;
  std::map<std::string, std::unique_ptr<InServerKind>> server_kinds_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, LivePtr, std::less<>> live_;  // by id
  int submitting_ = 0;
  int finished_ = 0;
  bool stopping_ = false;
  base::CancelSource stop_;

  WorkQueue children_;
  WorkQueue in_server_;
};

bool RunnerImpl::known(const std::string& kind) const {
  return child_kinds_.contains(kind) || server_kinds_.contains(kind);
}

LivePtr RunnerImpl::find(std::string_view project, std::string_view id) const {
  const auto found = live_.find(id);
  return found != live_.end() && found->second->job.project == project ? found->second : nullptr;
}

Job RunnerImpl::snapshot(const Live& live) const {
  const std::lock_guard lock(mutex_);
  return live.job;
}

// --- taking jobs in ----------------------------------------------------------------------------

absl::Status RunnerImpl::start() {
  TRY(base::system_files().remove_all(options_.work_root));
  TRY(base::system_files().create_directories(options_.work_root));
  TRY(base::system_files().create_directories(options_.log_root));
  // What ran comes before what waited, as it did then.
  TRY(std::vector<Job> jobs, jobs_in_state(metadata_, JobState::kRunning));
  TRY(std::vector<Job> queued, jobs_in_state(metadata_, JobState::kQueued));
  std::move(queued.begin(), queued.end(), std::back_inserter(jobs));
  std::vector<LivePtr> taken;
  {
    // All are known before the first one runs: it may wait for another, or submit it once more.
    const std::lock_guard lock(mutex_);
    for (Job& job : jobs) {
      auto live = std::make_shared<Live>();
      live->job = std::move(job);
      live_.emplace(live->job.id, live);
      taken.push_back(std::move(live));
    }
  }
  for (const LivePtr& live : taken) {
    options_.takes_up ? take_up(live) : leave_queued(live);
  }
  prune();
  return absl::OkStatus();
}

void RunnerImpl::take_up(const LivePtr& live) {
  const Job taken = snapshot(*live);
  const bool was_running = taken.state == JobState::kRunning;
  if (!known(taken.kind)) {
    end(live,
        base::internal(fmt::format("this program knows no jobs of the kind '{}'", taken.kind)));
  } else if (taken.cancel_requested) {
    end(live, base::cancelled("it was cancelled"));
  } else if (taken.attempt >= options_.attempts_max) {
    end(live, base::internal(
                  fmt::format("the server ended {} times while this job ran, so it is not tried "
                              "again",
                              taken.attempt),
                  "read the job's log; it may need more memory than the machine has"));
  } else {
    if (was_running) {
      append_to_log(log_file(taken.id), clock_, "the server ended while this job ran; once more");
    }
    {
      const std::lock_guard lock(mutex_);
      live->job.state = JobState::kQueued;
      live->job.progress = 0;
    }
    enqueue(live);
  }
}

// What an earlier process left waits for a server that stays. Its attempts count on, unlike those
// of a job that was put back in good order.
void RunnerImpl::leave_queued(const LivePtr& live) {
  const Job left = snapshot(*live);
  if (left.cancel_requested) {
    end(live, base::cancelled("it was cancelled"));
  } else if (left.state == JobState::kRunning) {
    append_to_log(log_file(left.id), clock_,
                  "the server ended while this job ran; it waits for the next `cromford server`");
    requeue(*live, left.attempt);
  }
}

absl::StatusOr<Job> RunnerImpl::submit(NewJob request) {
  if (!known(request.kind)) {
    return base::invalid(fmt::format("there are no jobs of the kind '{}'", request.kind));
  }
  const bool chosen = !request.id.empty();
  TRY(check_new_job(request));
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      return base::unavailable("the server is stopping", "submit the job again when it runs");
    }
    const auto queued = std::count_if(live_.begin(), live_.end(), [](const auto& entry) {
      return entry.second->job.state == JobState::kQueued;
    });
    if (queued + submitting_ >= options_.queue_max) {
      return base::exhausted(fmt::format("{} jobs wait already, which is the limit", queued),
                             "submit the job again when some are done");
    }
    ++submitting_;
  }
  auto live = std::make_shared<Live>();
  std::string id = chosen ? request.id : ids_.next();
  std::vector<store::Write> with = std::move(request.with);
  live->job = new_job(std::move(request), std::move(id), clock_.now());
  Job job = live->job;
  const absl::Status stored = put_new_job(metadata_, job, std::move(with));
  {
    const std::lock_guard lock(mutex_);
    --submitting_;
    if (stored.ok()) {
      live_.emplace(job.id, live);
    }
  }
  if (!stored.ok()) {
    return chosen && absl::IsAlreadyExists(stored) ? get(job.project, job.id)
                                                   : absl::StatusOr<Job>(stored);
  }
  tell(*live);
  enqueue(live);
  return job;
}

void RunnerImpl::enqueue(const LivePtr& live) {
  WorkQueue& queue = child_kinds_.contains(live->job.kind) ? children_ : in_server_;
  queue.add([this, live] { carry_out(live); });
}

// --- asking about jobs -------------------------------------------------------------------------

absl::StatusOr<Job> RunnerImpl::get(std::string_view project, std::string_view id) const {
  {
    const std::lock_guard lock(mutex_);
    if (const LivePtr live = find(project, id)) {
      return live->job;
    }
  }
  return get_job(metadata_, project, id);
}

absl::StatusOr<Job> RunnerImpl::cancel(std::string_view project, std::string_view id) {
  LivePtr live;
  bool waited = false;
  {
    const std::lock_guard lock(mutex_);
    live = find(project, id);
    if (live && !is_final(live->job.state)) {
      live->job.cancel_requested = true;
      waited = !std::exchange(live->claimed, true);
    } else {
      live = nullptr;
    }
  }
  if (!live) {
    TRY(const Job job, get(project, id));
    return ended_already(job);
  }
  live->cancel.cancel();
  if (waited) {
    end(live, base::cancelled("it was cancelled before it began"));
  } else if (const absl::Status stored = save(*live); !stored.ok()) {
    base::log_error("a cancellation was not stored",
                    {{"job", id}, {"error", base::describe(stored)}});
  }
  return snapshot(*live);
}

absl::StatusOr<Job> RunnerImpl::wait(std::string_view project, std::string_view id,
                                     const base::CancelToken& cancel) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (const LivePtr live = find(project, id)) {
      if (is_final(live->job.state)) {
        return live->job;
      }
    } else {
      lock.unlock();
      TRY(Job stored, get_job(metadata_, project, id));
      if (is_final(stored.state)) {
        return stored;
      }
      lock.lock();
    }
    if (stopping_) {
      return base::unavailable("the server is stopping; the job goes on when it runs again");
    }
    if (cancel.cancelled()) {
      return cancel.check();
    }
    changed_.wait_for(lock, kLookInterval);
  }
}

Runner::Counts RunnerImpl::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts;
  for (const auto& [id, live] : live_) {
    counts.queued += live->job.state == JobState::kQueued ? 1 : 0;
    counts.running += live->job.state == JobState::kRunning ? 1 : 0;
  }
  return counts;
}

// --- carrying jobs out -------------------------------------------------------------------------

void RunnerImpl::carry_out(const LivePtr& live) {
  if (!claim(*live)) {
    return;
  }
  if (const absl::Status stored = save(*live); !stored.ok()) {
    // It goes on: were the server to end now, the job would simply begin again.
    base::log_error("the start of a job was not stored",
                    {{"job", live->job.id}, {"error", base::describe(stored)}});
  }
  tell(*live);
  if (const auto kind = child_kinds_.find(live->job.kind); kind != child_kinds_.end()) {
    run_child_job(live, *kind->second);
  } else {
    run_in_server_job(live, *server_kinds_.at(live->job.kind));
  }
}

// Whether the caller is the one to carry it out; then it runs.
bool RunnerImpl::claim(Live& live) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || live.claimed) {
    return false;
  }
  live.claimed = true;
  live.job.state = JobState::kRunning;
  live.job.started_at = clock_.now();
  ++live.job.attempt;
  return true;
}

void RunnerImpl::run_child_job(const LivePtr& live, JobKind& kind) {
  for (int rerun = 0;; ++rerun) {
    ChildOutcome outcome = run_attempts(live, kind);
    const Job job = snapshot(*live);
    if (absl::IsCancelled(outcome.status) && !job.cancel_requested && stop_.cancelled()) {
      put_back(*live);
      return;
    }
    const bool cancelled = absl::IsCancelled(outcome.status) && job.cancel_requested;
    if (!outcome.status.ok() && !(cancelled && !outcome.result.empty())) {
      end(live, outcome.status);
      return;
    }
    const absl::StatusOr<std::string> result = kind.finish(job, outcome.result, work_dir(job));
    if (result.ok()) {
      conclude(live, cancelled ? JobState::kCancelled : JobState::kSucceeded, outcome.status,
               *result);
      return;
    }
    if (cancelled || rerun >= options_.reruns_max || !kind.runs_again(result.status())) {
      end(live, cancelled ? outcome.status : result.status());
      return;
    }
    append_to_log(log_file(job.id), clock_,
                  fmt::format("{}; once more", base::message(result.status())));
  }
}

// Tries again when the worker was killed by somebody else (an operator, the kernel).
ChildOutcome RunnerImpl::run_attempts(const LivePtr& live, JobKind& kind) {
  while (true) {
    ChildOutcome outcome = run_attempt(live, kind);
    if (!outcome.was_killed || live->cancel.cancelled() || stop_.cancelled()) {
      return outcome;
    }
    {
      const std::lock_guard lock(mutex_);
      if (live->job.attempt >= options_.attempts_max) {
        return outcome;
      }
      ++live->job.attempt;
    }
    append_to_log(log_file(live->job.id), clock_,
                  fmt::format("{}; once more", base::message(outcome.status)));
    if (const absl::Status stored = save(*live); !stored.ok()) {
      outcome.status = stored;
      return outcome;
    }
  }
}

ChildOutcome RunnerImpl::run_attempt(const LivePtr& live, JobKind& kind) {
  const Job job = snapshot(*live);
  const std::filesystem::path directory = work_dir(job);
  ChildRun run;
  bool retry_when_killed = true;
  const auto prepare = [&]() -> absl::Status {
    TRY(base::system_files().remove_all(directory));
    TRY(base::system_files().create_directories(directory));
    TRY(const WorkerSpec spec, kind.prepare(job, directory));
    retry_when_killed = spec.retry_when_killed;
    run = child_run_of(options_, spec, job.kind);
    run.work_dir = directory;
    run.log_file = log_file(job.id);
    return absl::OkStatus();
  };
  ChildOutcome outcome;
  outcome.status = prepare();
  if (outcome.status.ok()) {
    const ChildTokens tokens{live->cancel.token(), stop_.token()};
    outcome = run_child(run, clock_, tokens, [&](const WorkerLine& line) { update(*live, line); });
    outcome.was_killed = outcome.was_killed && retry_when_killed;
  }
  return outcome;
}

class RunnerImpl::Context final : public JobContext {
 public:
  Context(RunnerImpl& runner, Live& live)
      : runner_(runner), live_(live), cancel_(live.cancel.token()) {}

  void progress(std::string_view stage, double fraction, const std::string& detail) override {
    runner_.update(live_, {std::string(stage), std::clamp(fraction, 0.0, 1.0), detail});
  }
  void log(std::string_view line) override {
    append_to_log(runner_.log_file(live_.job.id), runner_.clock_, line);
  }
  const base::CancelToken& cancel() const override { return cancel_; }

 private:
  RunnerImpl& runner_;
  Live& live_;
  const base::CancelToken cancel_;
};

void RunnerImpl::run_in_server_job(const LivePtr& live, InServerKind& kind) {
  if (stop_.cancelled()) {
    live->cancel.cancel();  // It began while stop() went through the jobs.
  }
  Context context(*this, *live);
  const absl::StatusOr<std::string> result = kind.run(snapshot(*live), context);
  const Job job = snapshot(*live);
  if (result.ok()) {
    conclude(live, JobState::kSucceeded, absl::OkStatus(), *result);
  } else if (stop_.cancelled() && !job.cancel_requested) {
    put_back(*live);
  } else {
    end(live, result.status());
  }
}

void RunnerImpl::update(Live& live, const WorkerLine& line) {
  {
    const std::lock_guard lock(mutex_);
    live.job.stage = line.stage;
    live.job.progress = line.progress;
    if (!line.detail.empty()) {
      live.job.detail = line.detail;
    }
  }
  tell(live);
}

// --- ending jobs -------------------------------------------------------------------------------

void RunnerImpl::end(const LivePtr& live, const absl::Status& why, std::string result) {
  const Job job = snapshot(*live);
  if (const auto kind = child_kinds_.find(job.kind); kind != child_kinds_.end()) {
    result = kind->second->ended(job, why, work_dir(job));
  }
  const bool cancelled = absl::IsCancelled(why) && job.cancel_requested;
  conclude(live, cancelled ? JobState::kCancelled : JobState::kFailed, why,
           result.empty() ? "null" : std::string_view(result));
}

void RunnerImpl::conclude(const LivePtr& live, JobState state, const absl::Status& why,
                          std::string_view result) {
  const std::string id = live->job.id;
  append_to_log(log_file(id), clock_,
                why.ok() ? std::string(state_name(state))
                         : fmt::format("{}: {}", state_name(state), base::describe(why)));
  const auto kind = child_kinds_.find(live->job.kind);
  const auto finish = [&, now = clock_.now()](Job& job) {
    job.state = state;
    job.payload = kind == child_kinds_.end() ? job.payload : kind->second->kept_payload(job);
    job.error = why;
    job.result = result;
    job.finished_at = now;
    job.progress = state == JobState::kSucceeded ? 1 : job.progress;
  };
  absl::Status stored;
  {
    // Nobody sees the job as ended before that is on disk.
    const std::lock_guard order(live->order);
    Job job = snapshot(*live);
    finish(job);
    stored = put_job(metadata_, job);
    // Who has waited for the job finds its work directory gone.
    (void)base::system_files().remove_all(options_.work_root / id);
    const std::lock_guard lock(mutex_);
    finish(live->job);
  }
  tell(*live);
  bool prune_now = false;
  {
    const std::lock_guard lock(mutex_);
    if (stored.ok()) {
      live_.erase(id);
    }
    prune_now = ++finished_ % kPruneEvery == 0;
    changed_.notify_all();
  }
  if (!stored.ok()) {
    // It stays in memory as it ended; after a restart it is carried out once more.
    base::log_error("the end of a job was not stored",
                    {{"job", id}, {"error", base::describe(stored)}});
  }
  if (prune_now) {
    prune();
  }
}

// The server ends before the job does: it waits to be taken up by the next.
void RunnerImpl::put_back(Live& live) {
  requeue(live, snapshot(live).attempt - 1);
}

void RunnerImpl::requeue(Live& live, int attempt) {
  {
    const std::lock_guard lock(mutex_);
    live.job.state = JobState::kQueued;
    live.job.progress = 0;
    live.job.attempt = attempt;
  }
  if (const absl::Status stored = save(live); !stored.ok()) {
    base::log_error("a job was not put back",
                    {{"job", live.job.id}, {"error", base::describe(stored)}});
  }
}

absl::Status RunnerImpl::save(Live& live) {
  const std::lock_guard order(live.order);
  return put_job(metadata_, snapshot(live));
}

void RunnerImpl::tell(Live& live) {
  const std::lock_guard order(live.order);
  const Job job = snapshot(live);
  events_.publish(job.project, fmt::format("job/{}", job.id), "job",
                  base::dump_json(to_resource(job)));
}

void RunnerImpl::prune() {
  const absl::Status pruned = prune_jobs(metadata_, options_.finished_max, [&](const Job& job) {
    (void)base::system_files().remove(log_file(job.id));
  });
  if (!pruned.ok()) {
    base::log_error("old jobs were not removed", {{"error", base::describe(pruned)}});
  }
}

void RunnerImpl::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_.cancel();
    for (const auto& [id, live] : live_) {
      if (server_kinds_.contains(live->job.kind)) {
        live->cancel.cancel();
      }
    }
    changed_.notify_all();
  }
  in_server_.stop();
  children_.stop();
}

}  // namespace

std::unique_ptr<Runner> make_runner(RunnerOptions options, store::Metadata& metadata,
                                    EventHub& events, base::Clock& clock, base::IdSource& ids) {
  return std::make_unique<RunnerImpl>(std::move(options), metadata, events, clock, ids);
}

}  // namespace cromford::flow
