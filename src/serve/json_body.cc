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
