#include "learn/leakage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "metric/metric.h"

namespace cromford::learn {
namespace {

constexpr size_t kRowsLookedAt = 60000;
constexpr size_t kCellsLookedAt = 3000000;
constexpr size_t kBins = 64;
constexpr double kSuspect = 0.95;
constexpr double kCertain = 0.999;
constexpr double kMissingTells = 0.8;

// The bin of each row: quantiles of numbers, codes of texts; the last bin is for missing.
struct Bins {
  std::vector<uint32_t> of_row;
  size_t count = 0;
  // Of numbers: the rank of each value in [0, 1], missing lowest; a column that parts the classes
  // at one threshold is told by its order, where bins would blur the threshold.
  std::vector<double> rank;
};

Bins bins_of_column(const table::Column& column, const std::vector<uint32_t>& positions,
                    const Problem& problem) {
  Bins bins;
  bins.of_row.resize(positions.size());
  if (column.type == table::ColumnType::kText) {
    bins.count = column.dictionary.size() + 1;
    for (size_t i = 0; i < positions.size(); ++i) {
      const uint32_t row = problem.rows[positions[i]];
      bins.of_row[i] =
          column.valid(row) ? column.codes[row] : static_cast<uint32_t>(bins.count - 1);
    }
    return bins;
  }
  std::vector<double> values(positions.size());
  std::vector<double> sorted;
  for (size_t i = 0; i < positions.size(); ++i) {
    values[i] = cell_number(column, problem.rows[positions[i]]);
    if (!std::isnan(values[i])) {
      sorted.push_back(values[i]);
    }
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> edges;
  const size_t wanted = std::clamp<size_t>(sorted.size() / 40, 8, kBins);
  for (size_t b = 1; b < wanted && !sorted.empty(); ++b) {
    const double edge = sorted[b * sorted.size() / wanted];
    if (edge > sorted.front() && (edges.empty() || edge > edges.back())) {
      edges.push_back(edge);
    }
  }
  bins.count = edges.size() + 2;
  bins.rank.resize(positions.size());
  for (size_t i = 0; i < positions.size(); ++i) {
    const auto below = std::lower_bound(sorted.begin(), sorted.end(), values[i]) - sorted.begin();
    bins.rank[i] = std::isnan(values[i])
                       ? 0
                       : static_cast<double>(below + 1) / static_cast<double>(positions.size());
    bins.of_row[i] =
        std::isnan(values[i])
            ? static_cast<uint32_t>(bins.count - 1)
            : static_cast<uint32_t>(std::upper_bound(edges.begin(), edges.end(), values[i]) -
                                    edges.begin());
  }
  return bins;
}

// Mean target per bin, learned on one half of the rows (even or odd) and shrunk to the mean of all.
std::vector<double> bin_means(const Bins& bins, const std::vector<double>& target, size_t half) {
  std::vector<double> sum(bins.count, 0.0);
  std::vector<double> count(bins.count, 0.0);
  double all = 0;
  double rows = 0;
  for (size_t i = half; i < target.size(); i += 2) {
    sum[bins.of_row[i]] += target[i];
    ++count[bins.of_row[i]];
    all += target[i];
    ++rows;
  }
  const double mean = rows > 0 ? all / rows : 0;
  for (size_t b = 0; b < bins.count; ++b) {
    sum[b] = (sum[b] + mean) / (count[b] + 1);
  }
  return sum;
}

// Every row predicted from the half it is not in.
double telling(const Bins& bins, const std::vector<double>& target, bool regression) {
  std::vector<double> score(target.size());
  for (const size_t half : {size_t{0}, size_t{1}}) {
    const std::vector<double> means = bin_means(bins, target, 1 - half);
    for (size_t i = half; i < target.size(); i += 2) {
      score[i] = means[bins.of_row[i]];
    }
  }
  const metric::Scored rows{.task = regression ? metric::Task::kRegression : metric::Task::kBinary,
                            .labels = target,
                            .predictions = score};
  const auto value = metric::evaluate(regression ? "r2" : "auc", rows);
  const double by_bins = value.ok() ? *value : (regression ? 0 : 0.5);
  if (regression || bins.rank.empty()) {
    return by_bins;
  }
  const auto order = metric::evaluate("auc", {.labels = target, .predictions = bins.rank});
  return order.ok() ? std::max({by_bins, *order, 1 - *order}) : by_bins;
}

double telling_of_bins(const Bins& bins, const std::vector<uint32_t>& positions,
                       const Problem& problem) {
  const bool regression = problem.task == metric::Task::kRegression;
  std::vector<double> target(positions.size());
  if (problem.task != metric::Task::kMulticlass) {
    for (size_t i = 0; i < positions.size(); ++i) {
      target[i] = problem.labels[positions[i]];
    }
    return telling(bins, target, regression);
  }
  // The most frequent classes speak for all.
  std::vector<std::pair<size_t, double>> frequent(problem.classes.size());
  for (size_t k = 0; k < frequent.size(); ++k) {
    frequent[k] = {0, static_cast<double>(k)};
  }
  for (const uint32_t position : positions) {
    ++frequent[static_cast<size_t>(problem.labels[position])].first;
  }
  std::sort(frequent.begin(), frequent.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  frequent.resize(std::min<size_t>(frequent.size(), 5));
  double sum = 0;
  for (const auto& [count, k] : frequent) {
    for (size_t i = 0; i < positions.size(); ++i) {
      target[i] = problem.labels[positions[i]] == k ? 1 : 0;
    }
    sum += telling(bins, target, false);
  }
  return sum / static_cast<double>(frequent.size());
}

// The date of a row that lies after the row's own time nearly always says what came of it.
void warn_if_later(const table::Table& table, const Field& field,
                   const std::vector<uint32_t>& positions, Problem& problem) {
  if (field.role != Role::kTime || !problem.time_column || field.column == *problem.time_column) {
    return;
  }
  const table::Column& column = table.columns()[field.column];
  const table::Column& time = table.columns()[*problem.time_column];
  if (time.type != table::ColumnType::kDate && time.type != table::ColumnType::kTimestamp) {
    return;
  }
  size_t later = 0;
  size_t filled = 0;
  for (const uint32_t position : positions) {
    const double value = cell_number(column, problem.rows[position]);
    const double at = cell_number(time, problem.rows[position]);
    if (!std::isnan(value) && !std::isnan(at)) {
      ++filled;
      later += value > at ? 1 : 0;
    }
  }
  if (filled >= 20 && later * 100 >= filled * 95) {
    problem.warn("later_than_row", column.name,
                 fmt::format("{} lies after {} in {} of {} rows: it may be known only after the "
                             "fact; leave it out with --ignore if so",
                             column.name, time.name, later, filled));
  }
}

void warn_if_telling(const table::Column& column, const Telling& telling, Problem& problem) {
  const bool regression = problem.task == metric::Task::kRegression;
  const char* measure = regression ? "R2" : "AUC";
  if (telling.by_value >= kCertain) {
    problem.warn("leak_certain", column.name,
                 fmt::format("{} alone gives away {} ({} {:.4f}): it is the answer in another "
                             "form; leave it out with --ignore",
                             column.name, problem.target, measure, telling.by_value));
  } else if (telling.by_value >= kSuspect) {
    problem.warn("leak_suspect", column.name,
                 fmt::format("{} alone predicts {} very well ({} {:.3f}): make sure that it is "
                             "known when a prediction is asked for",
                             column.name, problem.target, measure, telling.by_value));
  }
  if (telling.by_missing >= kSuspect) {
    problem.warn("filled_after", column.name,
                 fmt::format("whether {} is filled tells {} ({} {:.3f}): it looks filled only "
                             "after the fact; leave it out with --ignore",
                             column.name, problem.target, measure, telling.by_missing));
  } else if (telling.by_missing >= (regression ? kMissingTells - 0.3 : kMissingTells)) {
    problem.warn("missing_tells", column.name,
                 fmt::format("whether {} is missing predicts {} by itself ({} {:.3f}): make sure "
                             "that it is missing for the same reason when serving",
                             column.name, problem.target, measure, telling.by_missing));
  }
}

}  // namespace

Telling telling_of(const table::Column& column, const std::vector<uint32_t>& positions,
                   const Problem& problem) {
  const Bins bins = bins_of_column(column, positions, problem);
  Telling result{.by_value = telling_of_bins(bins, positions, problem), .by_missing = 0};
  if (column.missing_count > 0) {
    Bins missing{.of_row = bins.of_row, .count = 2, .rank = {}};
    for (uint32_t& bin : missing.of_row) {
      bin = bin == bins.count - 1 ? 1 : 0;
    }
    result.by_missing = telling_of_bins(missing, positions, problem);
  }
  return result;
}

void find_leaks(const table::Table& table, const std::vector<uint32_t>& positions,
                Problem& problem) {
  // Every k-th row, in an order that parts even from odd ones evenly.
  std::vector<uint32_t> looked_at;
  const size_t row_limit =
      std::clamp<size_t>(kCellsLookedAt / problem.fields.size(), 3000, kRowsLookedAt);
  const size_t step = positions.size() / row_limit + 1;
  for (size_t i = 0; i < positions.size(); i += step) {
    looked_at.push_back(positions[i]);
  }
  const std::vector<Field> fields = problem.fields;
  for (const Field& field : fields) {
    const table::Column& column = table.columns()[field.column];
    // A column of texts that hardly repeat cannot be judged this way.
    if (field.role != Role::kText) {
      warn_if_telling(column, telling_of(column, looked_at, problem), problem);
    }
    warn_if_later(table, field, looked_at, problem);
  }
}

}  // namespace cromford::learn
