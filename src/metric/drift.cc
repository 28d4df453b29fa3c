#include "metric/drift.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/status.h"
#include "metric/normal.h"

namespace cromford::metric {
namespace {

constexpr double kPseudoRows = 0.5;
constexpr size_t kGoodWindowsMin = 20;
constexpr double kWeightMin = 0.1;

struct Group {
  double reference = 0;
  double current = 0;
};

double total_of(std::span<const uint64_t> counts) {
  return std::accumulate(counts.begin(), counts.end(), 0.0,
                         [](double sum, uint64_t n) { return sum + static_cast<double>(n); });
}

// Neighbours share a group where their middles fall into the same of `limit` equal parts of the
// reference; so a bin of more than two parts is a group of its own or nearly so.
void merge_neighbours(std::span<const uint64_t> reference, std::span<const uint64_t> current,
                      size_t limit, std::vector<Group>& groups) {
  const double total = total_of(reference);
  double before = 0;
  size_t last_part = SIZE_MAX;
  for (size_t i = 0; i < reference.size(); ++i) {
    const auto mass = static_cast<double>(reference[i]);
    const double middle = total > 0 ? (before + mass / 2) / total : 0;
    const size_t part =
        std::min(static_cast<size_t>(middle * static_cast<double>(limit)), limit - 1);
    if (part != last_part) {
      groups.emplace_back();
      last_part = part;
    }
    groups.back().reference += mass;
    groups.back().current += static_cast<double>(current[i]);
    before += mass;
  }
}

std::vector<Group> merged(const BinPair& bins, size_t bins_max) {
  const size_t shared = bins.reference.size() - bins.own_bins;
  std::vector<Group> groups;
  merge_neighbours(bins.reference.first(shared), bins.current.first(shared),
                   std::max<size_t>(bins_max, bins.own_bins + 2) - bins.own_bins, groups);
  for (size_t i = shared; i < bins.reference.size(); ++i) {
    groups.push_back(
        {static_cast<double>(bins.reference[i]), static_cast<double>(bins.current[i])});
  }
  std::erase_if(groups, [](const Group& g) { return g.reference == 0 && g.current == 0; });
  return groups;
}

// x ln(x / y), 0 at x = 0.
double relative_entropy(double x, double y) {
  return x > 0 ? x * std::log(x / y) : 0.0;
}

double js_distance(std::span<const Group> groups, double reference, double current) {
  double nats = 0;
  for (const Group& group : groups) {
    const double q = group.reference / reference;
    const double p = group.current / current;
    nats += 0.5 * (relative_entropy(p, (p + q) / 2) + relative_entropy(q, (p + q) / 2));
  }
  return std::sqrt(std::max(0.0, nats / std::numbers::ln2));
}

double stability_index(std::span<const Group> groups, double reference, double current) {
  const auto count = static_cast<double>(groups.size());
  const double fewer = std::min(reference, current);
  const double smoothing = kPseudoRows / (fewer + kPseudoRows * count);  // Per bin.
  const double kept = 1.0 - smoothing * count;
  double psi = 0;
  for (const Group& group : groups) {
    const double q = kept * group.reference / reference + smoothing;
    const double p = kept * group.current / current + smoothing;
    psi += (p - q) * std::log(p / q);
  }
  return psi;
}

std::vector<double> scaled_weights(std::span<const double> weights, size_t count) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (!(sum > 0)) {
    return std::vector<double>(count, 1.0);
  }
  std::vector<double> scaled(weights.begin(), weights.end());
  double scaled_sum = 0;
  for (double& weight : scaled) {
    weight = std::max(weight * static_cast<double>(count) / sum, kWeightMin);
    scaled_sum += weight;
  }
  for (double& weight : scaled) {
    weight *= static_cast<double>(count) / scaled_sum;
  }
  return scaled;
}

}  // namespace

absl::StatusOr<Drift> drift(const BinPair& bins, const DriftSettings& settings) {
  if (bins.reference.size() != bins.current.size() || bins.own_bins > bins.current.size()) {
    return base::invalid(fmt::format("{} bins cannot be compared with {}", bins.current.size(),
                                     bins.reference.size()));
  }
  const double reference = total_of(bins.reference);
  const double current = total_of(bins.current);
  if (reference == 0 || current == 0) {
    return base::invalid("a distribution without rows cannot be compared");
  }
  const std::vector<Group> groups = merged(bins, settings.bins_max);
  Drift out;
  out.bin_count = groups.size();
  out.js_distance = js_distance(groups, reference, current);
  out.psi = stability_index(groups, reference, current);
  const double freedom = static_cast<double>(groups.size()) - 1;
  const double c = (1 / current + 1 / reference) * std::max(1.0, settings.inflation);
  out.chance = freedom * c;
  out.effect = std::max(0.0, out.psi - out.chance);
  if (freedom > 0) {
    const double variance = 2 * freedom * c * c + 4 * settings.tolerated * c;
    out.p_value = normal_cdf(-(out.psi - out.chance - settings.tolerated) / std::sqrt(variance));
  }
  return out;
}

double drift_inflation(std::span<const Drift> good_windows) {
  double sum = 0;
  size_t count = 0;
  for (const Drift& window : good_windows) {
    if (window.chance > 0) {
      sum += window.psi / window.chance;
      ++count;
    }
  }
  return count < kGoodWindowsMin ? 1.0 : std::max(1.0, sum / static_cast<double>(count));
}

double wasserstein(const BinPair& bins, std::span<const double> edges) {
  const double reference = total_of(bins.reference.first(edges.size() + 1));
  const double current = total_of(bins.current.first(edges.size() + 1));
  if (reference == 0 || current == 0) {
    return 0;
  }
  double difference = 0;  // Of the distribution functions at edges[i].
  double before = 0;
  double area = 0;
  for (size_t i = 0; i < edges.size(); ++i) {
    difference += static_cast<double>(bins.current[i]) / current -
                  static_cast<double>(bins.reference[i]) / reference;
    if (i > 0) {
      const double width = edges[i] - edges[i - 1];
      const double sum = std::abs(before) + std::abs(difference);
      // Two triangles where the functions cross in between, else a trapezoid.
      const bool crosses = before * difference < 0;
      area += width / 2 * (crosses ? (before * before + difference * difference) / sum : sum);
    }
    before = difference;
  }
  return area;
}

std::vector<double> adjusted_p_values(std::span<const double> p_values,
                                      std::span<const double> weights) {
  const size_t count = p_values.size();
  const std::vector<double> scaled = scaled_weights(weights, count);
  std::vector<double> weighted(count);
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = 0; i < count; ++i) {
    weighted[i] = p_values[i] / scaled[i];
  }
  std::ranges::sort(order, [&](size_t a, size_t b) { return weighted[a] < weighted[b]; });
  std::vector<double> adjusted(count);
  double least = 1.0;
  for (size_t rank = count; rank > 0; --rank) {
    const size_t i = order[rank - 1];
    least = std::min(least, weighted[i] * static_cast<double>(count) / static_cast<double>(rank));
    adjusted[i] = least;
  }
  return adjusted;
}

}  // namespace cromford::metric
