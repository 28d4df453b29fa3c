#include "store/sweep.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <string>

#include "testing/simulated_clock.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::store {
namespace {

using ::cromford::testing::StatusIs;
using std::chrono::hours;

class SweepTest : public ::testing::Test {
 protected:
  SweepTest() {
    auto metadata = open_sqlite(directory_ / "metadata.db", clock_);
    EXPECT_OK(metadata);
    metadata_ = std::move(*metadata);
    auto objects = open_directory(directory_ / "objects");
    EXPECT_OK(objects);
    objects_ = std::move(*objects);
  }

  base::ContentHash put(std::string_view content) { return *objects_->put_bytes(content); }
  // As if it had been put so long ago.
  base::ContentHash put_old(std::string_view content, std::chrono::hours age = hours(48)) {
    const base::ContentHash hash = put(content);
    std::filesystem::last_write_time(*objects_->path_of(hash),
                                     std::filesystem::file_time_type::clock::now() - age);
    return hash;
  }
  void refer(const std::string& kind, const std::string& name, const std::string& body) {
    EXPECT_OK(metadata_->commit({Write::put({"p", kind, name}, body)}));
  }
  absl::StatusOr<Swept> swept(const base::CancelToken& cancel = {}) {
    return sweep(*metadata_, *objects_, base::system_clock().now() - hours(1), cancel);
  }
  std::set<std::string> left() {
    std::set<std::string> names;
    const auto all = objects_->list();
    EXPECT_OK(all);
    for (const ObjectInfo& object : *all) {
      names.insert(object.hash.text());
    }
    return names;
  }

  testing::TempDir directory_;
  testing::SimulatedClock clock_;
  std::unique_ptr<Metadata> metadata_;
  std::unique_ptr<Objects> objects_;
};

TEST_F(SweepTest, RemovesWhatIsOldAndNamedByNothing) {
  const base::ContentHash garbage = put_old("garbage");
  ASSERT_OK_AND_ASSIGN(const Swept once, swept());
  EXPECT_EQ(once.object_count, 1U);
  EXPECT_EQ(once.bytes, 7U);
  EXPECT_EQ(*objects_->contains(garbage), false);
  ASSERT_OK_AND_ASSIGN(const Swept again, swept());
  EXPECT_EQ(again.object_count, 0U);
}

TEST_F(SweepTest, KeepsWhatAnyDocumentNames) {
  const base::ContentHash part = put_old("part");
  const base::ContentHash package = put_old("package");
  const base::ContentHash later = put_old("of a kind that nobody knows yet");
  refer("dataset_version", "d@1",
        fmt::format(R"({{"internal":{{"objects":["{}"]}}}})", part.text()));
  refer("model_version", "m@1", fmt::format(R"({{"package":{{"hash":"{}"}}}})", package.text()));
  refer("kind_to_come", "x", fmt::format(R"({{"note":"see blake2b-{},"}})", later.text()));
  ASSERT_OK_AND_ASSIGN(const Swept nothing, swept());
  EXPECT_EQ(nothing.object_count, 0U);
  EXPECT_EQ(left(), (std::set{part.text(), package.text(), later.text()}));

  EXPECT_OK(metadata_->commit({Write::remove({"p", "model_version", "m@1"})}));
  ASSERT_OK_AND_ASSIGN(const Swept one, swept());
  EXPECT_EQ(one.object_count, 1U);
  EXPECT_EQ(left(), (std::set{part.text(), later.text()}));
}

TEST_F(SweepTest, WhatIsToldOfAnObjectDoesNotHoldIt) {
  const base::ContentHash gone = put_old("gone");
  refer("audit_entry", "000000000000", R"({"evidence":{"package":")" + gone.text() + R"("}})");
  ASSERT_OK(swept());
  EXPECT_TRUE(left().empty());
}

TEST_F(SweepTest, KeepsWhatWasPutWithinTheGraceAlsoWhereItWasThereAlready) {
  const base::ContentHash fresh = put("about to be committed");
  put_old("put again");
  const base::ContentHash again = put("put again");
  ASSERT_OK_AND_ASSIGN(const Swept nothing, swept());
  EXPECT_EQ(nothing.object_count, 0U);
  EXPECT_EQ(left(), (std::set{fresh.text(), again.text()}));
}

TEST_F(SweepTest, ACutOffSweepHarmsNothing) {
  const base::ContentHash named = put_old("named");
  put_old("garbage");
  refer("job", "1", fmt::format(R"({{"result":"{}"}})", named.text()));
  base::CancelSource stop;
  stop.cancel();
  EXPECT_THAT(swept(stop.token()), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_TRUE(left().contains(named.text()));
  ASSERT_OK(swept());
  EXPECT_EQ(left(), (std::set{named.text()}));
}

}  // namespace
}  // namespace cromford::store
