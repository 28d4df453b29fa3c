#include "base/process.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/file_system.h"
#include "base/text.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using testing::StatusIs;
using Cause = ProcessResult::Cause;

// Collects the lines of a child; `wait_for_lines` waits for output instead of for time.
class Lines {
 public:
  ChildProcess::LineCallback callback() {
    return [this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(line);
      changed_.notify_all();
    };
  }
  void wait_for_lines(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return lines_.size() >= count; });
  }
  std::vector<std::string> get() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

ProcessOptions shell(std::string script) {
  ProcessOptions options;
  options.argv = {"sh", "-c", std::move(script)};
  return options;
}

TEST(ProcessTest, LinesInputEnvironmentAndExitCodeGoThrough) {
  Lines lines;
  ProcessOptions options = shell("cat; echo \"$GREETING\"; printf unfinished; exit 3");
  options.stdin_bytes = "first\nsecond\n";
  options.environment = {{"GREETING", "good day"}};
  ASSERT_OK_AND_ASSIGN(const auto child, ChildProcess::spawn(options, lines.callback()));
  const ProcessResult result = child->wait();
  EXPECT_EQ(result.cause, Cause::kExited);
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_FALSE(result.succeeded());
  EXPECT_EQ(result.text(), "exited with code 3");
  EXPECT_THAT(lines.get(), ElementsAre("first", "second", "good day", "unfinished"));
}

TEST(ProcessTest, InputMayBeLargerThanAPipe) {
  Lines lines;
  ProcessOptions options = shell("wc -c");
  options.stdin_bytes.assign(5'000'000, 'x');
  ASSERT_OK_AND_ASSIGN(const auto child, ChildProcess::spawn(options, lines.callback()));
  EXPECT_TRUE(child->wait().succeeded());
  EXPECT_THAT(lines.get(), ElementsAre("5000000"));
}

TEST(ProcessTest, ManyLinesArriveWholeAndLongOnesAreCut) {
  Lines lines;
  ProcessOptions options = shell(
      "i=0; while [ $i -lt 20000 ]; do echo line$i; i=$((i+1)); done; "
      "head -c 100000 /dev/zero | tr '\\0' x");
  options.line_bytes_max = 1000;
  ASSERT_OK_AND_ASSIGN(const auto child, ChildProcess::spawn(options, lines.callback()));
  EXPECT_TRUE(child->wait().succeeded());
  ASSERT_THAT(lines.get(), SizeIs(20001));
  EXPECT_EQ(lines.get()[19999], "line19999");
  EXPECT_THAT(lines.get()[20000], SizeIs(1000));
}

TEST(ProcessTest, ErrorOutputAndDirectoryCanBeChosen) {
  const testing::TempDir directory;
  std::ofstream(directory / "log") << "before\n";
  Lines lines;
  ProcessOptions options = shell("echo after >&2; pwd");
  options.stderr_file = directory / "log";
  options.working_directory = directory.path();
  ASSERT_OK_AND_ASSIGN(const auto child, ChildProcess::spawn(options, lines.callback()));
  EXPECT_TRUE(child->wait().succeeded());
  EXPECT_THAT(lines.get(), ElementsAre(directory.path().native()));
  EXPECT_EQ(*system_files().read(directory / "log"), "before\nafter\n");
}

