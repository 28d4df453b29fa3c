#include "base/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <future>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/descriptor.h"
#include "base/file_system.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::base {
namespace {

using std::chrono::nanoseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

// How often memory and deadlines are looked at.
constexpr int kWatchMs = 50;
constexpr auto kWatchInterval = std::chrono::milliseconds(kWatchMs);
// A process may reserve this much more than it may use, before the kernel refuses more: a single
// huge allocation then fails at once instead of being filled up to the limit.
[[maybe_unused]] constexpr uint64_t kReserveBytes = 1ULL << 30;

absl::Status pipe(Descriptor& read_end, Descriptor& write_end) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return errno_status(errno, "make", "a pipe");
  }
  read_end = Descriptor(ends[0]);
  write_end = Descriptor(ends[1]);
  return absl::OkStatus();
}

// A file in memory that holds `bytes`, positioned at its start: unlike a pipe it takes any amount
// without somebody who feeds it.
absl::StatusOr<Descriptor> memory_file(std::string_view bytes) {
  Descriptor file(::memfd_create("cromford-stdin", MFD_CLOEXEC));
  while (file.get() >= 0 && !bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) {
      return errno_status(errno, "write", "the input of a process");
    }
    bytes.remove_prefix(static_cast<size_t>(std::max<ssize_t>(written, 0)));
  }
  if (file.get() < 0 || ::lseek(file.get(), 0, SEEK_SET) != 0) {
    return errno_status(errno, "make", "the input of a process");
  }
  return file;
}

