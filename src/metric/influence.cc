#include "metric/influence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/status.h"
#include "metric/check.h"

namespace cromford::metric {
namespace {

// The factor that makes a sum of squared deviations of n rows an unbiased variance.
double small_sample_factor(size_t n) {
  return n > 1 ? std::sqrt(static_cast<double>(n) / static_cast<double>(n - 1)) : 1.0;
}

std::vector<uint32_t> order_by_score(const OneClass& rows) {
  std::vector<uint32_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&rows](uint32_t a, uint32_t b) {
    const double x = rows.score(a);
    const double y = rows.score(b);
    return x != y ? x < y : a < b;
  });
  return order;
}

// Calls visit(first, last) for each run of equal scores in `order`.
template <typename Visit>
void for_each_tie(const OneClass& rows, const std::vector<uint32_t>& order, Visit visit) {
  size_t first = 0;
  while (first < order.size()) {
    size_t last = first + 1;
    while (last < order.size() && rows.score(order[last]) == rows.score(order[first])) {
      ++last;
    }
    visit(first, last);
    first = last;
  }
}

struct Sides {
  double positive = 0;
  double negative = 0;
  size_t positive_count = 0;
  size_t negative_count = 0;
};

absl::StatusOr<Sides> sides_of(const OneClass& rows, std::string_view metric) {
  Sides sides;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows.is_positive(i)) {
      sides.positive += rows.weight(i);
      ++sides.positive_count;
    } else {
      sides.negative += rows.weight(i);
      ++sides.negative_count;
    }
  }
  if (sides.positive <= 0 || sides.negative <= 0) {
    return base::invalid(fmt::format("{} needs rows of both classes, but there are only {} ones",
                                     metric, sides.positive > 0 ? "positive" : "negative"),
                         "measure on rows that hold both classes");
  }
  return sides;
}

}  // namespace

absl::StatusOr<double> auc(const OneClass& rows, double scale, std::vector<double>* influence) {
  TRY(const Sides sides, sides_of(rows, "auc"));
  const std::vector<uint32_t> order = order_by_score(rows);
  // The share of the other side that a row is rightly ordered against (ties count a half).
  std::vector<double> component(rows.size());
  double positive_below = 0;
  double negative_below = 0;
  double sum = 0;
  for_each_tie(rows, order, [&](size_t first, size_t last) {
    double positive_here = 0;
    double negative_here = 0;
    for (size_t k = first; k < last; ++k) {
      (rows.is_positive(order[k]) ? positive_here : negative_here) += rows.weight(order[k]);
    }
    const double for_positive = (negative_below + negative_here / 2) / sides.negative;
    const double for_negative = 1 - (positive_below + positive_here / 2) / sides.positive;
    for (size_t k = first; k < last; ++k) {
      component[order[k]] = rows.is_positive(order[k]) ? for_positive : for_negative;
    }
    sum += positive_here * for_positive;
    positive_below += positive_here;
    negative_below += negative_here;
  });
  const double value = std::min(sum / sides.positive, 1.0);
  if (influence != nullptr) {
    const double positive_factor = small_sample_factor(sides.positive_count) / sides.positive;
    const double negative_factor = small_sample_factor(sides.negative_count) / sides.negative;
    for (size_t i = 0; i < rows.size(); ++i) {
      const double factor = rows.is_positive(i) ? positive_factor : negative_factor;
      (*influence)[i] += scale * rows.weight(i) * factor * (component[i] - value);
    }
  }
  return value;
}

absl::StatusOr<double> average_precision(const OneClass& rows, double scale,
                                         std::vector<double>* influence) {
  TRY(const Sides sides, sides_of(rows, "average_precision"));
  const std::vector<uint32_t> order = order_by_score(rows);
  // From the lowest score upwards: what is at or above each score is the total less what is below.
  double true_above = sides.positive;
  double all_above = sides.positive + sides.negative;
  double sum = 0;
  double gain = 0;  // Over the rows at or below: sum of w y / called.
  double cost = 0;  // The same, times their precision.
  std::vector<double> derivative(influence == nullptr ? 0 : rows.size());
  for_each_tie(rows, order, [&](size_t first, size_t last) {
    double positive_here = 0;
    double weight_here = 0;
    for (size_t k = first; k < last; ++k) {
      const double weight = rows.weight(order[k]);
      positive_here += rows.is_positive(order[k]) ? weight : 0;
      weight_here += weight;
    }
    const double precision = all_above > 0 ? true_above / all_above : 0;
    sum += positive_here * precision;
    gain += all_above > 0 ? positive_here / all_above : 0;
    cost += all_above > 0 ? positive_here / all_above * precision : 0;
    for (size_t k = first; influence != nullptr && k < last; ++k) {
      derivative[order[k]] = rows.is_positive(order[k]) ? precision + gain - cost : -cost;
    }
    true_above = std::max(0.0, true_above - positive_here);
    all_above = std::max(0.0, all_above - weight_here);
  });
  const double value = sum / sides.positive;
  for (size_t i = 0; influence != nullptr && i < rows.size(); ++i) {
    const double own = derivative[i] - (rows.is_positive(i) ? value : 0);
    (*influence)[i] += scale * rows.weight(i) / sides.positive * own;
  }
  return value;
}

double mean(std::span<const double> values, std::span<const double> weights,
            std::vector<double>* influence) {
  double sum = 0;
  double total = 0;
  size_t count = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double weight = weights.empty() ? 1.0 : weights[i];
    if (!std::isnan(values[i])) {
      sum += weight * values[i];
      total += weight;
      ++count;
    }
  }
  const double value = sum / total;
  if (influence != nullptr) {
    influence->assign(values.size(), 0.0);
    const double factor = small_sample_factor(count) / total;
    for (size_t i = 0; i < values.size(); ++i) {
      const double weight = weights.empty() ? 1.0 : weights[i];
      (*influence)[i] = std::isnan(values[i]) ? 0 : factor * weight * (values[i] - value);
    }
  }
  return value;
}

size_t decided_class(const Scored& rows, size_t i) {
  if (rows.task == Task::kBinary) {
    return rows.predictions[i] >= rows.threshold ? 1 : 0;
  }
  const auto row = rows.predictions.subspan(i * rows.class_count, rows.class_count);
  return static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

}  // namespace cromford::metric
