#pragma once

// Counts what a served version did: requests, rows, errors and how long requests took. Counting is
// cheap (each thread adds to memory that it rarely shares), reading is not and need not be.
//
//   TrafficCounters counters;
//   counters.count({.rows = 1, .latency_ns = 2'400});
//   const Traffic traffic = counters.read();
//   traffic.latency.quantile_ns(0.99);
//
// Thread safety: all of it, from any thread at any time.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace cromford::serve {

// A histogram of durations: four buckets for each doubling, from 256 ns to 275 s, so that a
// quantile read from it is at most 25 % above the true one.
struct LatencyHistogram {
  static constexpr size_t kBuckets = 120;

  std::array<uint64_t, kBuckets> counts{};
  uint64_t sum_ns = 0;

  static size_t bucket_of(uint64_t latency_ns);
  // The end of a bucket; all durations in it are below.
  static uint64_t upper_ns(size_t bucket);

  uint64_t count() const;
  // The end of the bucket that holds the quantile q (0..1); 0 when nothing was counted.
  uint64_t quantile_ns(double q) const;
  LatencyHistogram& operator+=(const LatencyHistogram& other);
};

struct Traffic {
  uint64_t requests = 0;     // Answered ones.
  uint64_t rows = 0;         // Answered ones.
  uint64_t errors = 0;       // Requests that were refused or failed.
  uint64_t left_out = 0;     // Rows that a shadow did not score because too many waited for it.
  uint64_t unseen = 0;       // Categories in answered rows that training never saw.
  LatencyHistogram latency;  // Of the answered requests.

  Traffic& operator+=(const Traffic& other);
};

// One request that was answered, or that was not.
struct Served {
  uint64_t rows = 0;
  uint64_t latency_ns = 0;
  bool failed = false;
  // Per column of the contract: categories that training never saw.
  std::span<const uint32_t> unseen = {};
};

class TrafficCounters {
 public:
  explicit TrafficCounters(size_t column_count = 0);

  void count(const Served& served);
  void count_left_out(uint64_t rows) { left_out_.fetch_add(rows, std::memory_order_relaxed); }
  // Sums all threads up. What is counted meanwhile may be missing.
  Traffic read() const;
  // Unseen categories of one column of the contract.
  uint64_t unseen(size_t column) const { return unseen_[column].load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Shard {
    std::atomic<uint64_t> requests{0};
    std::atomic<uint64_t> rows{0};
    std::atomic<uint64_t> errors{0};
    std::atomic<uint64_t> sum_ns{0};
    std::array<std::atomic<uint64_t>, LatencyHistogram::kBuckets> counts{};
  };

  size_t shard_count_;
  std::unique_ptr<Shard[]> shards_;  // As many as the machine has cores, up to 16.
  // Not in shards: written only where there is something to count.
  std::atomic<uint64_t> left_out_{0};
  std::vector<std::atomic<uint64_t>> unseen_;
};

}  // namespace cromford::serve
