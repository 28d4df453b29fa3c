// What the prediction and outcome log costs and holds:
//
//   feedback_log DIRECTORY [PREDICTIONS]      10,000,000 without; DIRECTORY is made and removed
//
// Each stage runs in a process of its own, so that its peak of resident memory is its own; the one
// that writes ends without closing the log, as if it were killed. One line for each figure.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "feedback/log.h"

namespace {

using namespace cromford;
using Clock = std::chrono::steady_clock;

constexpr const char* kEndpoint = "default/late";
constexpr size_t kNumbers = 16;
constexpr size_t kTexts = 4;
constexpr int kClients = 64;
const feedback::OutcomeRule kRule{.classes = {"false", "true"}};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double process_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

template <typename T>
T check(absl::StatusOr<T> result) {
  if (!result.ok()) {
    fmt::print(stderr, "{}\n", base::describe(result.status()));
    _exit(1);
  }
  return *std::move(result);
}

void check(const absl::Status& status) {
  if (!status.ok()) {
    fmt::print(stderr, "{}\n", base::describe(status));
    _exit(1);
  }
}

// Runs `stage` in a child, which ends as if killed.
void run(const std::function<void()>& stage) {
  std::fflush(stdout);
  sync();  // What a stage left in the kernel is not the next one's to wait for.
  const pid_t child = fork();
  if (child == 0) {
    stage();
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) {
    std::exit(1);
  }
}

feedback::Layout layout() {
  feedback::Layout layout{.endpoint = kEndpoint,
                          .model = "late",
                          .model_version = 3,
                          .variant = "champion",
                          .classes = {"false", "true"},
                          .columns = {}};
  for (size_t i = 0; i < kNumbers; ++i) {
    layout.columns.push_back({fmt::format("number{}", i), feedback::ColumnType::kNumber});
  }
  for (size_t i = 0; i < kTexts; ++i) {
    layout.columns.push_back({fmt::format("text{}", i), feedback::ColumnType::kText});
  }
  return layout;
}

// A prediction whose id is made of `number`.
class Sample {
 public:
  explicit Sample(feedback::Log& log) : layout_(log.declare(layout())) {}

  feedback::PredictionRecord record(int64_t number, base::Time now) {
    id_ = "order-";
    base::append_number(id_, number);
    numbers_[0] = static_cast<double>(number);
    return {.layout = layout_,
            .id = id_,
            .event_time = now,
            .arrival_time = now,
            .key = "user-4711",
            .request_id = "01hv3c9k2m8q4z7x5y6w1t0s9r",
            .latency_us = 120,
            .numbers = numbers_,
            .texts = texts_,
            .answer = answer_,
            .label = 0};
  }

