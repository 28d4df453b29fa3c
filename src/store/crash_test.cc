// Kills a process that writes, at many moments, and counts what is left: everything that was
// acknowledged, and nothing that is half done.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "base/clock.h"
#include "store/metadata.h"
#include "store/objects.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::store {
namespace {

// Runs `write(0)`, `write(1)`, ... in a process of its own until it has acknowledged `kill_after`
// of them and is killed; gives how many were acknowledged at last.
int acknowledged_when_killed(int kill_after, const std::function<bool(int)>& write) {
  int ends[2];
  if (pipe(ends) != 0) {
    return -1;
  }
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    for (int i = 0; write(i); ++i) {
      if (::write(ends[1], "x", 1) != 1) {
        break;
      }
    }
    _exit(1);
  }
  close(ends[1]);
  int count = 0;
  char byte = 0;
  while (read(ends[0], &byte, 1) == 1) {
    if (++count == kill_after) {
      kill(child, SIGKILL);
    }
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? count : -1;
}

TEST(Crash, AcknowledgedCommitsSurvive) {
  for (const int kill_after : {1, 2, 7, 20, 60}) {
    const testing::TempDir directory;
    const auto file = directory / "cromford.db";
    std::unique_ptr<Metadata> child_store;
    const int acknowledged = acknowledged_when_killed(kill_after, [&](int i) {
      if (i == 0) {
        auto opened = open_sqlite(file, base::system_clock());
        if (!opened.ok()) {
          return false;
        }
        child_store = std::move(*opened);
      }
      const std::string body = fmt::format(R"({{"n":{},"pad":"{}"}})", i, std::string(3000, 'x'));
      return child_store
          ->commit({Write::put({"p", "left", std::to_string(i)}, body),
                    Write::put({"p", "right", std::to_string(i)}, body)})
          .ok();
    });
    ASSERT_GE(acknowledged, kill_after);
    ASSERT_OK_AND_ASSIGN(const auto store, open_sqlite(file, base::system_clock()));
    for (int i = 0; i < acknowledged; ++i) {
      EXPECT_OK(store->get({"p", "left", std::to_string(i)})) << i << " of " << acknowledged;
    }
    // Both halves of every commit, the unacknowledged last one too.
    const auto left = store->list({.kind = "left", .page_size = 1000});
    const auto right = store->list({.kind = "right", .page_size = 1000});
    EXPECT_EQ(left->documents.size(), right->documents.size());
    EXPECT_OK(store->commit({Write::put({"p", "left", "more"}, "{}")}));
  }
}

TEST(Crash, AcknowledgedObjectsSurvive) {
  const auto content = [](int i) {
    return fmt::format("object {} {}", i, std::string(100'000, static_cast<char>('a' + i % 26)));
  };
  for (const int kill_after : {1, 3, 10, 30}) {
    const testing::TempDir directory;
    std::unique_ptr<Objects> child_store;
    const int acknowledged = acknowledged_when_killed(kill_after, [&](int i) {
      if (i == 0) {
        auto opened = open_directory(directory / "objects");
        if (!opened.ok()) {
          return false;
        }
        child_store = std::move(*opened);
      }
      return child_store->put_bytes(content(i)).ok();
    });
    ASSERT_GE(acknowledged, kill_after);
    ASSERT_OK_AND_ASSIGN(const auto store, open_directory(directory / "objects"));
    for (int i = 0; i < acknowledged; ++i) {
      EXPECT_OK(store->verify(base::content_hash(content(i)))) << i << " of " << acknowledged;
    }
    ASSERT_OK_AND_ASSIGN(const auto objects, store->list());
    EXPECT_GE(objects.size(), static_cast<size_t>(acknowledged));
    for (const ObjectInfo& object : objects) {
      EXPECT_OK(store->verify(object.hash));  // Also the last one, acknowledged or not.
    }
  }
}

}  // namespace
}  // namespace cromford::store
