#pragma once

// Raw rows on their way into a model: a view of columns (RowBatch) and a buffer that owns such
// columns and is filled row by row (RowBuffer). Columns, not rows, because features are computed
// column by column. See contract.h for what the numbers mean.
//
//   RowBuffer rows(package.contract());
//   rows.reset(2);                        // two rows, every value missing
//   rows.set_number(0, 1, 612.0);         // row 0, column 1
//   rows.set_text(0, 0, origin);          // a view: `origin` must outlive the batch
//   const Predictions out = package.predict(rows.batch(), workspace);
//
// Thread safety: none of its own; a RowBatch may be read by several threads.

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "model/contract.h"

namespace cromford::model {

// One column of a batch. Text columns use `texts` (missing: empty), all others use
// `numbers` (missing: NaN). The used span has as many values as the batch has rows.
struct ColumnView {
  std::span<const double> numbers = {};
  std::span<const std::string_view> texts = {};
};

// `row_count` rows; one ColumnView per column of the contract, in its order. The views and what
// they point to must outlive the batch.
struct RowBatch {
  size_t row_count = 0;
  std::span<const ColumnView> columns = {};
};

// Owns the columns of a batch. No allocation after the largest batch has been seen.
class RowBuffer {
 public:
  explicit RowBuffer(const Contract& contract);

  // Makes room for `row_count` rows and sets every value to missing.
  void reset(size_t row_count);
  size_t row_count() const { return row_count_; }

  void set_number(size_t row, size_t column, double value) { numbers_[column][row] = value; }
  // `text` is not copied. An empty text is missing.
  void set_text(size_t row, size_t column, std::string_view text) { texts_[column][row] = text; }
  // Sets what parse_value gave for this column's type.
  void set(size_t row, size_t column, const Value& value) {
    if (is_text_[column] != 0) {
      set_text(row, column, value.text);
    } else {
      set_number(row, column, value.number);
    }
  }

  // Valid until the next reset().
  RowBatch batch() const { return {row_count_, views_}; }

 private:
  size_t row_count_ = 0;
  std::vector<unsigned char> is_text_;
  std::vector<std::vector<double>> numbers_;
  std::vector<std::vector<std::string_view>> texts_;
  std::vector<ColumnView> views_;
};

}  // namespace cromford::model
