#include "cli/demo_traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "base/status.h"
#include "cli/json_fields.h"

namespace cromford::cli {
namespace {

// What the threads of one load share.
struct Load {
  const std::string path;
  std::span<const FlightRow> rows;
  LoadOptions options;
  std::vector<double>& probabilities;
  std::atomic<size_t> next_row{0};
  std::mutex mutex;
  absl::Status status;                 // Of the first request that failed; under `mutex`.
  std::vector<double> latencies_us{};  // Under `mutex`.
};

double microseconds(std::chrono::nanoseconds time) {
  return static_cast<double>(time.count()) / 1e3;
}

absl::StatusOr<double> send_one(Client& client, Load& load, size_t first, size_t count) {
  Request request{.method = "POST",
                  .path = load.path,
                  .body = predict_body(load.rows.subspan(first, count)),
                  .content_type = "application/json"};
  const auto start = base::system_clock().monotonic();
  TRY(const Answer answer, client.send(request));
  const double latency = microseconds(base::system_clock().monotonic() - start);
  const std::vector<double> probabilities = probabilities_of(answer.body);
  if (probabilities.size() != count) {
    return base::damaged(fmt::format("{} rows were sent, and {} probabilities came back", count,
                                     probabilities.size()));
  }
  std::copy(probabilities.begin(), probabilities.end(),
            load.probabilities.begin() + static_cast<std::ptrdiff_t>(first));
  return latency;
}

void run_connection(Client& client, Load& load) {
  std::vector<double> latencies;
  absl::Status status;
  const size_t step = load.options.rows_per_request;
  for (size_t first = load.next_row.fetch_add(step); first < load.rows.size() && status.ok();
       first = load.next_row.fetch_add(step)) {
    const absl::StatusOr<double> latency =
        send_one(client, load, first, std::min(step, load.rows.size() - first));
    if (latency.ok()) {
      latencies.push_back(*latency);
    }
    status = latency.status();
  }
  const std::lock_guard lock(load.mutex);
  load.latencies_us.insert(load.latencies_us.end(), latencies.begin(), latencies.end());
  if (!status.ok()) {
    load.next_row.store(load.rows.size());
    load.status.Update(status);
  }
}

}  // namespace

double LoadResult::latency_us(double level) const {
  if (latencies_us.empty()) {
    return 0;
  }
  const auto last = static_cast<double>(latencies_us.size() - 1);
  return latencies_us[static_cast<size_t>(std::llround(level * last))];
}

std::optional<std::string> take_field(std::string& object, std::string_view name) {
  const std::string key = fmt::format("\"{}\":", name);
  size_t begin = object.find(key);
  if (begin == std::string::npos || begin == 0 ||
      (object[begin - 1] != ',' && object[begin - 1] != '{')) {
    return std::nullopt;
  }
  const size_t start = begin + key.size();
  size_t end = start;
  bool quoted = false;
  for (; end < object.size() && (quoted || (object[end] != ',' && object[end] != '}')); ++end) {
    if (object[end] == '\\') {
      ++end;
    } else if (object[end] == '"') {
      quoted = !quoted;
    }
  }
  end = std::min(end, object.size());
  std::string value = object.substr(start, end - start);
  // One of the commas around it goes too.
  if (object[begin - 1] == ',') {
    --begin;
  } else if (end < object.size() && object[end] == ',') {
    ++end;
  }
  object.erase(begin, end - begin);
  return value;
}

std::vector<double> probabilities_of(std::string_view answer) {
  constexpr std::string_view kKey = "\"probability\":";
  std::vector<double> values;
  for (size_t at = answer.find(kKey); at != std::string_view::npos; at = answer.find(kKey, at)) {
    at += kKey.size();
    double value = 0;
    const auto [end, error] =
        std::from_chars(answer.data() + at, answer.data() + answer.size(), value);
    if (error == std::errc()) {
      values.push_back(value);
    }
  }
  return values;
}

std::string predict_body(std::span<const FlightRow> rows) {
  std::string ids;
  std::string times;
  std::string inputs;
  for (const FlightRow& row : rows) {
    const std::string_view comma = ids.empty() ? "" : ",";
    fmt::format_to(std::back_inserter(ids), "{}\"{}\"", comma, row.id);
    fmt::format_to(std::back_inserter(times), "{}\"{}\"", comma, base::format_time(row.departed));
    fmt::format_to(std::back_inserter(inputs), "{}{}", comma, row.inputs);
  }
  return fmt::format("{{\"ids\":[{}],\"at\":[{}],\"rows\":[{}]}}", ids, times, inputs);
}

std::string outcomes_body(std::span<const FlightRow> rows) {
  std::string outcomes;
  for (const FlightRow& row : rows) {
    fmt::format_to(std::back_inserter(outcomes), "{}{{\"id\":\"{}\",\"value\":{},\"at\":\"{}\"}}",
                   outcomes.empty() ? "" : ",", row.id, row.late, base::format_time(row.landed));
  }
  return fmt::format("{{\"outcomes\":[{}]}}", outcomes);
}

absl::StatusOr<LoadResult> send_rows(Session& session, const std::string& path,
                                     std::span<const FlightRow> rows, const LoadOptions& options) {
  LoadResult result;
  result.rows = rows.size();
  result.probabilities.resize(rows.size());
  Load load{.path = path + ":predict",
            .rows = rows,
            .options = options,
            .probabilities = result.probabilities};
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < options.connections; ++i) {
    clients.push_back(session.another_client());
    TRY(clients.back()->send({.path = "/healthz"}));  // Connected before the clock starts.
  }
  const auto start = base::system_clock().monotonic();
  std::vector<std::thread> threads;
  threads.reserve(clients.size());
  for (const auto& client : clients) {
    threads.emplace_back([&load, &client] { run_connection(*client, load); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  result.seconds = microseconds(base::system_clock().monotonic() - start) / 1e6;
  TRY(load.status);
  result.latencies_us = std::move(load.latencies_us);
  std::sort(result.latencies_us.begin(), result.latencies_us.end());
  result.requests = result.latencies_us.size();
  return result;
}

absl::Status send_outcomes(Session& session, const std::string& path,
                           std::span<const FlightRow> rows) {
  constexpr size_t kOutcomesPerRequest = 5'000;
  TRY(Client* const client, session.client());
  for (size_t first = 0; first < rows.size(); first += kOutcomesPerRequest) {
    const auto some = rows.subspan(first, std::min(kOutcomesPerRequest, rows.size() - first));
    TRY(const base::Json receipt, client->document({.method = "POST",
                                                    .path = path + ":outcomes",
                                                    .body = outcomes_body(some),
                                                    .content_type = "application/json"}));
    if (!array_field(receipt, "rejected").empty()) {
      return base::damaged(fmt::format("the server has refused outcomes: {}",
                                       base::dump_json(array_field(receipt, "rejected").front())));
    }
  }
  return absl::OkStatus();
}

}  // namespace cromford::cli
