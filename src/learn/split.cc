#include "learn/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <unordered_map>

#include "base/random.h"
#include "base/status.h"

namespace cromford::learn {
namespace {

constexpr size_t kManyRows = 300000;

// The share of rows that is taken away: larger for small data, where it must carry a figure.
double test_share(size_t rows) {
  return rows <= 50000 ? 0.2 : rows <= 200000 ? 0.15 : 0.1;
}

// Rows that stay together: a group, or rows of one key.
struct Unit {
  std::vector<uint32_t> positions;
  double label = 0;  // Of its first row.
};

// Units of the rows at `positions`, in the order of their first rows.
std::vector<Unit> units_of(const std::vector<uint64_t>& keys, const Problem& problem,
                           const std::vector<uint32_t>& positions) {
  std::vector<Unit> units;
  std::unordered_map<uint64_t, size_t> index;
  index.reserve(positions.size());
  for (const uint32_t i : positions) {
    const auto [found, added] = index.emplace(keys[i], units.size());
    if (added) {
      units.push_back({.positions = {}, .label = problem.labels[i]});
    }
    units[found->second].positions.push_back(i);
  }
  return units;
}

// Deals whole units into parts of about equal size, each to the part with the fewest rows so far:
// neighbours in `order` go to different parts.
std::vector<std::vector<uint32_t>> deal(const std::vector<Unit>& units,
                                        const std::vector<uint32_t>& order, size_t parts) {
  std::vector<std::vector<uint32_t>> result(parts);
  for (const uint32_t unit : order) {
    const auto fewest =
        std::min_element(result.begin(), result.end(),
                         [](const auto& a, const auto& b) { return a.size() < b.size(); });
    fewest->insert(fewest->end(), units[unit].positions.begin(), units[unit].positions.end());
  }
  return result;
}

// Units in an order in which neighbours have the same class, or nearly the same value; shuffled
// within.
std::vector<uint32_t> stratified_order(const std::vector<Unit>& units, metric::Task task,
                                       base::Random& random) {
  std::vector<uint32_t> order(units.size());
  std::iota(order.begin(), order.end(), 0U);
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

// The largest groups first, so that the small ones level the parts.
std::vector<uint32_t> largest_first(const std::vector<Unit>& units, base::Random& random) {
  std::vector<uint32_t> order(units.size());
  std::iota(order.begin(), order.end(), 0U);
  random.shuffle(std::span(order));
  std::stable_sort(order.begin(), order.end(), [&units](uint32_t a, uint32_t b) {
    return units[a].positions.size() > units[b].positions.size();
  });
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

// The bound below which about `wanted` of the shares lie; equal shares are not parted.
double bound_of(std::vector<double> shares, size_t wanted) {
  if (wanted == 0) {
    return 0;
  }
  const auto at = shares.begin() + static_cast<ptrdiff_t>(wanted);
  std::nth_element(shares.begin(), at, shares.end());
  const double bound = *at;
  size_t below = 0;
  size_t to_bound = 0;
  double next = 1;
  for (const double share : shares) {
    below += share < bound ? 1 : 0;
    to_bound += share <= bound ? 1 : 0;
    next = share > bound ? std::min(next, share) : next;
  }
  const bool upwards = below == 0 || to_bound - wanted < wanted - below;
  return upwards && to_bound < shares.size() ? next : bound;
}

// Of each class the same share of the rows, or of all rows.
void set_row_bounds(const std::vector<uint64_t>& keys, const Problem& problem, TestPart& part) {
  const bool classes = problem.task != metric::Task::kRegression;
  part.target = problem.target;
  part.classes = problem.classes;
  std::vector<std::vector<double>> shares(classes ? problem.classes.size() : 1);
  for (size_t i = 0; i < keys.size(); ++i) {
    shares[classes ? static_cast<size_t>(problem.labels[i]) : 0].push_back(key_share(keys[i]));
  }
  for (std::vector<double>& of_class : shares) {
    const double wanted = test_share(keys.size()) * static_cast<double>(of_class.size());
    part.below.push_back(bound_of(std::move(of_class), static_cast<size_t>(std::lround(wanted))));
  }
}

// As many whole groups, in the order of their hashes, as come nearest to the test part's share.
// Groups that would fill it alone always teach; three are left for the folds.
void set_group_bound(const std::vector<Unit>& units, const std::vector<uint64_t>& keys,
                     TestPart& part) {
  const double wanted = test_share(keys.size()) * static_cast<double>(keys.size());
  std::map<double, size_t> rows_of;
  for (const Unit& unit : units) {
    const double share = key_share(keys[unit.positions.front()]);
    if (static_cast<double>(unit.positions.size()) > 1.5 * wanted) {
      part.taught.push_back(share);
    } else {
      rows_of[share] += unit.positions.size();
    }
  }
  const size_t kept_back = part.taught.size() < 3 ? 3 - part.taught.size() : 0;
  double rows = 0;
  size_t count = 0;
  double bound = 0;
  for (const auto& [share, size] : rows_of) {
    const auto size_now = static_cast<double>(size);
    const bool nearer = rows + size_now - wanted < wanted - rows;
    if (count > 0 && (!nearer || count + kept_back >= rows_of.size())) {
      break;
    }
    rows += size_now;
    ++count;
    bound = std::nextafter(share, 1.0);
  }
  part.below = {bound};
  std::sort(part.taught.begin(), part.taught.end());
}

TestPart row_hash(const table::Table& table, const Problem& problem, const SplitOptions& options) {
  const TestPart* like = options.like;
  const bool known =
      like != nullptr && !like->columns.empty() &&
      std::all_of(like->columns.begin(), like->columns.end(),
                  [&table](const std::string& name) { return table.find(name) != nullptr; });
  TestPart part;
  if (known) {
    part.columns = like->columns;
    part.copies_together = like->copies_together;
  } else {
    std::vector<std::string> inputs;
    for (const Field& field : problem.fields) {
      inputs.push_back(table.columns()[field.column].name);
    }
    part = plan_row_hash(table, std::move(inputs), problem.target, options.threads);
  }
  if (problem.group_column.has_value()) {
    part.by = TestPart::By::kGroups;
    part.group_column = table.columns()[*problem.group_column].name;
  }
  return part;
}

absl::Status check_units(size_t count, bool grouped) {
  if (count >= 4) {
    return absl::OkStatus();
  }
  return base::invalid(
      fmt::format("the rows form {} distinct {} only, too few to divide", count,
                  grouped ? "groups" : "rows"),
      grouped ? "choose a group column with at least 4 groups" : "add rows that differ");
}

// A holdout of a tenth by another hash of the same keys.
Fold hashed_holdout(const Split& split, uint64_t seed) {
  Fold fold;
  for (const uint32_t i : split.work) {
    const bool valid = key_share(mix_key(split.keys[i], seed + 1)) < 1.0 / 9;
    (valid ? fold.valid : fold.train).push_back(i);
  }
  return fold;
}

absl::StatusOr<Split> split_by_hash(const table::Table& table, const Problem& problem,
                                    const SplitOptions& options) {
  const bool grouped = problem.group_column.has_value();
  Split split;
  split.test_part = row_hash(table, problem, options);
  {
    TRY(const std::vector<uint64_t> keys, row_keys(table, split.test_part, options.threads));
    split.keys.reserve(problem.row_count());
    for (const uint32_t row : problem.rows) {
      split.keys.push_back(keys[row]);
    }
  }
  if (grouped) {
    std::vector<uint32_t> all(problem.row_count());
    std::iota(all.begin(), all.end(), 0U);
    const std::vector<Unit> units = units_of(split.keys, problem, all);
    TRY(check_units(units.size(), grouped));
    set_group_bound(units, split.keys, split.test_part);
  } else {
    set_row_bounds(split.keys, problem, split.test_part);
  }
  TRY(const std::vector<bool> tested, never_taught(table, split.test_part, options.threads));
  for (uint32_t i = 0; i < problem.row_count(); ++i) {
    (tested[problem.rows[i]] ? split.test : split.work).push_back(i);
  }
  split.method = grouped                                     ? "group"
                 : problem.task == metric::Task::kRegression ? "random"
                                                             : "stratified";
  const bool holdout = split.work.size() > options.fold_rows_max;
  split.validation = holdout ? "holdout" : "folds";
  if (!grouped && split.work.size() > kManyRows) {
    split.folds.push_back(hashed_holdout(split, options.seed));
    return split;
  }
  const std::vector<Unit> units = units_of(split.keys, problem, split.work);
  TRY(check_units(units.size() + (split.test.empty() ? 0 : 1), grouped));
  base::Random random = base::Random(options.seed).split(1);
  const std::vector<uint32_t> order =
      grouped ? largest_first(units, random) : stratified_order(units, problem.task, random);
  const size_t pieces = holdout ? (split.work.size() > 200000 ? 10 : 7) : options.fold_count;
  split.folds = folds_of(deal(units, order, std::min(pieces, units.size())), holdout);
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
  const table::Column& groups = table.columns()[*problem.group_column];
  std::map<double, double> latest;
  for (size_t i = 0; i < times.size(); ++i) {
    // A row without a group is a group of its own.
    if (const double group = cell_number(groups, problem.rows[i]); !std::isnan(group)) {
      const auto [found, added] = latest.emplace(group, times[i]);
      found->second = std::max(found->second, times[i]);
    }
  }
  for (size_t i = 0; i < times.size(); ++i) {
    if (const double group = cell_number(groups, problem.rows[i]); !std::isnan(group)) {
      times[i] = latest[group];
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
  split.test_part = {.by = TestPart::By::kTime, .time_column = name, .from = split.test_from};
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
  split.moments = by_position;
  for (const double moment : by_position) {
    split.keys.push_back(std::bit_cast<uint64_t>(moment + 0.0));  // -0 and 0 are one moment.
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
                                         : split_by_hash(table, problem, options);
}

}  // namespace cromford::learn
