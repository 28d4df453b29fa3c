#pragma once

// The bins of a package (baseline.h) laid out in one array, so that many windows and threads count
// on arrays of plain numbers that add up, and share what the bins are. The array holds, one after
// the other, the bins of each column, of the prediction (per class, or of the value) and of the
// confidence (the probability of the class decided for; none for regression).
//
//   const BinLayout& layout = package.bin_layout();
//   std::vector<uint64_t> counts(layout.bin_count());
//   std::vector<uint32_t> bins(layout.bins_per_row());
//   layout.bins_of_row(batch, predictions, row, bins);
//   for (const uint32_t bin : bins) ++counts[bin];
//   layout.column(3).of(counts);                     // the counts of one column
//
// Thread safety: immutable; any number of threads. BinCounts is for one thread.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/baseline.h"
#include "model/contract.h"
#include "model/features/pipeline.h"
#include "model/row_batch.h"

namespace cromford::model {

struct Predictions;

// A part of the array of counts.
struct BinRange {
  uint32_t first = 0;
  uint32_t count = 0;

  std::span<const uint64_t> of(std::span<const uint64_t> counts) const {
    return counts.subspan(first, count);
  }
};

class BinLayout {
 public:
  // Bins of confidence: 0 to 0.05, ..., 0.95 to 1.
  static constexpr uint32_t kConfidenceBins = 20;

  BinLayout() = default;  // No bins at all.
  // `pipeline` must outlive it; `baseline` has been checked. Without columns in the baseline there
  // are no bins of columns. `series_count` as in check_baseline(); `has_classes`: no regression.
  BinLayout(const Baseline& baseline, const Contract& contract, const FeaturePipeline& pipeline,
            size_t series_count, bool has_classes);

  // 0 where the package has no baseline of its columns.
  size_t column_count() const { return columns_.size(); }
  BinRange column(size_t index) const { return columns_[index].range; }
  bool has_dictionary(size_t column) const { return columns_[column].dictionary >= 0; }
  // The bin of missing values, and of categories that training never saw (columns with a
  // dictionary), counted from the first of the array.
  uint32_t missing_bin(size_t column) const;
  uint32_t unseen_bin(size_t column) const;
  size_t series_count() const { return series_count_; }
  BinRange prediction(size_t series) const;
  BinRange confidence() const { return confidence_; }

  size_t bin_count() const { return bin_count_; }
  // Numbers that bins_of_row() writes.
  size_t bins_per_row() const {
    return columns_.size() + series_count_ + (confidence_.count > 0 ? 1 : 0);
  }

  // The bin of each column for row `row` of a batch, into the first column_count() places of `out`.
  void column_bins(const RowBatch& batch, size_t row, std::span<uint32_t> out) const;
  // All bins of a row that was predicted, into bins_per_row() places. Categories are those that the
  // prediction has looked up. `predictions` are those of `batch`.
  void bins_of_row(const RowBatch& batch, const Predictions& predictions, size_t row,
                   std::span<uint32_t> out) const;

 private:
  struct Column {
    BinRange range;
    uint32_t first_edge = 0;
    uint32_t edge_count = 0;
    int32_t dictionary = -1;
    uint32_t kept_count = 0;  // Of the dictionary.
    bool is_text = false;
  };

  std::span<const double> edges_of(const Column& column) const {
    return std::span(edges_).subspan(column.first_edge, column.edge_count);
  }
  // Of a column without dictionary.
  uint32_t plain_bin(const Column& column, const ColumnView& view, size_t row) const;
  static uint32_t category_bin(const Column& column, uint32_t category);
  uint32_t prediction_bin(size_t series, double x) const;

  const FeaturePipeline* pipeline_ = nullptr;
  std::vector<Column> columns_;
  std::vector<double> edges_;  // Of all columns.
  std::vector<double> prediction_edges_;
  size_t series_count_ = 0;
  uint32_t first_prediction_ = 0;
  BinRange confidence_;
  size_t bin_count_ = 0;
};

// Counts raw rows on the bins of their columns.
class BinCounts {
 public:
  explicit BinCounts(const BinLayout& layout) : layout_(&layout), counts_(layout.bin_count(), 0) {}

  void add(const RowBatch& batch);
  std::span<const uint64_t> column(size_t index) const {
    return layout_->column(index).of(counts_);
  }
  std::span<const uint64_t> counts() const { return counts_; }

 private:
  const BinLayout* layout_;
  std::vector<uint64_t> counts_;
  std::vector<uint32_t> bins_;
};

}  // namespace cromford::model
