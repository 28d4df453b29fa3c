#include "feedback/index.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/random.h"
#include "testing/faulty_file_system.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::feedback {
namespace {

using ::testing::SizeIs;
using testing::StatusIs;

class IndexTest : public ::testing::Test {
 protected:
  IndexTest() { files.skip_syncs(); }

  absl::StatusOr<std::shared_ptr<const IndexFile>> write(std::vector<IndexEntry> entries,
                                                         uint32_t segment) {
    std::sort(entries.begin(), entries.end(), before);
    return write_index(
        files, directory / std::to_string(segment),
        {.segments = {segment}, .count_max = entries.size()},
        [&](const IndexSink& sink) { std::for_each(entries.begin(), entries.end(), sink); });
  }
  std::vector<IndexEntry> random_entries(uint32_t segment, size_t count) {
    std::vector<IndexEntry> entries;
    for (uint32_t i = 0; i < count; ++i) {
      // Few of them, so that some are there several times; and the ends of the range.
      const uint64_t pick = random.below(count);
      const uint64_t fingerprint = pick == 0   ? 0
                                   : pick == 1 ? UINT64_MAX
                                               : pick * (UINT64_MAX / count);
      entries.push_back(
          {fingerprint, static_cast<int64_t>(i), static_cast<int64_t>(i) * 2, segment, i});
    }
    return entries;
  }
  static std::vector<IndexEntry> sorted(std::vector<IndexEntry> entries) {
    std::sort(entries.begin(), entries.end(), before);
    return entries;
  }

  testing::TempDir directory;
  testing::FaultyFileSystem files;
  base::Random random{7};
};

TEST_F(IndexTest, FindsWhatAPlainMapFindsWhereverItLies) {
  Index index;
  std::map<uint64_t, std::vector<IndexEntry>> model;
  for (uint32_t segment = 1; segment <= 12; ++segment) {
    for (const IndexEntry& entry : random_entries(segment, random.below(300) + 1)) {
      index.insert(entry);
      model[entry.fingerprint].push_back(entry);
    }
    if (segment % 3 != 0) {
      ASSERT_OK_AND_ASSIGN(auto file, write(index.table_entries(segment), segment));
      index.replace_tables(std::vector{segment}, file);
    }
    const Index::Files due = index.due_for_merge();
    if (!due.empty()) {
      ASSERT_THAT(due, SizeIs(4));
      uint64_t count = 0;
      for (const auto& file : due) {
        count += file->count();
      }
      ASSERT_OK_AND_ASSIGN(auto merged,
                           write_index(files, directory / fmt::format("m{}", segment),
                                       {.segments = {1, 2}, .count_max = count, .level = 1},
                                       [&](const IndexSink& sink) {
                                         merge_entries(due, [](uint32_t) { return true; }, sink);
                                       }));
      EXPECT_EQ(merged->count(), count);
      EXPECT_OK(merged->check());
      index.replace_files(due, merged);
    }
  }
  EXPECT_LT(index.files().size(), 8U);
  for (const auto& [fingerprint, entries] : model) {
    std::vector<IndexEntry> found;
    index.find(fingerprint, found);
    EXPECT_EQ(sorted(found), sorted(entries));
    found.clear();
    index.find(fingerprint + 1, found);
    EXPECT_EQ(found.size(), model.contains(fingerprint + 1) ? model[fingerprint + 1].size() : 0);
  }
}

TEST_F(IndexTest, MergeLeavesOutSegmentsThatAreGone) {
  ASSERT_OK_AND_ASSIGN(const auto one, write(random_entries(1, 50), 1));
  ASSERT_OK_AND_ASSIGN(const auto two, write(random_entries(2, 70), 2));
  size_t count = 0;
  merge_entries(
      std::vector{one, two}, [](uint32_t segment) { return segment == 2; },
      [&](const IndexEntry& entry) {
        EXPECT_EQ(entry.segment, 2U);
        ++count;
      });
  EXPECT_EQ(count, 70U);
}

TEST_F(IndexTest, EmptyIndexIsOne) {
  ASSERT_OK_AND_ASSIGN(const auto file, write({}, 1));
  std::vector<IndexEntry> found;
  file->find(0, found);
  file->find(UINT64_MAX, found);
  EXPECT_THAT(found, SizeIs(0));
}

TEST_F(IndexTest, DamageIsSeenAtEveryBit) {
  ASSERT_OK_AND_ASSIGN(const auto file, write(random_entries(1, 20), 1));
  const std::string bytes = *files.read(file->path(), 1U << 20);
  for (size_t i = 0; i < bytes.size() * 8; ++i) {
    std::string flipped = bytes;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
    ASSERT_OK(base::write_atomically(files, directory / "flipped", flipped));
    const auto read = IndexFile::open(directory / "flipped");
    EXPECT_TRUE(!read.ok() || !(*read)->check().ok()) << i;
  }
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_OK(base::write_atomically(files, directory / "cut", bytes.substr(0, size)));
    EXPECT_THAT(IndexFile::open(directory / "cut"), StatusIs(absl::StatusCode::kDataLoss));
  }
}

TEST_F(IndexTest, FailedWriteLeavesNothing) {
  using Operation = testing::FaultyFileSystem::Operation;
  for (const Operation operation :
       {Operation::kOpen, Operation::kWrite, Operation::kSync, Operation::kRename}) {
    files.clear();
    files.fail(operation, 1);
    EXPECT_FALSE(write(random_entries(1, 20), 1).ok());
    EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  }
}

}  // namespace
}  // namespace cromford::feedback
