#include "base/file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "base/mapped_file.h"
#include "testing/faulty_file_system.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::base {
namespace {

using ::testing::ElementsAre;
using testing::FaultyFileSystem;
using ::testing::HasSubstr;
using testing::StatusIs;
using Operation = FaultyFileSystem::Operation;

TEST(FileSystemTest, FilesAreWrittenAppendedReadAndRemoved) {
  const testing::TempDir directory;
  FileSystem& files = system_files();
  const auto path = directory / "a" / "b" / "file";
  EXPECT_THAT(files.open_write(path),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(path.native())));
  ASSERT_OK(files.create_directories(path.parent_path()));
  ASSERT_OK(files.create_directories(path.parent_path()));
  {
    ASSERT_OK_AND_ASSIGN(const auto file, files.open_write(path));
    ASSERT_OK(file->write("one"));
    ASSERT_OK(file->sync());
    ASSERT_OK(file->close());
  }
  {
    ASSERT_OK_AND_ASSIGN(const auto file, files.open_append(path));
    ASSERT_OK(file->write(" two"));
  }
  EXPECT_EQ(*files.read(path), "one two");
  EXPECT_EQ(*files.size(path), 7U);
  EXPECT_THAT(files.read(path, 6),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("6 B")));
  EXPECT_EQ(*files.read(path, 7), "one two");
  ASSERT_OK(files.sync_file(path));
  ASSERT_OK(files.sync_directory(path.parent_path()));
  ASSERT_OK(files.rename(path, directory / "moved"));
  EXPECT_FALSE(files.exists(path));
  EXPECT_TRUE(files.exists(directory / "moved"));
  EXPECT_THAT(*files.list(directory.path()), ElementsAre("a", "moved"));
  ASSERT_OK(files.truncate(directory / "moved", 3));
  EXPECT_EQ(*files.read(directory / "moved"), "one");
  ASSERT_OK(files.remove(directory / "moved"));
  EXPECT_THAT(files.remove(directory / "moved"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(*files.remove_all(directory / "a"), 2U);
  EXPECT_EQ(*files.remove_all(directory / "a"), 0U);
  EXPECT_GT(*files.free_bytes(directory.path()), 0U);
}

TEST(FileSystemTest, ErrorsNameThePathAndHaveTheirCode) {
  const testing::TempDir directory;
  FileSystem& files = system_files();
  const auto missing = directory / "missing";
  EXPECT_THAT(files.read(missing), StatusIs(absl::StatusCode::kNotFound, HasSubstr("missing")));
  EXPECT_THAT(files.size(missing), StatusIs(absl::StatusCode::kNotFound, HasSubstr("missing")));
  EXPECT_THAT(files.list(missing), StatusIs(absl::StatusCode::kNotFound, HasSubstr("missing")));
  EXPECT_THAT(files.rename(missing, directory / "x"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(files.sync_directory(missing), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(files.truncate(missing, 0), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(files.free_bytes(missing), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(files.read(directory.path()), StatusIs(absl::StatusCode::kInternal));
  ASSERT_OK(write_atomically(files, directory / "file", "x"));
  EXPECT_THAT(files.create_directories(directory / "file" / "x"), ::testing::Not(testing::IsOk()));
  EXPECT_THAT(errno_status(EACCES, "open", "/x"),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       std::string("cannot open /x: Permission denied")));
  EXPECT_THAT(errno_status(ENOSPC, "write", "/x"), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(errno_status(EEXIST, "make", "/x"), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(errno_status(EIO, "read", "/x"), StatusIs(absl::StatusCode::kInternal));
}

TEST(FileSystemTest, AWriteToAFullDeviceFails) {
  if (!system_files().exists("/dev/full")) {
    GTEST_SKIP() << "there is no /dev/full";
  }
  ASSERT_OK_AND_ASSIGN(const auto file, system_files().open_append("/dev/full"));
  EXPECT_THAT(file->write("x"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("No space left")));
}

TEST(FileSystemTest, PrivateFilesAreForTheirOwnerOnly) {
  const testing::TempDir directory;
  const auto mode = [&](const char* name) {
    struct stat information{};
    EXPECT_EQ(::stat((directory / name).c_str(), &information), 0);
    return information.st_mode & 0777U;
  };
  ASSERT_OK(write_atomically(system_files(), directory / "token", "x", Privacy::kPrivate));
  EXPECT_EQ(mode("token"), 0600U);
  ASSERT_OK(write_atomically(system_files(), directory / "shared", "x"));
  EXPECT_EQ(mode("shared") & 0600U, 0600U);
}

TEST(FileSystemTest, AnAtomicWriteLeavesTheOldOrTheNewWhereverItFails) {
  const testing::TempDir directory;
  FaultyFileSystem files;
  const auto path = directory / "file";
  ASSERT_OK(write_atomically(files, path, "old"));
  for (const Operation operation :
       {Operation::kOpen, Operation::kWrite, Operation::kSync, Operation::kRename}) {
    files.clear();
    files.fail(operation, 1);
    EXPECT_FALSE(write_atomically(files, path, "new").ok());
    EXPECT_EQ(*system_files().read(path), "old");
    EXPECT_THAT(*system_files().list(directory.path()), ElementsAre("file"));
  }
  files.clear();
  files.fill_up_after(2);
  EXPECT_THAT(write_atomically(files, path, "new"), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(*system_files().read(path), "old");
  files.clear();
  files.fail(Operation::kSyncDirectory, 1);
  EXPECT_FALSE(write_atomically(files, path, "new").ok());
  EXPECT_EQ(*system_files().read(path), "new");
}

TEST(MappedFileTest, AFileIsSeenAsMemory) {
  const testing::TempDir directory;
  ASSERT_OK(write_atomically(system_files(), directory / "file", "content"));
  ASSERT_OK_AND_ASSIGN(MappedFile file, MappedFile::open(directory / "file"));
  EXPECT_EQ(file.text(), "content");
  EXPECT_EQ(file.bytes().size(), 7U);
  MappedFile moved = std::move(file);
  EXPECT_EQ(moved.text(), "content");
  ASSERT_OK(write_atomically(system_files(), directory / "empty", ""));
  ASSERT_OK_AND_ASSIGN(moved, MappedFile::open(directory / "empty"));
  EXPECT_TRUE(moved.bytes().empty());
}

TEST(MappedFileTest, WhatCannotBeMappedIsAnError) {
  const testing::TempDir directory;
  EXPECT_THAT(MappedFile::open(directory / "missing"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(MappedFile::open(directory.path()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
}

}  // namespace
}  // namespace cromford::base
