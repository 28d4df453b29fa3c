#include "table/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"
#include "table/profile_state.h"

namespace cromford::table {
namespace {

constexpr size_t kListedMax = 20;
constexpr size_t kCategoryBins = 50;
constexpr double kShareFloor = 1e-4;

// Counts of the same bins in both versions; the first bin holds the missing values.
struct SharedBins {
  std::vector<double> from;
  std::vector<double> to;
};

double total_of(const std::vector<double>& counts) {
  double total = 0;
  for (const double count : counts) {
    total += count;
  }
  return total;
}

double psi_of(const SharedBins& bins) {
  const double from_total = total_of(bins.from);
  const double to_total = total_of(bins.to);
  if (from_total == 0 || to_total == 0) {
    return 0;
  }
  double psi = 0;
  for (size_t i = 0; i < bins.from.size(); ++i) {
    if (bins.from[i] == 0 && bins.to[i] == 0) {
      continue;
    }
    const double p = std::max(kShareFloor, bins.from[i] / from_total);
    const double q = std::max(kShareFloor, bins.to[i] / to_total);
    psi += (q - p) * std::log(q / p);
  }
  return psi;
}

double js_of(const SharedBins& bins) {
  const double from_total = total_of(bins.from);
  const double to_total = total_of(bins.to);
  if (from_total == 0 || to_total == 0) {
    return 0;
  }
  double js = 0;
  for (size_t i = 0; i < bins.from.size(); ++i) {
    const double p = bins.from[i] / from_total;
    const double q = bins.to[i] / to_total;
    const double middle = (p + q) / 2;
    js += p > 0 ? 0.5 * p * std::log2(p / middle) : 0;
    js += q > 0 ? 0.5 * q * std::log2(q / middle) : 0;
  }
  return std::clamp(js, 0.0, 1.0);
}

// Deciles of the older version; every value that is an edge by itself keeps its own bin, so that a
// spike is compared with the same spike.
SharedBins bins_of(const NumberState& from, const NumberState& to) {
  const std::vector<WeightedNumber> old_items = from.items();
  const std::vector<WeightedNumber> new_items = to.items();
  std::vector<double> edges;
  if (!old_items.empty()) {
    for (int decile = 1; decile < 10; ++decile) {
      edges.push_back(quantile_of(old_items, decile / 10.0));
    }
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  }
  // Bin 1 + 2k holds what lies between edges, bin 2 + 2k an edge itself.
  SharedBins bins;
  const auto fill = [&edges](const std::vector<WeightedNumber>& items, int64_t missing) {
    std::vector<double> counts(2 + 2 * edges.size());
    counts[0] = static_cast<double>(missing);
    for (const WeightedNumber& item : items) {
      const auto edge = std::lower_bound(edges.begin(), edges.end(), item.value);
      const auto below = static_cast<size_t>(edge - edges.begin());
      const bool on_edge = edge != edges.end() && *edge == item.value;
      counts[1 + 2 * below + (on_edge ? 1 : 0)] += static_cast<double>(item.weight);
    }
    return counts;
  };
  bins.from = fill(old_items, from.missing());
  bins.to = fill(new_items, to.missing());
  // Single values only stay apart where they are spikes; others would be noise.
  const double total = std::max(1.0, total_of(bins.from));
  for (size_t k = edges.size(); k-- > 0;) {
    const size_t at = 2 + 2 * k;
    if (bins.from[at] / total < 0.05) {
      for (std::vector<double>* counts : {&bins.from, &bins.to}) {
        (*counts)[at - 1] += (*counts)[at];
        counts->erase(counts->begin() + static_cast<std::ptrdiff_t>(at));
      }
    }
  }
  return bins;
}

SharedBins bins_of(const TextState& from, const TextState& to) {
  std::vector<CountedText> known = from.values().sorted();
  std::sort(known.begin(), known.end(), CountedText::by_count);
  known.resize(std::min(known.size(), kCategoryBins));
  std::map<std::string_view, size_t> bin_of;
  for (const CountedText& item : known) {
    bin_of.emplace(item.text, 2 + bin_of.size());
  }
  const auto fill = [&](const TextState& state) {
    std::vector<double> counts(2 + known.size());
    counts[0] = static_cast<double>(state.missing());
    int64_t others = state.present();
    for (const CountedText& item : state.values().sorted()) {
      const auto bin = bin_of.find(item.text);
      if (bin != bin_of.end()) {
        counts[bin->second] = static_cast<double>(item.count);
        others -= item.count;
      }
    }
    counts[1] = static_cast<double>(others);
    return counts;
  };
  return {fill(from), fill(to)};
}

ChangeLevel level_of(double psi) {
  if (psi >= 0.25) {
    return ChangeLevel::kLarge;
  }
  if (psi >= 0.1) {
    return ChangeLevel::kMedium;
  }
  return psi >= 0.02 ? ChangeLevel::kSmall : ChangeLevel::kNone;
}

using base::Json;

std::string_view level_name(ChangeLevel level) {
  static constexpr std::array<std::string_view, 4> kNames = {"none", "small", "medium", "large"};
  return kNames[static_cast<size_t>(level)];
}

// What PSI is on average for two samples of the same distribution (Yurdakul, 2018).
double psi_by_chance(const SharedBins& bins) {
  const double from_total = std::max(1.0, total_of(bins.from));
  const double to_total = std::max(1.0, total_of(bins.to));
  return static_cast<double>(bins.from.size() - 1) * (1 / from_total + 1 / to_total);
}

std::vector<std::string> only_in(const TextState& here, const TextState& there) {
  std::set<std::string_view> known;
  for (const CountedText& item : there.values().sorted()) {
    known.insert(item.text);
  }
  std::vector<CountedText> fresh;
  for (const CountedText& item : here.values().sorted()) {
    if (!known.contains(item.text)) {
      fresh.push_back(item);
    }
  }
  std::sort(fresh.begin(), fresh.end(), CountedText::by_count);
  std::vector<std::string> values;
  for (const CountedText& item : fresh) {
    if (values.size() < kListedMax) {
      values.emplace_back(base::clip_utf8(item.text, 200));
    }
  }
  return values;
}

double median_of(const ColumnProfile& column) {
  return column.number->quantiles[kQuantileCount / 2];
}

double missing_share(const ColumnProfile& column, int64_t row_count) {
  return row_count == 0 ? 0 : static_cast<double>(column.missing) / static_cast<double>(row_count);
}

std::string listed(const std::vector<std::string>& values) {
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(values.size(), 5); ++i) {
    text += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", values[i]);
  }
  return values.size() > 5 ? text + ", ..." : text;
}

std::string shown(ColumnType type, double value) {
  if (type == ColumnType::kDate || type == ColumnType::kTimestamp) {
    return value_text(type, value);
  }
  return base::format_value(value);
}

void describe(const ColumnProfile& from, const ColumnProfile& to, ColumnDiff& diff) {
  const double missing = diff.missing_share_to - diff.missing_share_from;
  if (std::abs(missing) >= 0.01) {
    diff.sentences.push_back(fmt::format("missing values went from {:.1f}% to {:.1f}%",
                                         100 * diff.missing_share_from,
                                         100 * diff.missing_share_to));
  }
  if (diff.level >= ChangeLevel::kMedium) {
    std::string sentence =
        fmt::format("the distribution changed {} (PSI {:.2f})",
                    diff.level == ChangeLevel::kLarge ? "a lot" : "noticeably", diff.psi);
    if (diff.number) {
      sentence +=
          fmt::format(", the median from {} to {}", shown(from.storage, diff.number->median_from),
                      shown(to.storage, diff.number->median_to));
    }
    diff.sentences.push_back(std::move(sentence));
  }
  const bool categories = to.semantic == SemanticType::kCategory ||
                          to.semantic == SemanticType::kBoolean ||
                          from.semantic == SemanticType::kCategory;
  if (categories && !diff.new_values.empty()) {
    diff.sentences.push_back(fmt::format("new values: {}", listed(diff.new_values)));
  }
  if (categories && !diff.vanished_values.empty()) {
    diff.sentences.push_back(fmt::format("values gone: {}", listed(diff.vanished_values)));
  }
  if (from.semantic != to.semantic) {
    diff.sentences.push_back(fmt::format("it was {} and is now {}",
                                         semantic_type_name(from.semantic),
                                         semantic_type_name(to.semantic)));
  }
}

struct Side {
  const Profile& profile;
  std::optional<TableState> state;

