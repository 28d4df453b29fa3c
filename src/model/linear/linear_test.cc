#include "model/linear/linear.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "testing/status_matchers.h"

namespace cromford::model {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

LinearParts two_outputs() {
  return {.output_count = 2,
          .bias = {0.5, -0.5},
          .mean = {10.0, 1.0},
          .impute = {12.0, 1.0},
          .weights = {2.0, 3.0, -1.0, 4.0}};
}

TEST(Linear, PredictsAndImputes) {
  ASSERT_OK_AND_ASSIGN(const Linear linear, Linear::create(two_outputs(), 2));
  const std::vector<float> row = {9.0F, 3.0F, 11.0F};
  const std::vector<uint32_t> features = {2, 1};
  double margins[2];
  linear.predict(row, features, margins);
  EXPECT_EQ(margins[0], 0.5 + 2.0 * 1.0 + 3.0 * 2.0);
  EXPECT_EQ(margins[1], -0.5 - 1.0 + 4.0 * 2.0);
  const std::vector<float> missing = {9.0F, 3.0F, std::numeric_limits<float>::quiet_NaN()};
  linear.predict(missing, features, margins);
  EXPECT_EQ(margins[0], 0.5 + 2.0 * 2.0 + 3.0 * 2.0);
}

TEST(Linear, ContributionsAddUp) {
  ASSERT_OK_AND_ASSIGN(const Linear linear, Linear::create(two_outputs(), 2));
  const std::vector<float> row = {11.5F, 3.25F};
  const std::vector<uint32_t> features = {0, 1};
  const std::vector<uint32_t> players = {1, 0};
  double margins[2];
  linear.predict(row, features, margins);
  std::vector<double> phi(2, 0.0);
  linear.add_contributions(row, features, players, 1, 1.0, phi);
  EXPECT_EQ(phi[1], -1.5);
  EXPECT_EQ(phi[0], 9.0);
  EXPECT_DOUBLE_EQ(std::accumulate(phi.begin(), phi.end(), linear.bias()[1]), margins[1]);
}

TEST(Linear, RefusesShapesAndNumbersThatDoNotFit) {
  const auto message_of = [](const LinearParts& parts) {
    return Linear::create(parts, 2).status();
  };
  LinearParts parts = two_outputs();
  parts.weights.pop_back();
  EXPECT_THAT(message_of(parts),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("3 weights")));
  parts = two_outputs();
  parts.bias[0] = NAN;
  EXPECT_THAT(message_of(parts), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("bias")));
  parts = two_outputs();
  parts.mean[0] = INFINITY;
  EXPECT_THAT(message_of(parts), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("mean")));
  parts = two_outputs();
  parts.impute[1] = NAN;
  EXPECT_THAT(message_of(parts),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("replacement")));
  parts = two_outputs();
  parts.weights[1] = 1e101;
  EXPECT_THAT(message_of(parts), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("weight")));
  EXPECT_FALSE(
      Linear::create({.output_count = 0, .bias = {}, .mean = {}, .impute = {}, .weights = {}}, 0)
          .ok());
}

}  // namespace
}  // namespace cromford::model
