#include "learn/linear/linear_fit.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <deque>

namespace cromford::learn {
namespace {

using Values = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;

struct Scaling {
  std::vector<double> mean;
  std::vector<double> spread;  // 0: the feature does not vary.
};

Scaling scaling_of(const Matrix& rows) {
  Scaling result;
  result.mean.assign(rows.column_count, 0.0);
  result.spread.assign(rows.column_count, 0.0);
  std::vector<double> squares(rows.column_count, 0.0);
  std::vector<double> filled(rows.column_count, 0.0);
  for (size_t i = 0; i < rows.row_count; ++i) {
    const std::span<const float> row = rows.row(i);
    for (size_t f = 0; f < rows.column_count; ++f) {
      if (!std::isnan(row[f])) {
        // Welford's update: exact enough for large means with small spread.
        filled[f] += 1;
        const double gap = row[f] - result.mean[f];
        result.mean[f] += gap / filled[f];
        squares[f] += gap * (row[f] - result.mean[f]);
      }
    }
  }
  for (size_t f = 0; f < rows.column_count; ++f) {
    const double deviation = filled[f] > 1 ? std::sqrt(squares[f] / filled[f]) : 0;
    const bool varies = deviation > 1e-9 * std::max(1e-9, std::abs(result.mean[f]));
    result.spread[f] = varies ? deviation : 0;
  }
  return result;
}

Values standardised(const Matrix& rows, const Scaling& scaling) {
  Values z(static_cast<Eigen::Index>(rows.row_count), static_cast<Eigen::Index>(rows.column_count));
  for (size_t i = 0; i < rows.row_count; ++i) {
    const std::span<const float> row = rows.row(i);
    float* out = z.data() + i * rows.column_count;
    for (size_t f = 0; f < rows.column_count; ++f) {
      const bool zero = std::isnan(row[f]) || scaling.spread[f] == 0;
      const double value = zero ? 0 : (row[f] - scaling.mean[f]) / scaling.spread[f];
      out[f] = static_cast<float>(std::clamp(value, -20.0, 20.0));
    }
  }
  return z;
}

// The objective: mean loss + l2 / (2 n) |w|^2, over parameters [output][feature + 1], the bias
// last.
class Objective {
 public:
  Objective(const Values& z, const LinearOptions& options) : z_(z), options_(options) {
    for (Eigen::Index i = 0; i < z.rows(); ++i) {
      total_ += weight(i);
    }
  }

  Eigen::Index outputs() const { return options_.output_count; }
  Eigen::Index width() const { return z_.cols() + 1; }

  double operator()(const Vector& parameters, Vector& gradient) const {
    const Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>
        w(parameters.data(), outputs(), width());
    gradient.setZero(parameters.size());
    Eigen::Map<Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> g(
        gradient.data(), outputs(), width());
    const Values weights = w.leftCols(width() - 1).cast<float>();
    double loss = 0;
    // Blocks stay in the cache between the two products.
    constexpr Eigen::Index block_rows = 256;
    Values margins;
    for (Eigen::Index at = 0; at < z_.rows(); at += block_rows) {
      const Eigen::Index count = std::min(block_rows, z_.rows() - at);
      const auto block = z_.middleRows(at, count);
      margins.noalias() = block * weights.transpose();
      for (Eigen::Index i = 0; i < count; ++i) {
        loss += residuals(at + i, w.col(width() - 1), margins.row(i), g);
      }
      g.leftCols(width() - 1) += (margins.transpose() * block).cast<double>();
    }
    const double penalty = options_.l2 / total_;
    g /= total_;
    for (Eigen::Index o = 0; o < outputs(); ++o) {
      for (Eigen::Index f = 0; f + 1 < width(); ++f) {
        g(o, f) += penalty * w(o, f);
        loss += total_ * penalty / 2 * w(o, f) * w(o, f);
      }
    }
    return loss / total_;
  }

 private:
  double weight(Eigen::Index i) const {
    return options_.weights.empty() ? 1.0 : options_.weights[static_cast<size_t>(i)];
  }

  // Turns the margins of row i into derivatives of its loss, and returns the loss.
  template <typename Bias, typename Row, typename Gradient>
  double residuals(Eigen::Index i, const Bias& bias, Row&& row, Gradient& gradient) const {
    const double label = options_.labels[static_cast<size_t>(i)];
    const double w = weight(i);
    const Eigen::Index last = width() - 1;
    if (options_.loss == LinearLoss::kSoftmax) {
      return softmax(static_cast<Eigen::Index>(label), w, bias, row, gradient);
    }
    const double margin = row(0) + bias(0);
    double derivative = margin - label;
    double loss = derivative * derivative / 2;
    if (options_.loss == LinearLoss::kLogistic) {
      derivative = 1 / (1 + std::exp(-margin)) - label;
      loss = std::max(margin, 0.0) - margin * label + std::log1p(std::exp(-std::abs(margin)));
    }
    row(0) = static_cast<float>(w * derivative);
    gradient(0, last) += w * derivative;
    return w * loss;
  }

  template <typename Bias, typename Row, typename Gradient>
  double softmax(Eigen::Index label, double w, const Bias& bias, Row&& row,
                 Gradient& gradient) const {
    double highest = -1e300;
    for (Eigen::Index o = 0; o < outputs(); ++o) {
      highest = std::max(highest, row(o) + bias(o));
    }
    double sum = 0;
    for (Eigen::Index o = 0; o < outputs(); ++o) {
      sum += std::exp(row(o) + bias(o) - highest);
    }
    const double loss = highest + std::log(sum) - (row(label) + bias(label));
    for (Eigen::Index o = 0; o < outputs(); ++o) {
      const double p = std::exp(row(o) + bias(o) - highest) / sum;
      const double derivative = w * (p - (o == label ? 1 : 0));
      row(o) = static_cast<float>(derivative);
      gradient(o, width() - 1) += derivative;
    }
    return w * loss;
  }

