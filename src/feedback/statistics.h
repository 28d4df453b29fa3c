#pragma once

// What is counted for each endpoint: how predictions and outcomes met, and how long it took.
//
//   const EndpointStatistics late = log.statistics("default/late");
//   late.joined; late.waiting; late.rejected();
//   if (auto age = late.event_lag.quantile(0.95)) { ... }   // older cohorts are mature
//
// Thread safety: values.

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace cromford::feedback {

// Durations counted in buckets that grow by a an eighth at most, so that quantiles of anything
// from a microsecond to centuries are known within 7% in at most 4 KiB. Mergeable.
class LagHistogram {
 public:
  // A negative lag counts as none at all.
  void add(std::chrono::microseconds lag, uint64_t count = 1);
  void merge(const LagHistogram& other);
  uint64_t count() const { return count_; }
  // The lag that a share `q` of all does not exceed (the middle of its bucket); nullopt when empty.
  std::optional<std::chrono::microseconds> quantile(double q) const;

  // As stored: how many fell into each bucket; trailing zeros are left out.
  const std::vector<uint64_t>& buckets() const { return buckets_; }
  static LagHistogram from_buckets(std::vector<uint64_t> buckets);

 private:
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
};

struct EndpointStatistics {
  uint64_t predictions = 0;       // logged, repeated ids included
  uint64_t predictions_lost = 0;  // answered but not logged, because the disk refused
  uint64_t joined = 0;            // ids with a prediction and an outcome
  uint64_t waiting = 0;           // ids with an outcome whose prediction is not here (yet)
  uint64_t duplicates = 0;        // the same outcome once more
  uint64_t corrections = 0;       // another outcome for an id that has one
  uint64_t rejected_value = 0;    // not a class, or not a number
  uint64_t rejected_future = 0;   // happened too far in the future
  uint64_t rejected_unknown = 0;  // waited in vain for its prediction
  // From the prediction's event time to the time at which the outcome happened.
  LagHistogram event_lag;
  // From the prediction's arrival to the outcome's: how long the factory waits for the truth.
  LagHistogram arrival_lag;

  uint64_t rejected() const { return rejected_value + rejected_future + rejected_unknown; }
};

}  // namespace cromford::feedback
