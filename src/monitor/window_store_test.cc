#include "monitor/window_store.h"

#include <gmock/gmock.h>

#include "testing/simulated_clock.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::monitor {
namespace {

using ::cromford::testing::StatusIs;

base::Time at(const std::string& text) {
  return base::parse_time(text).value();
}

StoredWindow hour(const std::string& start, uint64_t rows, std::vector<uint64_t> counts,
                  const std::string& model = "late") {
  return {.window = {.model = model,
                     .version = 3,
                     .start = at(start),
                     .rows = rows,
                     .counts = std::move(counts)}};
}

class WindowStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(metadata_, store::open_sqlite(directory_ / "db", clock_));
  }
  std::vector<StoredWindow> all(const Period& period = {}) {
    return WindowStore(*metadata_).list("default", "late", period).value();
  }

  testing::TempDir directory_;
  testing::SimulatedClock clock_;
  std::unique_ptr<store::Metadata> metadata_;
};

TEST_F(WindowStoreTest, AddsUpPerHourVersionAndRole) {
  WindowStore windows(*metadata_);
  StoredWindow shadow = hour("2001-02-01T10:00:00Z", 5, {5, 0});
  shadow.shadow = true;
  ASSERT_OK(windows.add("default", "late",
                        std::vector{hour("2001-02-01T10:00:00Z", 2, {1, 1}), shadow,
                                    hour("2001-02-01T10:00:00Z", 1, {0, 1})}));
  ASSERT_OK(windows.add("default", "late", std::vector{hour("2001-02-01T10:00:00Z", 1, {1, 0})}));
  ASSERT_EQ(all().size(), 2U);
  EXPECT_EQ(all()[0].window.rows, 4U);
  EXPECT_EQ(all()[0].window.counts, (std::vector<uint64_t>{2, 2}));
  EXPECT_TRUE(all()[1].shadow);
  EXPECT_TRUE(windows.list("default", "lat", {}).value().empty());
  EXPECT_TRUE(windows.list("other", "late", {}).value().empty());
}

TEST_F(WindowStoreTest, ListsAPeriodInOrder) {
  WindowStore windows(*metadata_);
  ASSERT_OK(windows.add(
      "default", "late",
      std::vector{hour("2001-02-03T00:00:00Z", 3, {3}), hour("2001-02-01T23:00:00Z", 1, {1}),
                  hour("2001-02-02T00:00:00Z", 2, {2})}));
  const auto found = all({.from = at("2001-02-02"), .to = at("2001-02-03")});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].window.rows, 2U);
  EXPECT_EQ(all({.from = at("2001-02-01T23:30:00Z")}).size(), 3U);
  EXPECT_EQ(all({.to = at("2001-02-03")}).size(), 2U);
}

TEST_F(WindowStoreTest, CountsOnOtherBinsTakeThePlaceOfThoseBefore) {
  WindowStore windows(*metadata_);
  ASSERT_OK(windows.add("default", "late", std::vector{hour("2001-02-01", 1, {1, 0})}));
  ASSERT_OK(windows.add("default", "late", std::vector{hour("2001-02-01", 2, {0, 1, 1})}));
  ASSERT_EQ(all().size(), 1U);
  EXPECT_EQ(all()[0].window.rows, 2U);
}

TEST_F(WindowStoreTest, TheClockIgnoresTimesFarAhead) {
  WindowStore windows(*metadata_);
  const base::Time now = at("2001-03-01");
  EXPECT_EQ(windows.watermark("default", "late", now).value(), std::nullopt);
  ASSERT_OK(windows.add(
      "default", "late",
      std::vector{hour("2001-02-01T05:00:00Z", 1, {1}), hour("2099-01-01T05:00:00Z", 1, {1})}));
  EXPECT_EQ(windows.watermark("default", "late", now).value(), at("2001-02-01T05:00:00Z"));
}

TEST_F(WindowStoreTest, OldHoursBecomeDays) {
  WindowStore windows(*metadata_);
  ASSERT_OK(windows.add(
      "default", "late",
      std::vector{hour("2001-02-01T10:00:00Z", 1, {1}), hour("2001-02-01T23:00:00Z", 2, {2}),
                  hour("2001-02-02T00:00:00Z", 4, {4})}));
  EXPECT_EQ(windows.fold("default", "late", at("2001-02-02")).value(), 2U);
  EXPECT_EQ(windows.fold("default", "late", at("2001-02-02")).value(), 0U);
  ASSERT_EQ(all().size(), 2U);
  EXPECT_EQ(all()[0].window.rows, 3U);
  EXPECT_EQ(all()[0].window.length, std::chrono::hours(24));
  EXPECT_EQ(all({.from = at("2001-02-01T15:00:00Z"), .to = at("2001-02-02")}).size(), 1U);
  // An hour that comes late joins its day.
  ASSERT_OK(windows.add("default", "late", std::vector{hour("2001-02-01T11:00:00Z", 8, {8})}));
  EXPECT_EQ(windows.fold("default", "late", at("2001-02-02")).value(), 1U);
  EXPECT_EQ(all()[0].window.rows, 11U);
}

TEST_F(WindowStoreTest, SaysWhatIsDamaged) {
  ASSERT_OK(metadata_->commit(
      {store::Write::put({"default", "window_counts", "late/2001-02-01T00:00:00Z/3600/late@3"},
                         R"({"counts":"AA"})")}));
  EXPECT_THAT(WindowStore(*metadata_).list("default", "late", {}),
              StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace cromford::monitor
