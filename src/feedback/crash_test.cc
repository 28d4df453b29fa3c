// Kills a process that logs predictions and outcomes at full load, at random moments, a hundred
// times over the same log, and counts what is left: every acknowledged record, each once.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <thread>

#include "base/random.h"
#include "feedback/log_fixture_test.h"

namespace cromford::feedback {
namespace {

// CROMFORD_KILLS=1000 for the long version.
int kill_count() {
  const char* const count = std::getenv("CROMFORD_KILLS");
  return count == nullptr ? 100 : std::atoi(count);
}

constexpr size_t kWriters = 2;
constexpr size_t kClients = 3;
constexpr int64_t kAllMax = 10'000;

// What a killed process acknowledged: one byte of a pipe for each, which outlives it.
struct Acknowledged {
  std::array<int64_t, kWriters> predictions{};
  std::array<int64_t, kClients> outcomes{};
};

std::string id_of(int round, size_t writer, int64_t number) {
  return fmt::format("r{}-w{}-{}", round, writer, number);
}

class CrashTest : public LogFixture {
 protected:
  CrashTest() {
    options.writers = kWriters;
    options.segment_bytes = 256U << 10;  // Often closed, so that a kill meets that too.
    options.files = &base::system_files();
    options.clock = &base::system_clock();
    options.background = true;
  }

  // In even rounds all write as fast as they can; in odd ones each outcome follows its prediction,
  // so that the disk's syncs do not hide behind the predictions.
  [[noreturn]] void work(int round, int acknowledge) {
    open();
    const bool in_step = round % 2 == 1;
    std::vector<std::thread> threads;
    for (size_t writer = 0; writer < kWriters; ++writer) {
      threads.emplace_back([this, round, writer, acknowledge, in_step] {
        for (int64_t i = 0;; ++i) {
          acknowledged_or_exit(predict(id_of(round, writer, i), writer), acknowledge, writer);
          if (in_step) {
            tell(round, writer, i, acknowledge);
          }
        }
      });
    }
    for (size_t client = in_step ? kWriters : 0; client < kClients; ++client) {
      threads.emplace_back([this, round, client, acknowledge] {
        for (int64_t i = 0;; ++i) {
          tell(round, client, i, acknowledge);
        }
      });
    }
    pause();
    _exit(4);
  }

  void tell(int round, size_t client, int64_t number, int acknowledge) {
    acknowledged_or_exit(
        outcome(id_of(round, client, number), number % 3 == 0 ? "true" : "false").status(),
        acknowledge, kWriters + client);
  }

  static void acknowledged_or_exit(const absl::Status& status, int pipe, size_t who) {
    if (!status.ok()) {
      _exit(3);
    }
    say(pipe, static_cast<char>(who));
  }

  static void say(int pipe, char who) {
    if (write(pipe, &who, 1) != 1) {
      _exit(5);
    }
  }

  // Lets a child work until it has acknowledged `kill_after` outcomes, or many predictions, and
  // kills it.
  Acknowledged run_and_kill(int round, int64_t kill_after) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      work(round, ends[1]);
    }
    close(ends[1]);
    Acknowledged acknowledged;
    std::array<char, 4096> who{};
    int64_t count = 0;
    int64_t all = 0;
    for (ssize_t size = 0; (size = read(ends[0], who.data(), who.size())) > 0;) {
      for (ssize_t i = 0; i < size; ++i) {
        const auto from = static_cast<size_t>(who[static_cast<size_t>(i)]);
        ++(from < kWriters ? acknowledged.predictions[from]
                           : acknowledged.outcomes[from - kWriters]);
        count += from < kWriters ? 0 : 1;
      }
      all += size;
      if (count >= kill_after || all >= kAllMax) {
        kill(child, SIGKILL);
      }
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    return acknowledged;
  }

  // The first and the last that were acknowledged: what a kill takes, it takes from the end.
  void check(int round, const Acknowledged& acknowledged) {
    constexpr int64_t kFirst = 20;
    constexpr int64_t kLast = 200;
    for (size_t writer = 0; writer < kWriters; ++writer) {
      const int64_t count = acknowledged.predictions[writer];
      for (int64_t i = 0; i < count; ++i) {
        i = i == kFirst ? std::max(i, count - kLast) : i;
        ASSERT_OK(log->find(kLate, id_of(round, writer, i)));
      }
    }
  }
};

TEST_F(CrashTest, NothingAcknowledgedIsLostAndNothingIsThereTwice) {
  const int kills = kill_count();
  base::Random random(11);
  std::vector<Acknowledged> all;
  for (int round = 0; round < kills; ++round) {
    all.push_back(run_and_kill(round, 1 + static_cast<int64_t>(random.below(25))));
  }
  options.background = false;
  open();
  EXPECT_TRUE(log->recovery().faults.empty());
  int64_t predictions = 0;
  int64_t outcomes = 0;
  for (int round = 0; round < kills; ++round) {
    check(round, all[static_cast<size_t>(round)]);
    for (const int64_t count : all[static_cast<size_t>(round)].predictions) {
      predictions += count;
    }
    for (const int64_t count : all[static_cast<size_t>(round)].outcomes) {
      outcomes += count;
    }
  }
  const EndpointStatistics counts = statistics();
  EXPECT_EQ(counts.duplicates, 0U);
  EXPECT_EQ(counts.corrections, 0U);
  // One of each thread may have been stored without being acknowledged.
  const auto told = static_cast<int64_t>(counts.joined + counts.waiting);
  EXPECT_GE(told, outcomes);
  EXPECT_LE(told, outcomes + int64_t{kills} * static_cast<int64_t>(kClients));
  const auto logged = static_cast<int64_t>(counts.predictions);
  EXPECT_GE(logged, predictions);
  EXPECT_LE(logged, predictions + int64_t{kills} * static_cast<int64_t>(kWriters));
  fmt::print("{} kills, {} predictions and {} outcomes acknowledged\n", kills, predictions,
             outcomes);
}

}  // namespace
}  // namespace cromford::feedback
