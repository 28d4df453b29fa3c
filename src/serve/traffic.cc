#include "serve/traffic.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "serve/thread_number.h"

namespace cromford::serve {
namespace {

constexpr unsigned kFirstPower = 8;  // 2^8 ns; shorter durations fall into the first bucket.

void add(std::atomic<uint64_t>& counter, uint64_t amount) {
  counter.fetch_add(amount, std::memory_order_relaxed);
}

}  // namespace

size_t LatencyHistogram::bucket_of(uint64_t latency_ns) {
  if (latency_ns < uint64_t{1} << kFirstPower) {
    return 0;
  }
  const auto power = static_cast<unsigned>(std::bit_width(latency_ns)) - 1;
  const uint64_t quarter = latency_ns >> (power - 2) & 3U;
  return std::min<size_t>(size_t{4} * (power - kFirstPower) + quarter, kBuckets - 1);
}

uint64_t LatencyHistogram::upper_ns(size_t bucket) {
  const uint64_t power = kFirstPower + bucket / 4;
  return (uint64_t{1} << power) + (bucket % 4 + 1) * (uint64_t{1} << (power - 2));
}

uint64_t LatencyHistogram::count() const {
  uint64_t sum = 0;
  for (const uint64_t one : counts) {
    sum += one;
  }
  return sum;
}

uint64_t LatencyHistogram::quantile_ns(double q) const {
  const uint64_t total = count();
  if (total == 0) {
    return 0;
  }
  // The rank of the quantile among the sorted durations, counted from 1.
  const double rank =
      std::clamp(std::ceil(q * static_cast<double>(total)), 1.0, static_cast<double>(total));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts[bucket];
    if (static_cast<double>(seen) >= rank) {
      return upper_ns(bucket);
    }
  }
  return upper_ns(kBuckets - 1);
}

LatencyHistogram& LatencyHistogram::operator+=(const LatencyHistogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) {
    counts[i] += other.counts[i];
  }
  sum_ns += other.sum_ns;
  return *this;
}

Traffic& Traffic::operator+=(const Traffic& other) {
  requests += other.requests;
  rows += other.rows;
  errors += other.errors;
  left_out += other.left_out;
  unseen += other.unseen;
  latency += other.latency;
  return *this;
}

TrafficCounters::TrafficCounters(size_t column_count)
    : shard_count_(serve::shard_count()),
      shards_(std::make_unique<Shard[]>(shard_count_)),
      unseen_(column_count) {}

void TrafficCounters::count(const Served& served) {
  Shard& shard = shards_[thread_number() % shard_count_];
  if (served.failed) {
    add(shard.errors, 1);
    return;
  }
  add(shard.requests, 1);
  add(shard.rows, served.rows);
  add(shard.sum_ns, served.latency_ns);
  add(shard.counts[LatencyHistogram::bucket_of(served.latency_ns)], 1);
  for (size_t column = 0; column < std::min(served.unseen.size(), unseen_.size()); ++column) {
    if (served.unseen[column] > 0) {
      add(unseen_[column], served.unseen[column]);
    }
  }
}

Traffic TrafficCounters::read() const {
  Traffic total;
  for (size_t i = 0; i < shard_count_; ++i) {
    const Shard& shard = shards_[i];
    total.requests += shard.requests.load(std::memory_order_relaxed);
    total.rows += shard.rows.load(std::memory_order_relaxed);
    total.errors += shard.errors.load(std::memory_order_relaxed);
    total.latency.sum_ns += shard.sum_ns.load(std::memory_order_relaxed);
    for (size_t bucket = 0; bucket < LatencyHistogram::kBuckets; ++bucket) {
      total.latency.counts[bucket] += shard.counts[bucket].load(std::memory_order_relaxed);
    }
  }
  total.left_out = left_out_.load(std::memory_order_relaxed);
  for (const std::atomic<uint64_t>& column : unseen_) {
    total.unseen += column.load(std::memory_order_relaxed);
  }
  return total;
}

}  // namespace cromford::serve
