#include "metric/score_counts.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "metric/bins.h"
#include "metric/normal.h"

namespace cromford::metric {
namespace {

constexpr size_t kCalibrationBins = 15;
constexpr double kFourFifths = 0.8;
// Below, the normal interval of a log ratio says nothing.
constexpr double kSelectedMin = 5;

double sum_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double z_of(double confidence) {
  return normal_quantile(0.5 + confidence / 2);
}

Estimate within(double value, double margin, double lowest, double highest) {
  return {value, std::max(lowest, value - margin), std::min(highest, value + margin)};
}

}  // namespace

size_t score_bucket(double probability) {
  const double place = std::clamp(probability, 0.0, 1.0) * kScoreBuckets;
  return std::min(static_cast<size_t>(place), kScoreBuckets - 1);
}

double bucket_score(size_t bucket) {
  return (static_cast<double>(bucket) + 0.5) / kScoreBuckets;
}

std::optional<Estimate> auc_of(std::span<const double> positives, std::span<const double> negatives,
                               double confidence) {
  const double m = sum_of(positives);
  const double n = sum_of(negatives);
  if (m <= 0 || n <= 0) {
    return std::nullopt;
  }
  // Of a positive in a bucket, the share of negatives below it; and the other way round.
  double below = 0;
  double area = 0;
  std::vector<double> of_positives(positives.size());
  for (size_t b = 0; b < positives.size(); ++b) {
    of_positives[b] = (below + negatives[b] / 2) / n;
    area += positives[b] * of_positives[b] / m;
    below += negatives[b];
  }
  double above = m;
  double positive_variance = 0;
  double negative_variance = 0;
  for (size_t b = 0; b < positives.size(); ++b) {
    above -= positives[b];
    const double of_negatives = (above + positives[b] / 2) / m;
    positive_variance += positives[b] * (of_positives[b] - area) * (of_positives[b] - area);
    negative_variance += negatives[b] * (of_negatives - area) * (of_negatives - area);
  }
  const double variance = positive_variance / (m * std::max(1.0, m - 1)) +
                          negative_variance / (n * std::max(1.0, n - 1));
  return within(area, z_of(confidence) * std::sqrt(variance), 0, 1);
}

std::optional<Estimate> calibration_error_of(std::span<const double> positives,
                                             std::span<const double> negatives, double confidence) {
  const double total = sum_of(positives) + sum_of(negatives);
  if (total <= 0) {
    return std::nullopt;
  }
  std::vector<Bin> bins;
  Bin bin;
  for (size_t b = 0; b < positives.size(); ++b) {
    const double weight = positives[b] + negatives[b];
    bin.weight += weight;
    bin.probability += weight * bucket_score(b);
    bin.happened += positives[b];
    const bool is_last = b + 1 == positives.size();
    if (bin.weight > 0 && (is_last || bin.weight * kCalibrationBins >= total)) {
      bin.squared_weight = bin.weight;
      bin.row_count = static_cast<size_t>(bin.weight);
      bin.probability /= bin.weight;
      bin.happened /= bin.weight;
      const double spread = bin.weight > 1.5 ? bin.happened * (1 - bin.happened) / (bin.weight - 1)
                                             : bin.probability * (1 - bin.probability);
      bin.gap_variance = spread;
      bins.push_back(std::exchange(bin, {}));
    }
  }
  return calibration_error(bins, confidence);
}

std::optional<Estimate> mean_of(double sum, double sum_of_squares, double count,
                                double confidence) {
  if (count < 1) {
    return std::nullopt;
  }
  const double mean = sum / count;
  const double spread = std::max(0.0, sum_of_squares / count - mean * mean);
  const double error = std::sqrt(spread / std::max(1.0, count - 1));
  return within(mean, z_of(confidence) * error, -HUGE_VAL, HUGE_VAL);
}

std::optional<Estimate> share_of(double part, double count, double confidence) {
  if (count < 1) {
    return std::nullopt;
  }
  const Interval interval = wilson(part / count, count, confidence);
  return Estimate{part / count, interval.lower, interval.upper};
}

std::optional<Estimate> share_gap(double part, double count, double other_part, double other_count,
                                  double confidence) {
  const auto one = share_of(part, count, confidence);
  const auto other = share_of(other_part, other_count, confidence);
  if (!one || !other) {
    return std::nullopt;
  }
  const double gap = one->value - other->value;
  return Estimate{gap, gap - std::hypot(one->value - one->lower, other->upper - other->value),
                  gap + std::hypot(one->upper - one->value, other->value - other->lower)};
}

std::optional<Estimate> selection_ratio(const Selected& group, const Selected& reference,
                                        double confidence) {
  if (group.selected <= 0 || reference.selected <= 0) {
    return std::nullopt;
  }
  const double p = group.selected / group.rows;
  const double q = reference.selected / reference.rows;
  const double error = std::sqrt((1 - p) / group.selected + (1 - q) / reference.selected);
  const double factor = std::exp(z_of(confidence) * error);
  return Estimate{p / q, p / q / factor, p / q * factor};
}

std::string_view verdict_name(FairnessVerdict verdict) {
  switch (verdict) {
    case FairnessVerdict::kGreen:
      return "green";
    case FairnessVerdict::kAmber:
      return "amber";
    case FairnessVerdict::kRed:
      return "red";
    case FairnessVerdict::kNotEnoughData:
      break;
  }
  return "not_enough_data";
}

FairnessVerdict four_fifths(const Selected& group, const Selected& reference, double confidence) {
  if (group.selected < kSelectedMin || reference.selected < kSelectedMin) {
    return FairnessVerdict::kNotEnoughData;
  }
  const auto ratio = selection_ratio(group, reference, confidence);
  if (ratio->upper < kFourFifths) {
    return FairnessVerdict::kRed;
  }
  if (ratio->value < kFourFifths) {
    return FairnessVerdict::kAmber;
  }
  return ratio->lower >= kFourFifths ? FairnessVerdict::kGreen : FairnessVerdict::kNotEnoughData;
}

}  // namespace cromford::metric
