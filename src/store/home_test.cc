#include "store/home.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "store/metadata.h"
#include "testing/faulty_file_system.h"
#include "testing/simulated_clock.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::store {
namespace {

namespace fs = std::filesystem;
using ::cromford::testing::FaultyFileSystem;
using ::cromford::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

class HomeTest : public ::testing::Test {
 protected:
  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  // A home as a stopped server leaves it.
  void make_home() {
    ASSERT_OK_AND_ASSIGN(const auto home, Home::open(root_));
    testing::SimulatedClock clock;
    ASSERT_OK(open_sqlite(home->database(), clock));
  }

  testing::TempDir directory_;
  fs::path root_ = directory_ / "home";
};

TEST_F(HomeTest, MakesTheLayout) {
  ASSERT_OK_AND_ASSIGN(const auto home, Home::open(directory_ / "a" / "b" / ""));
  EXPECT_EQ(home->root(), directory_ / "a" / "b");
  for (const fs::path& path : {home->objects(), home->log(), home->run(), home->tmp()}) {
    EXPECT_TRUE(fs::is_directory(path)) << path;
    EXPECT_EQ(path.parent_path(), home->root());
  }
  EXPECT_EQ(home->database(), home->root() / "cromford.db");
  EXPECT_EQ(fs::status(home->root()).permissions(), fs::perms::owner_all);
}

TEST_F(HomeTest, OpensAgainAndEmptiesTmp) {
  make_home();
  write(root_ / "tmp" / "upload", "half");
  write(root_ / "run" / "server.json", R"({"http":"127.0.0.1:1"})");
  write(root_ / "objects" / "keep", "x");
  ASSERT_OK_AND_ASSIGN(const auto home, Home::open(root_));
  EXPECT_TRUE(fs::is_empty(home->tmp()));
  EXPECT_FALSE(fs::exists(home->server_file()));
  EXPECT_TRUE(fs::exists(root_ / "objects" / "keep"));
}

TEST_F(HomeTest, HasOneOwner) {
  ASSERT_OK_AND_ASSIGN(auto home, Home::open(root_));
  write(home->tmp() / "running", "x");
  EXPECT_THAT(Home::open(root_),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       AllOf(HasSubstr(root_.string()),
                             HasSubstr(fmt::format("in use by process {}", getpid())))));
  ASSERT_OK(home->announce(R"({"http":"127.0.0.1:7040","token":"t","pid":1})"));
  const auto second = Home::open(root_);
  EXPECT_THAT(second, StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("at 127.0.0.1:7040")));
  EXPECT_THAT(base::remedy(second.status()), HasSubstr("--home"));
  EXPECT_TRUE(fs::exists(home->tmp() / "running"));  // The refused one has touched nothing.
  EXPECT_TRUE(fs::exists(home->server_file()));
  home.reset();
  EXPECT_FALSE(fs::exists(root_ / "run" / "server.json"));
  EXPECT_OK(Home::open(root_));
}

