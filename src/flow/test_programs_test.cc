#include "flow/test_programs.h"

#include <fmt/format.h>

#include <csignal>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/file_system.h"
#include "base/json.h"
#include "base/log.h"
#include "base/process.h"
#include "base/status.h"
#include "flow/pipeline_runner.h"
#include "flow/runner.h"
#include "flow/worker.h"
#include "store/metadata.h"

namespace cromford::flow {
namespace {

using base::Json;
using Path = std::filesystem::path;

// --- the worker --------------------------------------------------------------------------------

absl::StatusOr<std::string> echo(std::string_view input, WorkerContext& context) {
  context.progress("reading", 0.25, R"({"rows":1})");
  context.log("read one row\nand no more");
  context.progress("writing", 0.75, R"({"rows":2})");
  std::ofstream(context.work_dir() / "data.txt") << input;
  return fmt::format(R"({{"echo":{}}})", input);
}

// Works until it is asked to stop, then keeps its best.
absl::StatusOr<std::string> patient(std::string_view /*input*/, WorkerContext& context) {
  context.progress("searching", 0.5, "");
  while (!context.cancel().cancelled()) {
    std::this_thread::yield();
  }
  return R"({"best":1})";
}

// Does not care for being asked to stop.
absl::StatusOr<std::string> stubborn(std::string_view /*input*/, WorkerContext& context) {
  std::ofstream(context.work_dir() / "checkpoint") << "half";
  context.progress("searching", 0.5, "");
  while (true) {
    std::this_thread::yield();
  }
}

absl::StatusOr<std::string> hungry(std::string_view /*input*/, WorkerContext& /*context*/) {
  std::vector<std::unique_ptr<std::string>> kept;
  while (true) {
    kept.push_back(std::make_unique<std::string>(1U << 20U, 'x'));
  }
}

absl::StatusOr<std::string> refuse(std::string_view /*input*/, WorkerContext& /*context*/) {
  return base::with_field_error(base::refused("the column 'late' is constant", "choose another"),
                                {"/target", "constant"});
}

absl::StatusOr<std::string> break_library(std::string_view /*input*/, WorkerContext&) {
  return std::vector<std::string>().at(3);
}

// Is killed by "somebody" the first two times.
absl::StatusOr<std::string> killed_twice(std::string_view input, WorkerContext& /*context*/) {
  const Path marks(base::parse_json(input)->at("marks").get<std::string>());
  for (const char* const mark : {"first", "second"}) {
    if (!std::filesystem::exists(marks / mark)) {
      std::ofstream(marks / mark) << mark;
      std::raise(SIGKILL);
    }
  }
  return R"({"survived":true})";
}

absl::StatusOr<std::string> always_killed(std::string_view /*input*/, WorkerContext&) {
  std::raise(SIGKILL);
  return "{}";
}

absl::StatusOr<std::string> crash(std::string_view /*input*/, WorkerContext&) {
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
  return "{}";
}

absl::StatusOr<std::string> chatty(std::string_view /*input*/, WorkerContext& context) {
  std::cout << "a library that prints to standard output" << std::endl;
  for (int i = 0; i < 20000; ++i) {
    std::cerr << "a line of a log that is far too talkative\n";
  }
  context.progress("talking", 0.5, "no JSON");
  return "{}";
}

absl::StatusOr<std::string> large_result(std::string_view /*input*/, WorkerContext&) {
  return fmt::format(R"("{}")", std::string(1U << 20U, 'x'));
}

// --- the server --------------------------------------------------------------------------------

constexpr int kServerJobs = 4;

class CountingKind final : public JobKind {
 public:
  explicit CountingKind(Path effects) : effects_(std::move(effects)) {}
  std::string_view name() const override { return "echo"; }
  absl::StatusOr<WorkerSpec> prepare(const Job& job, const Path& /*work_dir*/) override {
    return WorkerSpec{.input = job.payload, .time_limit = {}};
  }
  absl::StatusOr<std::string> finish(const Job& job, std::string_view worker_result,
                                     const Path& work_dir) override {
    TRY(const std::string data, base::system_files().read(work_dir / "data.txt"));
    TRY(base::write_atomically(base::system_files(), effects_ / job.id, data));
    return std::string(worker_result);
  }

 private:
  Path effects_;
};

// The steps of a pipeline as jobs of the kind "echo", but for the last one, which acts at once.
class TestActions final : public StepActions {
 public:
  TestActions(Runner& runner, Path effects) : runner_(runner), effects_(std::move(effects)) {}
  std::string code_version() const override { return "1"; }
  absl::StatusOr<std::string> fingerprint(const StepRequest& /*request*/) override { return ""; }
  std::string identity(const StepRequest& /*request*/, std::string_view output) override {
    return std::string(output);
  }
  bool is_usable(const StepRequest& /*request*/, std::string_view /*output*/) override {
    return true;
  }
  absl::StatusOr<StepStart> start(const StepRequest& request) override {
    if (request.step == "deploy") {
      TRY(base::write_atomically(base::system_files(), effects_ / "deployed", request.outputs));
      return StepStart{.job_id = {}, .output = R"({"endpoint":"e"})"};
    }
    NewJob job{.project = request.project, .kind = "echo", .title = request.step, .payload = {}};
    job.payload = fmt::format(R"({{"step":"{}"}})", request.step);
    job.id = request.job_id;
    TRY(const Job submitted, runner_.submit(job));
    return StepStart{.job_id = submitted.id, .output = {}};
  }

