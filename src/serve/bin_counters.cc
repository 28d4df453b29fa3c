#include "serve/bin_counters.h"

#include <algorithm>
#include <map>
#include <utility>

#include "serve/thread_number.h"

namespace cromford::serve {
namespace {

constexpr size_t kShardBytesMax = size_t{16} << 20;
constexpr size_t kHoursMin = 2;

int64_t hours_since_epoch(base::Time time) {
  return std::chrono::floor<std::chrono::hours>(time).time_since_epoch().count();
}

}  // namespace

BinCounters::BinCounters(std::shared_ptr<const model::Package> package)
    : package_(std::move(package)),
      layout_(package_->bin_layout()),
      hours_max_(std::max(kHoursMin, kShardBytesMax / (layout_.bin_count() * sizeof(uint64_t) +
                                                       sizeof(HourCounts)))),
      shard_count_(shard_count()),
      shards_(std::make_unique<Shard[]>(shard_count_)) {}

HourCounts* BinCounters::hour_of(Shard& shard, base::Time time) const {
  const int64_t hour = hours_since_epoch(time);
  if (shard.last != nullptr && shard.last_hour == hour) {
    return shard.last;
  }
  auto found = shard.hours.find(hour);
  if (found == shard.hours.end()) {
    if (shard.hours.size() >= hours_max_) {
      return nullptr;
    }
    HourCounts fresh{.start = base::Time(std::chrono::hours(hour)),
                     .counts = std::vector<uint64_t>(layout_.bin_count(), 0)};
    found = shard.hours.emplace(hour, std::move(fresh)).first;
  }
  shard.last_hour = hour;
  shard.last = &found->second;
  return shard.last;
}

void BinCounters::count(const model::RowBatch& batch, const model::Predictions& predictions,
                        std::span<const base::Time> times, base::Time now, uint64_t latency_ns) {
  Shard& shard = shards_[thread_number() % shard_count_];
  const std::scoped_lock lock(shard.mutex);
  shard.bins.resize(layout_.bins_per_row());
  for (size_t row = 0; row < batch.row_count; ++row) {
    HourCounts* const hour = hour_of(shard, times.empty() ? now : times[row]);
    if (hour == nullptr) {
      ++shard.left_out;
      continue;
    }
    layout_.bins_of_row(batch, predictions, row, shard.bins);
    for (const uint32_t bin : shard.bins) {
      ++hour->counts[bin];
    }
    ++hour->rows;
    if (row == 0) {
      ++hour->latency.counts[LatencyHistogram::bucket_of(latency_ns)];
      hour->latency.sum_ns += latency_ns;
    }
  }
}

std::vector<HourCounts> BinCounters::take_counts() {
  std::map<base::Time, HourCounts> taken;
  for (size_t i = 0; i < shard_count_; ++i) {
    Shard& shard = shards_[i];
    std::unordered_map<int64_t, HourCounts> hours;
    {
      const std::scoped_lock lock(shard.mutex);
      if (shard.last != nullptr && shard.last->rows > 0) {
        // The hour that the next row will need keeps its memory.
        HourCounts* const last = shard.last;
        HourCounts copy = *last;
        std::ranges::fill(last->counts, 0);
        last->rows = 0;
        last->latency = {};
        auto kept = shard.hours.extract(shard.last_hour);
        hours.swap(shard.hours);
        hours.emplace(shard.last_hour, std::move(copy));
        shard.last = &shard.hours.insert(std::move(kept)).position->second;
      } else {
        hours.swap(shard.hours);
        shard.last = nullptr;
      }
    }
    for (auto& [number, hour] : hours) {
      HourCounts& sum =
          taken.try_emplace(hour.start, HourCounts{.start = hour.start}).first->second;
      sum.counts.resize(layout_.bin_count());
      sum.rows += hour.rows;
      sum.latency += hour.latency;
      std::ranges::transform(hour.counts, sum.counts, sum.counts.begin(), std::plus());
    }
  }
  std::vector<HourCounts> out;
  for (auto& [start, hour] : taken) {
    if (hour.rows > 0) {
      out.push_back(std::move(hour));
    }
  }
  return out;
}

uint64_t BinCounters::left_out() const {
  uint64_t sum = 0;
  for (size_t i = 0; i < shard_count_; ++i) {
    const std::scoped_lock lock(shards_[i].mutex);
    sum += shards_[i].left_out;
  }
  return sum;
}

}  // namespace cromford::serve
