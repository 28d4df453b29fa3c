#include "learn/linear/linear_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"

namespace cromford::learn {
namespace {

Matrix make_rows(size_t count, size_t columns, uint64_t seed) {
  base::Random random(seed);
  Matrix rows{.row_count = count, .column_count = columns, .values = {}};
  for (size_t i = 0; i < count * columns; ++i) {
    rows.values.push_back(static_cast<float>(50 + 10 * random.normal()));
  }
  return rows;
}

TEST(LinearFitTest, RidgeFindsTheLine) {
  const Matrix rows = make_rows(500, 3, 1);
  std::vector<double> labels;
  for (size_t i = 0; i < rows.row_count; ++i) {
    labels.push_back(1000 + 2 * rows.row(i)[0] - 3 * rows.row(i)[1]);
  }
  const model::LinearParts parts =
      fit_linear(rows, {.loss = LinearLoss::kSquared, .labels = labels, .l2 = 1e-6});
  EXPECT_NEAR(parts.weights[0], 2, 1e-3);
  EXPECT_NEAR(parts.weights[1], -3, 1e-3);
  EXPECT_NEAR(parts.weights[2], 0, 1e-3);
  double margin = 0;
  linear_margins(parts, rows.row(7), {&margin, 1});
  EXPECT_NEAR(margin, labels[7], 0.05);
}

// The optimum of penalised logistic regression has a gradient of zero.
TEST(LinearFitTest, LogisticGradientVanishes) {
  const Matrix rows = make_rows(400, 2, 2);
  base::Random random(3);
  std::vector<double> labels;
  for (size_t i = 0; i < rows.row_count; ++i) {
    const double score = 0.2 * (rows.row(i)[0] - 50) + 1;
    labels.push_back(random.uniform() < 1 / (1 + std::exp(-score)) ? 1 : 0);
  }
  const double l2 = 5;
  const model::LinearParts parts =
      fit_linear(rows, {.loss = LinearLoss::kLogistic, .labels = labels, .l2 = l2});
  for (size_t f = 0; f < 2; ++f) {
    double squares = 0;
    for (size_t i = 0; i < rows.row_count; ++i) {
      squares += std::pow(rows.row(i)[f] - parts.mean[f], 2);
    }
    const double spread = std::sqrt(squares / static_cast<double>(rows.row_count));
    double gradient = l2 * parts.weights[f] * spread;
    for (size_t i = 0; i < rows.row_count; ++i) {
      double margin = 0;
      linear_margins(parts, rows.row(i), {&margin, 1});
      gradient +=
          (1 / (1 + std::exp(-margin)) - labels[i]) * (rows.row(i)[f] - parts.mean[f]) / spread;
    }
    EXPECT_NEAR(gradient, 0, 0.05);
  }
}

TEST(LinearFitTest, SoftmaxSeparatesClassesAndSurvivesMissing) {
  Matrix rows = make_rows(600, 3, 4);
  std::vector<double> labels;
  for (size_t i = 0; i < rows.row_count; ++i) {
    const auto row = rows.row(i);
    labels.push_back(row[0] > 55 ? 2 : row[1] > 50 ? 1 : 0);
  }
  rows.values[5] = std::numeric_limits<float>::quiet_NaN();
  for (size_t i = 0; i < rows.row_count; ++i) {
    rows.values[i * 3 + 2] = 7;  // Does not vary.
  }
  const model::LinearParts parts = fit_linear(
      rows, {.loss = LinearLoss::kSoftmax, .output_count = 3, .labels = labels, .l2 = 0.1});
  size_t right = 0;
  std::vector<double> margins(3);
  for (size_t i = 0; i < rows.row_count; ++i) {
    linear_margins(parts, rows.row(i), margins);
    const auto best = std::max_element(margins.begin(), margins.end()) - margins.begin();
    right += static_cast<double>(best) == labels[i] ? 1 : 0;
  }
  EXPECT_GT(right, 540U);
  EXPECT_EQ(parts.weights[2], 0);
}

TEST(LinearFitTest, StopsWhenAsked) {
  const Matrix rows = make_rows(100, 3, 1);
  const std::vector<double> labels(100, 1.0);
  const model::LinearParts parts = fit_linear(
      rows, {.loss = LinearLoss::kLogistic, .labels = labels, .stop = [] { return true; }});
  EXPECT_EQ(parts.weights, (std::vector<double>{0, 0, 0}));
}

}  // namespace
}  // namespace cromford::learn