  const ColumnState* column(size_t index) const { return state ? &state->columns[index] : nullptr; }
};

absl::StatusOr<Side> read_side(const Profile& profile) {
  Side side{profile, std::nullopt};
  if (!profile.state.empty()) {
    TRY(side.state, read_state(schema_of(profile), profile.state));
  }
  return side;
}

void measure(const ColumnState* from, const ColumnState* to, ColumnDiff& diff) {
  if (from == nullptr || to == nullptr || from->index() != to->index()) {
    return;
  }
  SharedBins bins;
  if (const auto* old_number = std::get_if<NumberState>(from)) {
    bins = bins_of(*old_number, std::get<NumberState>(*to));
  } else {
    const auto& old_text = std::get<TextState>(*from);
    const auto& new_text = std::get<TextState>(*to);
    bins = bins_of(old_text, new_text);
    if (old_text.exact() && new_text.exact()) {
      diff.new_values = only_in(new_text, old_text);
      diff.vanished_values = only_in(old_text, new_text);
    }
  }
  diff.psi = psi_of(bins);
  diff.js = js_of(bins);
  diff.level = level_of(diff.psi - 2 * psi_by_chance(bins));
}

ColumnDiff diff_columns(const Side& from, size_t from_index, const Side& to, size_t to_index) {
  const ColumnProfile& old_column = from.profile.columns[from_index];
  const ColumnProfile& new_column = to.profile.columns[to_index];
  ColumnDiff diff;
  diff.name = new_column.name;
  diff.missing_share_from = missing_share(old_column, from.profile.row_count);
  diff.missing_share_to = missing_share(new_column, to.profile.row_count);
  diff.distinct_from = old_column.distinct;
  diff.distinct_to = new_column.distinct;
  if (old_column.number && new_column.number) {
    const NumberSummary& a = *old_column.number;
    const NumberSummary& b = *new_column.number;
    diff.number =
        NumberChange{a.mean, b.mean, a.sd,  b.sd, median_of(old_column), median_of(new_column),
                     a.min,  b.min,  a.max, b.max};
  }
  measure(from.column(from_index), to.column(to_index), diff);
  describe(old_column, new_column, diff);
  return diff;
}

std::optional<size_t> position(const Profile& profile, std::string_view name) {
  for (size_t i = 0; i < profile.columns.size(); ++i) {
    if (profile.columns[i].name == name) {
      return i;
    }
  }
  return std::nullopt;
}

// Each removed column is paired with the most alike added one.
void guess_renames(const Side& from, const Side& to, VersionDiff& diff) {
  std::set<std::string> taken;
  for (const ColumnSchema& removed : diff.removed) {
    std::string best;
    double best_js = 0.02;
    for (const ColumnSchema& added : diff.added) {
      if (added.type != removed.type || taken.contains(added.name) || !from.state || !to.state) {
        continue;
      }
      const ColumnDiff change = diff_columns(from, *position(from.profile, removed.name), to,
                                             *position(to.profile, added.name));
      if (change.js < best_js && change.distinct_to > 1) {
        best_js = change.js;
        best = added.name;
      }
    }
    if (!best.empty()) {
      taken.insert(best);
      diff.renamed.push_back({removed.name, best});
    }
  }
}

void diff_schemas(const Side& from, const Side& to, VersionDiff& diff) {
  size_t last = 0;
  for (const ColumnProfile& column : to.profile.columns) {
    const auto index = position(from.profile, column.name);
    if (!index) {
      diff.added.push_back({column.name, column.storage});
      continue;
    }
    const ColumnType before = from.profile.columns[*index].storage;
    if (before != column.storage) {
      diff.changed.push_back({column.name, before, column.storage});
    }
    diff.reordered = diff.reordered || *index < last;
    last = *index;
  }
  for (const ColumnProfile& column : from.profile.columns) {
    if (!position(to.profile, column.name)) {
      diff.removed.push_back({column.name, column.storage});
    }
  }
  guess_renames(from, to, diff);
}

void describe_schemas(VersionDiff& diff) {
  for (const ColumnSchema& column : diff.removed) {
    diff.sentences.push_back(fmt::format("the column {} is gone", column.name));
  }
  for (const ColumnSchema& column : diff.added) {
    diff.sentences.push_back(
        fmt::format("the column {} ({}) is new", column.name, column_type_name(column.type)));
  }
  for (const RenameHint& hint : diff.renamed) {
    diff.sentences.push_back(
        fmt::format("{} may be the new name of {}: they hold nearly the same", hint.to, hint.from));
  }
  for (const TypeChange& change : diff.changed) {
    diff.sentences.push_back(fmt::format("the column {} was {} and is now {}", change.name,
                                         column_type_name(change.from),
                                         column_type_name(change.to)));
  }
  if (diff.reordered) {
    diff.sentences.emplace_back("the columns stand in another order");
  }
}

Json pair_json(double from, double to) {
  return {{"from", from}, {"to", to}};
}

Json columns_json(const std::vector<ColumnSchema>& columns) {
  Json list = Json::array();
  for (const ColumnSchema& column : columns) {
    list.push_back({{"name", column.name}, {"type", column_type_name(column.type)}});
  }
  return list;
}

Json column_json(const ColumnDiff& column) {
  Json document = {{"name", column.name},
                   {"level", level_name(column.level)},
                   {"psi", column.psi},
                   {"js", column.js},
                   {"missing_share", pair_json(column.missing_share_from, column.missing_share_to)},
                   {"distinct", {{"from", column.distinct_from}, {"to", column.distinct_to}}},
                   {"new_values", column.new_values},
                   {"vanished_values", column.vanished_values},
                   {"sentences", column.sentences}};
  if (column.number) {
    const NumberChange& number = *column.number;
    document["mean"] = pair_json(number.mean_from, number.mean_to);
    document["sd"] = pair_json(number.sd_from, number.sd_to);
    document["median"] = pair_json(number.median_from, number.median_to);
    document["min"] = pair_json(number.min_from, number.min_to);
    document["max"] = pair_json(number.max_from, number.max_to);
  }
  return document;
}

}  // namespace

