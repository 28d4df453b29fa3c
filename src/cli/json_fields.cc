#include "cli/json_fields.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace cromford::cli {

const base::Json& field(const base::Json& object, std::string_view name) {
  static const base::Json kNull;
  if (!object.is_object()) {
    return kNull;
  }
  const auto found = object.find(std::string(name));
  return found == object.end() ? kNull : *found;
}

std::string text_field(const base::Json& object, std::string_view name) {
  return shown_value(field(object, name));
}

std::optional<int64_t> integer_field(const base::Json& object, std::string_view name) {
  const base::Json& value = field(object, name);
  if (value.is_number_integer()) {
    return value.get<int64_t>();
  }
  if (value.is_number()) {
    const double number = value.get<double>();
    return std::abs(number) < 9e15 ? std::optional(static_cast<int64_t>(number)) : std::nullopt;
  }
  // 64-bit ids and counts may come as text.
  return value.is_string() ? base::to_number<int64_t>(value.get_ref<const std::string&>())
                           : std::nullopt;
}

std::optional<double> number_field(const base::Json& object, std::string_view name) {
  const base::Json& value = field(object, name);
  return value.is_number() ? std::optional<double>(value.get<double>()) : std::nullopt;
}

bool bool_field(const base::Json& object, std::string_view name) {
  const base::Json& value = field(object, name);
  return value.is_boolean() && value.get<bool>();
}

const base::Json& array_field(const base::Json& object, std::string_view name) {
  static const base::Json kEmpty = base::Json::array();
  const base::Json& value = field(object, name);
  return value.is_array() ? value : kEmpty;
}

std::string shown_value(const base::Json& value) {
  if (value.is_null()) {
    return "";
  }
  return value.is_string() ? value.get<std::string>() : base::dump_json(value);
}

}  // namespace cromford::cli
