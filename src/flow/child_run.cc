#include "flow/child_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/file_system.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/process.h"
#include "base/status.h"
#include "base/text.h"
#include "flow/runner.h"
#include "flow/status_json.h"

namespace cromford::flow {
namespace {

using base::Json;
using base::ProcessResult;
using std::chrono::nanoseconds;

constexpr nanoseconds kLookInterval = std::chrono::milliseconds(50);
constexpr int kNice = 5;  // Answering predictions comes first.
constexpr size_t kStageBytesMax = 200;
constexpr size_t kDetailBytesMax = size_t{64} << 10;

enum class Ending { kNone, kAsked, kTimeOut };

void bound_log(const ChildRun& run) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(run.log_file, error);
  if (!error && bytes > run.log_bytes_max) {
    std::filesystem::resize_file(run.log_file, run.log_bytes_max, error);
  }
}

// Waits for the child; says whether and why it was asked to end.
ProcessResult watch(base::ChildProcess& child, const ChildRun& run, base::Clock& clock,
                    const ChildTokens& tokens, Ending& ending) {
  const nanoseconds started = clock.monotonic();
  while (true) {
    const std::optional<ProcessResult> result = child.wait_for(kLookInterval);
    bound_log(run);
    if (result) {
      return *result;
    }
    if (ending != Ending::kNone) {
      continue;
    }
    if (tokens.cancel.cancelled() || tokens.stop.cancelled()) {
      ending = Ending::kAsked;
      child.terminate(run.cancel_grace);
    } else if (clock.monotonic() - started >= run.time_limit) {
      ending = Ending::kTimeOut;
      child.terminate(run.cancel_grace);
    }
  }
}

// The status that the worker itself left, or OK.
absl::Status read_error(const ChildRun& run) {
  const absl::StatusOr<std::string> text =
      base::system_files().read(run.work_dir / "error.json", run.result_bytes_max);
  if (!text.ok()) {
    return absl::OkStatus();
  }
  const absl::StatusOr<Json> document = base::parse_json(*text);
  return status_from_json(document.ok() ? *document : Json("unreadable"));
}

absl::Status failure(const ProcessResult& process, const ChildRun& run, Ending ending) {
  if (process.cause == ProcessResult::Cause::kOutOfMemory) {
    return base::exhausted(
        fmt::format("killed: used more than {}", base::format_size(run.memory_limit_bytes)),
        "give the job more memory, or less data");
  }
  if (ending == Ending::kTimeOut) {
    return base::with_remedy(absl::Status(absl::StatusCode::kDeadlineExceeded,
                                          fmt::format("killed: took longer than {}",
                                                      base::format_duration(run.time_limit))),
                             "give the job more time, or less data");
  }
  if (ending == Ending::kAsked) {
    return base::cancelled("it was cancelled");
  }
  if (absl::Status own = read_error(run); !own.ok()) {
    return own;
  }
  return base::internal(fmt::format("the worker process {}", process.text()),
                        "the job's log may say more");
}

}  // namespace

ChildRun child_run_of(const RunnerOptions& options, const WorkerSpec& spec,
                      const std::string& kind) {
  ChildRun run;
  run.command = options.worker_command;
  run.command.push_back(kind);
  run.input = spec.input;
  run.memory_limit_bytes =
      spec.memory_limit_bytes > 0 ? spec.memory_limit_bytes : options.memory_limit_bytes;
  run.time_limit = spec.time_limit.value_or(options.time_limit);
  run.cancel_grace = spec.cancel_grace;
  run.log_bytes_max = options.log_bytes_max;
  run.result_bytes_max = options.result_bytes_max;
  return run;
}

std::optional<WorkerLine> parse_worker_line(std::string_view line) {
  const absl::StatusOr<Json> document = base::parse_json(line);
  if (!document.ok() || !document->is_object()) {
    return std::nullopt;
  }
  WorkerLine result;
  const auto stage = document->find("stage");
  const auto progress = document->find("progress");
  if (stage == document->end() || !stage->is_string() || progress == document->end() ||
      !progress->is_number()) {
    return std::nullopt;
  }
  result.stage = base::clip_utf8(stage->get_ref<const std::string&>(), kStageBytesMax);
  const double fraction = progress->get<double>();
  result.progress = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0;
  if (const auto detail = document->find("detail");
      detail != document->end() && detail->is_object()) {
    result.detail = base::dump_json(*detail);
    if (result.detail.size() > kDetailBytesMax) {
      result.detail.clear();
    }
  }
  return result;
}

std::string log_text(std::string_view line) {
  const absl::StatusOr<Json> document = base::parse_json(line);
  if (document.ok() && document->is_object()) {
    if (const auto text = document->find("log"); text != document->end() && text->is_string()) {
      return text->get<std::string>();
    }
  }
  return std::string(line);
}

void append_to_log(const std::filesystem::path& log_file, base::Clock& clock,
                   std::string_view line) {
  const absl::StatusOr<std::unique_ptr<base::File>> file =
      base::system_files().open_append(log_file);
  if (file.ok()) {  // A log that cannot be written must not stop the work.
    (void)(*file)->write(fmt::format("{} {}\n", base::format_time(clock.now()), line));
  }
}

ChildOutcome run_child(const ChildRun& run, base::Clock& clock, const ChildTokens& tokens,
                       const std::function<void(const WorkerLine&)>& on_line) {
  base::ProcessOptions options;
  options.argv = run.command;
  options.stdin_bytes = run.input;
  options.working_directory = run.work_dir;
  options.stderr_file = run.log_file;
  options.memory_limit_bytes = run.memory_limit_bytes;
  options.nice = kNice;
  options.line_bytes_max = 4 * kDetailBytesMax;
  const absl::StatusOr<std::unique_ptr<base::ChildProcess>> child =
      base::ChildProcess::spawn(std::move(options), [&](std::string_view text) {
        if (const std::optional<WorkerLine> line = parse_worker_line(text)) {
          on_line(*line);
        } else {
          append_to_log(run.log_file, clock, log_text(text));
        }
      });
  ChildOutcome outcome;
  if (!child.ok()) {
    outcome.status = base::annotate(child.status(), "the worker process cannot be started");
    return outcome;
  }
  Ending ending = Ending::kNone;
  const ProcessResult process = watch(**child, run, clock, tokens, ending);
  absl::StatusOr<std::string> result =
      base::system_files().read(run.work_dir / "result.json", run.result_bytes_max);
  const absl::Status result_status = result.status();
  if (result.ok()) {
    outcome.result = *std::move(result);
  }
  if (!process.succeeded()) {
    outcome.status = failure(process, run, ending);
    outcome.was_killed = ending == Ending::kNone &&
                         process.cause == ProcessResult::Cause::kSignalled && process.signal == 9;
  } else if (ending == Ending::kAsked) {
    outcome.status = base::cancelled("it was cancelled");
  } else if (outcome.result.empty()) {
    outcome.status = absl::IsResourceExhausted(result_status)
                         ? base::annotate(result_status, "the result of the worker")
                         : base::internal("the worker process ended without a result",
                                          "the job's log may say more");
  }
  return outcome;
}

}  // namespace cromford::flow
