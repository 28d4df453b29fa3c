#include "serve/traffic.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace cromford::serve {
namespace {

TEST(Traffic, BucketsHoldWhatTheySay) {
  for (uint64_t ns = 1; ns < 200'000'000'000; ns += 1 + ns / 7) {
    const size_t bucket = LatencyHistogram::bucket_of(ns);
    if (bucket + 1 < LatencyHistogram::kBuckets) {
      EXPECT_LT(ns, LatencyHistogram::upper_ns(bucket));
    }
    if (bucket > 0) {
      EXPECT_GE(ns, LatencyHistogram::upper_ns(bucket - 1));
    }
  }
  EXPECT_EQ(LatencyHistogram::bucket_of(0), 0U);
  EXPECT_EQ(LatencyHistogram::bucket_of(UINT64_MAX), LatencyHistogram::kBuckets - 1);
}

TEST(Traffic, QuantilesAreAtMostAQuarterTooHigh) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.quantile_ns(0.5), 0U);
  for (uint64_t us = 1; us <= 1000; ++us) {
    ++histogram.counts[LatencyHistogram::bucket_of(us * 1000)];
  }
  for (const double q : {0.01, 0.5, 0.9, 0.99, 1.0}) {
    const double exact = q * 1e6;
    EXPECT_GE(static_cast<double>(histogram.quantile_ns(q)), exact);
    EXPECT_LE(static_cast<double>(histogram.quantile_ns(q)), exact * 1.2501);
  }
  EXPECT_GT(histogram.quantile_ns(0.0), 0U);
}

TEST(Traffic, CountsUnseenCategoriesByColumn) {
  TrafficCounters counters(2);
  const std::vector<uint32_t> unseen = {0, 3};
  counters.count({.rows = 4, .unseen = unseen});
  counters.count({.rows = 4, .unseen = unseen});
  counters.count({.failed = true, .unseen = unseen});
  EXPECT_EQ(counters.unseen(0), 0U);
  EXPECT_EQ(counters.unseen(1), 6U);
  EXPECT_EQ(counters.read().unseen, 6U);
}

TEST(Traffic, CountsFromAllThreads) {
  TrafficCounters counters;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        counters.count({.rows = 3, .latency_ns = 1000});
        counters.count({.rows = 9, .latency_ns = 1000, .failed = true});
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  Traffic traffic = counters.read();
  EXPECT_EQ(traffic.requests, 4000U);
  EXPECT_EQ(traffic.rows, 12'000U);
  EXPECT_EQ(traffic.errors, 4000U);
  EXPECT_EQ(traffic.latency.count(), 4000U);
  EXPECT_EQ(traffic.latency.sum_ns, 4'000'000U);
  traffic += traffic;
  EXPECT_EQ(traffic.requests, 8000U);
  EXPECT_EQ(traffic.latency.count(), 8000U);
}

}  // namespace
}  // namespace cromford::serve
