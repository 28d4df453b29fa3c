#include "app/queries.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "flow/child_run.h"

namespace cromford::app {
namespace {

// Fewer than the threads that wait for them, so that queries never take the whole server.
constexpr int kAtOnce = 3;
// What the process needs beside the data engine's own memory.
constexpr uint64_t kProgramBytes = uint64_t{128} << 20;
constexpr uint64_t kAnswerBytesMax = uint64_t{256} << 20;

}  // namespace

absl::StatusOr<base::Json> Queries::run(base::Json input, std::chrono::nanoseconds time_limit) {
  const int before = running_.fetch_add(1);
  absl::StatusOr<base::Json> answer =
      before < kAtOnce ? absl::StatusOr<base::Json>(base::Json())
                       : base::unavailable(fmt::format("{} other queries run already", kAtOnce),
                                           "try again when one of them has ended");
  if (answer.ok()) {
    const std::filesystem::path directory =
        context_.home->tmp() / ("query-" + context_.ids->next());
    const absl::Status made = context_.files->create_directories(directory);
    answer = made.ok() ? run_in(directory, std::move(input), time_limit) : made;
    (void)context_.files->remove_all(directory);  // Else with the next start.
  }
  running_.fetch_sub(1);
  return answer;
}

absl::StatusOr<base::Json> Queries::run_in(const std::filesystem::path& directory, base::Json input,
                                           std::chrono::nanoseconds time_limit) {
  const uint64_t memory = context_.options.limits.query_memory_bytes;
  input["memory_bytes"] = memory;
  input["temporary_bytes"] = context_.options.limits.temporary_bytes;
  flow::ChildRun run{.command = context_.options.worker_command,
                     .input = base::dump_json(input),
                     .work_dir = directory,
                     .log_file = directory / "log",
                     .memory_limit_bytes = memory + kProgramBytes,
                     .time_limit = time_limit,
                     .cancel_grace = std::chrono::milliseconds(200),
                     .log_bytes_max = 64U << 10,
                     .result_bytes_max = kAnswerBytesMax};
  run.command.emplace_back("query");
  const flow::ChildOutcome outcome = flow::run_child(
      run, *context_.clock, {.cancel = {}, .stop = stopping_.token()}, [](const auto&) {});
  if (outcome.status.ok()) {
    return base::parse_json(outcome.result);
  }
  if (absl::IsDeadlineExceeded(outcome.status)) {
    return base::with_remedy(absl::Status(absl::StatusCode::kDeadlineExceeded,
                                          fmt::format("the query took longer than {}",
                                                      base::format_duration(time_limit))),
                             "ask for less at once");
  }
  if (absl::IsResourceExhausted(outcome.status)) {
    return base::exhausted(
        fmt::format("the query needs more memory than {}", base::format_size(memory)),
        "ask for less at once, or raise jobs.query_memory in the server's configuration");
  }
  if (absl::IsCancelled(outcome.status)) {
    return base::unavailable("the server is stopping", "ask again when it is back");
  }
  return outcome.status;
}

}  // namespace cromford::app
