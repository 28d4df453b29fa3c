#include "model/baseline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "model/bytes.h"

namespace cromford::model {
namespace {

// Whoever counts keeps them all in memory.
constexpr size_t kPredictionBinsMax = size_t{1} << 22U;

absl::Status check_edges(std::span<const double> edges) {
  for (size_t i = 0; i < edges.size(); ++i) {
    if (!std::isfinite(edges[i]) || (i > 0 && !(edges[i - 1] < edges[i]))) {
      return base::invalid("its edges are not finite and ascending");
    }
  }
  return absl::OkStatus();
}

absl::Status check_column(const ColumnBaseline& column, InputType type, int dictionary,
                          const FeaturePipeline& pipeline) {
  TRY(check_edges(column.edges));
  const bool has_dictionary = dictionary >= 0;
  if (has_dictionary ? !column.edges.empty() : column.category_count != 0) {
    return base::invalid(fmt::format("a {} column {} a dictionary cannot have these bins",
                                     input_type_name(type), has_dictionary ? "with" : "without"));
  }
  if (has_dictionary &&
      column.category_count > pipeline.kept_count(static_cast<size_t>(dictionary))) {
    return base::invalid(fmt::format("{} bins for {} categories", column.category_count,
                                     pipeline.kept_count(static_cast<size_t>(dictionary))));
  }
  if (!column.counts.empty() && column.counts.size() != column.bin_count(has_dictionary)) {
    return base::invalid(fmt::format("{} counts for {} bins", column.counts.size(),
                                     column.bin_count(has_dictionary)));
  }
  return absl::OkStatus();
}

template <typename T>
void put_counted(const std::vector<T>& values, ByteWriter& out) {
  out.put(static_cast<uint32_t>(values.size()));
  out.array<T>(values);
}

template <typename T>
std::vector<T> get_counted(ByteReader& in) {
  const uint32_t count = in.count(sizeof(T));
  const auto values = in.array<T>(count);
  return {values.begin(), values.end()};
}

}  // namespace

absl::Status check_baseline(const Baseline& baseline, const Contract& contract,
                            const FeaturePipeline& pipeline, size_t series_count) {
  if (!baseline.columns.empty() && baseline.columns.size() != contract.size()) {
    return base::invalid(fmt::format("the baseline has {} columns and the contract {}",
                                     baseline.columns.size(), contract.size()));
  }
  for (size_t i = 0; i < baseline.columns.size(); ++i) {
    const absl::Status status =
        check_column(baseline.columns[i], contract[i].type, pipeline.dictionary_of(i), pipeline);
    if (!status.ok()) {
      return base::annotate(status, fmt::format("the baseline of column '{}'", contract[i].name));
    }
  }
  const PredictionBaseline& prediction = baseline.prediction;
  const absl::Status status = check_edges(prediction.edges);
  if (!status.ok()) {
    return base::annotate(status, "the baseline of the prediction");
  }
  if (series_count * (prediction.edges.size() + 1) > kPredictionBinsMax) {
    return base::invalid(fmt::format("the baseline of the prediction has {} edges for each of {}",
                                     prediction.edges.size(), series_count));
  }
  if (!prediction.counts.empty() &&
      prediction.counts.size() != series_count * (prediction.edges.size() + 1)) {
    return base::invalid(fmt::format("the baseline of the prediction has {} counts for {} bins",
                                     prediction.counts.size(),
                                     series_count * (prediction.edges.size() + 1)));
  }
  return absl::OkStatus();
}

void encode_baseline(const Baseline& baseline, ByteWriter& out) {
  out.put(static_cast<uint32_t>(baseline.columns.size()));
  for (const ColumnBaseline& column : baseline.columns) {
    out.put(column.category_count);
    put_counted(column.edges, out);
    put_counted(column.counts, out);
  }
  put_counted(baseline.prediction.edges, out);
  put_counted(baseline.prediction.counts, out);
}

Baseline decode_baseline(ByteReader& in) {
  Baseline baseline;
  const uint32_t column_count = in.count(3 * sizeof(uint32_t));
  for (uint32_t i = 0; i < column_count; ++i) {
    ColumnBaseline column;
    column.category_count = in.get<uint32_t>();
    column.edges = get_counted<double>(in);
    column.counts = get_counted<uint64_t>(in);
    baseline.columns.push_back(std::move(column));
  }
  baseline.prediction.edges = get_counted<double>(in);
  baseline.prediction.counts = get_counted<uint64_t>(in);
  return baseline;
}

size_t bin_of(std::span<const double> edges, double x) {
  // Halves without branches, which nobody can predict: std::upper_bound takes several times as long
  // for rows that differ.
  size_t first = 0;
  size_t count = edges.size();
  while (count > 0) {
    const size_t half = (count + 1) / 2;
    first += static_cast<size_t>(edges[first + half - 1] <= x) * half;
    count -= half;
  }
  return first;
}

std::vector<double> quantile_edges(std::span<double> values, size_t bin_count) {
  const auto missing =
      std::partition(values.begin(), values.end(), [](double x) { return !std::isnan(x); });
  values = values.first(static_cast<size_t>(missing - values.begin()));
  std::ranges::sort(values);
  std::vector<double> edges;
  for (size_t i = 0; i < values.size() && edges.size() <= bin_count; ++i) {
    if (std::isfinite(values[i]) && (edges.empty() || edges.back() < values[i])) {
      edges.push_back(values[i]);
    }
  }
  if (edges.size() <= bin_count) {
    return edges;
  }
  edges.clear();
  for (size_t i = 0; i < bin_count; ++i) {
    const double x = values[i * values.size() / bin_count];
    if (std::isfinite(x) && (edges.empty() || edges.back() < x)) {
      edges.push_back(x);
    }
  }
  return edges;
}

}  // namespace cromford::model
