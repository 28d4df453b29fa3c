#include "app/ordinary_windows.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/text.h"
#include "learn/rows.h"
#include "monitor/drift_watch.h"
#include "monitor/window_counts.h"

namespace cromford::app {
namespace {

constexpr size_t kBatchRows = 1024;
// Enough to know the days of a year; predicting more would cost more than it tells.
constexpr size_t kRowsMax = 500'000;
constexpr auto kLengths = std::to_array<std::chrono::seconds>(
    {std::chrono::hours(1), std::chrono::hours(24), std::chrono::hours(168)});

std::optional<base::Time> time_at(const table::Column& column, size_t row) {
  if (!column.valid(static_cast<int64_t>(row))) {
    return std::nullopt;
  }
  if (column.type == table::ColumnType::kDate) {
    return base::Time(std::chrono::days(column.integers[row]));
  }
  return base::Time(std::chrono::microseconds(column.integers[row]));
}

bool is_time(const table::Column* column) {
  return column != nullptr && (column->type == table::ColumnType::kDate ||
                               column->type == table::ColumnType::kTimestamp);
}

// Every so many rows, so that they are from the whole time.
std::vector<uint32_t> some_rows(size_t row_count) {
  const size_t step = (row_count + kRowsMax - 1) / kRowsMax;
  std::vector<uint32_t> rows;
  for (size_t row = 0; row < row_count; row += std::max<size_t>(step, 1)) {
    rows.push_back(static_cast<uint32_t>(row));
  }
  return rows;
}

// The rows counted by the hour.
absl::StatusOr<std::vector<monitor::WindowCounts>> count_hours(const table::Column& time,
                                                               const std::vector<uint32_t>& rows,
                                                               const learn::ModelRows& inputs,
                                                               const model::Package& package,
                                                               const base::CancelToken& cancel) {
  const model::BinLayout& layout = package.bin_layout();
  std::map<base::Time, monitor::WindowCounts> hours;
  model::Workspace workspace;
  learn::ModelRows::BatchViews views;
  std::vector<uint32_t> bins(layout.bins_per_row());
  for (size_t first = 0; first < rows.size(); first += kBatchRows) {
    TRY(cancel.check());
    const size_t count = std::min(kBatchRows, rows.size() - first);
    const model::RowBatch batch = inputs.batch(first, count, views);
    const model::Predictions predictions = package.predict(batch, workspace);
    for (size_t i = 0; i < count; ++i) {
      const std::optional<base::Time> at = time_at(time, rows[first + i]);
      if (!at) {
        continue;
      }
      monitor::WindowCounts& hour = hours[monitor::window_start(*at, kLengths.front())];
      hour.counts.resize(layout.bin_count());
      layout.bins_of_row(batch, predictions, i, bins);
      for (const uint32_t bin : bins) {
        ++hour.counts[bin];
      }
      ++hour.rows;
    }
  }
  std::vector<monitor::WindowCounts> out;
  for (auto& [start, hour] : hours) {
    hour.start = start;
    out.push_back(std::move(hour));
  }
  return out;
}

}  // namespace

absl::StatusOr<base::Json> ordinary_windows(const table::Table& rows,
                                            const std::string& time_column,
                                            const model::Package& package,
                                            const base::CancelToken& cancel) {
  base::Json out = base::Json::object();
  const table::Column* const time = rows.find(time_column);
  if (!is_time(time)) {
    return out;
  }
  const std::vector<uint32_t> some = some_rows(static_cast<size_t>(rows.row_count()));
  TRY(const learn::ModelRows inputs, learn::ModelRows::create(rows, package.contract(), some));
  TRY(const std::vector<monitor::WindowCounts> hours,
      count_hours(*time, some, inputs, package, cancel));
  for (const std::chrono::seconds length : kLengths) {
    TRY(const std::vector<monitor::WindowCounts> windows, monitor::regroup(hours, length));
    TRY(const monitor::OrdinaryEffects effects, monitor::ordinary_effects(package, windows));
    if (!effects.prediction.empty() || !effects.columns.empty()) {
      out[std::to_string(length.count())] = monitor::to_json(effects);
    }
  }
  return out;
}

monitor::OrdinaryEffects ordinary_for(const base::Json& by_length, std::chrono::seconds length) {
  std::map<int64_t, const base::Json*> known;
  if (by_length.is_object()) {
    for (const auto& [text, effects] : by_length.items()) {
      if (const auto seconds = base::to_number<int64_t>(text)) {
        known[*seconds] = &effects;
      }
    }
  }
  if (known.empty()) {
    return {};
  }
  auto found = known.upper_bound(length.count());
  if (found != known.begin()) {
    --found;
  }
  return monitor::ordinary_effects_from(*found->second);
}

}  // namespace cromford::app
