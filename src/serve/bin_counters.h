#pragma once

// Counts every answered row of a version on the bins of its package (model/bin_layout.h), by the
// hour of its event time: what monitoring compares with training. A row costs one increment per
// column and one for the prediction. A reader in the background takes the counts out.
//
//   BinCounters counters(package);
//   counters.count(batch, predictions, times, now);           // in the request
//   for (HourCounts& hour : counters.take_counts()) ...        // every minute or so
//
// Thread safety: all members, from any thread. Each thread has a shard of its own with a lock that
// it almost never waits for, so plain increments do; that is cheaper than an atomic one per column.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "model/package.h"
#include "serve/traffic.h"

namespace cromford::serve {

// The rows whose event time lies in one hour, and the requests that asked for them.
struct HourCounts {
  base::Time start{};  // A whole hour, UTC.
  uint64_t rows = 0;
  LatencyHistogram latency = {};      // Of requests; one counts where its first row does.
  std::vector<uint64_t> counts = {};  // On the package's bin_layout().
};

class BinCounters {
 public:
  explicit BinCounters(std::shared_ptr<const model::Package> package);

  // Counts all rows of an answered batch. `times`: the event time of each row, or empty where all
  // happened `now`. `latency_ns` is that of the request. No allocation but for the first row of an
  // hour.
  void count(const model::RowBatch& batch, const model::Predictions& predictions,
             std::span<const base::Time> times, base::Time now, uint64_t latency_ns = 0);

  // What was counted since the last call, in order of time. Nothing is counted twice or lost.
  std::vector<HourCounts> take_counts();

  // Rows that were not counted, because event times were strewn over more hours than a shard has
  // memory for (16 MB) before the counts were taken.
  uint64_t left_out() const;

  const std::shared_ptr<const model::Package>& package() const { return package_; }

 private:
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::unordered_map<int64_t, HourCounts> hours;  // By hours since 1970.
    int64_t last_hour = INT64_MIN;
    HourCounts* last =
        nullptr;  // Of `last_hour`; most rows are of the same hour as the one before.
    std::vector<uint32_t> bins;  // Of one row.
    uint64_t left_out = 0;
  };

  // The counts of an hour, or null where there is no room for another one.
  HourCounts* hour_of(Shard& shard, base::Time time) const;

  const std::shared_ptr<const model::Package> package_;
  const model::BinLayout& layout_;
  const size_t hours_max_;
  const size_t shard_count_;
  const std::unique_ptr<Shard[]> shards_;
};

}  // namespace cromford::serve
