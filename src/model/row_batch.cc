#include "model/row_batch.h"

#include <algorithm>
#include <limits>

namespace cromford::model {

RowBuffer::RowBuffer(const Contract& contract)
    : is_text_(contract.size()),
      numbers_(contract.size()),
      texts_(contract.size()),
      views_(contract.size()) {
  for (size_t column = 0; column < contract.size(); ++column) {
    is_text_[column] = contract[column].type == InputType::kText ? 1 : 0;
  }
}

void RowBuffer::reset(size_t row_count) {
  row_count_ = row_count;
  for (size_t column = 0; column < views_.size(); ++column) {
    if (is_text_[column] != 0) {
      texts_[column].assign(row_count, std::string_view());
      views_[column].texts = texts_[column];
    } else {
      numbers_[column].assign(row_count, std::numeric_limits<double>::quiet_NaN());
      views_[column].numbers = numbers_[column];
    }
  }
}

}  // namespace cromford::model
