#include "learn/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <unordered_map>

#include "base/hash.h"
#include "base/random.h"
#include "base/status.h"

namespace cromford::learn {
namespace {

constexpr size_t kManyRows = 300000;

// The share of rows that is taken away: larger for small data, where it must carry a figure.
double test_share(size_t rows) {
  return rows <= 50000 ? 0.2 : rows <= 200000 ? 0.15 : 0.1;
}

// Rows that stay together: a group, or equal rows.
struct Unit {
  std::vector<uint32_t> positions;
  double label = 0;  // Of its first row, or its latest time.
};

std::vector<Unit> units_by_group(const table::Table& table, const Problem& problem) {
  const table::Column& column = table.columns()[*problem.group_column];
  std::map<double, size_t> index;
  std::vector<Unit> units;
  for (uint32_t i = 0; i < problem.row_count(); ++i) {
    double group = cell_number(column, problem.rows[i]);
    // A row without a group is a group of its own.
    const bool alone = std::isnan(group);
    const auto [found, added] =
        alone ? std::pair(index.end(), true) : index.emplace(group, units.size());
    if (added) {
      units.push_back({.positions = {}, .label = problem.labels[i]});
    }
    units[alone ? units.size() - 1 : found->second].positions.push_back(i);
  }
  return units;
}

uint64_t row_hash(const table::Table& table, const Problem& problem, uint32_t position) {
  uint64_t hash = 0x9e3779b97f4a7c15U;
  for (const Field& field : problem.fields) {
    const double value = cell_number(table.columns()[field.column], problem.rows[position]);
    const uint64_t bits = std::isnan(value) ? 1 : std::bit_cast<uint64_t>(value);
    hash = (hash ^ bits) * 0xff51afd7ed558ccdU;
    hash ^= hash >> 32;
  }
  return hash;
}

// Equal rows form one unit. Two rows that only share a hash do no harm by staying together.
std::vector<Unit> units_by_equality(const table::Table& table, const Problem& problem) {
  std::vector<Unit> units;
  units.reserve(problem.row_count());
  std::unordered_map<uint64_t, size_t> index;
  index.reserve(problem.row_count());
  for (uint32_t i = 0; i < problem.row_count(); ++i) {
    const auto [found, added] = index.emplace(row_hash(table, problem, i), units.size());
    if (added) {
      units.push_back({.positions = {}, .label = problem.labels[i]});
    }
    units[found->second].positions.push_back(i);
  }
  return units;
}

// Deals whole units into `parts` parts of about equal size. With `strata`, units of a stratum are
// dealt evenly; otherwise the largest units go first, each to the smallest part.
std::vector<std::vector<uint32_t>> deal(const std::vector<Unit>& units,
                                        const std::vector<uint32_t>& order, size_t parts,
                                        bool largest_first) {
  std::vector<uint32_t> queue = order;
  if (largest_first) {
    std::stable_sort(queue.begin(), queue.end(), [&units](uint32_t a, uint32_t b) {
      return units[a].positions.size() > units[b].positions.size();
    });
  }
  std::vector<std::vector<uint32_t>> result(parts);
  size_t turn = 0;
  for (const uint32_t unit : queue) {
    size_t to = turn++ % parts;
    if (largest_first) {
      for (size_t p = 0; p < parts; ++p) {
        to = result[p].size() < result[to].size() ? p : to;
      }
    }
    result[to].insert(result[to].end(), units[unit].positions.begin(), units[unit].positions.end());
  }
  return result;
}

// Units in an order in which neighbours have the same class, or nearly the same value; shuffled
// within.
std::vector<uint32_t> stratified_order(const std::vector<Unit>& units,
                                       const std::vector<uint32_t>& chosen, metric::Task task,
                                       base::Random& random) {
  std::vector<uint32_t> order = chosen;
  random.shuffle(std::span(order));
  std::stable_sort(order.begin(), order.end(),
                   [&units](uint32_t a, uint32_t b) { return units[a].label < units[b].label; });
  if (task == metric::Task::kRegression) {
    // Blocks of neighbours in value, each shuffled, so that a part is not the lowest of each block.
    constexpr size_t block_rows = 20;
    for (size_t at = 0; at < order.size(); at += block_rows) {
      random.shuffle(std::span(order).subspan(at, std::min(block_rows, order.size() - at)));
    }
  }
  return order;
}

std::vector<uint32_t> all_but(const std::vector<std::vector<uint32_t>>& parts, size_t left_out) {
  std::vector<uint32_t> rows;
  for (size_t p = 0; p < parts.size(); ++p) {
    if (p != left_out) {
      rows.insert(rows.end(), parts[p].begin(), parts[p].end());
    }
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

// One holdout, or each part once.
std::vector<Fold> folds_of(std::vector<std::vector<uint32_t>> parts, bool holdout) {
  std::vector<Fold> folds;
  for (size_t p = 0; p < (holdout ? 1 : parts.size()); ++p) {
    Fold fold{.train = all_but(parts, p), .valid = parts[p]};
    std::sort(fold.valid.begin(), fold.valid.end());
    folds.push_back(std::move(fold));
  }
  return folds;
}

// So many rows that chance alone keeps the classes in proportion: plain random parts, which also
// cost no memory per row beyond its number.
Split split_many(const Problem& problem, const SplitOptions& options) {
  base::Random random = base::Random(options.seed).split(1);
  std::vector<uint32_t> order(problem.row_count());
  std::iota(order.begin(), order.end(), 0U);
  random.shuffle(std::span(order));
  const auto cut = [&order](size_t first, size_t last) {
    std::vector<uint32_t> piece(order.begin() + static_cast<ptrdiff_t>(first),
                                order.begin() + static_cast<ptrdiff_t>(last));
    std::sort(piece.begin(), piece.end());
    return piece;
  };
  const size_t n = order.size();
  const size_t test = n / 10;
  const size_t valid = test + n / 10;
  Split split;
  split.method = "random";
  split.validation = "holdout";
  split.test = cut(0, test);
  split.work = cut(test, n);
  split.folds.push_back({.train = cut(valid, n), .valid = cut(test, valid)});
  return split;
}

absl::StatusOr<Split> split_at_random(const table::Table& table, const Problem& problem,
                                      const SplitOptions& options) {
  const bool grouped = problem.group_column.has_value();
  if (!grouped && problem.row_count() > kManyRows) {
    return split_many(problem, options);
  }
  const std::vector<Unit> units =
      grouped ? units_by_group(table, problem) : units_by_equality(table, problem);
  if (units.size() < 4) {
    return base::invalid(
        fmt::format("the rows form {} distinct {} only, too few to divide", units.size(),
                    grouped ? "groups" : "rows"),
        grouped ? "choose a group column with at least 4 groups" : "add rows that differ");
  }
  base::Random random = base::Random(options.seed).split(1);
  std::vector<uint32_t> all(units.size());
  std::iota(all.begin(), all.end(), 0U);
  const auto order_of = [&](const std::vector<uint32_t>& chosen) {
    if (!grouped) {
      return stratified_order(units, chosen, problem.task, random);
    }
    std::vector<uint32_t> order = chosen;
    random.shuffle(std::span(order));
    return order;
  };
  // Deal units first into parts of which one becomes the test part; unit numbers stand for rows.
  Split split;
  const auto parts = static_cast<size_t>(std::lround(1 / test_share(problem.row_count())));
  std::vector<Unit> handles(units.size());
  for (uint32_t u = 0; u < units.size(); ++u) {
    handles[u].positions.assign(grouped ? units[u].positions.size() : 1, u);
  }
  auto dealt = deal(handles, order_of(all), std::min(parts, units.size()), grouped);
  std::vector<bool> in_test(units.size(), false);
  for (const uint32_t unit : dealt[0]) {
    in_test[unit] = true;
  }
  std::vector<uint32_t> rest;
  for (uint32_t u = 0; u < units.size(); ++u) {
    auto& side = in_test[u] ? split.test : split.work;
    side.insert(side.end(), units[u].positions.begin(), units[u].positions.end());
    if (!in_test[u]) {
      rest.push_back(u);
    }
  }
  std::sort(split.test.begin(), split.test.end());
  std::sort(split.work.begin(), split.work.end());
  const bool holdout = split.work.size() > options.fold_rows_max;
  const size_t pieces = holdout ? (split.work.size() > 200000 ? 10 : 7) : options.fold_count;
  split.folds =
      folds_of(deal(units, order_of(rest), std::min(pieces, rest.size()), grouped), holdout);
  split.method = grouped                                     ? "group"
                 : problem.task == metric::Task::kRegression ? "random"
                                                             : "stratified";
  split.validation = holdout ? "holdout" : "folds";
  return split;
}

// The border nearest to `wanted` at which the time of sorted rows changes; 0 where there is none.
size_t border_near(const std::vector<double>& times, size_t first, size_t last, size_t wanted) {
  size_t best = 0;
  for (size_t i = first + 1; i < last; ++i) {
    if (times[i] != times[i - 1] &&
        (best == 0 || std::max(i, wanted) - std::min(i, wanted) <
                          std::max(best, wanted) - std::min(best, wanted))) {
      best = i;
    }
  }
  return best;
}

// When each row happened; of a grouped row the latest moment of its group, so that groups stay
// whole.
std::vector<double> moments(const table::Table& table, const Problem& problem) {
  const table::Column& column = table.columns()[*problem.time_column];
  std::vector<double> times(problem.row_count());
  for (size_t i = 0; i < times.size(); ++i) {
    const double time = cell_number(column, problem.rows[i]);
    times[i] = std::isnan(time) ? -std::numeric_limits<double>::infinity() : time;
  }
  if (!problem.group_column.has_value()) {
    return times;
  }
  for (const Unit& unit : units_by_group(table, problem)) {
    double latest = -std::numeric_limits<double>::infinity();
    for (const uint32_t i : unit.positions) {
      latest = std::max(latest, times[i]);
    }
    for (const uint32_t i : unit.positions) {
      times[i] = latest;
    }
  }
  return times;
}

std::vector<uint32_t> sorted_piece(const std::vector<uint32_t>& order, size_t first, size_t last) {
  std::vector<uint32_t> piece(order.begin() + static_cast<ptrdiff_t>(first),
                              order.begin() + static_cast<ptrdiff_t>(last));
  std::sort(piece.begin(), piece.end());
  return piece;
}

absl::StatusOr<Split> split_by_time(const table::Table& table, const Problem& problem,
                                    const SplitOptions& options) {
  const std::vector<double> by_position = moments(table, problem);
  std::vector<uint32_t> order(problem.row_count());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&by_position](uint32_t a, uint32_t b) {
    return by_position[a] < by_position[b];
  });
  std::vector<double> times(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    times[i] = by_position[order[i]];
  }
  const size_t n = order.size();
  const auto wanted = static_cast<size_t>(static_cast<double>(n) * (1 - test_share(n)));
  const size_t border = border_near(times, 0, n, wanted);
  const std::string& name = table.columns()[*problem.time_column].name;
  if (border < n / 4) {
    return base::invalid(fmt::format("the time column {} does not divide the rows: too many share "
                                     "one moment",
                                     name),
                         "leave the time column out, or choose one that differs between rows");
  }
  Split split;
  split.method = problem.group_column.has_value() ? "group_by_time" : "time";
  split.test = sorted_piece(order, border, n);
  split.work = sorted_piece(order, 0, border);
  split.test_from = times[border];
  // Forward blocks: each is predicted from all rows before it.
  const size_t blocks = border <= options.fold_rows_max / 2 ? 3 : 1;
  split.validation = blocks > 1 ? "forward" : "holdout";
  size_t end = border;
  for (size_t block = 0; block < blocks; ++block) {
    const auto start_wanted = static_cast<size_t>(static_cast<double>(border) *
                                                  (1 - 0.13 * static_cast<double>(block + 1)));
    const size_t start = border_near(times, 0, end, start_wanted);
    if (start < border / 4) {
      break;
    }
    split.folds.push_back(
        {.train = sorted_piece(order, 0, start), .valid = sorted_piece(order, start, end)});
    end = start;
  }
  if (split.folds.empty()) {
    return base::invalid(fmt::format("the time column {} has too few distinct moments", name),
                         "leave the time column out, or choose a finer one");
  }
  return split;
}

}  // namespace

absl::StatusOr<Split> split_rows(const table::Table& table, const Problem& problem,
                                 const SplitOptions& options) {
  return problem.time_column.has_value() ? split_by_time(table, problem, options)
                                         : split_at_random(table, problem, options);
}

}  // namespace cromford::learn
