// Kills a real server (test_programs.h) after its n-th event, for every n, lets the next one finish
// the work, and counts what is there.

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/json.h"
#include "base/process.h"
#include "flow/job.h"
#include "flow/pipeline_runner.h"
#include "flow/test_programs.h"
#include "store/metadata.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::flow {
namespace {

using Path = std::filesystem::path;

// Starts the server and kills it after its n-th line (0: never); whether it came to its end.
bool run_server(std::string_view program, const Path& home, size_t n) {
  std::mutex mutex;
  size_t lines = 0;
  base::ChildProcess* child = nullptr;
  base::ProcessOptions options;
  options.argv = test_server_command(program, home.native());
  options.stderr_file = home / "stderr";
  std::unique_lock lock(mutex);
  const auto server = base::ChildProcess::spawn(options, [&](std::string_view) {
    const std::lock_guard line_lock(mutex);
    if (++lines == n) {
      ::kill(child->pid(), SIGKILL);
    }
  });
  EXPECT_OK(server);
  child = server->get();
  lock.unlock();
  return (*server)->wait().succeeded();
}

using Check = std::function<void(const Path& home, store::Metadata& metadata)>;

void kill_at_every_event(std::string_view program, const Check& check) {
  for (size_t n = 1; n < 200; ++n) {
    SCOPED_TRACE("killed after event " + std::to_string(n));
    const testing::TempDir home;
    const bool survived = run_server(program, home.path(), n);
    ASSERT_TRUE(run_server(program, home.path(), 0))
        << base::system_files().read(home / "stderr").value_or("");
    ASSERT_OK_AND_ASSIGN(const auto metadata,
                         store::open_sqlite(home / "test.db", base::system_clock()));
    check(home.path(), *metadata);
    if (survived) {
      return;
    }
  }
  FAIL() << "the server never came to its end";
}

TEST(CrashTest, EveryJobIsDoneOnce) {
  kill_at_every_event("server", [](const Path& home, store::Metadata& metadata) {
    ASSERT_OK_AND_ASSIGN(const store::DocumentPage page,
                         metadata.list({.project = {}, .kind = "job"}));
    EXPECT_EQ(page.documents.size(), 4U);
    for (const store::Document& document : page.documents) {
      ASSERT_OK_AND_ASSIGN(const Job job, from_document(document.body));
      EXPECT_EQ(job.state, JobState::kSucceeded);
      EXPECT_EQ(*base::system_files().read(home / "effects" / job.id), job.payload);
    }
    EXPECT_EQ(base::system_files().list(home / "effects")->size(), 4U);
  });
}

TEST(CrashTest, EveryStepOfAPipelineIsDoneOnce) {
  kill_at_every_event("pipeline", [](const Path& home, store::Metadata& metadata) {
    // The pipeline itself, and one job for each of two steps: none was submitted twice.
    ASSERT_OK_AND_ASSIGN(const store::DocumentPage page,
                         metadata.list({.project = {}, .kind = "job"}));
    EXPECT_EQ(page.documents.size(), 3U);
    ASSERT_OK_AND_ASSIGN(const base::Json history,
                         pipeline_history(metadata, "default", "line", {}));
    ASSERT_EQ(history["runs"].size(), 1U);
    EXPECT_EQ(history["runs"][0]["state"], "succeeded");
    for (const base::Json& step : history["runs"][0]["steps"]) {
      EXPECT_EQ(step["state"], "succeeded");
    }
    EXPECT_EQ(*base::system_files().read(home / "effects" / "deployed"),
              R"({"dataset":{"echo":{"step":"dataset"}},"train":{"echo":{"step":"train"}}})");
  });
}

}  // namespace
}  // namespace cromford::flow
