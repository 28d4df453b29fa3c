#pragma once

// A child process under limits: its standard output is read line by line, its memory is watched,
// it has a group of its own that can be killed as a whole, and it dies with this process.
//
//   base::ProcessOptions options{.argv = {"/proc/self/exe", "worker"}, .stdin_bytes = spec,
//                                .memory_limit_bytes = 4ULL << 30};
//   TRY(auto child, base::ChildProcess::spawn(options, [](std::string_view line) { ... }));
//   const base::ProcessResult result = child->wait();
//   if (result.cause == base::ProcessResult::Cause::kOutOfMemory) { ... }
//
// Thread safety: all methods may be called by any thread; the line callback runs on a thread of
// the child's object and never after `wait` returned.

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cromford::base {

struct ProcessOptions {
  std::vector<std::string> argv;  // argv[0] is a path, or a name sought in PATH
  std::string stdin_bytes{};      // given on standard input, which is then closed
  std::vector<std::pair<std::string, std::string>> environment{};  // added to this process's
  std::filesystem::path working_directory{};                       // empty: this process's
  std::filesystem::path stderr_file{};  // appended to; empty: this process's standard error
  uint64_t memory_limit_bytes = 0;      // of the whole group; 0: none
  int nice = 0;
  uint64_t line_bytes_max = 16ULL << 20;  // a longer line is cut off at this length
};

struct ProcessResult {
  enum class Cause {
    kExited,       // by itself, with `exit_code`
    kSignalled,    // by `signal`, which this object did not send
    kTerminated,   // after terminate() or kill() of this object
    kOutOfMemory,  // it used more than the limit
  };
  Cause cause = Cause::kExited;
  int exit_code = 0;
  int signal = 0;
  uint64_t memory_bytes_max = 0;  // the greatest resident size that was seen
  std::chrono::nanoseconds cpu_time{0};

  bool succeeded() const { return cause == Cause::kExited && exit_code == 0; }
  // "exited with code 3", "was killed by signal 9", "used more than 4.0 GiB of memory".
  std::string text(uint64_t memory_limit_bytes = 0) const;
};

class ChildProcess {
 public:
  using LineCallback = std::function<void(std::string_view line)>;

  // Starts the program; NOT_FOUND when there is no such program. `on_line` gets each line of
  // standard output without its newline.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> spawn(ProcessOptions options,
                                                             LineCallback on_line);

  // Kills the group when it still runs, and waits.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  int pid() const;
  // Waits for the end of the child and of its output.
  ProcessResult wait();
  // The same, at most for `timeout`; nullopt when it still runs.
  std::optional<ProcessResult> wait_for(std::chrono::nanoseconds timeout);
  // Asks the group to end (SIGTERM); after `grace` it is killed.
  void terminate(std::chrono::nanoseconds grace);
  // Kills the whole group (SIGKILL).
  void kill();

 private:
  struct State;
  explicit ChildProcess(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The path of the program that runs, for starting it once more.
std::filesystem::path own_program();
// The resident memory of this process in bytes; 0 when unknown.
uint64_t resident_bytes();

}  // namespace cromford::base
