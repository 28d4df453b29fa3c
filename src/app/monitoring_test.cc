#include "app/monitoring.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "app/factory_fixture.h"
#include "app/ordinary_windows.h"
#include "model/sample_packages.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

model::PackageParts with_baseline() {
  model::PackageParts parts = serve::late_parts();
  parts.baseline.columns = {{.category_count = 2, .counts = {500, 500, 0, 0, 0}},
                            {.edges = {200.0, 500.0, 1000.0}, .counts = {0, 500, 500, 0, 0}},
                            {.edges = {0.0, 1.0}, .counts = {0, 500, 500, 0}},
                            {.edges = {0.0}},
                            {.edges = {0.0}}};
  parts.baseline.columns[3].counts = {0, 0, 1000};
  parts.baseline.columns[4].counts = {0, 0, 1000};
  parts.baseline.prediction.edges = {0.25, 0.5, 0.75};
  parts.baseline.prediction.counts = {250, 250, 0, 500};
  return parts;
}

class MonitoringTest : public FactoryFixture {
 protected:
  void SetUp() override {
    FactoryFixture::SetUp();
    add_model("late", with_baseline());
    ASSERT_OK(factory().deploy("default", "late", {{"model", "late"}}, {}));
  }
  // Rows of that day: as the baseline has them, or all with distances that were never so small.
  void send_day(int day, int rows, bool moved = false) {
    base::Json list = base::Json::array();
    base::Json times = base::Json::array();
    for (int i = 0; i < rows; ++i) {
      const int distance = moved ? 50 : i % 2 == 0 ? 300 : 700;
      list.push_back({{"distance", distance},
                      {"origin", i / 2 % 2 == 0 ? "ORD" : "ATL"},
                      {"weekend", i / 4 % 2 == 0}});
      times.push_back(fmt::format("1969-11-{:02}T{:02}:00:00Z", day, i % 24));
    }
    std::string out;
    ASSERT_OK(factory().predict_json(
        "default", "late", base::dump_json({{"rows", list}, {"at", times}}), false, false, out));
  }
  base::Json show(const std::string& from = "", const std::string& to = "",
                  const std::string& window = "") {
    EXPECT_OK(factory().check_endpoint("default", "late"));
    const auto view = factory().monitor_endpoint("default", "late", from, to, window);
    EXPECT_OK(view);
    return view.ok() ? *view : base::Json();
  }
};

TEST_F(MonitoringTest, HoursAddUpToDays) {
  send_day(1, 48);
  send_day(2, 24);
  const base::Json view = show();
  EXPECT_EQ(view["watermark"], "1969-11-02T23:00:00Z");
  ASSERT_EQ(view["windows"].size(), 2U);
  EXPECT_EQ(view["windows"][0]["rows"], 48);
  EXPECT_EQ(view["windows"][0]["closed"], true);
  EXPECT_EQ(view["windows"][1]["closed"], false);
  const base::Json& version = view["windows"][0]["versions"][0];
  EXPECT_EQ(version["model"], "late");
  EXPECT_EQ(version["drift"]["verdict"], "too_few_rows");
  EXPECT_EQ(version["requests"], 1);
  EXPECT_EQ(show("", "", "1h")["windows"].size(), 31U);
  EXPECT_EQ(show("1969-11-02", "1969-11-03")["windows"].size(), 1U);
}

TEST_F(MonitoringTest, WhatMovedIsNamedAfterTwoWindows) {
  for (int day = 1; day <= 3; ++day) {
    send_day(day, 1200);
  }
  send_day(4, 1200, true);
  send_day(5, 1200, true);
  send_day(6, 1);
  const base::Json windows = show()["windows"];
  ASSERT_EQ(windows.size(), 6U);
  const auto drift = [&](size_t i) { return windows[i]["versions"][0]["drift"]; };
  const auto confirmed = drift(4)["confirmed"].get<std::vector<std::string>>();
  EXPECT_EQ(drift(3)["state"], "suspected");
  EXPECT_EQ(drift(4)["state"], "confirmed");
  EXPECT_THAT(confirmed, ::testing::Contains("distance"));
  EXPECT_THAT(drift(4)["summary"].get<std::string>(), HasSubstr("`distance`"));
  EXPECT_EQ(drift(4)["since"], "1969-11-04T00:00:00Z");
  // `distance` alone moved, and so the window that shows it says how much is below all of training.
  EXPECT_GT(windows[4]["versions"][0]["inputs"]["below"], 0.1);
}

TEST_F(MonitoringTest, RefusedRequestsCountAsErrors) {
  send_day(1, 10);
  show();
  std::string out;
  EXPECT_FALSE(factory().predict_json("default", "late", "nonsense", false, false, out).ok());
  const base::Json view = show();
  EXPECT_EQ(view["windows"][0]["versions"][0]["errors"], 1);
  EXPECT_EQ(show()["windows"][0]["versions"][0]["errors"], 1);
}

TEST_F(MonitoringTest, SaysWhatCannotBeAsked) {
  const auto ask = [&](const std::string& from, const std::string& window) {
    return factory().monitor_endpoint("default", "late", from, "", window);
  };
  EXPECT_THAT(ask("soon", ""), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'from'")));
  EXPECT_THAT(ask("", "90m"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("90m")));
  EXPECT_THAT(ask("1900-01-01", "1h"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2000")));
  EXPECT_THAT(factory().monitor_endpoint("default", "none", "", "", ""),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST(OrdinaryWindowsTest, TakesTheLongestThatIsNotLonger) {
  const base::Json known = {{"3600", {{"columns", {{"a", 0.3}}}}},
                            {"86400", {{"columns", {{"a", 0.1}}}}}};
  const auto tolerated = [&](std::chrono::hours length) {
    return ordinary_for(known, length).columns.at("a");
  };
  EXPECT_EQ(tolerated(std::chrono::hours(6)), 0.3);
  EXPECT_EQ(tolerated(std::chrono::hours(24)), 0.1);
  EXPECT_EQ(tolerated(std::chrono::hours(168)), 0.1);
  EXPECT_TRUE(ordinary_for(base::Json(), std::chrono::hours(1)).columns.empty());
}

// A month of ten thousand rows a day, of which each day has one weekday.
TEST(OrdinaryWindowsTest, ADayHasOneWeekday) {
  std::vector<table::Column> columns(2);
  columns[0] = {.name = "when", .type = table::ColumnType::kTimestamp};
  columns[1] = {.name = "distance", .type = table::ColumnType::kInteger};
  for (int64_t day = 0; day < 28; ++day) {
    for (int64_t i = 0; i < 1000; ++i) {
      columns[0].integers.push_back((day * 86400 + i) * 1'000'000);
      columns[1].integers.push_back(day % 2 == 0 ? 300 : 700);
    }
  }
  const table::Table rows(std::move(columns), 28'000);
  const auto package = serve::load_known(with_baseline());
  ASSERT_OK_AND_ASSIGN(const base::Json known, ordinary_windows(rows, "when", *package, {}));
  EXPECT_GT(ordinary_for(known, std::chrono::hours(24)).columns.at("distance"), 0.5);
  ASSERT_OK_AND_ASSIGN(const base::Json none, ordinary_windows(rows, "distance", *package, {}));
  EXPECT_TRUE(none.empty());
}

}  // namespace
}  // namespace cromford::app
