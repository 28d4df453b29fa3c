#include "model/bin_layout.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"
#include "model/package.h"

namespace cromford::model {

BinLayout::BinLayout(const Baseline& baseline, const Contract& contract,
                     const FeaturePipeline& pipeline, size_t series_count, bool has_classes)
    : pipeline_(&pipeline),
      prediction_edges_(baseline.prediction.edges),
      series_count_(series_count) {
  CROMFORD_ASSERT(baseline.columns.empty() || baseline.columns.size() == contract.size(),
                  "whoever counts has checked the baseline");
  for (size_t i = 0; i < baseline.columns.size(); ++i) {
    const ColumnBaseline& from = baseline.columns[i];
    Column column{.first_edge = static_cast<uint32_t>(edges_.size()),
                  .edge_count = static_cast<uint32_t>(from.edges.size()),
                  .dictionary = pipeline.dictionary_of(i),
                  .is_text = contract[i].type == InputType::kText};
    const bool has_dictionary = column.dictionary >= 0;
    column.range = {.first = static_cast<uint32_t>(bin_count_),
                    .count = static_cast<uint32_t>(from.bin_count(has_dictionary))};
    if (has_dictionary) {
      column.kept_count = pipeline.kept_count(static_cast<size_t>(column.dictionary));
    }
    edges_.insert(edges_.end(), from.edges.begin(), from.edges.end());
    bin_count_ += column.range.count;
    columns_.push_back(column);
  }
  first_prediction_ = static_cast<uint32_t>(bin_count_);
  bin_count_ += series_count * (prediction_edges_.size() + 1);
  if (has_classes) {
    confidence_ = {.first = static_cast<uint32_t>(bin_count_), .count = kConfidenceBins};
    bin_count_ += kConfidenceBins;
  }
}

uint32_t BinLayout::missing_bin(size_t column) const {
  const BinRange range = columns_[column].range;
  return range.first + range.count - 1;
}

uint32_t BinLayout::unseen_bin(size_t column) const {
  CROMFORD_ASSERT(has_dictionary(column), "only categories are unseen");
  return missing_bin(column) - 1;
}

BinRange BinLayout::prediction(size_t series) const {
  const auto count = static_cast<uint32_t>(prediction_edges_.size() + 1);
  return {.first = first_prediction_ + static_cast<uint32_t>(series) * count, .count = count};
}

uint32_t BinLayout::plain_bin(const Column& column, const ColumnView& view, size_t row) const {
  const std::span<const double> edges = edges_of(column);
  double x = 0.0;
  if (column.is_text) {
    const size_t length = view.texts[row].size();
    x = length > 0 ? static_cast<double>(length) : std::nan("");
  } else {
    x = view.numbers[row];
  }
  return column.range.first +
         static_cast<uint32_t>(std::isnan(x) ? edges.size() + 1 : bin_of(edges, x));
}

uint32_t BinLayout::category_bin(const Column& column, uint32_t category) {
  const uint32_t missing = column.range.first + column.range.count - 1;
  if (category > column.kept_count) {
    return category == missing_category(column.kept_count) ? missing : missing - 1;
  }
  return std::min(column.range.first + category, missing - 2);
}

uint32_t BinLayout::prediction_bin(size_t series, double x) const {
  return prediction(series).first + static_cast<uint32_t>(std::isnan(x)
                                                              ? prediction_edges_.size()
                                                              : bin_of(prediction_edges_, x));
}

void BinLayout::column_bins(const RowBatch& batch, size_t row, std::span<uint32_t> out) const {
  for (size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    if (column.dictionary < 0) {
      out[i] = plain_bin(column, batch.columns[i], row);
      continue;
    }
    const CategoryCode code =
        pipeline_->code_of(static_cast<size_t>(column.dictionary), batch.columns[i].texts[row]);
    out[i] = category_bin(column, code.unseen ? unseen_category(column.kept_count) : code.code);
  }
}

void BinLayout::bins_of_row(const RowBatch& batch, const Predictions& predictions, size_t row,
                            std::span<uint32_t> out) const {
  for (size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    out[i] =
        column.dictionary < 0
            ? plain_bin(column, batch.columns[i], row)
            : category_bin(column, predictions.categories[static_cast<size_t>(column.dictionary) *
                                                              predictions.row_count +
                                                          row]);
  }
  std::span<uint32_t> rest = out.subspan(columns_.size());
  if (predictions.class_count == 0) {
    rest[0] = prediction_bin(0, predictions.values[row]);
    return;
  }
  const auto probabilities =
      predictions.probabilities.subspan(row * predictions.class_count, predictions.class_count);
  const size_t first_class = probabilities.size() - series_count_;  // Binary: the positive one.
  for (size_t series = 0; series < series_count_; ++series) {
    rest[series] = prediction_bin(series, probabilities[first_class + series]);
  }
  const double scaled = probabilities[predictions.classes[row]] * kConfidenceBins;
  rest[series_count_] =
      confidence_.first +
      (scaled < kConfidenceBins ? static_cast<uint32_t>(scaled) : kConfidenceBins - 1);
}

void BinCounts::add(const RowBatch& batch) {
  bins_.resize(layout_->column_count());
  for (size_t row = 0; row < batch.row_count; ++row) {
    layout_->column_bins(batch, row, bins_);
    for (const uint32_t bin : bins_) {
      ++counts_[bin];
    }
  }
}

}  // namespace cromford::model
