#include "monitor/drift_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "model/sample_packages.h"
#include "testing/status_matchers.h"

namespace cromford::monitor {
namespace {

using cromford::testing::StatusIs;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr size_t kOrigin = 0;
constexpr size_t kDistance = 1;
constexpr size_t kBooked = 3;

std::shared_ptr<const model::Package> load(model::PackageParts parts, size_t series) {
  parts.baseline = model::sample_baseline(series);
  parts.baseline.columns[0].counts = {6000, 3000, 800, 0, 200};
  parts.baseline.columns[1].counts = {1000, 4000, 4000, 900, 100};
  parts.baseline.columns[3].counts = {0, 9000, 1000};
  parts.baseline.prediction.counts.clear();
  for (size_t i = 0; i < series; ++i) {
    for (const uint64_t count : {5000U, 3000U, 1500U, 500U}) {
      parts.baseline.prediction.counts.push_back(count);
    }
  }
  parts.manifest = R"({"importance":[{"column":"distance","share":0.6},
                                     {"column":"origin","share":0.4},{"column":7}]})";
  auto bytes = model::write_package(parts);
  EXPECT_OK(bytes.status());
  auto package = model::Package::load(*std::move(bytes));
  EXPECT_OK(package.status());
  return *std::move(package);
}

class DriftReportTest : public ::testing::Test {
 protected:
  // A window of rows that look as the reference does, each column for itself.
  WindowCounts clean(uint64_t rows) {
    WindowCounts window{.model = "late", .version = 3, .rows = rows, .counts = {}};
    window.counts.assign(layout_.bin_count(), 0);
    for (size_t i = 0; i < layout_.column_count(); ++i) {
      draw(layout_.column(i), rows, window.counts);
    }
    for (size_t i = 0; i < layout_.series_count(); ++i) {
      draw(layout_.prediction(i), rows, window.counts);
    }
    return window;
  }
  void draw(model::BinRange range, uint64_t rows, std::vector<uint64_t>& counts) {
    const auto mass = range.of(reference_);
    uint64_t total = 0;
    for (const uint64_t each : mass) {
      total += each;
    }
    for (uint64_t i = 0; total > 0 && i < rows; ++i) {
      uint64_t place = random_.below(total);
      uint32_t bin = 0;
      while (place >= mass[bin]) {
        place -= mass[bin++];
      }
      ++counts[range.first + bin];
    }
  }
  void set(model::BinRange range, std::vector<uint64_t> counts, WindowCounts& window) {
    ASSERT_EQ(counts.size(), range.count);
    std::ranges::copy(counts, window.counts.begin() + range.first);
  }
  DriftReport report(const WindowCounts& window) {
    auto made = drift_report(*package_, {}, window);
    EXPECT_OK(made.status());
    return *std::move(made);
  }

  std::shared_ptr<const model::Package> package_ = load(model::sample_binary(), 1);
  const model::BinLayout& layout_ = package_->bin_layout();
  std::vector<uint64_t> reference_ = baseline_counts(*package_);
  base::Random random_{9};
};

TEST_F(DriftReportTest, SaysNothingBelowAThousandRows) {
  WindowCounts window = clean(312);
  set(layout_.column(kDistance), {0, 0, 0, 0, 312}, window);
  const DriftReport few = report(window);
  EXPECT_EQ(few.verdict, DriftVerdict::kTooFewRows);
  EXPECT_EQ(few.summary, "not enough rows yet: 312 of 1,000");
  EXPECT_THAT(few.columns, SizeIs(0));
  window.rows = 0;
  ASSERT_OK_AND_ASSIGN(const DriftReport none,
                       drift_report(*package_, {}, window, {.rows_min = 0}));
  EXPECT_EQ(none.verdict, DriftVerdict::kTooFewRows);
}

TEST_F(DriftReportTest, QuietOnCleanWindows) {
  int moved = 0;
  for (int i = 0; i < 400; ++i) {
    moved += report(clean(1000)).verdict == DriftVerdict::kMoved ? 1 : 0;
  }
  EXPECT_LE(moved, 2);
  const DriftReport steady = report(clean(2000));
  EXPECT_EQ(steady.summary, "no distribution moved (2,000 rows)");
  EXPECT_EQ(steady.columns[kDistance].name, "distance");
}

TEST_F(DriftReportTest, NamesWhatMovedAndWhere) {
  WindowCounts window = clean(5000);
  set(layout_.column(kDistance), {500, 1000, 2000, 1450, 50}, window);
  const DriftReport moved = report(window);
  EXPECT_EQ(moved.verdict, DriftVerdict::kMoved);
  EXPECT_THAT(moved.summary, StartsWith("these columns moved: `distance` (PSI 0."));
  EXPECT_THAT(moved.summary, HasSubstr("60% of importance; 100 to 500: 40% before, now 20%"));
  const DistributionDrift& first = moved.columns.front();
  EXPECT_EQ(first.name, "distance");
  EXPECT_TRUE(first.moved);
  EXPECT_LT(first.q_value, 1e-6);
  EXPECT_DOUBLE_EQ(first.missing, 0.01);
  EXPECT_DOUBLE_EQ(first.missing_before, 0.01);
  // Distribution functions: 0.1 / 0.1, 0.51 / 0.2, 0.91 / 0.6 of the rows that are not missing.
  EXPECT_NEAR(first.wasserstein, 400 * 0.5 * (20.0 / 99) + 500 * (20.0 / 99), 1.0);
  EXPECT_FALSE(moved.columns[1].moved);
}

