#include "flow/worker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <exception>
#include <mutex>
#include <new>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/codes.h"
#include "base/file_system.h"
#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "flow/status_json.h"

namespace cromford::flow {
namespace {

using base::Json;
using std::chrono::nanoseconds;

constexpr nanoseconds kProgressInterval = std::chrono::milliseconds(250);
constexpr size_t kInputBytesMax = size_t{64} << 20U;
constexpr size_t kLogLineBytesMax = 4096;

// Set before the handler is installed and never freed: a signal may come at any time.
std::atomic<base::CancelSource*> cancel_on_signal = nullptr;

void on_signal(int /*number*/) {
  cancel_on_signal.load()->cancel();
}

const base::CancelToken& install_cancel_on_signal() {
  static base::CancelSource& source = *new base::CancelSource;
  static const base::CancelToken& token = *new base::CancelToken(source.token());
  cancel_on_signal = &source;
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  return token;
}

// Standard output belongs to the protocol: it is moved away, and what libraries print goes to the
// log with standard error.
int take_standard_output() {
  const int protocol = ::dup(STDOUT_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  return protocol;
}

absl::StatusOr<std::string> read_input() {
  std::string input;
  std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  while (true) {
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return base::errno_status(errno, "read", "the input of a worker");
    }
    if (count == 0) {
      return input;
    }
    input.append(buffer.data(), static_cast<size_t>(count));
    if (input.size() > kInputBytesMax) {
      return base::exhausted("the input of a worker is too long");
    }
  }
}

class Context final : public WorkerContext {
 public:
  Context(int output, const base::CancelToken& cancel, std::filesystem::path work_dir)
      : output_(output), cancel_(cancel), work_dir_(std::move(work_dir)) {}

  void progress(std::string_view stage, double fraction, std::string_view detail) override {
    const std::lock_guard lock(mutex_);
    const nanoseconds now = base::system_clock().monotonic();
    if (stage == last_stage_ && now - last_write_ < kProgressInterval) {
      return;
    }
    last_stage_ = stage;
    last_write_ = now;
    Json line{{"stage", stage}, {"progress", fraction}};
    if (!detail.empty()) {
      absl::StatusOr<Json> parsed = base::parse_json(detail);
      line["detail"] = parsed.ok() ? *std::move(parsed) : Json::object();
    }
    send(line);
  }
  void log(std::string_view line) override {
    std::string text(base::clip_utf8(line, kLogLineBytesMax));
    std::replace_if(text.begin(), text.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
    const std::lock_guard lock(mutex_);
    send(Json{{"log", text}});
  }
  const base::CancelToken& cancel() const override { return cancel_; }
  const std::filesystem::path& work_dir() const override { return work_dir_; }

 private:
  void send(const Json& line) const {
    std::string text = base::dump_json(line);
    text += '\n';
    (void)!::write(output_, text.data(), text.size());
  }

  const int output_;
  const base::CancelToken& cancel_;
  const std::filesystem::path work_dir_;
  std::mutex mutex_;
  std::string last_stage_;
  nanoseconds last_write_{0};
};

absl::StatusOr<std::string> call(const WorkerFunction& function, std::string_view input,
                                 WorkerContext& context) {
  try {
    return function(input, context);
  } catch (const std::bad_alloc&) {
    return base::exhausted("the job ran out of memory", "give it more memory or less data");
  } catch (const std::exception& error) {
    return base::internal(fmt::format("the worker met an unexpected error: {}", error.what()));
  }
}

absl::StatusOr<std::string> work(std::string_view kind,
                                 const std::map<std::string, WorkerFunction>& functions,
                                 WorkerContext& context) {
  const auto function = functions.find(std::string(kind));
  if (function == functions.end()) {
    return base::invalid(fmt::format("this program has no worker '{}'", kind));
  }
  TRY(const std::string input, read_input());
  return call(function->second, input, context);
}

}  // namespace

int run_worker(std::string_view kind, const std::map<std::string, WorkerFunction>& functions) {
  const base::CancelToken& cancel = install_cancel_on_signal();
  const int output = take_standard_output();
  std::error_code error;
  Context context(output, cancel, std::filesystem::current_path(error));

  const absl::StatusOr<std::string> result = work(kind, functions, context);
  absl::Status status = result.status();
  if (status.ok()) {
    status =
        base::write_atomically(base::system_files(), context.work_dir() / "result.json", *result);
  }
  if (status.ok()) {
    return 0;
  }
  base::log_error("the worker failed", {{"kind", kind}, {"error", base::describe(status)}});
  const absl::Status written =
      base::write_atomically(base::system_files(), context.work_dir() / "error.json",
                             base::dump_json(status_to_json(status)));
  if (!written.ok()) {
    base::log_error("the error could not be written", {{"error", base::describe(written)}});
  }
  return base::exit_code(status.code());
}

}  // namespace cromford::flow
