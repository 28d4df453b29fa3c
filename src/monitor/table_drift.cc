#include "monitor/table_drift.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/status.h"
#include "model/baseline.h"
#include "table/chunk.h"

namespace cromford::monitor {
namespace {

using table::ColumnType;

constexpr size_t kOwnBins = 1;  // Missing.

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
template <typename Value>
using ByText = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

// A value that is not text, as a number; NaN for none.
double number_at(const table::ColumnView& view, size_t row) {
  switch (view.type) {
    case ColumnType::kNumber:
      return view.numbers[row];
    case ColumnType::kDate:
      return view.days[row];
    case ColumnType::kBoolean:
      return view.booleans[row];
    default:
      return static_cast<double>(view.integers[row]);
  }
}

// The bins of one column: of numbers between edges, of texts one for each that is frequent and one
// for all others; the last is that of missing values.
struct ColumnBins {
  bool is_text = false;
  std::vector<double> edges;
  ByText<uint32_t> texts;

  size_t count() const { return (is_text ? texts.size() : edges.size()) + 1 + kOwnBins; }
};

// A column of both tables.
struct SharedColumn {
  std::string name;
  size_t in_reference = 0;
  size_t in_current = 0;
  ColumnBins bins;
};

struct ColumnSample {
  std::vector<double> numbers;
  ByText<uint64_t> texts;
};

class Sampler final : public table::ChunkVisitor {
 public:
  Sampler(const std::vector<SharedColumn>& columns, int64_t step)
      : samples(columns.size()), columns_(columns), step_(step) {}

  absl::Status visit(const table::Chunk& chunk) override {
    const int64_t behind = chunk.first_row() % step_;
    const int64_t first = behind == 0 ? 0 : step_ - behind;
    for (auto row = static_cast<size_t>(first); row < chunk.row_count();
         row += static_cast<size_t>(step_)) {
      for (size_t c = 0; c < columns_.size(); ++c) {
        const table::ColumnView& view = chunk.column(columns_[c].in_reference);
        if (!view.valid(row)) {
          continue;
        }
        if (view.type != ColumnType::kText) {
          samples[c].numbers.push_back(number_at(view, row));
        } else if (const auto known = samples[c].texts.find(view.texts[row]);
                   known != samples[c].texts.end()) {
          ++known->second;
        } else {
          samples[c].texts.emplace(view.texts[row], 1);
        }
      }
    }
    return absl::OkStatus();
  }

  std::vector<ColumnSample> samples;

 private:
  const std::vector<SharedColumn>& columns_;
  const int64_t step_;
};

class Counter final : public table::ChunkVisitor {
 public:
  Counter(const std::vector<SharedColumn>& columns, bool is_reference)
      : columns_(columns), is_reference_(is_reference) {
    for (const SharedColumn& column : columns) {
      counts.emplace_back(column.bins.count());
    }
  }

  absl::Status visit(const table::Chunk& chunk) override {
    for (size_t c = 0; c < columns_.size(); ++c) {
      const SharedColumn& column = columns_[c];
      const table::ColumnView& view =
          chunk.column(is_reference_ ? column.in_reference : column.in_current);
      view.type == ColumnType::kText
          ? count_texts(view, chunk.row_count(), column.bins, counts[c])
          : count_numbers(view, chunk.row_count(), column.bins, counts[c]);
    }
    return absl::OkStatus();
  }

  std::vector<std::vector<uint64_t>> counts;

 private:
  static void count_numbers(const table::ColumnView& view, size_t rows, const ColumnBins& bins,
                            std::vector<uint64_t>& counts) {
    for (size_t row = 0; row < rows; ++row) {
      if (!view.valid(row)) {
        ++counts.back();
        continue;
      }
      const double value = number_at(view, row);
      std::isnan(value) ? ++counts.back() : ++counts[model::bin_of(bins.edges, value)];
    }
  }
  static void count_texts(const table::ColumnView& view, size_t rows, const ColumnBins& bins,
                          std::vector<uint64_t>& counts) {
    const size_t others = bins.texts.size();
    for (size_t row = 0; row < rows; ++row) {
      if (!view.valid(row)) {
        ++counts.back();
        continue;
      }
      const auto known = bins.texts.find(view.texts[row]);
      ++counts[known == bins.texts.end() ? others : known->second];
    }
  }

