#include "serve/json_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/text.h"

namespace cromford::serve {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kDepthMax = 32;
constexpr size_t kCapacityMin = size_t{16} << 10;
constexpr size_t kShownBytesMax = 40;

// The text with null in place of the words NaN, Infinity and -Infinity that stand outside of texts.
std::string replace_nan(std::string_view text) {
  static constexpr std::array<std::string_view, 3> kWords = {"-Infinity", "Infinity", "NaN"};
  std::string result;
  bool quoted = false;
  for (size_t i = 0; i < text.size();) {
    size_t length = 1;
    std::string_view copy = text.substr(i, 1);
    if (quoted && text[i] == '\\') {
      copy = text.substr(i, 2);
      length = copy.size();
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted) {
      for (const std::string_view word : kWords) {
        if (text.substr(i).starts_with(word)) {
          copy = "null";
          length = word.size();
          break;
        }
      }
    }
    result += copy;
    i += length;
  }
  return result;
}

// The value of an element whose type is known.
template <typename T>
T value_of(dom::element element) {
  T value{};
  return element.get(value) == simdjson::SUCCESS ? value : T{};
}

// What base::parse_json finds names line and column; simdjson's errors do not.
absl::Status not_json(std::string_view body, simdjson::error_code code) {
  constexpr std::string_view kRemedy = "send one JSON object in UTF-8";
  if (body.empty()) {
    return base::invalid("the body is empty", kRemedy);
  }
  const auto parsed = base::parse_json(body);
  if (!parsed.ok()) {
    return base::with_remedy(base::annotate(parsed.status(), "the body is no JSON"), kRemedy);
  }
  return base::invalid(fmt::format("the body cannot be read: {}", simdjson::error_message(code)),
                       kRemedy);
}

// The text with ".0" behind whole numbers of more than 18 digits that stand outside of texts: JSON
// knows one kind of number, and simdjson refuses what fits into no integer type.
std::string widen_integers(std::string_view text) {
  constexpr size_t kDigitsSafe = 18;
  std::string result;
  bool quoted = false;
  for (size_t i = 0; i < text.size();) {
    size_t length = 1;
    if (quoted && text[i] == '\\') {
      length = std::min<size_t>(2, text.size() - i);
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && text[i] >= '0' && text[i] <= '9') {
      length = std::min(text.find_first_not_of("0123456789.eE+-", i), text.size()) - i;
      const std::string_view number = text.substr(i, length);
      result += number;
      i += length;
      if (length > kDigitsSafe && number.find_first_of(".eE") == std::string_view::npos) {
        result += ".0";
      }
      continue;
    }
    result += text.substr(i, length);
    i += length;
  }
  return result;
}

// Follows a parser through a document and knows where it failed, as a JSON pointer.
class Pointer final : public nlohmann::json_sax<base::Json> {
 public:
  bool null() override { return step(); }
  bool boolean(bool /*value*/) override { return step(); }
  bool number_integer(number_integer_t /*value*/) override { return step(); }
  bool number_unsigned(number_unsigned_t /*value*/) override { return step(); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return step(); }
  bool string(string_t& /*value*/) override { return step(); }
  bool binary(binary_t& /*value*/) override { return step(); }
  bool start_object(size_t /*count*/) override { return enter(false); }
  bool key(string_t& name) override {
    places_.back().key = name;
    return true;
  }
  bool end_object() override { return leave(); }
  bool start_array(size_t /*count*/) override { return enter(true); }
  bool end_array() override { return leave(); }
  bool parse_error(size_t /*position*/, const std::string& token,
                   const nlohmann::detail::exception& error) override {
    constexpr int kNumberOverflow = 406;
    overflow_ = error.id == kNumberOverflow;
    token_ = token;
    return false;
  }

  bool overflow() const { return overflow_; }
  const std::string& token() const { return token_; }
  std::string text() const {
    std::string text;
    for (const Place& place : places_) {
      text += place.is_list ? fmt::format("/{}", place.index) : pointer_step(place.key);
    }
    return text;
  }
  // "row 3, column 'distance'" within a list of rows, else the pointer.
  std::string in_words() const {
    return places_.size() == 3 && places_[1].is_list && places_[0].key == "rows"
               ? fmt::format("row {}, column '{}'", places_[1].index, places_[2].key)
               : text();
  }

 private:
  struct Place {
    bool is_list = false;
    size_t index = 0;
    std::string key = {};
  };

  bool step() {
    if (!places_.empty()) {
      ++places_.back().index;
    }
    return true;
  }
  bool enter(bool is_list) {
    places_.push_back({.is_list = is_list});
    return true;
  }
  bool leave() {
    places_.pop_back();
    return step();
  }

  std::vector<Place> places_;
  std::string token_;
  bool overflow_ = false;
};

// Where a number of the body is too large for any type; OK where none is.
absl::Status check_numbers(std::string_view body) {
  Pointer pointer;
  base::Json::sax_parse(body.begin(), body.end(), &pointer);
  if (!pointer.overflow()) {
    return absl::OkStatus();
  }
  Faults faults;
  faults.add(pointer.text(), fmt::format("{}: the number {} is too large", pointer.in_words(),
                                         base::clip_utf8(pointer.token(), kShownBytesMax)));
  return faults.status("numbers go up to 1.7976931348623157e308");
}

}  // namespace

