#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "cli/environment.h"

namespace cromford::cli {
namespace {

std::atomic<int> interrupt_count{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may touch it");

extern "C" void count_interrupt(int /*signal*/) {
  interrupt_count.fetch_add(1, std::memory_order_relaxed);
}

void start_counting_interrupts() {
  struct sigaction action = {};
  action.sa_handler = count_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
}

std::optional<std::string> environment_variable(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

int width_of_terminal() {
  winsize size = {};
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    if (ioctl(stream, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) {
      return size.ws_col;
    }
  }
  return 80;
}

}  // namespace

Environment process_environment() {
  Environment environment;
  environment.in = &std::cin;
  environment.out = &std::cout;
  environment.err = &std::cerr;
  environment.in_is_terminal = isatty(STDIN_FILENO) == 1;
  environment.out_is_terminal = isatty(STDOUT_FILENO) == 1;
  environment.err_is_terminal = isatty(STDERR_FILENO) == 1;
  environment.terminal_width = width_of_terminal();
  environment.variable = environment_variable;
  environment.count_interrupts = start_counting_interrupts;
  environment.interrupts = &interrupt_count;
  environment.sleep = [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); };
  std::error_code ignored;
  environment.executable = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return environment;
}

}  // namespace cromford::cli
