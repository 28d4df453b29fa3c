// The directory passes the contract, and keeps it when the disk does not do its part.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "store/objects_contract_test.h"
#include "testing/faulty_file_system.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::store {
namespace {

using ::cromford::testing::FaultyFileSystem;
using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

class DirectoryHarness final : public ObjectsHarness {
 public:
  DirectoryHarness() {
    auto opened = open_directory(directory_ / "objects");
    EXPECT_OK(opened);
    objects_ = std::move(*opened);
  }
  Objects& objects() override { return *objects_; }
  void damage(const base::ContentHash& hash) override {
    std::fstream file(*objects_->path_of(hash), std::ios::binary | std::ios::in | std::ios::out);
    file.put('!');
  }

 private:
  testing::TempDir directory_;
  std::unique_ptr<Objects> objects_;
};

INSTANTIATE_TEST_SUITE_P(Directory, ObjectsContract,
                         ::testing::Values([] { return std::make_unique<DirectoryHarness>(); }));

constexpr std::string_view kContent = "content that is not there before";

class DirectoryObjects : public ::testing::Test {
 protected:
  DirectoryObjects() {
    auto opened = open_directory(root_, files_);
    EXPECT_OK(opened);
    objects_ = std::move(*opened);
    EXPECT_OK(objects_->put_bytes("old"));
  }

  // Puts the content in one of three ways.
  absl::StatusOr<base::ContentHash> put(int way) {
    const auto source = directory_ / "source";
    std::ofstream(source) << kContent;
    return way == 0   ? objects_->put_bytes(kContent)
           : way == 1 ? objects_->put_file(source, Take::kCopy)
                      : objects_->put_file(source, Take::kMove);
  }

  // Nothing but the old object, and a source that is still there.
  void expect_untouched(int way) {
    files_.clear();
    ASSERT_OK_AND_ASSIGN(const auto objects, objects_->list());
    ASSERT_EQ(objects.size(), 1U);
    EXPECT_EQ(objects[0].hash, base::content_hash("old"));
    EXPECT_OK(objects_->verify(objects[0].hash));
    EXPECT_TRUE(std::filesystem::is_empty(root_ / "incoming"));
    EXPECT_TRUE(way == 0 || exists(directory_ / "source"));
  }

  testing::TempDir directory_;
  std::filesystem::path root_ = directory_ / "objects";
  FaultyFileSystem files_;
  std::unique_ptr<Objects> objects_;
};

TEST_F(DirectoryObjects, AFaultAtAnyOperationLeavesNothing) {
  using enum FaultyFileSystem::Operation;
  for (const int way : {0, 1, 2}) {
    int fault_count = 0;
    for (const auto operation : {kOpen, kWrite, kSync, kRename, kSyncDirectory}) {
      for (int n = 1; n < 20; ++n) {
        files_.fail(operation, n);
        const auto result = put(way);
        if (result.ok()) {
          files_.clear();
          ASSERT_OK(objects_->verify(*result));
          ASSERT_OK(objects_->remove(*result));
          break;
        }
        ++fault_count;
        EXPECT_THAT(result, StatusIs(absl::StatusCode::kInternal, HasSubstr("injected fault")));
        expect_untouched(way);
        EXPECT_EQ(*objects_->contains(base::content_hash(kContent)), false);
      }
    }
    EXPECT_GE(fault_count, 3) << way;
  }
}

TEST_F(DirectoryObjects, AFullDiskLeavesNothing) {
  for (const int way : {0, 1}) {
    for (uint64_t room = 0; room < kContent.size(); ++room) {
      files_.fill_up_after(room);
      EXPECT_THAT(put(way), StatusIs(absl::StatusCode::kResourceExhausted));
      expect_untouched(way);
    }
    files_.fill_up_after(kContent.size());
    ASSERT_OK_AND_ASSIGN(const base::ContentHash hash, put(way));
    EXPECT_OK(objects_->verify(hash));
    files_.clear();
    ASSERT_OK(objects_->remove(hash));
  }
}

TEST_F(DirectoryObjects, OpeningCleansUpAfterAnInterruptedPut) {
  std::ofstream(root_ / "incoming" / "7") << "half";
  ASSERT_OK_AND_ASSIGN(objects_, open_directory(root_, files_));
  EXPECT_TRUE(std::filesystem::is_empty(root_ / "incoming"));
  EXPECT_OK(objects_->verify(base::content_hash("old")));
}

TEST_F(DirectoryObjects, StrangeFilesAreNotObjects) {
  std::filesystem::create_directories(root_ / "ab");
  std::ofstream(root_ / "ab" / "README") << "x";
  std::ofstream(root_ / "stray") << "x";
  EXPECT_EQ(objects_->list()->size(), 1U);
}

TEST_F(DirectoryObjects, SyncsBeforeItAcknowledges) {
  files_.clear();
  ASSERT_OK(put(0));
  EXPECT_EQ(files_.count(FaultyFileSystem::Operation::kSync), 1);
  EXPECT_EQ(files_.count(FaultyFileSystem::Operation::kRename), 1);
  // The object's folder, and the folder of folders where it was new.
  EXPECT_EQ(files_.count(FaultyFileSystem::Operation::kSyncDirectory), 2);
}

TEST_F(DirectoryObjects, NamesADirectoryThatCannotBeMade) {
  std::ofstream(directory_ / "file") << "x";
  EXPECT_FALSE(open_directory(directory_ / "file" / "objects").ok());
}

}  // namespace
}  // namespace cromford::store