TEST_F(HomeTest, TheLockOfAKilledProcessIsFree) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto home = Home::open(root_);
    (void)!::write(ends[1], home.ok() ? "y" : "n", 1);
    pause();
    _exit(0);
  }
  char answer = 0;
  ASSERT_EQ(read(ends[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_THAT(Home::open(root_), StatusIs(absl::StatusCode::kAlreadyExists,
                                          HasSubstr(fmt::format("process {}", child))));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_OK(Home::open(root_));
  close(ends[0]);
  close(ends[1]);
}

TEST_F(HomeTest, AnAnnouncementIsPrivate) {
  ASSERT_OK_AND_ASSIGN(const auto home, Home::open(root_));
  ASSERT_OK(home->announce("{}"));
  EXPECT_EQ(fs::status(home->server_file()).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(HomeTest, RefusesANewerFormat) {
  make_home();
  write(root_ / "format", "cromford home 2\n");
  EXPECT_THAT(Home::open(root_), StatusIs(absl::StatusCode::kFailedPrecondition,
                                          HasSubstr("has format 2, and this program knows")));
}

TEST_F(HomeTest, RefusesADirectoryOfSomebodyElse) {
  fs::create_directories(root_);
  write(root_ / "thesis.tex", "x");
  EXPECT_THAT(Home::open(root_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("thesis.tex"), HasSubstr("no Cromford"))));
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 1);
}

TEST_F(HomeTest, RefusesAFileAndNoName) {
  write(root_, "x");
  EXPECT_THAT(Home::open(root_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is a file")));
  EXPECT_THAT(Home::open(""), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no name")));
  EXPECT_FALSE(Home::open(root_ / "below").ok());
}

TEST_F(HomeTest, APlaceWhereNothingCanBeMadeIsAFailure) {
  const auto home = Home::open("/proc/nope", base::system_files());
  EXPECT_THAT(home, StatusIs(absl::StatusCode::kInternal, HasSubstr("cannot be made a home")));
  EXPECT_THAT(base::remedy(home.status()), HasSubstr("--home"));
}

TEST_F(HomeTest, NamesWhatIsDamaged) {
  const auto expect_damage = [&](const std::string& what) {
    EXPECT_THAT(Home::open(root_), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(what)));
    fs::remove_all(root_);
  };
  make_home();
  write(root_ / "format", "???");
  expect_damage("format is not readable");

  make_home();
  fs::remove(root_ / "format");
  expect_damage("no file 'format'");

  make_home();
  fs::remove_all(root_ / "objects");
  expect_damage("lost its folder 'objects'");

  make_home();
  fs::create_directories(root_ / "objects" / "ab");
  fs::remove(root_ / "cromford.db");
  expect_damage("lost its file 'cromford.db'");

  make_home();
  fs::create_directories(root_ / "objects" / "ab");
  fs::resize_file(root_ / "cromford.db", 0);
  expect_damage("lost its file 'cromford.db'");
}

TEST_F(HomeTest, LetsNobodyElseIn) {
  fs::create_directories(root_);
  fs::permissions(root_, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  ASSERT_OK_AND_ASSIGN(const auto home, Home::open(root_));
  const auto others = fs::perms::group_all | fs::perms::others_all;
  for (const std::string name : {"objects", "log", "tmp", "run", "cromford.db"}) {
    EXPECT_EQ(fs::status(root_ / name).permissions() & others, fs::perms::none) << name;
  }
}

TEST_F(HomeTest, AnInterruptedStartIsFinishedByTheNext) {
  FaultyFileSystem files;
  for (const auto operation :
       {FaultyFileSystem::Operation::kOpen, FaultyFileSystem::Operation::kWrite,
        FaultyFileSystem::Operation::kSync, FaultyFileSystem::Operation::kRename,
        FaultyFileSystem::Operation::kSyncDirectory}) {
    for (int n = 1; n < 20; ++n) {
      files.fail(operation, n);
      const bool done = Home::open(root_, files).ok();
      files.clear();
      EXPECT_OK(Home::open(root_));
      fs::remove_all(root_);
      if (done) {
        break;
      }
      EXPECT_LT(n, 19);
    }
  }
}

TEST_F(HomeTest, CopyingAStoppedHomeMovesTheFactory) {
  testing::SimulatedClock clock;
  {
    ASSERT_OK_AND_ASSIGN(const auto home, Home::open(root_));
    ASSERT_OK_AND_ASSIGN(const auto metadata, open_sqlite(home->database(), clock));
    ASSERT_OK(metadata->commit({Write::put({"p", "k", "n"}, R"({"x":1})")}));
  }
  fs::copy(root_, directory_ / "copy", fs::copy_options::recursive);
  ASSERT_OK_AND_ASSIGN(const auto home, Home::open(directory_ / "copy"));
  ASSERT_OK_AND_ASSIGN(const auto metadata, open_sqlite(home->database(), clock));
  EXPECT_EQ(metadata->get({"p", "k", "n"})->body, R"({"x":1})");
}

}  // namespace
}  // namespace cromford::store
