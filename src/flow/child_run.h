#pragma once

// One run of one worker process: started, watched for cancellation, time and memory, and judged by
// the files that it left. The runner (runner.h) decides what follows from that.
//
//   const ChildOutcome outcome = run_child({.command = {"/usr/bin/cromford", "worker", "train"},
//                                           .input = spec, .work_dir = dir, ...}, clock, tokens,
//                                          [](const WorkerLine& line) { ... });
//   if (outcome.status.ok()) use(outcome.result);
//
// Thread safety: functions; the callback runs on a thread of the child's watcher.

#include <absl/status/status.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/clock.h"

namespace cromford::flow {

struct RunnerOptions;  // runner.h, as WorkerSpec.
struct WorkerSpec;

struct ChildRun {
  std::vector<std::string> command;
  std::string input;
  std::filesystem::path work_dir;
  std::filesystem::path log_file;
  uint64_t memory_limit_bytes = 0;
  std::chrono::nanoseconds time_limit{0};
  std::chrono::nanoseconds cancel_grace{0};
  uint64_t log_bytes_max = 0;
  uint64_t result_bytes_max = 0;
};

// One line of a worker's standard output.
struct WorkerLine {
  std::string stage;
  double progress = 0;  // 0 to 1
  std::string detail;   // JSON object, or "" when the line had none
};

struct ChildOutcome {
  // OK: there is a result. CANCELLED: it was asked to stop, by either token. Else the reason why it
  // failed, which names limit and remedy.
  absl::Status status;
  std::string result;       // What result.json holds, also after a cancel; "" where there is none.
  bool was_killed = false;  // From outside, so that it may work when it is tried again.
};

// What the runner's settings and the kind's wishes make of it; without its paths.
ChildRun child_run_of(const RunnerOptions& options, const WorkerSpec& spec,
                      const std::string& kind);

struct ChildTokens {
  base::CancelToken cancel;  // The user's.
  base::CancelToken stop;    // The server's own end.
};

ChildOutcome run_child(const ChildRun& run, base::Clock& clock, const ChildTokens& tokens,
                       const std::function<void(const WorkerLine&)>& on_line);

// Reads a line; nullopt where it is not of the protocol.
std::optional<WorkerLine> parse_worker_line(std::string_view line);

// What a line that is not progress says: the text of a line meant for the job's log, or the line.
std::string log_text(std::string_view line);

// Appends a line with the time to a job's log.
void append_to_log(const std::filesystem::path& log_file, base::Clock& clock,
                   std::string_view line);

}  // namespace cromford::flow
