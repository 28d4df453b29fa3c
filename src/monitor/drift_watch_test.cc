#include "monitor/drift_watch.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "model/sample_packages.h"
#include "testing/status_matchers.h"

namespace cromford::monitor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::chrono::hours kDay{24};

base::Time day(int number) {
  return base::Time(number * kDay);
}

// Binary, over the columns of the samples; `distance` and the prediction have a reference.
std::shared_ptr<const model::Package> sample() {
  model::PackageParts parts = model::sample_binary();
  parts.baseline = model::sample_baseline(1);
  parts.baseline.columns[0].counts.clear();
  parts.baseline.columns[2].counts.clear();
  parts.baseline.columns[5].counts.clear();
  parts.baseline.columns[1].counts = {1000, 4000, 4000, 900, 100};
  parts.baseline.prediction.counts = {5000, 3000, 1500, 500};
  auto package = model::Package::load(model::write_package(parts).value());
  EXPECT_OK(package.status());
  return *std::move(package);
}

class DriftWatchTest : public ::testing::Test {
 protected:
  // Rows drawn from the baseline; `share` of the distances are in the bin of the largest instead.
  WindowCounts window(int number, uint64_t rows, double share = 0) {
    WindowCounts out{.model = "late",
                     .version = 1,
                     .start = day(number),
                     .length = kDay,
                     .rows = rows,
                     .counts = std::vector<uint64_t>(layout().bin_count(), 0)};
    const std::vector<uint64_t> reference = baseline_counts(*package_);
    for (uint64_t row = 0; row < rows; ++row) {
      const bool moved = static_cast<double>(random_.below(1000)) < 1000 * share;
      const model::BinRange distance = layout().column(1);
      ++out.counts[distance.first + (moved ? 3 : draw(distance, reference))];
      ++out.counts[layout().prediction(0).first + draw(layout().prediction(0), reference)];
    }
    return out;
  }
  uint32_t draw(model::BinRange range, const std::vector<uint64_t>& reference) {
    uint64_t place = random_.below(10'000);
    uint32_t bin = 0;
    while (place >= range.of(reference)[bin]) {
      place -= range.of(reference)[bin++];
    }
    return bin;
  }
  std::vector<JudgedWindow> judged(const std::vector<WindowCounts>& windows, int watermark,
                                   const DriftOptions& options = {}) {
    return judge_windows(*package_, windows, day(watermark), options).value();
  }
  const model::BinLayout& layout() const { return package_->bin_layout(); }

  std::shared_ptr<const model::Package> package_ = sample();
  base::Random random_{7};
};

TEST_F(DriftWatchTest, OneWindowIsASuspicionAndTwoAreADrift) {
  const auto days = judged({window(0, 2000), window(1, 2000, 0.3), window(2, 2000),
                            window(3, 2000, 0.3), window(4, 2000, 0.3), window(5, 2000, 0.3)},
                           6);
  const std::vector<DriftState> expected = {DriftState::kSteady,    DriftState::kSuspected,
                                            DriftState::kSteady,    DriftState::kSuspected,
                                            DriftState::kConfirmed, DriftState::kConfirmed};
  for (size_t i = 0; i < days.size(); ++i) {
    EXPECT_EQ(days[i].state, expected[i]) << i;
  }
  EXPECT_THAT(days[5].confirmed, ElementsAre("distance"));
  EXPECT_EQ(days[5].since, day(3));
  EXPECT_EQ(days[5].in_a_row, 3U);
}

TEST_F(DriftWatchTest, FewRowsNeitherConfirmNorEnd) {
  const auto days = judged({window(0, 2000, 0.3), window(1, 20), window(2, 2000, 0.3)}, 3);
  EXPECT_EQ(days[1].state, DriftState::kUnknown);
  EXPECT_EQ(days[2].state, DriftState::kConfirmed);
}

TEST_F(DriftWatchTest, AnOpenWindowConfirmsNothing) {
  const auto days = judged({window(0, 2000, 0.3), window(1, 2000, 0.3)}, 1);
  EXPECT_TRUE(days[0].closed);
  EXPECT_FALSE(days[1].closed);
  EXPECT_EQ(days[1].state, DriftState::kSuspected);
}

TEST_F(DriftWatchTest, WhatIsOrdinaryIsTolerated) {
  std::vector<WindowCounts> restless;
  for (int i = 0; i < 12; ++i) {
    restless.push_back(window(i, 2000, i % 3 == 0 ? 0.3 : 0.0));
  }
  ASSERT_OK_AND_ASSIGN(const OrdinaryEffects known, ordinary_effects(*package_, restless));
  EXPECT_GT(known.columns.at("distance"), 0.1);
  const DriftOptions options{.ordinary = ordinary_effects_from(to_json(known))};
  const auto quiet = judged({window(0, 2000, 0.3), window(1, 2000, 0.3)}, 2, options);
  EXPECT_EQ(quiet[1].state, DriftState::kSteady);
  const auto loud = judged({window(0, 2000, 0.9), window(1, 2000, 0.9)}, 2, options);
  EXPECT_EQ(loud[1].state, DriftState::kConfirmed);
  ASSERT_OK_AND_ASSIGN(const OrdinaryEffects few,
                       ordinary_effects(*package_, std::span(restless).first(4)));
  EXPECT_THAT(few.columns, IsEmpty());
}

// The promise of the defaults: at most one false alarm per endpoint and month of daily windows.
TEST_F(DriftWatchTest, AHealthyYearIsQuiet) {
  int alarms = 0;
  for (const uint64_t rows : {uint64_t{1000}, uint64_t{3000}}) {
    std::vector<WindowCounts> year;
    for (int i = 0; i < 365; ++i) {
      year.push_back(window(i, rows));
    }
    for (const JudgedWindow& each : judged(year, 365)) {
      alarms += each.state == DriftState::kConfirmed ? 1 : 0;
    }
  }
  EXPECT_EQ(alarms, 0) << "in 24 months";
}

}  // namespace
}  // namespace cromford::monitor