absl::StatusOr<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    return name;
  }
  const char* const path = std::getenv("PATH");
  for (const std::string_view directory : split(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    std::string candidate = fmt::format("{}/{}", directory.empty() ? "." : directory, name);
    if (::access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
  }
  return not_found(fmt::format("there is no program {}", name));
}

std::vector<std::string> merged_environment(
    const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view key = text.substr(0, text.find('='));
    const bool replaced = std::any_of(added.begin(), added.end(),
                                      [&](const auto& other) { return other.first == key; });
    if (!replaced) {
      result.emplace_back(text);
    }
  }
  for (const auto& [key, value] : added) {
    result.push_back(fmt::format("{}={}", key, value));
  }
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

// All that the child needs between fork and exec, where memory must not be allocated.
struct Launch {
  std::string program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::vector<char*> argv;
  std::vector<char*> envp;
  std::string working_directory;
  Descriptor input;
  Descriptor output_read;
  Descriptor output_write;
  Descriptor error;
  Descriptor failure_read;  // The child writes errno here when it cannot start.
  Descriptor failure_write;
  uint64_t data_limit = 0;
  int nice = 0;
};

absl::StatusOr<Launch> prepare(const ProcessOptions& options) {
  Launch launch;
  if (options.argv.empty()) {
    return invalid("a process needs a program");
  }
  TRY(launch.program, find_program(options.argv[0]));
  launch.arguments = options.argv;
  launch.environment = merged_environment(options.environment);
  launch.working_directory = options.working_directory.native();
  TRY(launch.input, memory_file(options.stdin_bytes));
  TRY(pipe(launch.output_read, launch.output_write));
  TRY(pipe(launch.failure_read, launch.failure_write));
  if (!options.stderr_file.empty()) {
    launch.error = Descriptor(
        ::open(options.stderr_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (launch.error.get() < 0) {
      return errno_status(errno, "open", options.stderr_file);
    }
  }
#ifndef CROMFORD_SANITIZED  // Sanitizers reserve terabytes.
  if (options.memory_limit_bytes > 0) {
    launch.data_limit = 2 * options.memory_limit_bytes + kReserveBytes;
  }
#endif
  launch.nice = options.nice;
  launch.argv = pointers(launch.arguments);
  launch.envp = pointers(launch.environment);
  return launch;
}

void close_all_from(unsigned first) {
  if (::close_range(first, ~0U, 0) != 0) {
    for (int number = static_cast<int>(first); number < 65536; ++number) {
      ::close(number);
    }
  }
}

// Runs in the child; only async-signal-safe calls. Returns errno when the program cannot start.
int become_program(const Launch& launch, pid_t parent) {
  // Descriptors 0 to 2 are the child's own; the one for failures is moved to 3, and all else that
  // this process has open (sockets!) is closed.
  constexpr int kFailure = 3;
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) {
    ::_exit(127);  // The parent died before it could be watched.
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {
    ::signal(number, SIG_DFL);
  }
  if (launch.data_limit > 0) {
    const rlimit limit{launch.data_limit, launch.data_limit};
    ::setrlimit(RLIMIT_DATA, &limit);
  }
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  if (launch.nice != 0) {
    ::setpriority(PRIO_PROCESS, 0, launch.nice);
  }
  if (!launch.working_directory.empty() && ::chdir(launch.working_directory.c_str()) != 0) {
    return errno;
  }
  if (::dup2(launch.input.get(), STDIN_FILENO) < 0 ||
      ::dup2(launch.output_write.get(), STDOUT_FILENO) < 0 ||
      (launch.error.get() >= 0 && ::dup2(launch.error.get(), STDERR_FILENO) < 0)) {
    return errno;
  }
  if (launch.failure_write.get() != kFailure &&
      ::dup3(launch.failure_write.get(), kFailure, O_CLOEXEC) < 0) {
    return errno;
  }
  close_all_from(kFailure + 1);
  ::execve(launch.program.c_str(), launch.argv.data(), launch.envp.data());
  const int error = errno;
  (void)!::write(kFailure, &error, sizeof error);
  ::_exit(127);
}

absl::StatusOr<pid_t> launch_process(Launch& launch) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    return errno_status(errno, "start", launch.program);
  }
  if (pid == 0) {
    const int error = become_program(launch, parent);
    (void)!::write(launch.failure_write.get(), &error, sizeof error);
    ::_exit(127);
  }
  ::setpgid(pid, pid);  // In both, so that nobody sees the child outside its group.
  launch.input.close();
  launch.output_write.close();
  launch.error.close();
  launch.failure_write.close();
  int error = 0;
  ssize_t count = 0;
  do {
    count = ::read(launch.failure_read.get(), &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    ::waitpid(pid, nullptr, 0);
    return errno_status(error, "start", launch.program);
  }
  return pid;
}

// The content of a small file of /proc, or "".
std::string read_proc(const std::string& path) {
  const absl::StatusOr<std::string> content = system_files().read(path, 1U << 20U);
  return content.ok() ? *content : std::string();
}

// Anonymous resident memory: what is mapped from files is shared with the cache and not counted.
uint64_t anonymous_bytes(const std::string& process) {
  const std::string content = read_proc("/proc/" + process + "/statm");
  const std::vector<std::string_view> words = split(content, ' ');
  if (words.size() < 3) {
    return 0;
  }
  const uint64_t resident = to_number<uint64_t>(words[1]).value_or(0);
  const uint64_t shared = to_number<uint64_t>(words[2]).value_or(0);
  static const auto kPageBytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return resident > shared ? (resident - shared) * kPageBytes : 0;
}

// Of the process and its descendants, each once.
uint64_t tree_bytes(const std::string& root) {
  std::vector<std::string> processes{root};
  uint64_t sum = 0;
  for (size_t i = 0; i < processes.size() && i < 1000; ++i) {
    sum += anonymous_bytes(processes[i]);
    const std::string tasks = "/proc/" + processes[i] + "/task";
    const absl::StatusOr<std::vector<std::string>> threads = system_files().list(tasks);
    if (!threads.ok()) {
      continue;
    }
    for (const std::string& thread : *threads) {
      const std::string children = read_proc(fmt::format("{}/{}/children", tasks, thread));
      for (const std::string_view child : split(trim(children), ' ')) {
        if (!child.empty()) {
          processes.emplace_back(child);
        }
      }
    }
  }
  return sum;
}

nanoseconds to_duration(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

}  // namespace

std::string ProcessResult::text(uint64_t memory_limit_bytes) const {
  switch (cause) {
    case Cause::kOutOfMemory:
      return fmt::format("was killed: it used more than {} of memory",
                         format_size(memory_limit_bytes));
    case Cause::kTerminated:
      return "was stopped";
    case Cause::kSignalled:
      return signal == SIGKILL
                 ? "was killed from outside, perhaps because the machine ran out of memory"
                 : fmt::format("crashed with signal {} ({})", signal, ::strsignal(signal));
    case Cause::kExited:
      break;
  }
  return fmt::format("exited with code {}", exit_code);
}

struct ChildProcess::State {
  ProcessOptions options;
  LineCallback on_line;

  std::mutex mutex;
  std::condition_variable finished;
  pid_t pid = 0;
  bool reaped = false;      // From here on the number may belong to another process.
  bool stop_asked = false;  // terminate() or kill() was called.
  bool out_of_memory = false;
  std::optional<SteadyTime> kill_at;
  std::optional<ProcessResult> result;
  uint64_t memory_bytes_max = 0;

  SteadyTime next_check;
  std::string partial_line;
  std::thread thread;

  void run(Launch launch, std::promise<absl::Status> started);
  void watch(int output, int process);
  bool read_output(int output);
  void take(std::string_view bytes);
  void append_clipped(std::string_view bytes);
  void check_limits();
  void signal_group(int number);
  ProcessResult reap();
};

// The signal of PR_SET_PDEATHSIG comes when the forking *thread* ends, so this thread forks and
// stays as long as the child.
void ChildProcess::State::run(Launch launch, std::promise<absl::Status> started) {
  const absl::StatusOr<pid_t> launched = launch_process(launch);
  if (!launched.ok()) {
    started.set_value(launched.status());
    return;
  }
  pid = *launched;
  // The header of glibc 2.36 for it does not work in C++.
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  ::fcntl(launch.output_read.get(), F_SETFL, O_NONBLOCK);
  started.set_value(absl::OkStatus());
  watch(launch.output_read.get(), process.get());
  const ProcessResult ended = reap();
  while (read_output(launch.output_read.get())) {
  }
  if (!partial_line.empty()) {
    on_line(partial_line);
  }
  const std::lock_guard lock(mutex);
  result = ended;
  finished.notify_all();
}

// Until the child has ended (but is not waited for yet).
void ChildProcess::State::watch(int output, int process) {
  bool output_open = true;
  while (true) {
    std::array<pollfd, 2> waits{pollfd{process, POLLIN, 0},
                                pollfd{output_open ? output : -1, POLLIN, 0}};
    ::poll(waits.data(), waits.size(), kWatchMs);
    if (output_open && waits[1].revents != 0) {
      output_open = read_output(output);
    }
    if (process >= 0) {
      if (waits[0].revents != 0) {
        return;
      }
    } else {  // No pidfd on this kernel.
      siginfo_t information{};
      if (::waitid(P_PID, static_cast<id_t>(pid), &information, WEXITED | WNOWAIT | WNOHANG) != 0 ||
          information.si_pid != 0) {
        return;
      }
    }
    check_limits();
  }
}

// Takes what stands in the pipe; false at its end, and when it is empty for now.
bool ChildProcess::State::read_output(int output) {
  std::array<char, 16384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  const ssize_t count = ::read(output, buffer.data(), buffer.size());
  if (count > 0) {
    take({buffer.data(), static_cast<size_t>(count)});
    return true;
  }
  return count < 0 && errno == EINTR;
}

void ChildProcess::State::take(std::string_view bytes) {
  for (size_t end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
    append_clipped(bytes.substr(0, end));
    on_line(partial_line);
    partial_line.clear();
    bytes.remove_prefix(end + 1);
  }
  append_clipped(bytes);
}

void ChildProcess::State::append_clipped(std::string_view bytes) {
  partial_line += bytes.substr(0, options.line_bytes_max - partial_line.size());
}

void ChildProcess::State::check_limits() {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (now < next_check) {
    return;  // Woken by output, which may come in many small pieces.
  }
  next_check = now + kWatchInterval;
  const uint64_t used = tree_bytes(std::to_string(pid));
  const std::lock_guard lock(mutex);
  memory_bytes_max = std::max(memory_bytes_max, used);
  if (options.memory_limit_bytes > 0 && used > options.memory_limit_bytes) {
    out_of_memory = true;
    signal_group(SIGKILL);
  }
  if (kill_at && now >= *kill_at) {
    signal_group(SIGKILL);
  }
}

// Needs the mutex.
void ChildProcess::State::signal_group(int number) {
  if (!reaped) {
    ::kill(-pid, number);
  }
}

ProcessResult ChildProcess::State::reap() {
  ProcessResult ended;
  int status = 0;
  rusage usage{};
  const std::lock_guard lock(mutex);
  signal_group(SIGKILL);  // What the child left behind in its group.
  ::wait4(pid, &status, 0, &usage);
  reaped = true;
  ended.cpu_time = to_duration(usage.ru_utime) + to_duration(usage.ru_stime);
  ended.memory_bytes_max = memory_bytes_max;
  if (WIFEXITED(status)) {
    ended.exit_code = WEXITSTATUS(status);
  } else {
    ended.signal = WTERMSIG(status);
    ended.cause = ProcessResult::Cause::kSignalled;
    if (out_of_memory) {
      ended.cause = ProcessResult::Cause::kOutOfMemory;
    } else if (stop_asked) {
      ended.cause = ProcessResult::Cause::kTerminated;
    }
  }
  return ended;
}

ChildProcess::ChildProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::spawn(ProcessOptions options,
                                                                  LineCallback on_line) {
  TRY(Launch launch, prepare(options));
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  state->on_line = std::move(on_line);
  std::promise<absl::Status> started;
  std::future<absl::Status> start = started.get_future();
  state->thread = std::thread(
      [raw = state.get(), launch = std::move(launch), started = std::move(started)]() mutable {
        raw->run(std::move(launch), std::move(started));
      });
  absl::Status status = start.get();
  if (!status.ok()) {
    state->thread.join();
    return status;
  }
  return std::unique_ptr<ChildProcess>(new ChildProcess(std::move(state)));
}

ChildProcess::~ChildProcess() {
  kill();
  state_->thread.join();
}

int ChildProcess::pid() const {
  return state_->pid;
}

ProcessResult ChildProcess::wait() {
  std::unique_lock lock(state_->mutex);
  state_->finished.wait(lock, [&] { return state_->result.has_value(); });
  return *state_->result;
}

std::optional<ProcessResult> ChildProcess::wait_for(nanoseconds timeout) {
  std::unique_lock lock(state_->mutex);
  state_->finished.wait_for(lock, timeout, [&] { return state_->result.has_value(); });
  return state_->result;
}

void ChildProcess::terminate(nanoseconds grace) {
  const std::lock_guard lock(state_->mutex);
  state_->stop_asked = true;
  const SteadyTime at = std::chrono::steady_clock::now() +
                        std::chrono::duration_cast<std::chrono::steady_clock::duration>(grace);
  state_->kill_at = std::min(state_->kill_at.value_or(at), at);
  state_->signal_group(SIGTERM);
}

void ChildProcess::kill() {
  const std::lock_guard lock(state_->mutex);
  state_->stop_asked = true;
  state_->signal_group(SIGKILL);
}

std::filesystem::path own_program() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error);
}

uint64_t resident_bytes() {
  const std::string content = read_proc("/proc/self/statm");
  const std::vector<std::string_view> words = split(content, ' ');
  const uint64_t pages = words.size() > 1 ? to_number<uint64_t>(words[1]).value_or(0) : 0;
  return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace cromford::base
