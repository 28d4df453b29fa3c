#include "http/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/text.h"

namespace cromford::http {
namespace {

constexpr size_t kClassCount = 5;  // 1xx to 5xx

void add(std::atomic<uint64_t>& counter, uint64_t amount) {
  counter.fetch_add(amount, std::memory_order_relaxed);
}
uint64_t read(const std::atomic<uint64_t>& counter) {
  return counter.load(std::memory_order_relaxed);
}

void append_seconds(std::string& out, double microseconds) {
  base::append_number(out, microseconds / 1e6);
}

}  // namespace

struct alignas(64) Metrics::RouteFigures {
  std::array<std::atomic<uint64_t>, kClassCount> by_class{};
  std::array<std::atomic<uint64_t>, kBoundsUs.size() + 1> by_latency{};
  std::atomic<uint64_t> nanoseconds{0};
};

Metrics::Metrics(std::span<const Route> routes)
    : routes_(routes), figures_(std::make_unique<RouteFigures[]>(routes.size() + 1)) {}
Metrics::~Metrics() = default;

void Metrics::observe(size_t route_index, int status, std::chrono::nanoseconds latency) {
  RouteFigures& figures = figures_[std::min(route_index, routes_.size())];
  add(figures.by_class[static_cast<size_t>(std::clamp(status / 100, 1, 5)) - 1], 1);
  const int64_t us = latency.count() / 1000;
  const auto* const bound = std::lower_bound(kBoundsUs.begin(), kBoundsUs.end(), us);
  add(figures.by_latency[static_cast<size_t>(bound - kBoundsUs.begin())], 1);
  add(figures.nanoseconds, static_cast<uint64_t>(std::max<int64_t>(latency.count(), 0)));
}

void Metrics::add_bytes(uint64_t received, uint64_t sent) {
  add(bytes_received_, received);
  add(bytes_sent_, sent);
}

void Metrics::render(std::string& out) const {
  const auto name_of = [&](size_t i) {
    return i < routes_.size() ? routes_[i].operation : std::string_view("none");
  };
  auto to = std::back_inserter(out);
  out +=
      "# HELP cromford_http_requests_total Requests answered, by operation and class of status.\n"
      "# TYPE cromford_http_requests_total counter\n";
  for (size_t i = 0; i <= routes_.size(); ++i) {
    for (size_t c = 0; c < kClassCount; ++c) {
      if (const uint64_t count = read(figures_[i].by_class[c]); count > 0) {
        fmt::format_to(to, "cromford_http_requests_total{{operation=\"{}\",status=\"{}xx\"}} {}\n",
                       name_of(i), c + 1, count);
      }
    }
  }
  out +=
      "# HELP cromford_http_request_duration_seconds From the request's header to the answer.\n"
      "# TYPE cromford_http_request_duration_seconds histogram\n";
  for (size_t i = 0; i <= routes_.size(); ++i) {
    uint64_t total = 0;
    for (const auto& count : figures_[i].by_latency) {
      total += read(count);
    }
    if (total == 0) {
      continue;
    }
    uint64_t running = 0;
    for (size_t b = 0; b <= kBoundsUs.size(); ++b) {
      running += read(figures_[i].by_latency[b]);
      fmt::format_to(to, "cromford_http_request_duration_seconds_bucket{{operation=\"{}\",le=\"",
                     name_of(i));
      if (b < kBoundsUs.size()) {
        append_seconds(out, static_cast<double>(kBoundsUs[b]));
      } else {
        out += "+Inf";
      }
      fmt::format_to(to, "\"}} {}\n", running);
    }
    fmt::format_to(to, "cromford_http_request_duration_seconds_sum{{operation=\"{}\"}} ",
                   name_of(i));
    append_seconds(out, static_cast<double>(read(figures_[i].nanoseconds)) / 1e3);
    fmt::format_to(to, "\ncromford_http_request_duration_seconds_count{{operation=\"{}\"}} {}\n",
                   name_of(i), running);
  }
  fmt::format_to(to,
                 "# HELP cromford_http_connections Open connections.\n"
                 "# TYPE cromford_http_connections gauge\ncromford_http_connections {}\n"
                 "# HELP cromford_http_connections_refused_total Beyond the limit.\n"
                 "# TYPE cromford_http_connections_refused_total counter\n"
                 "cromford_http_connections_refused_total {}\n"
                 "# HELP cromford_http_received_bytes_total Bytes of requests.\n"
                 "# TYPE cromford_http_received_bytes_total counter\n"
                 "cromford_http_received_bytes_total {}\n"
                 "# HELP cromford_http_sent_bytes_total Bytes of answers.\n"
                 "# TYPE cromford_http_sent_bytes_total counter\n"
                 "cromford_http_sent_bytes_total {}\n",
                 connections_.load(std::memory_order_relaxed), read(refused_),
                 read(bytes_received_), read(bytes_sent_));
}

}  // namespace cromford::http