TEST(ProcessTest, WhatCannotStartIsAnError) {
  Lines lines;
  ProcessOptions options;
  EXPECT_THAT(ChildProcess::spawn(options, lines.callback()),
              StatusIs(absl::StatusCode::kInvalidArgument));
  options.argv = {"no-such-program-anywhere"};
  EXPECT_THAT(ChildProcess::spawn(options, lines.callback()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no-such-program-anywhere")));
  options.argv = {"/no/such/program"};
  EXPECT_THAT(ChildProcess::spawn(options, lines.callback()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/program")));
  options.argv = {"/etc/passwd"};
  EXPECT_THAT(ChildProcess::spawn(options, lines.callback()),
              StatusIs(absl::StatusCode::kPermissionDenied));
  options = shell("true");
  options.working_directory = "/no/such/directory";
  EXPECT_THAT(ChildProcess::spawn(options, lines.callback()),
              StatusIs(absl::StatusCode::kNotFound));
  options = shell("true");
  options.stderr_file = "/no/such/directory/log";
  EXPECT_THAT(ChildProcess::spawn(options, lines.callback()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/directory/log")));
}

TEST(ProcessTest, AChildThatUsesTooMuchMemoryIsKilled) {
  Lines lines;
  // tail keeps the whole of a line without an end in memory.
  ProcessOptions options = shell("tail /dev/zero");
  options.memory_limit_bytes = 64ULL << 20U;
  ASSERT_OK_AND_ASSIGN(const auto child, ChildProcess::spawn(options, lines.callback()));
  const ProcessResult result = child->wait();
  EXPECT_EQ(result.cause, Cause::kOutOfMemory);
  EXPECT_GT(result.memory_bytes_max, options.memory_limit_bytes);
  EXPECT_EQ(result.text(options.memory_limit_bytes),
            "was killed: it used more than 64.0 MiB of memory");
}

TEST(ProcessTest, TerminateLetsTheChildFinish) {
  Lines lines;
  const ProcessOptions options =
      shell("trap 'echo stopping; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
  ASSERT_OK_AND_ASSIGN(const auto child, ChildProcess::spawn(options, lines.callback()));
  lines.wait_for_lines(1);
  EXPECT_FALSE(child->wait_for(std::chrono::nanoseconds(0)).has_value());
  child->terminate(std::chrono::hours(1));
  const ProcessResult result = child->wait();
  EXPECT_TRUE(result.succeeded());
  EXPECT_THAT(lines.get(), ElementsAre("ready", "stopping"));
}

TEST(ProcessTest, AfterTheGraceTheWholeGroupIsKilled) {
  Lines lines;
  const ProcessOptions options =
      shell("trap '' TERM; (while :; do sleep 0.01; done) & echo $!; wait; wait");
  ASSERT_OK_AND_ASSIGN(const auto child, ChildProcess::spawn(options, lines.callback()));
  lines.wait_for_lines(1);
  child->terminate(std::chrono::milliseconds(1));
  const ProcessResult result = child->wait();
  EXPECT_EQ(result.cause, Cause::kTerminated);
  EXPECT_EQ(result.text(), "was stopped");
  // The grandchild is gone or a zombie that its new parent has yet to take away.
  const int grandchild = to_number<int>(lines.get().at(0)).value();
  const auto state = [&]() -> std::string {
    const auto content = system_files().read(fmt::format("/proc/{}/stat", grandchild));
    return content.ok() ? content->substr(content->rfind(')') + 2, 1) : "gone";
  };
  while (state() != "gone" && state() != "Z") {
    std::this_thread::yield();
  }
}

TEST(ProcessTest, ACrashAndAKillFromOutsideAreToldApart) {
  Lines lines;
  ASSERT_OK_AND_ASSIGN(auto child, ChildProcess::spawn(shell("kill -SEGV $$"), lines.callback()));
  EXPECT_THAT(child->wait().text(), HasSubstr("crashed with signal 11"));
  ASSERT_OK_AND_ASSIGN(child, ChildProcess::spawn(shell("sleep 1000"), lines.callback()));
  ::kill(child->pid(), SIGKILL);
  const ProcessResult result = child->wait();
  EXPECT_EQ(result.cause, Cause::kSignalled);
  EXPECT_THAT(result.text(), HasSubstr("was killed from outside"));
}

TEST(ProcessTest, TheDestructorEndsTheChild) {
  Lines lines;
  pid_t pid = 0;
  {
    ASSERT_OK_AND_ASSIGN(const auto child,
                         ChildProcess::spawn(shell("sleep 1000"), lines.callback()));
    pid = child->pid();
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(ProcessTest, NothingThatThisProcessHasOpenIsInherited) {
  const testing::TempDir directory;
  const std::ofstream file(directory / "open");  // The standard library sets no close-on-exec.
  Lines lines;
  ASSERT_OK_AND_ASSIGN(const auto child,
                       ChildProcess::spawn(shell("ls -l /proc/self/fd"), lines.callback()));
  EXPECT_TRUE(child->wait().succeeded());
  for (const std::string& line : lines.get()) {
    EXPECT_THAT(line, ::testing::Not(HasSubstr("open")));
  }
}

TEST(ProcessTest, TheOwnProgramAndMemoryAreKnown) {
  EXPECT_EQ(own_program().filename(), "base_test");
  EXPECT_GT(resident_bytes(), 1U << 20U);
}

}  // namespace
}  // namespace cromford::base
