#include "store/objects_contract_test.h"

#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "testing/status_matchers.h"

namespace cromford::store {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

std::filesystem::path ObjectsContract::file(const std::string& name, const std::string& content) {
  std::filesystem::path path = directory_ / name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

std::string ObjectsContract::content(const base::ContentHash& hash) {
  const auto path = objects().path_of(hash);
  if (!path.ok()) {
    return base::describe(path.status());
  }
  std::ostringstream text;
  text << std::ifstream(*path, std::ios::binary).rdbuf();
  return text.str();
}

TEST_P(ObjectsContract, NamesContentByItsHash) {
  const std::string bytes("a\0b\n", 4);
  ASSERT_OK_AND_ASSIGN(const base::ContentHash hash, objects().put_bytes(bytes));
  EXPECT_EQ(hash, base::content_hash(bytes));
  EXPECT_EQ(content(hash), bytes);
  ASSERT_OK_AND_ASSIGN(const base::MappedFile mapped, objects().open(hash));
  EXPECT_EQ(mapped.text(), bytes);
  EXPECT_EQ(*objects().contains(hash), true);
  EXPECT_OK(objects().verify(hash));
}

TEST_P(ObjectsContract, KeepsEmptyAndLargeContent) {
  ASSERT_OK_AND_ASSIGN(const base::ContentHash empty, objects().put_bytes(""));
  EXPECT_EQ(content(empty), "");
  EXPECT_OK(objects().open(empty));
  const std::string large(3'500'000, 'l');
  ASSERT_OK_AND_ASSIGN(const base::ContentHash hash, objects().put_file(file("large", large)));
  EXPECT_EQ(hash, base::content_hash(large));
  EXPECT_EQ(content(hash), large);
}

TEST_P(ObjectsContract, StoresContentOnce) {
  ASSERT_OK_AND_ASSIGN(const base::ContentHash hash, objects().put_bytes("same"));
  EXPECT_EQ(*objects().put_bytes("same"), hash);
  EXPECT_EQ(*objects().put_file(file("copy", "same")), hash);
  EXPECT_EQ(*objects().put_file(file("moved", "same"), Take::kMove), hash);
  EXPECT_EQ(objects().list()->size(), 1U);
}

TEST_P(ObjectsContract, CopiesAndMovesFiles) {
  const auto copied = file("copied", "one");
  const auto moved = file("moved", "two");
  ASSERT_OK_AND_ASSIGN(const base::ContentHash one, objects().put_file(copied));
  ASSERT_OK_AND_ASSIGN(const base::ContentHash two, objects().put_file(moved, Take::kMove));
  EXPECT_TRUE(exists(copied));
  EXPECT_FALSE(exists(moved));
  EXPECT_EQ(content(one), "one");
  EXPECT_EQ(content(two), "two");
  // A file that is written to later is not the object.
  std::ofstream(copied) << "changed";
  EXPECT_EQ(content(one), "one");
}

TEST_P(ObjectsContract, DoesNotMoveWhatALinkPointsTo) {
  const auto target = file("target", "linked");
  std::filesystem::create_symlink(target, directory_ / "link");
  ASSERT_OK_AND_ASSIGN(const base::ContentHash hash,
                       objects().put_file(directory_ / "link", Take::kMove));
  EXPECT_FALSE(std::filesystem::is_symlink(directory_ / "link"));
  std::filesystem::remove(target);
  EXPECT_EQ(content(hash), "linked");
}

TEST_P(ObjectsContract, NamesWhatIsMissing) {
  const base::ContentHash hash = base::content_hash("nowhere");
  const auto missing = StatusIs(absl::StatusCode::kNotFound, HasSubstr(hash.text()));
  EXPECT_THAT(objects().path_of(hash), missing);
  EXPECT_THAT(objects().open(hash), missing);
  EXPECT_THAT(objects().verify(hash), missing);
  EXPECT_EQ(*objects().contains(hash), false);
  EXPECT_OK(objects().remove(hash));
  for (const Take take : {Take::kCopy, Take::kMove}) {
    EXPECT_THAT(objects().put_file(directory_ / "no-file", take),
                StatusIs(absl::StatusCode::kNotFound, HasSubstr("no-file")));
    EXPECT_FALSE(objects().put_file(directory_.path(), take).ok());
  }
  EXPECT_EQ(objects().list()->size(), 0U);
}

TEST_P(ObjectsContract, ListsByHash) {
  std::vector<base::ContentHash> expected;
  for (int i = 0; i < 20; ++i) {
    expected.push_back(*objects().put_bytes(std::string(static_cast<size_t>(i), 'x')));
  }
  std::sort(expected.begin(), expected.end());
  ASSERT_OK_AND_ASSIGN(const auto listed, objects().list());
  ASSERT_EQ(listed.size(), expected.size());
  for (size_t i = 0; i < listed.size(); ++i) {
    EXPECT_EQ(listed[i].hash, expected[i]);
    EXPECT_EQ(listed[i].size_bytes, content(listed[i].hash).size());
  }
}

TEST_P(ObjectsContract, RemovesUnderAReader) {
  ASSERT_OK_AND_ASSIGN(const base::ContentHash hash, objects().put_bytes("read on"));
  ASSERT_OK_AND_ASSIGN(const base::MappedFile mapped, objects().open(hash));
  ASSERT_OK(objects().remove(hash));
  EXPECT_EQ(*objects().contains(hash), false);
  EXPECT_EQ(mapped.text(), "read on");
  EXPECT_EQ(*objects().put_bytes("read on"), hash);
  EXPECT_EQ(content(hash), "read on");
}

TEST_P(ObjectsContract, FindsDamage) {
  ASSERT_OK_AND_ASSIGN(const base::ContentHash hash, objects().put_bytes("precious"));
  ASSERT_OK_AND_ASSIGN(const base::ContentHash other, objects().put_bytes("other"));
  harness_->damage(hash);
  EXPECT_THAT(objects().verify(hash),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("is damaged")));
  EXPECT_OK(objects().verify(other));
}

TEST_P(ObjectsContract, PuttingTheContentAgainMendsDamage) {
  ASSERT_OK_AND_ASSIGN(const base::ContentHash hash, objects().put_bytes("precious"));
  harness_->damage(hash);
  EXPECT_EQ(*objects().put_bytes("precious"), hash);
  EXPECT_OK(objects().verify(hash));
  harness_->damage(hash);
  EXPECT_EQ(*objects().put_file(file("again", "precious"), Take::kMove), hash);
  EXPECT_OK(objects().verify(hash));
}

TEST_P(ObjectsContract, ServesManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        // All threads store the same content at about the same time.
        const std::string bytes = "shared " + std::to_string(i);
        const auto hash = objects().put_bytes(bytes);
        ASSERT_OK(hash);
        EXPECT_OK(objects().verify(*hash));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(objects().list()->size(), 10U);
}

TEST_P(ObjectsContract, RemovesOnlyWhatWasNotPutSince) {
  const base::Time before = base::system_clock().now() - std::chrono::hours(1);
  const base::Time after = base::system_clock().now() + std::chrono::hours(1);
  ASSERT_OK_AND_ASSIGN(const base::ContentHash hash, objects().put_bytes("one"));
  ASSERT_OK_AND_ASSIGN(const std::vector<ObjectInfo> all, objects().list());
  ASSERT_EQ(all.size(), 1U);
  EXPECT_GE(all[0].put_at, before);
  EXPECT_LT(all[0].put_at, after);
  EXPECT_EQ(*objects().remove_unless_put_since(hash, before), false);
  EXPECT_EQ(*objects().contains(hash), true);
  EXPECT_EQ(*objects().remove_unless_put_since(hash, after), true);
  EXPECT_EQ(*objects().contains(hash), false);
  EXPECT_EQ(*objects().remove_unless_put_since(hash, after), true);
}

}  // namespace cromford::store
