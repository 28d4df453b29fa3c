#include "model/bin_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "model/package.h"
#include "model/sample_packages.h"
#include "testing/status_matchers.h"

namespace cromford::model {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::shared_ptr<const Package> load(const PackageParts& parts) {
  auto bytes = write_package(parts);
  EXPECT_OK(bytes.status());
  auto package = Package::load(*std::move(bytes));
  EXPECT_OK(package.status());
  return *std::move(package);
}

TEST(BinLayout, CountsEveryRowOnceInEachColumn) {
  const auto package = load(sample_binary());
  BinCounts counts(package->bin_layout());
  RowBuffer rows(package->contract());
  rows.reset(6);
  const std::vector<std::string> origins = {"ATL", "DFW", "rare", "new", "", "ORD"};
  const std::vector<double> distances = {99.0, 100.0, 999.0, 1e9, kNan, 500.0};
  for (size_t i = 0; i < 6; ++i) {
    rows.set_text(i, 0, origins[i]);
    rows.set_number(i, 1, distances[i]);
  }
  rows.set_text(0, 5, "12345");
  counts.add(rows.batch());
  // ATL, ORD, other (DFW has a code but no bin of its own), unseen, missing.
  EXPECT_THAT(counts.column(0), ElementsAre(1, 1, 2, 1, 1));
  EXPECT_THAT(counts.column(1), ElementsAre(1, 1, 2, 1, 1));
  EXPECT_THAT(counts.column(2), ElementsAre(0, 0, 0, 6));
  EXPECT_THAT(counts.column(5), ElementsAre(0, 1, 0, 5));
}

TEST(BinLayout, NamesThePlaces) {
  const auto package = load(sample_multiclass());
  const BinLayout& layout = package->bin_layout();
  EXPECT_EQ(layout.column_count(), 6U);
  EXPECT_TRUE(layout.has_dictionary(0));
  EXPECT_FALSE(layout.has_dictionary(1));
  EXPECT_EQ(layout.unseen_bin(0), 3U);
  EXPECT_EQ(layout.missing_bin(0), 4U);
  EXPECT_EQ(layout.column(1).first, 5U);
  EXPECT_EQ(layout.missing_bin(1), 9U);
  EXPECT_EQ(layout.series_count(), 3U);
  EXPECT_EQ(layout.prediction(2).first, layout.prediction(0).first + 8);
  EXPECT_EQ(layout.confidence().first, layout.prediction(2).first + 4);
  EXPECT_EQ(layout.bin_count(), layout.confidence().first + 20);
  EXPECT_EQ(layout.bins_per_row(), 10U);
  const auto regression = load(sample_regression());
  EXPECT_EQ(regression->bin_layout().bins_per_row(), 7U);
  EXPECT_EQ(regression->bin_layout().confidence().count, 0U);
}

// What prediction looked up gives the bins that looking the raw values up gives, in every block of
// a batch, and each prediction falls between the edges of its bin.
TEST(BinLayout, PredictedRowsFallIntoTheBinsOfRawOnes) {
  std::mt19937_64 random(11);
  for (const PackageParts& parts : {sample_binary(), sample_multiclass(), sample_regression()}) {
    const auto package = load(parts);
    const BinLayout& layout = package->bin_layout();
    RowBuffer rows(package->contract());
    std::vector<std::string> texts;
    fill_sample_rows(random, 200, rows, texts);
    Workspace workspace;
    const Predictions predictions = package->predict(rows.batch(), workspace);
    BinCounts raw(layout);
    raw.add(rows.batch());
    std::vector<uint64_t> counts(layout.bin_count(), 0);
    std::vector<uint32_t> bins(layout.bins_per_row());
    std::vector<uint32_t> raw_bins(layout.column_count());
    for (size_t row = 0; row < 200; ++row) {
      layout.bins_of_row(rows.batch(), predictions, row, bins);
      layout.column_bins(rows.batch(), row, raw_bins);
      EXPECT_TRUE(std::equal(raw_bins.begin(), raw_bins.end(), bins.begin()));
      const size_t last = layout.series_count() - 1;
      const double x = predictions.class_count > 0
                           ? predictions.probabilities[(row + 1) * predictions.class_count - 1]
                           : predictions.values[row];
      EXPECT_EQ(bins[layout.column_count() + last] - layout.prediction(last).first,
                bin_of(package->baseline().prediction.edges, x));
      for (const uint32_t bin : bins) {
        ++counts[bin];
      }
    }
    for (size_t c = 0; c < layout.column_count(); ++c) {
      const auto own = layout.column(c).of(counts);
      EXPECT_TRUE(std::ranges::equal(own, raw.column(c)));
      EXPECT_EQ(std::accumulate(own.begin(), own.end(), uint64_t{0}), 200U);
    }
    EXPECT_GT(counts[layout.unseen_bin(0)], 0U);
    EXPECT_GT(counts[layout.missing_bin(0)], 0U);
    EXPECT_EQ(counts[layout.unseen_bin(0)], predictions.unseen[0]);
    if (predictions.class_count > 0) {
      const auto confidence = layout.confidence().of(counts);
      EXPECT_EQ(std::accumulate(confidence.begin(), confidence.end(), uint64_t{0}), 200U);
      // The most probable of three has a third at least, of two (cut at 0.375) more than 0.375.
      EXPECT_THAT(confidence.first(6), Each(0U));
    }
  }
}

TEST(BinLayout, APackageWithoutBaselineCountsItsPredictionsOnly) {
  PackageParts parts = sample_binary();
  parts.baseline = {};
  const auto package = load(parts);
  const BinLayout& layout = package->bin_layout();
  EXPECT_EQ(layout.column_count(), 0U);
  EXPECT_EQ(layout.bins_per_row(), 2U);
  EXPECT_EQ(layout.bin_count(), 21U);
}

}  // namespace
}  // namespace cromford::model
