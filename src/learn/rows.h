#pragma once

// A table in memory as the raw rows that a model reads: the one conversion between the two, used by
// training, evaluation and batch scoring alike.
//
//   TRY(const ModelRows rows, ModelRows::create(table, package->contract()));
//   for (size_t first = 0; first < rows.row_count(); first += 1024) {
//     package->predict(rows.batch(first, std::min<size_t>(1024, rows.row_count() - first)),
//     workspace);
//   }
//
// A column that the table lacks is missing in every row (see missing_columns()). A column of
// another type is converted where its values allow it: text through model::parse_value, anything to
// text by the way people read it; otherwise INVALID_ARGUMENT names column, row and value.
//
// Thread safety: const after creation; the table must outlive it. batch() hands out views that
// belong to the calling thread's `BatchViews`.

#include <absl/status/statusor.h>

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/contract.h"
#include "model/row_batch.h"
#include "table/table.h"

namespace cromford::learn {

// The input type that a column of this type is given in a model's contract.
model::InputType input_type_of(table::ColumnType type);

class ModelRows {
 public:
  static absl::StatusOr<ModelRows> create(const table::Table& table,
                                          const model::Contract& contract);
  // Of these rows of the table only, in this order.
  static absl::StatusOr<ModelRows> create(const table::Table& table,
                                          const model::Contract& contract,
                                          std::span<const uint32_t> rows);

  // Memory of the views of one batch; one per thread, reused.
  using BatchViews = std::vector<model::ColumnView>;

  size_t row_count() const { return row_count_; }
  // Rows first .. first + count - 1; valid as long as this object and `views` are.
  model::RowBatch batch(size_t first, size_t count, BatchViews& views) const;
  const std::vector<std::string>& missing_columns() const { return missing_columns_; }

 private:
  struct InputValues {
    bool is_text = false;
    std::vector<double> numbers;
    std::vector<std::string_view> texts;
  };

  template <typename RowOf>
  static absl::StatusOr<ModelRows> create_of(const table::Table& table,
                                             const model::Contract& contract, size_t row_count,
                                             RowOf row_of);
  template <typename RowOf>
  static absl::StatusOr<InputValues> convert(const table::Column* column,
                                             const model::InputColumn& input, size_t row_count,
                                             RowOf row_of, std::deque<std::string>& pool);

  size_t row_count_ = 0;
  std::vector<InputValues> columns_;
  std::vector<std::string> missing_columns_;
  std::deque<std::string> pool_;  // Texts that the table does not hold itself.
};

}  // namespace cromford::learn