 private:
  Runner& runner_;
  Path effects_;
};

// Publishes as the real hub does, and tells the test of it.
class PrintingHub final : public EventHub {
 public:
  uint64_t publish(std::string_view project, std::string_view topic, std::string_view type,
                   std::string data) override {
    const std::lock_guard lock(mutex_);
    std::cout << data << std::endl;
    return hub_->publish(project, topic, type, std::move(data));
  }
  std::unique_ptr<Subscription> subscribe(std::string_view project, std::vector<std::string> topics,
                                          std::optional<uint64_t> after,
                                          std::function<void()> wake) override {
    return hub_->subscribe(project, std::move(topics), after, std::move(wake));
  }
  uint64_t last_id() const override { return hub_->last_id(); }

 private:
  std::mutex mutex_;
  std::unique_ptr<EventHub> hub_ = make_event_hub();
};

using Work = absl::Status (*)(Runner& runner);

absl::Status serve(const Path& home, Work work) {
  base::IdSource ids(base::system_clock(), base::system_entropy());
  TRY(const auto metadata, store::open_sqlite(home / "test.db", base::system_clock()));
  TRY(base::system_files().create_directories(home / "effects"));
  PrintingHub hub;
  RunnerOptions options;
  options.worker_command = test_worker_command();
  options.work_root = home / "work";
  options.log_root = home / "logs";
  options.attempts_max = 1000;
  std::unique_ptr<StepActions> actions;
  const auto runner = make_runner(options, *metadata, hub, base::system_clock(), ids);
  actions = std::make_unique<TestActions>(*runner, home / "effects");
  runner->add(std::make_unique<CountingKind>(home / "effects"));
  runner->add(make_pipeline_kind(*metadata, *runner, base::system_clock(), ids, *actions));
  TRY(runner->start());
  const absl::Status status = work(*runner);
  runner->stop();
  return status;
}

// The ids are fixed, so that a server that was killed half-way submits the rest only.
absl::Status carry_out_four_jobs(Runner& runner) {
  std::vector<std::string> jobs;
  for (int i = 0; i < kServerJobs; ++i) {
    NewJob job{.project = "default", .kind = "echo", .title = "test", .payload = {}};
    job.payload = fmt::format(R"({{"number":{}}})", i);
    job.id = fmt::format("0000000000000000000000000{}", i);
    TRY(const Job submitted, runner.submit(job));
    jobs.push_back(submitted.id);
  }
  for (const std::string& id : jobs) {
    TRY(const Job job, runner.wait("default", id, {}));
    std::cout << state_name(job.state) << std::endl;
  }
  return absl::OkStatus();
}

absl::Status run_test_pipeline(Runner& runner) {
  PipelineSpec spec;
  spec.name = "line";
  for (const char* const step : {"dataset", "train", "deploy"}) {
    spec.steps.push_back({step, R"({"x":1})"});
  }
  NewJob request{.project = "default", .kind = "pipeline", .title = "test", .payload = {}};
  request.payload = pipeline_payload(spec);
  request.id = "00000000000000000000000000";
  TRY(const Job job, runner.submit(request));
  TRY(const Job ended, runner.wait("default", job.id, {}));
  std::cout << state_name(ended.state) << std::endl;
  return ended.error;
}

std::vector<std::string> own_command(std::string_view program) {
  return {base::own_program().native(), std::string(program)};
}

}  // namespace

std::vector<std::string> test_worker_command() {
  return own_command("worker");
}

std::vector<std::string> test_server_command(std::string_view program, std::string_view home) {
  std::vector<std::string> command = own_command(program);
  command.emplace_back(home);
  return command;
}

int run_test_program(const std::vector<std::string>& arguments) {
  if (arguments.size() != 2) {
    return -1;
  }
  if (arguments[0] == "worker") {
    return run_worker(arguments[1], {{"echo", echo},
                                     {"patient", patient},
                                     {"stubborn", stubborn},
                                     {"hungry", hungry},
                                     {"refuse", refuse},
                                     {"break", break_library},
                                     {"killed_twice", killed_twice},
                                     {"always_killed", always_killed},
                                     {"crash", crash},
                                     {"chatty", chatty},
                                     {"large_result", large_result}});
  }
  if (arguments[0] == "server" || arguments[0] == "pipeline") {
    const absl::Status status =
        serve(arguments[1], arguments[0] == "server" ? carry_out_four_jobs : run_test_pipeline);
    if (!status.ok()) {
      std::cerr << base::describe(status) << "\n";
    }
    return status.ok() ? 0 : 1;
  }
  return -1;
}

}  // namespace cromford::flow
