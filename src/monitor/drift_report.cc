#include "monitor/drift_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/status.h"
#include "base/text.h"

namespace cromford::monitor {
namespace {

constexpr size_t kNamedMax = 3;

uint64_t total_of(std::span<const uint64_t> counts) {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

double share(uint64_t part, uint64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

// 1234567 as 1,234,567.
std::string grouped(uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (size_t i = digits.size(); i > 3; i -= 3) {
    digits.insert(i - 3, ",");
  }
  return digits;
}

std::string percent(double part) {
  return fmt::format("{:.{}f}%", 100 * part, part >= 0.1 || part == 0 ? 0 : 1);
}

bool is_date(model::InputType type) {
  return type == model::InputType::kDate || type == model::InputType::kTimestamp;
}

std::string edge_text(model::InputType type, double edge) {
  if (!is_date(type) || std::abs(edge) > 1e11) {
    return fmt::format("{:.6g}", edge);
  }
  return base::format_time(base::Time(std::chrono::seconds(static_cast<int64_t>(edge))));
}

std::string range_text(model::InputType type, std::span<const double> edges, size_t bin) {
  if (edges.empty()) {
    return "any value";
  }
  if (bin == 0) {
    return "below " + edge_text(type, edges[0]);
  }
  if (bin == edges.size()) {
    return edge_text(type, edges.back()) + " and above";
  }
  return edge_text(type, edges[bin - 1]) + " to " + edge_text(type, edges[bin]);
}

// What people call a bin of a column.
std::string bin_text(const model::Package& package, size_t column, size_t bin) {
  const model::BinLayout& layout = package.bin_layout();
  const size_t count = layout.column(column).count;
  if (bin + 1 == count) {
    return "missing";
  }
  if (layout.has_dictionary(column)) {
    const auto dictionary = static_cast<size_t>(package.pipeline().dictionary_of(column));
    if (bin + 2 == count) {
      return "never seen in training";
    }
    return bin + 3 == count
               ? "other, rare values"
               : fmt::format("'{}'", base::clip_utf8(package.pipeline().entry(
                                                         dictionary, static_cast<uint32_t>(bin)),
                                                     60));
  }
  const model::InputType type = package.contract()[column].type;
  const std::span<const double> edges = package.baseline().columns[column].edges;
  if (type == model::InputType::kBoolean && bin > 0 && bin <= edges.size()) {
    return edges[bin - 1] == 0.0 ? "false" : "true";
  }
  const std::string range = range_text(type, edges, bin);
  return type == model::InputType::kText ? range + " bytes" : range;
}

// The bin whose share changed most; `text_of` names it.
template <typename TextOf>
std::string largest_change(const metric::BinPair& bins, TextOf&& text_of) {
  const uint64_t before = total_of(bins.reference);
  const uint64_t now = total_of(bins.current);
  const auto change = [&](size_t i) {
    return share(bins.current[i], now) - share(bins.reference[i], before);
  };
  size_t largest = 0;
  for (size_t i = 1; i < bins.current.size(); ++i) {
    largest = std::abs(change(i)) > std::abs(change(largest)) ? i : largest;
  }
  return fmt::format("{}: {} before, now {}", text_of(largest),
                     percent(share(bins.reference[largest], before)),
                     percent(share(bins.current[largest], now)));
}

// Counts unseen categories with the rare ones: among many values new ones are ordinary, and how
// many of them come is told by how many rare ones there were (Good, 1953).
std::vector<uint64_t> without_unseen(std::span<const uint64_t> counts) {
  std::vector<uint64_t> out(counts.begin(), counts.end());
  out[out.size() - 3] += out[out.size() - 2];
  out.erase(out.end() - 2);
  return out;
}

// Fills what the test finds; leaves it unjudged without a reference.
absl::Status test(const metric::BinPair& bins, const metric::DriftSettings& settings,
                  const std::map<std::string, double>& ordinary, DistributionDrift& out) {
  if (total_of(bins.reference) == 0) {
    return absl::OkStatus();
  }
  metric::DriftSettings tolerant = settings;
  if (const auto known = ordinary.find(out.name); known != ordinary.end()) {
    tolerant.tolerated = std::max(tolerant.tolerated, known->second);
  }
  out.ordinary = tolerant.tolerated;
  TRY(out.drift, metric::drift(bins, tolerant));
  out.judged = true;
  return absl::OkStatus();
}

double importance_of(const base::Json& manifest, const std::string& column) {
  const auto found = manifest.find("importance");
  if (found == manifest.end() || !found->is_array()) {
    return 0;
  }
  for (const base::Json& each : *found) {
    if (each.is_object() && each.value("column", base::Json()) == column) {
      const base::Json importance = each.value("share", base::Json());
      return importance.is_number() ? std::max(0.0, importance.get<double>()) : 0;
    }
  }
  return 0;
}

absl::StatusOr<DistributionDrift> compare_column(const model::Package& package, size_t column,
                                                 std::span<const uint64_t> reference,
                                                 std::span<const uint64_t> current,
                                                 const DriftOptions& options) {
  const model::BinLayout& layout = package.bin_layout();
  const metric::BinPair raw = {.reference = layout.column(column).of(reference),
                               .current = layout.column(column).of(current),
                               .own_bins = 1};
  const uint64_t before = total_of(raw.reference);
  const uint64_t now = total_of(raw.current);
  const model::InputColumn& input = package.contract()[column];
  DistributionDrift out{.name = input.name,
                        .importance = importance_of(package.manifest(), input.name),
                        .missing = share(current[layout.missing_bin(column)], now),
                        .missing_before = share(reference[layout.missing_bin(column)], before)};
  if (layout.has_dictionary(column)) {
    out.unseen = share(current[layout.unseen_bin(column)], now);
    const std::vector<uint64_t> folded_reference = without_unseen(raw.reference);
    const std::vector<uint64_t> folded = without_unseen(raw.current);
    TRY(test({.reference = folded_reference, .current = folded, .own_bins = 2}, options.test,
             options.ordinary.columns, out));
  } else {
    TRY(test(raw, options.test, options.ordinary.columns, out));
    if (input.type != model::InputType::kText) {
      out.below = share(raw.current[0], now);
      out.wasserstein = metric::wasserstein(raw, package.baseline().columns[column].edges);
    }
  }
  out.judged = out.judged && !is_date(input.type);
  if (before > 0) {
    out.change = largest_change(raw, [&](size_t bin) { return bin_text(package, column, bin); });
  }
  return out;
}

absl::StatusOr<DistributionDrift> compare_series(const model::Package& package, size_t series,
                                                 std::span<const uint64_t> reference,
                                                 std::span<const uint64_t> current,
                                                 const DriftOptions& options) {
  const model::BinRange range = package.bin_layout().prediction(series);
  const metric::BinPair bins = {.reference = range.of(reference), .current = range.of(current)};
  const std::span<const double> edges = package.baseline().prediction.edges;
  DistributionDrift out;
  if (package.task() == model::Task::kMulticlass) {
    out.name = package.classes()[series];
  } else {
    out.name = package.target();
  }
  TRY(test(bins, options.test, options.ordinary.prediction, out));
  if (out.judged) {
    out.wasserstein = metric::wasserstein(bins, edges);
    out.change = largest_change(
        bins, [&](size_t bin) { return range_text(model::InputType::kNumber, edges, bin); });
  }
  return out;
}

// Corrects the p-values of those that are judged for their number.
void judge(double q, std::vector<DistributionDrift>& family) {
  std::vector<double> p_values;
  std::vector<double> weights;
  for (const DistributionDrift& each : family) {
    if (each.judged) {
      p_values.push_back(each.drift.p_value);
      weights.push_back(each.importance);
    }
  }
  const std::vector<double> q_values = metric::adjusted_p_values(p_values, weights);
  size_t next = 0;
  for (DistributionDrift& each : family) {
    if (each.judged) {
      each.q_value = q_values[next++];
      each.moved = each.q_value <= q;
    }
  }
}

DriftVerdict verdict_of(const DriftReport& report) {
  const auto any = [&](bool DistributionDrift::* what) {
    return std::ranges::any_of(report.prediction, what) ||
           std::ranges::any_of(report.columns, what);
  };
  if (any(&DistributionDrift::moved)) {
    return DriftVerdict::kMoved;
  }
  return any(&DistributionDrift::judged) ? DriftVerdict::kSteady : DriftVerdict::kNoReference;
}

std::string figures(const DistributionDrift& moved) {
  std::string text = fmt::format("PSI {:.2f}", moved.drift.effect);
  if (moved.importance > 0) {
    text += fmt::format(", {} of importance", percent(moved.importance));
  }
  return text + "; " + moved.change;
}

// "`distance` (PSI 0.18, 44% of importance; below 100: 3% before, now 12%), `origin` (...)".
std::string moved_columns(std::span<const DistributionDrift> sorted) {
  std::vector<std::string> named;
  size_t count = 0;
  for (const DistributionDrift& each : sorted) {
    if (each.moved && ++count <= kNamedMax) {
      named.push_back(fmt::format("`{}` ({})", each.name, figures(each)));
    }
  }
  const std::string text = base::join(named, ", ");
  return count > kNamedMax ? fmt::format("{} and {} more", text, count - kNamedMax) : text;
}

std::string summary_of(const DriftReport& report) {
  if (report.verdict == DriftVerdict::kTooFewRows) {
    return fmt::format("not enough rows yet: {} of {}", grouped(report.rows),
                       grouped(report.rows_min));
  }
  if (report.verdict == DriftVerdict::kNoReference) {
    return "nothing to compare with: training left no counts in the package";
  }
  if (report.verdict == DriftVerdict::kSteady) {
    return fmt::format("no distribution moved ({} rows)", grouped(report.rows));
  }
  std::string prediction;
  for (const DistributionDrift& each : report.prediction) {
    if (each.moved && prediction.empty()) {
      prediction = fmt::format("the predicted '{}' moved ({})", each.name, figures(each));
    }
  }
  const std::string columns = moved_columns(report.columns);
  if (prediction.empty()) {
    return "these columns moved: " + columns;
  }
  return prediction + (columns.empty() ? ", but no single column: look at several together"
                                       : "; look at " + columns);
}

// The columns that moved to the front, the ones that matter most first.
void sort_columns(std::vector<DistributionDrift>& columns) {
  const auto weight = [](const DistributionDrift& each) {
    return each.moved ? (each.importance + 0.01) * each.drift.effect : -1.0;
  };
  std::ranges::stable_sort(columns, std::greater(), weight);
}

base::Json distribution_json(const DistributionDrift& each) {
  return {{"name", each.name},
          {"psi", each.drift.psi},
          {"effect", each.drift.effect},
          {"p_value", each.drift.p_value},
          {"q_value", each.q_value},
          {"js_distance", each.drift.js_distance},
          {"wasserstein", each.wasserstein},
          {"importance", each.importance},
          {"judged", each.judged},
          {"moved", each.moved},
          {"missing", each.missing},
          {"missing_before", each.missing_before},
          {"unseen", each.unseen},
          {"below", each.below},
          {"ordinary", each.ordinary},
          {"change", each.change}};
}

base::Json all_json(const std::vector<DistributionDrift>& all) {
  base::Json out = base::Json::array();
  for (const DistributionDrift& each : all) {
    out.push_back(distribution_json(each));
  }
  return out;
}

}  // namespace

std::string_view verdict_name(DriftVerdict verdict) {
  switch (verdict) {
    case DriftVerdict::kTooFewRows:
      return "too_few_rows";
    case DriftVerdict::kNoReference:
      return "no_reference";
    case DriftVerdict::kSteady:
      return "steady";
    case DriftVerdict::kMoved:
      return "moved";
  }
  return "";
}

std::vector<uint64_t> baseline_counts(const model::Package& package) {
  const model::BinLayout& layout = package.bin_layout();
  const model::Baseline& baseline = package.baseline();
  std::vector<uint64_t> out(layout.bin_count(), 0);
  for (size_t i = 0; i < layout.column_count(); ++i) {
    std::ranges::copy(baseline.columns[i].counts, out.begin() + layout.column(i).first);
  }
  if (layout.series_count() > 0) {
    std::ranges::copy(baseline.prediction.counts, out.begin() + layout.prediction(0).first);
  }
  return out;
}

absl::StatusOr<DriftReport> drift_report(const model::Package& package,
                                         std::span<const uint64_t> reference,
                                         const WindowCounts& window, const DriftOptions& options) {
  const model::BinLayout& layout = package.bin_layout();
  const std::vector<uint64_t> baseline =
      reference.empty() ? baseline_counts(package) : std::vector<uint64_t>();
  const std::span<const uint64_t> before = reference.empty() ? baseline : reference;
  if (window.counts.size() != layout.bin_count() || before.size() != layout.bin_count()) {
    return base::invalid(fmt::format(
        "{} counts do not fit a package with {} bins",
        window.counts.size() != layout.bin_count() ? window.counts.size() : before.size(),
        layout.bin_count()));
  }
  DriftReport report{.rows = window.rows, .rows_min = options.rows_min};
  if (window.rows >= std::max<uint64_t>(options.rows_min, 1)) {
    for (size_t i = 0; i < layout.series_count(); ++i) {
      TRY(DistributionDrift series, compare_series(package, i, before, window.counts, options));
      report.prediction.push_back(std::move(series));
    }
    for (size_t i = 0; i < layout.column_count(); ++i) {
      TRY(DistributionDrift column, compare_column(package, i, before, window.counts, options));
      report.columns.push_back(std::move(column));
    }
    judge(options.q, report.prediction);
    judge(options.q, report.columns);
    sort_columns(report.columns);
    report.verdict = verdict_of(report);
  }
  report.summary = summary_of(report);
  return report;
}

base::Json to_json(const DriftReport& report) {
  return {{"verdict", verdict_name(report.verdict)},
          {"rows", report.rows},
          {"rows_min", report.rows_min},
          {"summary", report.summary},
          {"prediction", all_json(report.prediction)},
          {"columns", all_json(report.columns)}};
}

}  // namespace cromford::monitor
