// The fixtures themselves are tested too: a fault that is not injected proves nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "base/file_system.h"
#include "base/status.h"
#include "testing/data.h"
#include "testing/faulty_file_system.h"
#include "testing/simulated_clock.h"
#include "testing/simulated_entropy.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Operation = FaultyFileSystem::Operation;

TEST(SimulatedClockTest, TimePassesOnlyWhenItIsTold) {
  SimulatedClock clock;
  const base::Time start = clock.now();
  const auto monotonic = clock.monotonic();
  EXPECT_EQ(base::format_time(start), "2026-01-01T00:00:00Z");
  clock.advance(std::chrono::hours(24 * 31));
  EXPECT_EQ(base::format_time(clock.now()), "2026-02-01T00:00:00Z");
  clock.jump(-std::chrono::hours(1));
  EXPECT_EQ(base::format_time(clock.now()), "2026-01-31T23:00:00Z");
  EXPECT_EQ(clock.monotonic() - monotonic, std::chrono::hours(24 * 31));
}

TEST(SimulatedEntropyTest, TheSameSeedGivesTheSameBytes) {
  std::array<std::byte, 16> first{};
  std::array<std::byte, 16> second{};
  std::array<std::byte, 16> other{};
  SimulatedEntropy(7).fill(first);
  SimulatedEntropy(7).fill(second);
  SimulatedEntropy(8).fill(other);
  EXPECT_EQ(first, second);
  EXPECT_NE(first, other);
}

TEST(TempDirTest, ItGoesWithItsContent) {
  std::filesystem::path path;
  {
    const TempDir directory;
    path = directory.path();
    std::filesystem::create_directories(directory / "a" / "b");
    std::ofstream(directory / "a" / "file") << "x";
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(FaultyFileSystemTest, TheNthWriteFailsHalfWay) {
  const TempDir directory;
  FaultyFileSystem files;
  ASSERT_OK_AND_ASSIGN(const auto file, files.open_write(directory / "file"));
  files.fail(Operation::kWrite, 2);
  EXPECT_OK(file->write("first "));
  EXPECT_THAT(file->write("second"),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("injected fault")));
  EXPECT_FALSE(file->write("third").ok());
  EXPECT_EQ(files.count(Operation::kWrite), 3);
  EXPECT_EQ(*files.read(directory / "file", 100), "first secth");
  files.clear();
  EXPECT_OK(file->write("fourth"));
  EXPECT_OK(file->close());
}

TEST(FaultyFileSystemTest, ADiskFillsUp) {
  const TempDir directory;
  FaultyFileSystem files;
  ASSERT_OK_AND_ASSIGN(const auto file, files.open_append(directory / "file"));
  files.fill_up_after(5);
  EXPECT_OK(file->write("abc"));
  EXPECT_THAT(file->write("def"), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(*files.read(directory / "file", 100), "abcde");
}

TEST(FaultyFileSystemTest, EveryOperationCanFailAndElseDoesItsWork) {
  const TempDir directory;
  FaultyFileSystem files;
  const auto path = directory / "file";
  ASSERT_OK(base::write_atomically(files, path, "x"));
  const std::initializer_list<std::pair<Operation, std::function<absl::Status()>>> operations{
      {Operation::kOpen, [&] { return files.open_write(path).status(); }},
      {Operation::kOpen, [&] { return files.open_private(path).status(); }},
      {Operation::kOpen, [&] { return files.open_append(path).status(); }},
      {Operation::kRead, [&] { return files.read(path, 100).status(); }},
      {Operation::kSync, [&] { return files.sync_file(path); }},
      {Operation::kSyncDirectory, [&] { return files.sync_directory(directory.path()); }},
      {Operation::kTruncate, [&] { return files.truncate(path, 1); }},
      {Operation::kRename, [&] { return files.rename(path, path); }},
      {Operation::kRemove, [&] { return files.remove_all(directory / "none").status(); }},
      {Operation::kRemove, [&] { return files.remove(path); }},
  };
  for (const auto& [operation, act] : operations) {
    files.clear();
    files.fail(operation, 1);
    EXPECT_THAT(act(), StatusIs(absl::StatusCode::kInternal, HasSubstr("injected fault")));
    files.clear();
    EXPECT_OK(act());
  }
  EXPECT_FALSE(files.exists(path));
  EXPECT_OK(files.create_directories(directory / "d"));
  EXPECT_EQ(files.list(directory.path())->size(), 1U);
  EXPECT_OK(files.free_bytes(directory.path()));
  EXPECT_FALSE(files.size(path).ok());
}

TEST(DataTest, WhatIsAbsentIsSaidAndWhatIsThereIsFound) {
  const TempDir directory;
  std::filesystem::create_directories(directory / "data" / "adult");
  EXPECT_TRUE(find_shared_data(directory.path().native(), "adult").has_value());
  EXPECT_FALSE(find_shared_data(directory.path().native(), "iris").has_value());
  EXPECT_FALSE(find_shared_data("", "adult").has_value());
  EXPECT_TRUE(std::filesystem::exists(flights_file())) << flights_file();
}

TEST(StatusMatchersTest, TheyLookAtCodeAndMessage) {
  const absl::Status status = base::not_found("no flights", "add some");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, HasSubstr("flights")));
  EXPECT_THAT(status, Not(StatusIs(absl::StatusCode::kNotFound, HasSubstr("trains"))));
  EXPECT_THAT(status, Not(StatusIs(absl::StatusCode::kInternal)));
  EXPECT_THAT(absl::StatusOr<int>(7), IsOk());
  EXPECT_THAT(absl::StatusOr<int>(status), Not(IsOk()));
  EXPECT_EQ(::testing::PrintToString(1), "1");
  const ::testing::Matcher<absl::Status> matcher = StatusIs(absl::StatusCode::kInternal);
  ::testing::StringMatchResultListener listener;
  EXPECT_FALSE(matcher.MatchAndExplain(status, &listener));
  EXPECT_EQ(listener.str(), "which is NOT_FOUND: no flights (add some)");
}

}  // namespace
}  // namespace cromford::testing