  const std::vector<SharedColumn>& columns_;
  const bool is_reference_;
};

absl::StatusOr<std::vector<SharedColumn>> shared_columns(const table::Schema& reference,
                                                         const table::Schema& current) {
  std::vector<SharedColumn> shared;
  for (size_t i = 0; i < reference.columns.size(); ++i) {
    const auto other = current.find(reference.columns[i].name);
    if (other && current.columns[*other].type == reference.columns[i].type) {
      SharedColumn column{
          .name = reference.columns[i].name, .in_reference = i, .in_current = *other, .bins = {}};
      column.bins.is_text = reference.columns[i].type == ColumnType::kText;
      shared.push_back(std::move(column));
    }
  }
  if (shared.empty()) {
    return base::invalid("the two tables have no column of one name and type",
                         "compare tables of the same kind of rows");
  }
  return shared;
}

void set_bins(ColumnSample& sample, size_t count, ColumnBins& bins) {
  if (!bins.is_text) {
    bins.edges = model::quantile_edges(sample.numbers, count);
    return;
  }
  std::vector<std::pair<uint64_t, std::string>> frequent;
  for (const auto& [text, times] : sample.texts) {
    frequent.emplace_back(times, text);
  }
  // Frequent ones first, so that neighbours that may be merged are rare ones; ties by name.
  std::sort(frequent.begin(), frequent.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  frequent.resize(std::min(frequent.size(), count));
  for (size_t i = 0; i < frequent.size(); ++i) {
    bins.texts.emplace(std::move(frequent[i].second), static_cast<uint32_t>(i));
  }
}

absl::Status find_bins(table::Engine& engine, const table::StoredTable& reference,
                       const TableDriftOptions& options, std::vector<SharedColumn>& columns) {
  TRY(const int64_t rows, table::count_rows(engine, reference, {}, options.cancel));
  const int64_t step =
      std::max<int64_t>(1, rows / static_cast<int64_t>(std::max<size_t>(1, options.sample_rows)));
  std::vector<ColumnSample> all(columns.size());
  TRY(table::for_each_block(
      engine, reference,
      [&](int64_t /*block*/) { return std::make_unique<Sampler>(columns, step); },
      [&](int64_t /*block*/, std::unique_ptr<table::ChunkVisitor> visitor) {
        auto& samples = static_cast<Sampler&>(*visitor).samples;
        for (size_t c = 0; c < columns.size(); ++c) {
          all[c].numbers.insert(all[c].numbers.end(), samples[c].numbers.begin(),
                                samples[c].numbers.end());
          for (const auto& [text, times] : samples[c].texts) {
            all[c].texts[text] += times;
          }
        }
        return absl::OkStatus();
      },
      options.cancel));
  for (size_t c = 0; c < columns.size(); ++c) {
    set_bins(all[c], options.bins, columns[c].bins);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::vector<uint64_t>>> count_table(
    table::Engine& engine, const table::StoredTable& stored,
    const std::vector<SharedColumn>& columns, bool is_reference, const base::CancelToken& cancel) {
  Counter all(columns, is_reference);
  TRY(table::for_each_block(
      engine, stored,
      [&](int64_t /*block*/) { return std::make_unique<Counter>(columns, is_reference); },
      [&](int64_t /*block*/, std::unique_ptr<table::ChunkVisitor> visitor) {
        const auto& counts = static_cast<const Counter&>(*visitor).counts;
        for (size_t c = 0; c < columns.size(); ++c) {
          for (size_t b = 0; b < counts[c].size(); ++b) {
            all.counts[c][b] += counts[c][b];
          }
        }
        return absl::OkStatus();
      },
      cancel));
  return std::move(all.counts);
}

double missing_share(const std::vector<uint64_t>& counts) {
  uint64_t rows = 0;
  for (const uint64_t count : counts) {
    rows += count;
  }
  return rows == 0 ? 0 : static_cast<double>(counts.back()) / static_cast<double>(rows);
}

}  // namespace

absl::StatusOr<std::vector<ColumnDrift>> table_drift(table::Engine& engine,
                                                     const table::StoredTable& reference,
                                                     const table::StoredTable& current,
                                                     const TableDriftOptions& options) {
  TRY(std::vector<SharedColumn> columns, shared_columns(reference.schema, current.schema));
  TRY(find_bins(engine, reference, options, columns));
  TRY(const auto before, count_table(engine, reference, columns, true, options.cancel));
  TRY(const auto now, count_table(engine, current, columns, false, options.cancel));
  std::vector<ColumnDrift> drifts;
  std::vector<double> p_values;
  for (size_t c = 0; c < columns.size(); ++c) {
    TRY(const metric::Drift drift,
        metric::drift({.reference = before[c], .current = now[c], .own_bins = kOwnBins},
                      options.test));
    p_values.push_back(drift.p_value);
    drifts.push_back({.name = columns[c].name,
                      .drift = drift,
                      .missing_before = missing_share(before[c]),
                      .missing = missing_share(now[c])});
  }
  const std::vector<double> q_values = metric::adjusted_p_values(p_values);
  for (size_t c = 0; c < drifts.size(); ++c) {
    drifts[c].q_value = q_values[c];
    drifts[c].moved = q_values[c] <= options.q;
  }
  std::stable_sort(drifts.begin(), drifts.end(), [](const ColumnDrift& a, const ColumnDrift& b) {
    return a.drift.effect > b.drift.effect;
  });
  return drifts;
}

}  // namespace cromford::monitor
