#pragma once

// Measures of rows that are only known as counts: how many of each class got a probability in each
// of 512 buckets. Counts add up over threads, hours and versions, so that a window's AUC needs no
// rows. What the buckets cost in exactness is less than a thousandth.
//
//   positives[score_bucket(0.31)] += 1;
//   if (const auto auc = auc_of(positives, negatives)) { ... auc->lower ... }
//   const Estimate brier = mean_of(sum, sum_of_squares, n);
//   const FairnessVerdict fair = four_fifths({.selected = 20, .rows = 100}, {.selected = 260, .rows
//   = 1000});
//
// Thread safety: pure functions and values.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "metric/metric.h"

namespace cromford::metric {

inline constexpr size_t kScoreBuckets = 512;

// The bucket of a probability, and the probability in the middle of a bucket.
size_t score_bucket(double probability);
double bucket_score(size_t bucket);

// The area under the ROC curve with its interval: the structural components of DeLong et al. (1988)
// bucket by bucket, equal scores counted half. `positives` and `negatives`: one number for each
// bucket, whole or not (expected counts). Nothing where one of them is empty.
std::optional<Estimate> auc_of(std::span<const double> positives, std::span<const double> negatives,
                               double confidence = 0.95);

// As `calibration_error` of metric.h: the debiased root mean squared gap over at most 15 bins of
// equal weight. Nothing without rows.
std::optional<Estimate> calibration_error_of(std::span<const double> positives,
                                             std::span<const double> negatives,
                                             double confidence = 0.95);

// A mean from sums, with the normal interval. Nothing without rows.
std::optional<Estimate> mean_of(double sum, double sum_of_squares, double count,
                                double confidence = 0.95);

// A share of rows with Wilson's interval. Nothing without rows.
std::optional<Estimate> share_of(double part, double count, double confidence = 0.95);

// The difference of two independent shares with the interval of Newcombe (1998, method 10), which
// is made of Wilson's. Nothing where one has no rows.
std::optional<Estimate> share_gap(double part, double count, double other_part, double other_count,
                                  double confidence = 0.95);

// How many rows of a group got the favourable answer.
struct Selected {
  double selected = 0;
  double rows = 0;
};
// The ratio of two selection rates, with the interval of the log ratio (Katz et al. 1978). Nothing
// where a group has no rows or nobody was selected.
std::optional<Estimate> selection_ratio(const Selected& group, const Selected& reference,
                                        double confidence = 0.95);

// The rule of four fifths with its uncertainty: red where the ratio is surely below 0.8, amber
// where it is below, green where it is surely not, else there is not enough data to say.
enum class FairnessVerdict : uint8_t { kNotEnoughData, kGreen, kAmber, kRed };
// "not_enough_data", "green", "amber", "red".
std::string_view verdict_name(FairnessVerdict verdict);
FairnessVerdict four_fifths(const Selected& group, const Selected& reference,
                            double confidence = 0.95);

}  // namespace cromford::metric