TEST_F(DriftReportTest, PutsThePredictionFirst) {
  WindowCounts window = clean(5000);
  set(layout_.prediction(0), {1500, 1500, 1000, 1000}, window);
  EXPECT_THAT(report(window).summary,
              HasSubstr("the predicted 'late' moved (PSI 0.32; below 0.25: 50% before, now 30%)"));
  EXPECT_THAT(report(window).summary, HasSubstr("look at several together"));
  set(layout_.column(kOrigin), {1000, 3000, 500, 0, 500}, window);
  EXPECT_THAT(report(window).summary, HasSubstr("; look at `origin` (PSI "));
  EXPECT_THAT(report(window).summary, HasSubstr("'ATL': 60% before, now 20%"));
}

TEST_F(DriftReportTest, NewCategoriesCountWithRareOnes) {
  WindowCounts window = clean(5000);
  // As many of the tail as before, all of them new.
  set(layout_.column(kOrigin), {3000, 1500, 0, 400, 100}, window);
  const DriftReport steady = report(window);
  EXPECT_EQ(steady.verdict, DriftVerdict::kSteady);
  EXPECT_DOUBLE_EQ(steady.columns[kOrigin].unseen, 0.08);
  set(layout_.column(kOrigin), {2000, 1000, 400, 1500, 100}, window);
  EXPECT_THAT(report(window).summary, HasSubstr("`origin` (PSI 0."));
  EXPECT_THAT(report(window).summary, HasSubstr("never seen in training: 0% before, now 30%"));
}

TEST_F(DriftReportTest, TimeMovesOnWithoutAlarm) {
  WindowCounts window = clean(5000);
  set(layout_.column(kBooked), {0, 0, 5000}, window);
  const DriftReport steady = report(window);
  EXPECT_EQ(steady.verdict, DriftVerdict::kSteady);
  EXPECT_FALSE(steady.columns[kBooked].judged);
  EXPECT_GT(steady.columns[kBooked].drift.effect, 1);
}

TEST_F(DriftReportTest, AnotherWindowCanBeTheReference) {
  WindowCounts before = clean(5000);
  set(layout_.column(kDistance), {500, 1000, 2000, 1450, 50}, before);
  ASSERT_OK_AND_ASSIGN(const DriftReport same, drift_report(*package_, before.counts, before));
  EXPECT_EQ(same.verdict, DriftVerdict::kSteady);
  EXPECT_THAT(drift_report(*package_, std::vector<uint64_t>(3), before),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("3 counts do not fit")));
  before.counts.pop_back();
  EXPECT_THAT(drift_report(*package_, {}, before),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("do not fit")));
}

TEST_F(DriftReportTest, ClassesAreSeriesAndJsonHasItAll) {
  const auto package = load(model::sample_multiclass(), 3);
  const model::BinLayout& layout = package->bin_layout();
  WindowCounts window{.model = "late", .version = 3, .rows = 5000};
  window.counts = baseline_counts(*package);
  set(layout.prediction(2), {500, 500, 2000, 2000}, window);
  ASSERT_OK_AND_ASSIGN(const DriftReport moved, drift_report(*package, {}, window));
  EXPECT_THAT(moved.summary, HasSubstr("the predicted 'blue' moved"));
  const base::Json json = to_json(moved);
  EXPECT_EQ(json["verdict"], "moved");
  EXPECT_THAT(json["prediction"], SizeIs(3));
  EXPECT_EQ(json["prediction"][2]["moved"], true);
  EXPECT_THAT(json["columns"], SizeIs(6));
  EXPECT_GT(json["prediction"][2]["effect"], 0.5);
}

TEST_F(DriftReportTest, APackageWithoutBaselineIsJudgedByAWindowOnly) {
  model::PackageParts parts = model::sample_binary();
  parts.baseline = {};
  const auto package = *model::Package::load(*model::write_package(parts));
  WindowCounts window{.rows = 5000, .counts = std::vector<uint64_t>(21, 5000)};
  ASSERT_OK_AND_ASSIGN(const DriftReport blind, drift_report(*package, {}, window));
  EXPECT_EQ(blind.verdict, DriftVerdict::kNoReference);
  EXPECT_THAT(blind.summary, StartsWith("nothing to compare with"));
  EXPECT_FALSE(blind.prediction[0].judged);
}

}  // namespace
}  // namespace cromford::monitor
