#include "serve/row_columns.h"

#include <limits>

namespace cromford::serve {

void RowColumns::reset(const model::Contract& contract, size_t row_count) {
  row_count_ = row_count;
  places_.resize(contract.size());
  views_.resize(contract.size());
  size_t number_count = 0;
  size_t text_count = 0;
  for (size_t i = 0; i < contract.size(); ++i) {
    const bool is_text = contract[i].type == model::InputType::kText;
    size_t& count = is_text ? text_count : number_count;
    places_[i] = {is_text, count};
    count += row_count;
  }
  numbers_.assign(number_count, std::numeric_limits<double>::quiet_NaN());
  texts_.assign(text_count, std::string_view());
  point_views();
}

void RowColumns::point_views() {
  for (size_t i = 0; i < places_.size(); ++i) {
    const Place place = places_[i];
    if (place.is_text) {
      views_[i] = {.texts = {texts_.data() + place.start, row_count_}};
    } else {
      views_[i] = {.numbers = {numbers_.data() + place.start, row_count_}};
    }
  }
}

void RowColumns::copy_from(const RowColumns& other, std::string& texts) {
  row_count_ = other.row_count_;
  places_ = other.places_;
  numbers_ = other.numbers_;
  texts_ = other.texts_;
  views_.resize(places_.size());
  point_views();
  size_t bytes = 0;
  for (const std::string_view text : texts_) {
    bytes += text.size();
  }
  texts.clear();
  texts.reserve(bytes);  // So that what is pointed to does not move.
  for (std::string_view& text : texts_) {
    if (text.data() != nullptr) {
      const size_t start = texts.size();
      texts += text;
      text = {texts.data() + start, text.size()};
    }
  }
}

void RowColumns::shrink() {
  *this = RowColumns();
}

void RowColumns::copy_row(size_t row, RowValues& out) const {
  out.numbers.clear();
  out.texts.clear();
  for (const Place place : places_) {
    if (place.is_text) {
      out.texts.push_back(texts_[place.start + row]);
    } else {
      out.numbers.push_back(numbers_[place.start + row]);
    }
  }
}

}  // namespace cromford::serve
