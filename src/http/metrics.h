#pragma once

// The server's own figures for Prometheus: requests by operation and class of status, how long they
// took, bytes, connections. Counting costs a few relaxed atomic additions.
//
//   Metrics metrics(kRoutes);
//   metrics.observe(route_index, 200, latency);
//   std::string text;
//   metrics.render(text);
//
// Thread safety: every member may be called from any thread.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "http/route.h"

namespace cromford::http {

class Metrics {
 public:
  // Bounds of the latency histogram in microseconds; above the last there is one more bucket.
  static constexpr std::array<int64_t, 14> kBoundsUs = {
      50,     100,    250,    500,     1000,    2500,      5000,
      10'000, 25'000, 50'000, 100'000, 500'000, 1'000'000, 10'000'000};
  // In place of an index: requests that found no route.
  static constexpr size_t kNoRoute = SIZE_MAX;

  explicit Metrics(std::span<const Route> routes);
  ~Metrics();

  void observe(size_t route_index, int status, std::chrono::nanoseconds latency);
  void connection_opened() { connections_.fetch_add(1, std::memory_order_relaxed); }
  void connection_closed() { connections_.fetch_sub(1, std::memory_order_relaxed); }
  int64_t open_connections() const { return connections_.load(std::memory_order_relaxed); }
  void connection_refused() { refused_.fetch_add(1, std::memory_order_relaxed); }
  void add_bytes(uint64_t received, uint64_t sent);

  // Appends all figures in the Prometheus text format 0.0.4.
  void render(std::string& out) const;

 private:
  struct RouteFigures;

  std::span<const Route> routes_;
  std::unique_ptr<RouteFigures[]> figures_;  // One per route, and one for no route.
  std::atomic<int64_t> connections_{0};
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint64_t> bytes_received_{0};
  std::atomic<uint64_t> bytes_sent_{0};
};

}  // namespace cromford::http
