#include "model/baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/sample_packages.h"
#include "testing/status_matchers.h"

namespace cromford::model {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class BaselineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto pipeline = FeaturePipeline::create(contract_, sample_pipeline());
    ASSERT_OK(pipeline.status());
    pipeline_ = std::make_unique<FeaturePipeline>(*std::move(pipeline));
  }
  absl::Status check(const Baseline& baseline) const {
    return check_baseline(baseline, contract_, *pipeline_, 1);
  }

  Contract contract_ = sample_contract();
  std::unique_ptr<FeaturePipeline> pipeline_;
};

TEST_F(BaselineTest, RefusesWhatDoesNotFit) {
  const auto invalid = [](const char* text) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text));
  };
  EXPECT_OK(check({}));
  Baseline baseline = sample_baseline(1);
  baseline.columns.pop_back();
  EXPECT_THAT(check(baseline), invalid("5 columns"));
  baseline = sample_baseline(1);
  baseline.columns[1].edges[0] = 600.0;
  EXPECT_THAT(check(baseline), invalid("'distance': its edges"));
  baseline = sample_baseline(1);
  baseline.columns[1].edges[2] = kNan;
  EXPECT_THAT(check(baseline), invalid("edges"));
  baseline = sample_baseline(1);
  baseline.columns[1].counts.pop_back();
  EXPECT_THAT(check(baseline), invalid("4 counts for 5 bins"));
  baseline = sample_baseline(1);
  baseline.columns[0].edges = {1.0};
  EXPECT_THAT(check(baseline), invalid("with a dictionary"));
  baseline = sample_baseline(1);
  baseline.columns[1].category_count = 1;
  EXPECT_THAT(check(baseline), invalid("without a dictionary"));
  baseline = sample_baseline(1);
  baseline.columns[0].category_count = 4;
  EXPECT_THAT(check(baseline), invalid("4 bins for 3 categories"));
  baseline = sample_baseline(1);
  baseline.prediction.edges = {1.0, 1.0, 1.0};
  EXPECT_THAT(check(baseline), invalid("baseline of the prediction"));
  EXPECT_THAT(check_baseline(sample_baseline(1), contract_, *pipeline_, size_t{1} << 21U),
              invalid("3 edges for each of 2097152"));
  baseline = sample_baseline(2);
  EXPECT_THAT(check(baseline), invalid("8 counts for 4 bins"));
}

TEST(Baseline, BinOfAndQuantiles) {
  const std::vector<double> edges = {1.0, 2.0};
  EXPECT_EQ(bin_of(edges, 0.0), 0U);
  EXPECT_EQ(bin_of(edges, 1.0), 1U);
  EXPECT_EQ(bin_of(edges, 5.0), 2U);
  EXPECT_EQ(bin_of({}, 5.0), 0U);
  std::vector<double> growing;
  for (int count = 0; count < 70; ++count) {
    for (double x = -1.0; x <= count + 1; x += 0.5) {
      EXPECT_EQ(bin_of(growing, x),
                static_cast<size_t>(std::ranges::upper_bound(growing, x) - growing.begin()));
    }
    growing.push_back(count);
  }
  EXPECT_EQ(bin_of(growing, INFINITY), 70U);
  EXPECT_EQ(bin_of(growing, -INFINITY), 0U);
  std::vector<double> few = {2.0, kNan, 1.0, 2.0, INFINITY};
  EXPECT_THAT(quantile_edges(few, 3), ElementsAre(1.0, 2.0));
  std::vector<double> many(1000);
  for (size_t i = 0; i < many.size(); ++i) {
    many[i] = static_cast<double>(i * 7919 % 1000);
  }
  EXPECT_THAT(quantile_edges(many, 4), ElementsAre(0.0, 250.0, 500.0, 750.0));
  std::vector<double> skewed(1000, 0.0);
  for (size_t i = 990; i < 1000; ++i) {
    skewed[i] = static_cast<double>(i);
  }
  EXPECT_THAT(quantile_edges(skewed, 4), ElementsAre(0.0));
  std::vector<double> none = {kNan};
  EXPECT_THAT(quantile_edges(none, 4), IsEmpty());
}

}  // namespace
}  // namespace cromford::model