 private:
  uint32_t layout_;
  std::string id_;
  double numbers_[kNumbers] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  std::string_view texts_[kTexts] = {"ORD", "JFK", "United", "Chicago"};
  double answer_[2] = {0.69, 0.31};
};

void measure_writing(const feedback::LogOptions& options) {
  auto log = check(feedback::Log::open(options));
  Sample sample(*log);
  feedback::PredictionWriter& writer = log->writer(0);
  const base::Time now = base::system_clock().now();
  for (const int turn : {1, 16, 128}) {
    const int turns = 400'000 / turn;
    double adding = 0;
    const double begin = cpu_seconds();
    for (int i = 0; i < turns; ++i) {
      const double before = turn == 1 ? 0 : cpu_seconds();
      for (int j = 0; j < turn; ++j) {
        check(writer.add(sample.record(i * turn + j, now)));
      }
      adding += turn == 1 ? 0 : cpu_seconds() - before;
      check(writer.flush());
    }
    const double each = 1e9 * (cpu_seconds() - begin) / (turns * turn);
    fmt::print("add and flush, turns of {:3}: {:.0f} ns of CPU per record{}\n", turn, each,
               turn == 1 ? "" : fmt::format(" ({:.0f} ns add)", 1e9 * adding / (turns * turn)));
  }
}

void write_predictions(const feedback::LogOptions& options, int64_t count) {
  auto log = check(feedback::Log::open(options));
  Sample sample(*log);
  const auto begin = Clock::now();
  for (int64_t i = 0; i < count; ++i) {
    feedback::PredictionWriter& writer = log->writer(static_cast<size_t>(i / 64 % 2));
    check(writer.add(sample.record(i, base::system_clock().now())));
    if (i % 64 == 63) {
      check(writer.flush());
    }
  }
  check(log->writer(0).flush());
  check(log->writer(1).flush());
  fmt::print("predictions logged by one thread: {:.0f} per second, peak {:.0f} MiB\n",
             static_cast<double>(count) / seconds_since(begin), peak_mib());
  (void)log.release();  // Its end would close it in order; a killed process does not.
}

void measure_opening(const feedback::LogOptions& options, int64_t count) {
  const auto begin = Clock::now();
  auto log = check(feedback::Log::open(options));
  fmt::print("restart with {} predictions: {:.2f} s, peak {:.0f} MiB, {:.2f} GiB on disk\n", count,
             seconds_since(begin), peak_mib(),
             static_cast<double>(log->size_bytes()) / (1024.0 * 1024 * 1024));
  const auto looking = Clock::now();
  const int lookups = 1000;
  for (int i = 0; i < lookups; ++i) {
    check(log->find(kEndpoint, fmt::format("order-{}", i * 7919LL * 104'729 % count)));
  }
  fmt::print("one prediction by its id: {:.3f} ms\n", 1e3 * seconds_since(looking) / lookups);
}

void measure_joins(const feedback::LogOptions& options, int64_t count) {
  auto log = check(feedback::Log::open(options));
  const auto begin = Clock::now();
  constexpr int64_t kBatch = 5000;
  std::counting_semaphore<> in_flight(16);
  std::atomic<uint64_t> joined = 0;
  std::vector<std::string> ids(kBatch);
  std::vector<feedback::OutcomeRecord> outcomes(kBatch);
  for (int64_t first = 0; first < count; first += kBatch) {
    const auto size = static_cast<size_t>(std::min(kBatch, count - first));
    for (size_t i = 0; i < size; ++i) {
      // All numbers in an order without any: the factor is a prime.
      const auto number = (first + static_cast<int64_t>(i)) * 6'700'417 % count;
      ids[i] = "order-";
      base::append_number(ids[i], number);
      outcomes[i] = {ids[i], {.text = number % 3 == 0 ? "true" : "false"}, std::nullopt};
    }
    in_flight.acquire();
    log->add_outcomes(kEndpoint, kRule, std::span(outcomes).first(size),
                      [&](absl::StatusOr<feedback::OutcomeReceipt> receipt) {
                        joined += check(std::move(receipt)).joined;
                        in_flight.release();
                      });
  }
  for (int i = 0; i < 16; ++i) {
    in_flight.acquire();
  }
  fmt::print(
      "joins of {} predictions x {} outcomes in random order: {:.0f} per second, peak {:.0f} "
      "MiB, {:.1f} us of CPU each\n",
      joined.load(), count, static_cast<double>(count) / seconds_since(begin), peak_mib(),
      1e6 * process_cpu_seconds() / static_cast<double>(count));
}

void measure_commits(const feedback::LogOptions& options) {
  constexpr double kSeconds = 5;
  const std::string record(112, 'x');
  // The disk's own group commit: what all clients wait for, written and synced at once.
  const auto path = options.directory / "baseline";
  std::filesystem::create_directories(options.directory);
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  std::string group;
  for (int i = 0; i < kClients; ++i) {
    group += record;
  }
  int64_t groups = 0;
  for (const auto begin = Clock::now(); seconds_since(begin) < kSeconds; ++groups) {
    if (write(file, group.data(), group.size()) < 0 || fdatasync(file) != 0) {
      _exit(1);
    }
  }
  close(file);
  const double disk = static_cast<double>(groups * kClients) / kSeconds;

  // Each client sends its next outcome when the one before is acknowledged, as connections of an
  // event loop do.
  auto log = check(feedback::Log::open(options));
  std::atomic<int64_t> stored = 0;
  std::atomic<int> running = kClients;
  const auto begin = Clock::now();
  const std::function<void(int, int)> send = [&](int client, int number) {
    const std::string id = fmt::format("client-{}-{}", client, number);
    const feedback::OutcomeRecord outcome[] = {{id, {.text = "true"}, std::nullopt}};
    log->add_outcomes(kEndpoint, kRule, outcome, [&, client, number](auto receipt) {
      check(std::move(receipt));
      ++stored;
      if (seconds_since(begin) < kSeconds) {
        send(client, number + 1);
      } else {
        --running;
      }
    });
  };
  for (int client = 0; client < kClients; ++client) {
    send(client, 0);
  }
  while (running > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const double ours = static_cast<double>(stored) / seconds_since(begin);
  fmt::print(
      "outcomes on disk with {} clients: {:.0f} per second; the disk's own group commit: "
      "{:.0f} ({:.2f}x)\n",
      kClients, ours, disk, disk / ours);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "feedback_log DIRECTORY [PREDICTIONS]\n");
    return 2;
  }
  const std::filesystem::path directory = argv[1];
  const int64_t count = argc > 2 ? std::atoll(argv[2]) : 10'000'000;
  const auto in = [&](const char* name) {
    return cromford::feedback::LogOptions{.directory = directory / name, .writers = 2};
  };
  run([&] { measure_writing(in("writing")); });
  std::filesystem::remove_all(directory / "writing");
  run([&] { measure_commits(in("commits")); });
  run([&] { write_predictions(in("log"), count); });
  run([&] { measure_opening(in("log"), count); });
  run([&] { measure_joins(in("log"), count); });
  run([&] { measure_opening(in("log"), count); });
  std::filesystem::remove_all(directory);
  return 0;
}
