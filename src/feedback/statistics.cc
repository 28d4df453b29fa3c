#include "feedback/statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

namespace cromford::feedback {
namespace {

// Eight buckets for each power of two: the exponent and the three bits behind the leading one.
constexpr unsigned kBits = 3;
constexpr uint64_t kSmall = 1U << kBits;  // below it every value has a bucket of its own

size_t bucket_of(uint64_t us) {
  if (us < kSmall) {
    return us;
  }
  const auto exponent = static_cast<unsigned>(std::bit_width(us)) - 1 - kBits;
  return ((size_t{exponent} + 1) << kBits) + ((us >> exponent) - kSmall);
}

int64_t middle_of(size_t bucket) {
  if (bucket < kSmall) {
    return static_cast<int64_t>(bucket);
  }
  const auto exponent = static_cast<unsigned>(bucket >> kBits) - 1;
  const uint64_t first = (kSmall + (bucket & (kSmall - 1))) << exponent;
  return static_cast<int64_t>(first + (uint64_t{1} << exponent) / 2);
}

}  // namespace

void LagHistogram::add(std::chrono::microseconds lag, uint64_t count) {
  const size_t bucket = bucket_of(static_cast<uint64_t>(std::max<int64_t>(lag.count(), 0)));
  if (bucket >= buckets_.size()) {
    buckets_.resize(bucket + 1);
  }
  buckets_[bucket] += count;
  count_ += count;
}

void LagHistogram::merge(const LagHistogram& other) {
  buckets_.resize(std::max(buckets_.size(), other.buckets_.size()));
  for (size_t i = 0; i < other.buckets_.size(); ++i) {
    buckets_[i] += other.buckets_[i];
  }
  count_ += other.count_;
}

std::optional<std::chrono::microseconds> LagHistogram::quantile(double q) const {
  if (count_ == 0) {
    return std::nullopt;
  }
  const auto rank = static_cast<uint64_t>(
      std::max(1.0, std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_))));
  uint64_t below = 0;
  size_t bucket = 0;
  while (below + buckets_[bucket] < rank && bucket + 1 < buckets_.size()) {
    below += buckets_[bucket++];
  }
  return std::chrono::microseconds(middle_of(bucket));
}

LagHistogram LagHistogram::from_buckets(std::vector<uint64_t> buckets) {
  LagHistogram histogram;
  histogram.buckets_ = std::move(buckets);
  histogram.count_ =
      std::accumulate(histogram.buckets_.begin(), histogram.buckets_.end(), uint64_t{0});
  return histogram;
}

}  // namespace cromford::feedback
