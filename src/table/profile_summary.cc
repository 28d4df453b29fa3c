// From a profile's state to its figures.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "table/profile_state.h"

namespace cromford::table {
namespace {

constexpr size_t kTopMax = 20;
constexpr size_t kPatternsShown = 8;
constexpr size_t kBinsMax = 64;
constexpr size_t kShownBytes = 200;
// Some 13,000 years; what files hold beyond ("infinity") cannot be written as a date.
constexpr double kDaysMax = 5'000'000;
constexpr double kDay = 86'400e6;

int64_t weight_of(std::span<const WeightedNumber> items) {
  int64_t weight = 0;
  for (const WeightedNumber& item : items) {
    weight += item.weight;
  }
  return weight;
}

// Rice's rule, by whole numbers.
size_t bin_count(int64_t count) {
  size_t bins = 8;
  while (bins < kBinsMax && static_cast<int64_t>(bins * bins * bins) < 8 * count) {
    ++bins;
  }
  return bins;
}

void append_even_edges(std::vector<double>& edges, double low, double high, size_t bins) {
  for (size_t i = 0; i <= bins; ++i) {
    const double edge =
        i == bins ? high
                  : low + (high - low) * (static_cast<double>(i) / static_cast<double>(bins));
    if (edges.empty() || edge > edges.back()) {
      edges.push_back(edge);
    }
  }
}

// Whole numbers get bins of whole width with edges between them.
std::vector<double> whole_edges(double min, double max, size_t bins) {
  const double width = std::max(1.0, std::ceil((max - min + 1) / static_cast<double>(bins)));
  std::vector<double> edges;
  for (double edge = min - 0.5; edges.size() <= kBinsMax; edge += width) {
    edges.push_back(edge);
    if (edge > max) {
      break;
    }
  }
  return edges;
}

std::vector<double> choose_edges(std::span<const WeightedNumber> items, double min, double max,
                                 bool whole) {
  if (min == max) {
    return {min, max};
  }
  if (!std::isfinite(max - min)) {
    return {min, 0.0, max};
  }
  const size_t bins = bin_count(weight_of(items));
  const double low = quantile_of(items, 0.01);
  const double high = quantile_of(items, 0.99);
  // Far outliers must not squeeze everything else into one bin.
  if (low < high && max - min > 4 * (high - low)) {
    std::vector<double> edges;
    if (min < low) {
      edges.push_back(min);
    }
    append_even_edges(edges, low, high, bins - 2);
    if (max > edges.back()) {
      edges.push_back(max);
    }
    return edges;
  }
  // Beyond 2^52, half a unit cannot be told.
  if (whole && std::max(std::abs(min), std::abs(max)) < 4e15) {
    return whole_edges(min, max, max - min < static_cast<double>(kBinsMax) ? kBinsMax : bins);
  }
  std::vector<double> edges;
  append_even_edges(edges, min, max, bins);
  return edges;
}

Histogram histogram_of(std::span<const WeightedNumber> items, std::vector<double> edges) {
  Histogram histogram{.edges = std::move(edges), .counts = {}};
  histogram.counts.resize(histogram.edges.size() - 1);
  size_t bin = 0;
  for (const WeightedNumber& item : items) {
    while (bin + 1 < histogram.counts.size() && item.value >= histogram.edges[bin + 1]) {
      ++bin;
    }
    histogram.counts[bin] += item.weight;
  }
  return histogram;
}

NumberSummary summarize_numbers(const NumberState& state) {
  NumberSummary summary;
  const std::vector<WeightedNumber> items = state.items();
  summary.min = state.min();
  summary.max = state.max();
  const Moments moments = state.moments();
  const auto n = static_cast<double>(moments.count);
  summary.mean = moments.mean;
  summary.sd = n > 1 ? std::sqrt(moments.m2 / (n - 1)) : 0;
  const double variance = moments.m2 / n;
  const double skewness = (moments.m3 / n) / (variance * std::sqrt(variance));
  summary.skewness = std::isfinite(skewness) ? skewness : 0;
  for (double* figure : {&summary.mean, &summary.sd}) {
    *figure = std::isfinite(*figure) ? *figure : std::numeric_limits<double>::max();
  }
  for (const double level : kQuantileLevels) {
    summary.quantiles.push_back(quantile_of(items, level));
  }
  const bool whole = state.type() != ColumnType::kNumber && state.type() != ColumnType::kTimestamp;
  summary.histogram = histogram_of(items, choose_edges(items, summary.min, summary.max, whole));
  const double q1 = quantile_of(items, 0.25);
  const double q3 = quantile_of(items, 0.75);
  if (q3 > q1) {
    for (const WeightedNumber& item : items) {
      summary.outliers_low += item.value < q1 - 1.5 * (q3 - q1) ? item.weight : 0;
      summary.outliers_high += item.value > q3 + 1.5 * (q3 - q1) ? item.weight : 0;
    }
  }
  summary.zero = state.zero();
  summary.negative = state.negative();
  return summary;
}

TextSummary summarize_texts(const TextState& state) {
  const TextLengths lengths = state.lengths();
  const TextLooks looks = state.looks();
  TextSummary summary;
  summary.length_min = lengths.min;
  summary.length_max = lengths.max;
  summary.length_mean = static_cast<double>(lengths.sum) / static_cast<double>(lengths.count);
  summary.blank = lengths.blank;
  summary.padded = lengths.padded;
  summary.looked_at = looks.looked_at;
  if (looks.looked_at == 0) {
    return summary;
  }
  const auto n = static_cast<double>(looks.looked_at);
  summary.number_share = static_cast<double>(looks.numbers) / n;
  summary.date_share = static_cast<double>(looks.dates) / n;
  std::vector<CountedText> patterns = looks.patterns.sorted();
  std::sort(patterns.begin(), patterns.end(), CountedText::by_count);
  for (const CountedText& item : patterns) {
    if (summary.patterns.size() < kPatternsShown) {
      summary.patterns.push_back({std::string(item.text), static_cast<double>(item.count) / n});
    }
  }
  return summary;
}

// The most frequent, and none that occur once among many; sketches: only what weighs something.
template <typename Counted, typename Text>
std::vector<TopValue> top_of(std::vector<Counted> items, bool exact, int64_t present, Text text) {
  const int64_t least =
      exact ? (items.size() > kTopMax ? 2 : 1) : std::max<int64_t>(2, present / 1000);
  std::erase_if(items, [least](const Counted& item) { return item.count < least; });
  std::sort(items.begin(), items.end(), Counted::by_count);
  std::vector<TopValue> top;
  for (size_t i = 0; i < std::min(items.size(), kTopMax); ++i) {
    top.push_back({text(items[i]), items[i].count});
  }
  return top;
}

void fill(const NumberState& state, ColumnProfile& column) {
  column.missing = state.missing();
  column.distinct = state.distinct();
  column.exact = state.exact();
  if (state.present() > 0) {
    column.number = summarize_numbers(state);
  }
  column.top =
      top_of(state.values().sorted(), state.exact(), state.present(), [&](const CountedKey& item) {
        return state.type() == ColumnType::kInteger
                   ? fmt::format("{}", integer_of_key(item.key))
                   : value_text(state.type(), state.value_of(item.key));
      });
}

void fill(const TextState& state, ColumnProfile& column) {
  column.missing = state.missing();
  column.distinct = state.distinct();
  column.exact = state.exact();
  if (state.present() > 0) {
    column.text = summarize_texts(state);
  }
  column.top = top_of(
      state.values().sorted(), state.exact(), state.present(),
      [](const CountedText& item) { return std::string(base::clip_utf8(item.text, kShownBytes)); });
}

}  // namespace

double quantile_of(std::span<const WeightedNumber> items, double level) {
  const double target = level * static_cast<double>(weight_of(items));
  int64_t below = 0;
  for (const WeightedNumber& item : items) {
    below += item.weight;
    if (static_cast<double>(below) >= target) {
      return item.value;
    }
  }
  return items.back().value;
}

std::string value_text(ColumnType type, double value) {
  std::string text;
  switch (type) {
    case ColumnType::kBoolean:
      return value != 0 ? "true" : "false";
    case ColumnType::kDate:
      return format_date(static_cast<int64_t>(std::clamp(value, -kDaysMax, kDaysMax)));
    case ColumnType::kTimestamp:
      return format_timestamp(
          static_cast<int64_t>(std::clamp(value, -kDaysMax * kDay, kDaysMax * kDay)));
    default:
      base::append_number(text, value);
      return text;
  }
}

Profile summarize(const Schema& schema, const TableState& state) {
  Profile profile;
  profile.row_count = state.row_count;
  profile.duplicate_rows = std::min(state.row_count, state.rows.repeated());
  profile.duplicates_exact = state.rows.exact();
  std::vector<ProfileWarning> warnings;
  for (size_t i = 0; i < schema.columns.size(); ++i) {
    ColumnProfile column;
    column.name = schema.columns[i].name;
    column.storage = schema.columns[i].type;
    std::visit([&column](const auto& known) { fill(known, column); }, state.columns[i]);
    column.semantic = semantic_type_of(column, profile.row_count);
    warn_about(column, state.columns[i], profile.row_count, warnings);
    profile.columns.push_back(std::move(column));
  }
  profile.warnings = warnings_of_table(profile);
  profile.warnings.insert(profile.warnings.end(), std::make_move_iterator(warnings.begin()),
                          std::make_move_iterator(warnings.end()));
  return profile;
}

}  // namespace cromford::table
