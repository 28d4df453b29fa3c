#include "serve/bin_counters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "serve/serve_fixture_test.h"

namespace cromford::serve {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class BinCountersTest : public ServeFixture {
 protected:
  void ask(const Endpoint& endpoint, std::string_view body) {
    std::string out;
    ASSERT_OK(predict_json(context(), endpoint, {.body = body}, scratch_, out));
  }
  static auto column(const HourCounts& hour, size_t index) {
    return package_->bin_layout().column(index).of(hour.counts);
  }

  static inline const std::shared_ptr<const model::Package> package_ = late_package();
  const std::shared_ptr<const Endpoint> late_ = endpoint(package_);
  BinCounters& bins_ = *late_->champion().bins;
};

TEST_F(BinCountersTest, CountsAnsweredRowsByTheHourOfTheirTime) {
  ask(*late_, R"({"rows":[{"origin":"ORD","distance":612},{"origin":"martian"}],)"
              R"("at":["2024-02-01T10:59:59Z","2024-02-01T11:00:00Z"]})");
  ask(*late_, R"({"rows":[{"origin":"ATL","distance":5000}],"at":["2024-02-01T10:00:00Z"]})");
  const std::vector<HourCounts> hours = bins_.take_counts();
  ASSERT_THAT(hours, SizeIs(2));
  EXPECT_EQ(base::format_time(hours[0].start), "2024-02-01T10:00:00Z");
  EXPECT_EQ(hours[0].rows, 2U);
  EXPECT_THAT(column(hours[0], 0), ElementsAre(1, 1, 0, 0, 0));
  EXPECT_THAT(column(hours[0], 1), ElementsAre(0, 0, 1, 1, 0));
  EXPECT_EQ(base::format_time(hours[1].start), "2024-02-01T11:00:00Z");
  EXPECT_THAT(column(hours[1], 0), ElementsAre(0, 0, 0, 1, 0));  // Unseen.
  EXPECT_THAT(column(hours[1], 1), ElementsAre(0, 0, 0, 0, 1));  // Missing.
  // late_probability(612, "ORD") is 0.89, (5000, "ATL") is 1.
  EXPECT_THAT(package_->bin_layout().prediction(0).of(hours[0].counts), ElementsAre(0, 0, 0, 2));
  EXPECT_THAT(bins_.take_counts(), SizeIs(0));
}

TEST_F(BinCountersTest, RowsWithoutTimeHappenNow) {
  ask(*late_, R"({"rows":[{"distance":612}]})");
  ask(*late_, R"({"rows":[]})");
  std::string out;
  EXPECT_FALSE(
      predict_json(context(), *late_, {.body = R"({"rows":[{"wrong":1}]})"}, scratch_, out).ok());
  const std::vector<HourCounts> hours = bins_.take_counts();
  ASSERT_THAT(hours, SizeIs(1));
  EXPECT_EQ(hours[0].start, std::chrono::floor<std::chrono::hours>(clock_.now()));
  EXPECT_EQ(hours[0].rows, 1U);
}

TEST_F(BinCountersTest, EachVariantCountsItsRowsWithTheirTimes) {
  const auto split =
      endpoint({{.model = "late", .version = 3, .package = late_package(), .weight = 50},
                {.model = "late",
                 .version = 4,
                 .package = late_package(0.02),
                 .weight = 50,
                 .role = Role::kChallenger},
                {.model = "late", .version = 5, .package = late_package(), .role = Role::kShadow}});
  std::string ids;
  std::string rows;
  std::string times;
  std::vector<uint64_t> expected(2, 0);
  uint64_t early = 0;  // Of the challenger.
  for (int i = 0; i < 40; ++i) {
    const std::string id = "row" + std::to_string(i);
    const size_t variant = split->choose(id);
    ++expected[variant];
    early += variant == 1 && i % 2 == 0 ? 1 : 0;
    ids += (i > 0 ? ",\"" : "\"") + id + "\"";
    rows += i > 0 ? ",{}" : "{}";
    times +=
        std::string(i > 0 ? "," : "") + "\"2024-02-01T" + (i % 2 == 0 ? "10" : "11") + ":30:00Z\"";
  }
  ask(*split, R"({"ids":[)" + ids + R"(],"rows":[)" + rows + R"(],"at":[)" + times + "]}");
  shadows_.wait_until_idle();
  const auto hours = split->variants()[1].bins->take_counts();
  ASSERT_THAT(hours, SizeIs(2));
  EXPECT_EQ(hours[0].rows, early);
  EXPECT_EQ(hours[0].rows + hours[1].rows, expected[1]);
  EXPECT_GT(expected[0], 0U);
  const auto shadowed = split->variants()[2].bins->take_counts();
  ASSERT_THAT(shadowed, SizeIs(2));
  EXPECT_EQ(shadowed[0].rows, 20U);
}

TEST_F(BinCountersTest, AVersionKeepsItsCountsWhenTheEndpointIsReplaced) {
  ask(*late_, R"({"rows":[{}]})");
  auto after = Endpoint::create(
      {.project = "default",
       .name = "late",
       .variants = {{.model = "late", .version = 3, .package = package_, .weight = 1},
                    {.model = "late", .version = 4, .package = package_, .role = Role::kShadow}}},
      late_.get());
  ASSERT_OK(after);
  EXPECT_EQ((*after)->champion().bins, late_->champion().bins);
  EXPECT_NE((*after)->variants()[1].bins, late_->champion().bins);
}

// Every row is taken exactly once, whatever is counted meanwhile.
TEST_F(BinCountersTest, NothingIsLostOrTakenTwice) {
  constexpr uint64_t kRows = 20000;
  std::atomic<int> running{3};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      model::RowBuffer rows(package_->contract());
      model::Workspace workspace;
      rows.reset(1);
      const model::Predictions out = package_->predict(rows.batch(), workspace);
      for (uint64_t i = 0; i < kRows; ++i) {
        bins_.count(rows.batch(), out, {},
                    base::Time(std::chrono::minutes(20 * static_cast<int>(i % 7) + t)));
      }
      --running;
    });
  }
  uint64_t rows = 0;
  uint64_t missing = 0;
  bool last = false;
  while (!last) {
    last = running == 0;
    for (const HourCounts& hour : bins_.take_counts()) {
      rows += hour.rows;
      missing += column(hour, 1).back();
    }
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(rows, 3 * kRows);
  EXPECT_EQ(missing, 3 * kRows);
  EXPECT_EQ(bins_.left_out(), 0U);
}

TEST_F(BinCountersTest, StrewnTimesHaveALimitAndAreCounted) {
  model::RowBuffer rows(package_->contract());
  model::Workspace workspace;
  rows.reset(1);
  const model::Predictions out = package_->predict(rows.batch(), workspace);
  constexpr int64_t kHours = 100000;
  for (int64_t hour = 0; hour < kHours; ++hour) {
    bins_.count(rows.batch(), out, {}, base::Time(std::chrono::hours(hour)));
  }
  EXPECT_GT(bins_.left_out(), 0U);
  const size_t taken = bins_.take_counts().size();
  EXPECT_EQ(taken + bins_.left_out(), static_cast<uint64_t>(kHours));
  bins_.count(rows.batch(), out, {}, base::Time(std::chrono::hours(kHours)));
  EXPECT_THAT(bins_.take_counts(), SizeIs(1));
}

}  // namespace
}  // namespace cromford::serve
