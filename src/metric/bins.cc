#include "metric/bins.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "metric/influence.h"
#include "metric/normal.h"

namespace cromford::metric {
namespace {

// The bin over order[first, last).
Bin make_bin(std::span<const Confidence> rows, std::span<const double> weights,
             std::span<const uint32_t> order) {
  Bin bin;
  bin.lowest = rows[order.front()].probability;
  bin.highest = rows[order.back()].probability;
  bin.row_count = order.size();
  for (const uint32_t i : order) {
    const double weight = weights.empty() ? 1.0 : weights[i];
    bin.weight += weight;
    bin.squared_weight += weight * weight;
    bin.probability += weight * rows[i].probability;
    bin.happened += weight * rows[i].happened;
  }
  if (bin.weight <= 0) {
    return bin;
  }
  bin.probability /= bin.weight;
  bin.happened /= bin.weight;
  const double gap = bin.happened - bin.probability;
  double squares = 0;
  for (const uint32_t i : order) {
    const double weight = weights.empty() ? 1.0 : weights[i];
    const double deviation = rows[i].happened - rows[i].probability - gap;
    squares += weight * weight * deviation * deviation;
  }
  const double effective = bin.weight * bin.weight / bin.squared_weight;
  // One row alone says nothing of its variance; p (1 - p) is what a calibrated one would have.
  bin.gap_variance = effective > 1.5
                         ? squares / (bin.weight * bin.weight) * effective / (effective - 1)
                         : bin.probability * (1 - bin.probability) / effective;
  return bin;
}

}  // namespace

std::vector<Confidence> confidences_of(const Scored& rows) {
  std::vector<Confidence> result(rows.labels.size());
  for (size_t i = 0; i < result.size(); ++i) {
    if (rows.task == Task::kBinary) {
      result[i] = {.probability = rows.predictions[i], .happened = rows.labels[i]};
      continue;
    }
    const size_t called = decided_class(rows, i);
    result[i] = {.probability = rows.predictions[i * rows.class_count + called],
                 .happened = static_cast<double>(called) == rows.labels[i] ? 1.0 : 0.0};
  }
  return result;
}

std::vector<Bin> bins_of(std::span<const Confidence> rows, std::span<const double> weights,
                         size_t count) {
  std::vector<uint32_t> order;
  order.reserve(rows.size());
  double total = 0;
  for (uint32_t i = 0; i < rows.size(); ++i) {
    const double weight = weights.empty() ? 1.0 : weights[i];
    if (weight > 0) {
      order.push_back(i);
      total += weight;
    }
  }
  std::sort(order.begin(), order.end(), [&rows](uint32_t a, uint32_t b) {
    const double x = rows[a].probability;
    const double y = rows[b].probability;
    return x != y ? x < y : a < b;
  });
  std::vector<Bin> bins;
  double seen = 0;
  size_t first = 0;
  for (size_t k = 0; k < order.size(); ++k) {
    seen += weights.empty() ? 1.0 : weights[order[k]];
    const bool last = k + 1 == order.size();
    const bool tied = !last && rows[order[k]].probability == rows[order[k + 1]].probability;
    const double wanted = total * static_cast<double>(bins.size() + 1) / static_cast<double>(count);
    if (last || (!tied && seen >= wanted * (1 - 1e-12))) {
      bins.push_back(make_bin(rows, weights, std::span(order).subspan(first, k + 1 - first)));
      first = k + 1;
    }
  }
  return bins;
}

Estimate calibration_error(std::span<const Bin> bins, double confidence) {
  double total = 0;
  for (const Bin& bin : bins) {
    total += bin.weight;
  }
  double squared = 0;
  double variance = 0;
  for (const Bin& bin : bins) {
    const double share = bin.weight / total;
    const double gap = bin.happened - bin.probability;
    const double debiased = gap * gap - bin.gap_variance;
    squared += share * debiased;
    variance +=
        share * share *
        (4 * std::max(debiased, 0.0) * bin.gap_variance + 2 * bin.gap_variance * bin.gap_variance);
  }
  const double half = normal_quantile(0.5 + confidence / 2) * std::sqrt(variance);
  const auto root = [](double x) { return std::min(1.0, std::sqrt(std::max(0.0, x))); };
  return {.value = root(squared), .lower = root(squared - half), .upper = root(squared + half)};
}

}  // namespace cromford::metric