  const Values& z_;
  const LinearOptions& options_;
  double total_ = 0;
};

struct Pair {
  Vector step;
  Vector change;
  double scale = 0;
};

// The two-loop recursion (Nocedal and Wright, Numerical Optimization, algorithm 7.4).
Vector direction(const std::deque<Pair>& history, const Vector& gradient) {
  Vector q = gradient;
  std::vector<double> alpha(history.size());
  for (size_t k = history.size(); k-- > 0;) {
    alpha[k] = history[k].scale * history[k].step.dot(q);
    q -= alpha[k] * history[k].change;
  }
  if (!history.empty()) {
    const Pair& last = history.back();
    q *= last.step.dot(last.change) / last.change.squaredNorm();
  }
  for (size_t k = 0; k < history.size(); ++k) {
    const double beta = history[k].scale * history[k].change.dot(q);
    q += (alpha[k] - beta) * history[k].step;
  }
  return -q;
}

// Minimises by L-BFGS with a backtracking line search.
void minimise(const Objective& objective, const LinearOptions& options, Vector& x) {
  Vector gradient;
  double value = objective(x, gradient);
  std::deque<Pair> history;
  Vector next_gradient;
  for (uint32_t step = 0; step < options.step_limit; ++step) {
    if (gradient.lpNorm<Eigen::Infinity>() < 1e-6 || (options.stop && options.stop())) {
      return;
    }
    const Vector towards = direction(history, gradient);
    const double slope = gradient.dot(towards);
    double length = history.empty() ? std::min(1.0, 1.0 / gradient.norm()) : 1.0;
    double next_value = 0;
    bool moved = false;
    Vector next;
    for (int attempt = 0; attempt < 30 && !moved; ++attempt, length /= 2) {
      next = x + length * towards;
      next_value = objective(next, next_gradient);
      moved = next_value <= value + 1e-4 * length * slope;
    }
    if (!moved) {
      return;
    }
    Pair pair{.step = next - x, .change = next_gradient - gradient};
    const double curvature = pair.step.dot(pair.change);
    if (curvature > 1e-12 * pair.change.squaredNorm()) {
      pair.scale = 1 / curvature;
      history.push_back(std::move(pair));
      if (history.size() > 8) {
        history.pop_front();
      }
    }
    const bool done = value - next_value < 1e-9 * std::max(1.0, std::abs(value));
    x = next;
    gradient = next_gradient;
    value = next_value;
    if (done) {
      return;
    }
  }
}

// Labels of a regression are standardised for the fit, so that the penalty means the same for all.
struct LabelScale {
  double mean = 0;
  double spread = 1;
};

LabelScale scale_of_labels(const LinearOptions& options) {
  LabelScale scale;
  double sum = 0;
  double total = 0;
  for (size_t i = 0; i < options.labels.size(); ++i) {
    const double w = options.weights.empty() ? 1.0 : options.weights[i];
    sum += w * options.labels[i];
    total += w;
  }
  scale.mean = sum / total;
  double squares = 0;
  for (size_t i = 0; i < options.labels.size(); ++i) {
    const double w = options.weights.empty() ? 1.0 : options.weights[i];
    squares += w * (options.labels[i] - scale.mean) * (options.labels[i] - scale.mean);
  }
  scale.spread = squares > 0 ? std::sqrt(squares / total) : 1;
  return scale;
}

}  // namespace

model::LinearParts fit_linear(const Matrix& rows, const LinearOptions& options) {
  const Scaling scaling = scaling_of(rows);
  const Values z = standardised(rows, scaling);
  LinearOptions fitted = options;
  std::vector<double> labels;
  LabelScale scale;
  if (options.loss == LinearLoss::kSquared) {
    scale = scale_of_labels(options);
    for (const double label : options.labels) {
      labels.push_back((label - scale.mean) / scale.spread);
    }
    fitted.labels = labels;
  }
  const Objective objective(z, fitted);
  Vector x = Vector::Zero(objective.outputs() * objective.width());
  minimise(objective, fitted, x);

  model::LinearParts parts{.output_count = options.output_count,
                           .bias = {},
                           .mean = scaling.mean,
                           .impute = scaling.mean,
                           .weights = {}};
  const size_t width = rows.column_count;
  for (size_t o = 0; o < options.output_count; ++o) {
    const double* row = x.data() + o * (width + 1);
    for (size_t f = 0; f < width; ++f) {
      const bool constant = scaling.spread[f] == 0;
      parts.weights.push_back(constant ? 0 : row[f] / scaling.spread[f] * scale.spread);
    }
    parts.bias.push_back(row[width] * scale.spread + scale.mean);
  }
  return parts;
}

void linear_margins(const model::LinearParts& parts, std::span<const float> row,
                    std::span<double> margins) {
  for (size_t o = 0; o < parts.output_count; ++o) {
    double margin = parts.bias[o];
    for (size_t f = 0; f < row.size(); ++f) {
      const double value = std::isnan(row[f]) ? parts.impute[f] : static_cast<double>(row[f]);
      margin += parts.weights[o * row.size() + f] * (value - parts.mean[f]);
    }
    margins[o] = margin;
  }
}

}  // namespace cromford::learn