absl::StatusOr<dom::object> JsonBody::parse(std::string_view body, Nan nan) {
  dom::element root;
  buffer_.assign(body);
  simdjson::error_code code = parse_buffer(body.size(), root);
  if (code != simdjson::SUCCESS && nan == Nan::kAsNull) {
    const std::string replaced = replace_nan(body);
    if (replaced != body) {
      buffer_.assign(replaced);
      code = parse_buffer(replaced.size(), root);
    }
  }
  if (code == simdjson::NUMBER_ERROR) {
    TRY(check_numbers(body));
    const std::string widened = widen_integers(body);
    buffer_.assign(widened);
    code = parse_buffer(widened.size(), root);
  }
  if (code != simdjson::SUCCESS) {
    return not_json(body, code);
  }
  dom::object object;
  if (root.get(object) != simdjson::SUCCESS) {
    return base::invalid(
        fmt::format("the body is {}, an object is expected", describe_element(root)),
        "send one JSON object");
  }
  return object;
}

simdjson::error_code JsonBody::parse_buffer(size_t size, dom::element& root) {
  // Texts grow by doubling, so bodies of about one size soon need no memory any more; what stands
  // behind the body is read by simdjson, and has no meaning.
  buffer_.resize(size + simdjson::SIMDJSON_PADDING);
  if (parser_.capacity() < size || document_.capacity() < size || parser_.capacity() == 0) {
    const size_t capacity = std::bit_ceil(std::max(size, kCapacityMin));
    if (const auto code = parser_.allocate(capacity, kDepthMax); code != simdjson::SUCCESS) {
      return code;
    }
    if (const auto code = document_.allocate(capacity); code != simdjson::SUCCESS) {
      return code;
    }
  }
  return parser_
      .parse_into_document(document_, reinterpret_cast<const uint8_t*>(buffer_.data()), size, false)
      .get(root);
}

void JsonBody::shrink() {
  buffer_ = std::string();
  parser_ = dom::parser();
  document_ = dom::document();
}

void Faults::add(std::string pointer, std::string detail) {
  if (!full()) {
    errors_.push_back({std::move(pointer), std::move(detail)});
  }
}

absl::Status Faults::status(std::string_view remedy) const {
  if (errors_.empty()) {
    return absl::OkStatus();
  }
  absl::Status status = base::invalid(errors_.front().detail, remedy);
  for (const base::FieldError& error : errors_) {
    status = base::with_field_error(std::move(status), error);
  }
  return status;
}

std::string pointer_step(std::string_view key) {
  std::string step = "/";
  for (const char c : key) {
    if (c == '~') {
      step += "~0";
    } else if (c == '/') {
      step += "~1";
    } else {
      step += c;
    }
  }
  return step;
}

bool read_value(dom::element element, model::InputType type, model::Value& value) {
  value = {};
  if (element.is_null()) {
    return true;
  }
  if (type == model::InputType::kNumber) {
    return element.is_number() && element.get(value.number) == simdjson::SUCCESS;
  }
  if (type == model::InputType::kBoolean) {
    bool truth = false;
    if (element.get(truth) != simdjson::SUCCESS) {
      return false;
    }
    value.number = truth ? 1.0 : 0.0;
    return true;
  }
  std::string_view text;
  if (element.get(text) != simdjson::SUCCESS) {
    return false;
  }
  if (type == model::InputType::kText) {
    value.text = text;
    return true;
  }
  const auto parsed = model::parse_value(type, text);
  if (!parsed.ok()) {
    return false;
  }
  value = *parsed;
  return true;
}

std::string describe_misfit(dom::element element, model::InputType type) {
  std::string_view expected = "a number";
  switch (type) {
    case model::InputType::kNumber:
      break;
    case model::InputType::kBoolean:
      expected = "true or false";
      break;
    case model::InputType::kText:
      expected = "a text";
      break;
    case model::InputType::kDate:
      expected = "a date like \"2001-02-28\"";
      break;
    case model::InputType::kTimestamp:
      expected = "a time like \"2001-02-28T10:00:00Z\"";
      break;
  }
  return fmt::format("{} is expected, not {}", expected, describe_element(element));
}

std::string describe_element(dom::element element) {
  switch (element.type()) {
    case dom::element_type::ARRAY:
      return "a list";
    case dom::element_type::OBJECT:
      return "an object";
    case dom::element_type::NULL_VALUE:
      return "null";
    case dom::element_type::BOOL:
      return value_of<bool>(element) ? "true" : "false";
    case dom::element_type::STRING: {
      const auto text = value_of<std::string_view>(element);
      const std::string_view shown = base::clip_utf8(text, kShownBytesMax);
      return fmt::format("the text \"{}{}\"", shown, shown.size() < text.size() ? "..." : "");
    }
    default: {
      std::string text = "the number ";
      base::append_number(text, value_of<double>(element));
      return text;
    }
  }
}

}  // namespace cromford::serve