absl::StatusOr<VersionDiff> diff_versions(const Profile& from, const Profile& to) {
  TRY(const Side old_side, read_side(from));
  TRY(const Side new_side, read_side(to));
  VersionDiff diff;
  diff.row_count_from = from.row_count;
  diff.row_count_to = to.row_count;
  diff_schemas(old_side, new_side, diff);
  if (from.row_count != to.row_count) {
    diff.sentences.push_back(
        fmt::format("the number of rows went from {} to {}", from.row_count, to.row_count));
  }
  describe_schemas(diff);
  for (size_t i = 0; i < to.columns.size(); ++i) {
    const auto index = position(from, to.columns[i].name);
    if (index && from.columns[*index].storage == to.columns[i].storage) {
      diff.columns.push_back(diff_columns(old_side, *index, new_side, i));
    }
  }
  std::vector<const ColumnDiff*> by_change;
  for (const ColumnDiff& column : diff.columns) {
    by_change.push_back(&column);
  }
  std::sort(by_change.begin(), by_change.end(), [](const ColumnDiff* a, const ColumnDiff* b) {
    return a->psi != b->psi ? a->psi > b->psi : a < b;  // Else in the order of the columns.
  });
  for (const ColumnDiff* column : by_change) {
    for (const std::string& sentence : column->sentences) {
      diff.sentences.push_back(fmt::format("{}: {}", column->name, sentence));
    }
  }
  return diff;
}

base::Json to_json(const VersionDiff& diff) {
  Json changed = Json::array();
  for (const TypeChange& change : diff.changed) {
    changed.push_back({{"name", change.name},
                       {"from", column_type_name(change.from)},
                       {"to", column_type_name(change.to)}});
  }
  Json renamed = Json::array();
  for (const RenameHint& hint : diff.renamed) {
    renamed.push_back({{"from", hint.from}, {"to", hint.to}});
  }
  Json columns = Json::array();
  for (const ColumnDiff& column : diff.columns) {
    columns.push_back(column_json(column));
  }
  return {{"schema",
           {{"added", columns_json(diff.added)},
            {"removed", columns_json(diff.removed)},
            {"changed", std::move(changed)},
            {"renamed", std::move(renamed)},
            {"reordered", diff.reordered}}},
          {"row_count", {{"from", diff.row_count_from}, {"to", diff.row_count_to}}},
          {"columns", std::move(columns)},
          {"sentences", diff.sentences}};
}

}  // namespace cromford::table
