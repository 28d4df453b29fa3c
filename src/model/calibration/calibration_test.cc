#include "model/calibration/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "testing/status_matchers.h"

namespace cromford::model {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

TEST(Calibration, QuadraticAndVector) {
  double margin = 2.0;
  calibrate({.kind = CalibrationKind::kNone}, {&margin, 1});
  EXPECT_EQ(margin, 2.0);
  calibrate({.kind = CalibrationKind::kQuadratic, .scale = {3.0}, .offset = {-1.0}, .square = 0.5},
            {&margin, 1});
  EXPECT_EQ(margin, -1.0 + 6.0 + 2.0);
  std::vector<double> margins = {1.0, 2.0, 3.0};
  calibrate({.kind = CalibrationKind::kVector, .scale = {1.0, 2.0, 0.5}, .offset = {0.0, 1.0, 0.0}},
            margins);
  EXPECT_EQ(margins, (std::vector<double>{1.0, 5.0, 1.5}));
}

TEST(Calibration, ExtremeMarginsGiveNumbers) {
  const Calibration calibration{
      .kind = CalibrationKind::kQuadratic, .scale = {1e9}, .offset = {-1e9}, .square = -1e9};
  for (const double m : {-1e300, -1.0, 0.0, 1.0, 1e300}) {
    double margin = m;
    calibrate(calibration, {&margin, 1});
    double probabilities[2];
    link_probabilities(Link::kLogistic, {&margin, 1}, probabilities);
    EXPECT_GE(probabilities[1], 0.0);
    EXPECT_LE(probabilities[1], 1.0);
    EXPECT_NEAR(probabilities[0] + probabilities[1], 1.0, 1e-15);
  }
}

TEST(Links, ProbabilitiesAreThoseOfTheFormula) {
  for (const double m : {-30.0, -1.5, 0.0, 0.3, 40.0}) {
    double probabilities[2];
    link_probabilities(Link::kLogistic, {&m, 1}, probabilities);
    EXPECT_NEAR(probabilities[1], 1.0 / (1.0 + std::exp(-m)), 1e-15);
    EXPECT_NEAR(probabilities[0] / (1.0 / (1.0 + std::exp(m))), 1.0, 1e-12);
  }
  const std::vector<double> margins = {1.0, 3.0, 2.0};
  std::vector<double> probabilities(3);
  link_probabilities(Link::kSoftmax, margins, probabilities);
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(3.0);
  EXPECT_NEAR(probabilities[0], std::exp(1.0) / sum, 1e-15);
  EXPECT_NEAR(probabilities[1], std::exp(3.0) / sum, 1e-15);
  const std::vector<double> extreme = {-1e300, 1e300, 1e300};
  link_probabilities(Link::kSoftmax, extreme, probabilities);
  EXPECT_EQ(probabilities[0], 0.0);
  EXPECT_EQ(probabilities[1], 0.5);
}

TEST(Links, ValuesAreFinite) {
  EXPECT_EQ(link_value(Link::kIdentity, 3.0), 3.0);
  EXPECT_NEAR(link_value(Link::kLog, 1.0), std::exp(1.0), 1e-15);
  EXPECT_NEAR(link_value(Link::kLog1p, 1.0), std::exp(1.0) - 1.0, 1e-15);
  EXPECT_TRUE(std::isfinite(link_value(Link::kLog, 1e300)));
  EXPECT_EQ(link_value(Link::kLog, -1e300), 0.0);
}

TEST(Intervals, ConstantAndScaled) {
  Interval interval{.kind = IntervalKind::kConstant, .below = 1.0, .above = 2.0};
  Bounds bounds = interval_bounds(interval, Link::kIdentity, 5.0, 0.0);
  EXPECT_EQ(bounds.lower, 4.0);
  EXPECT_EQ(bounds.upper, 7.0);
  interval = {.kind = IntervalKind::kScaled, .below = 1.0, .above = 2.0, .floor = 0.5};
  bounds = interval_bounds(interval, Link::kIdentity, 5.0, std::log(3.0));
  EXPECT_NEAR(bounds.lower, 2.0, 1e-12);
  EXPECT_NEAR(bounds.upper, 11.0, 1e-12);
  bounds = interval_bounds(interval, Link::kIdentity, 5.0, -100.0);  // the floor
  EXPECT_EQ(bounds.lower, 4.5);
  bounds = interval_bounds(interval, Link::kIdentity, 5.0, 1e300);
  EXPECT_TRUE(std::isfinite(bounds.lower) && std::isfinite(bounds.upper));
  bounds = interval_bounds({}, Link::kLog, 0.0, 0.0);
  EXPECT_EQ(bounds.lower, 1.0);
}

TEST(Calibration, RefusesWhatDoesNotFit) {
  const auto invalid = [](const char* text) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text));
  };
  const Calibration affine{.kind = CalibrationKind::kQuadratic, .scale = {1.0}, .offset = {0.0}};
  EXPECT_OK(check_calibration(affine, Task::kBinary, 1));
  EXPECT_THAT(check_calibration(affine, Task::kRegression, 1), invalid("regression"));
  EXPECT_THAT(check_calibration({.kind = CalibrationKind::kVector, .scale = {1.0}, .offset = {0.0}},
                                Task::kMulticlass, 3),
              invalid("multiclass"));
  Calibration bad = affine;
  bad.square = NAN;
  EXPECT_THAT(check_calibration(bad, Task::kBinary, 1), invalid("not finite"));
  EXPECT_THAT(check_calibration({.kind = static_cast<CalibrationKind>(9)}, Task::kBinary, 1),
              invalid("does not fit"));
  EXPECT_THAT(check_calibration({.kind = CalibrationKind::kNone, .square = 1.0}, Task::kBinary, 1),
              invalid("not finite or too large"));
  EXPECT_OK(check_link(Link::kLog1p, Task::kRegression));
  EXPECT_THAT(check_link(Link::kLogistic, Task::kMulticlass), invalid("does not fit"));
  EXPECT_THAT(check_link(static_cast<Link>(77), Task::kBinary), invalid("does not fit"));
}

TEST(Intervals, RefusesWhatDoesNotFit) {
  const auto invalid = [](const char* text) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text));
  };
  EXPECT_OK(check_interval({}, Task::kBinary));
  EXPECT_THAT(check_interval({.kind = IntervalKind::kConstant}, Task::kBinary),
              invalid("only a regression"));
  EXPECT_THAT(check_interval({.kind = IntervalKind::kConstant, .below = -1.0}, Task::kRegression),
              invalid("negative"));
  EXPECT_THAT(check_interval({.kind = IntervalKind::kScaled, .below = 1.0}, Task::kRegression),
              invalid("width"));
  EXPECT_THAT(check_interval({.kind = IntervalKind::kConstant, .coverage = 1.0}, Task::kRegression),
              invalid("coverage"));
  EXPECT_THAT(check_interval({.kind = static_cast<IntervalKind>(5)}, Task::kRegression),
              invalid("does not exist"));
}

}  // namespace
}  // namespace cromford::model
