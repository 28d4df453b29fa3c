#pragma once

// Rows of a request on their way into a version: columns by the version's contract, in memory that
// the next request uses again.
//
//   rows.reset(package.contract(), row_count);
//   rows.set(row, column, value);
//   package.predict(rows.batch(), workspace);
//
// Thread safety: none.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/contract.h"
#include "model/row_batch.h"

namespace cromford::serve {

// One row across columns, apart by kind, in the order of the contract.
struct RowValues {
  std::vector<double> numbers;
  std::vector<std::string_view> texts;
};

// Columns of rows for whatever contract the next request needs; unlike model::RowBuffer it is not
// bound to one.
class RowColumns {
 public:
  // All values missing.
  void reset(const model::Contract& contract, size_t row_count);
  void set(size_t row, size_t column, const model::Value& value) {
    const Place place = places_[column];
    if (place.is_text) {
      texts_[place.start + row] = value.text.empty() ? std::string_view() : value.text;
    } else {
      numbers_[place.start + row] = value.number;
    }
  }
  model::RowBatch batch() const { return {row_count_, views_}; }
  size_t row_count() const { return row_count_; }
  void copy_row(size_t row, RowValues& out) const;
  void shrink();
  // Becomes a copy of `other` whose texts stand in `texts`, which must outlive the rows.
  void copy_from(const RowColumns& other, std::string& texts);

 private:
  void point_views();

  struct Place {
    bool is_text;
    size_t start;  // Of the column within numbers_ or texts_.
  };

  size_t row_count_ = 0;
  std::vector<Place> places_;
  std::vector<double> numbers_;
  std::vector<std::string_view> texts_;
  std::vector<model::ColumnView> views_;
};

}  // namespace cromford::serve
