#pragma once

// Reading fields of documents that a server sent, which may be of another version: what is absent
// or of another type is simply not there.
//
//   const std::string name = text_field(dataset, "name");
//   for (const base::Json& column : array_field(version, "schema")) { ... }
//
// Thread safety: functions only. References live as long as the document.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace cromford::cli {

// The field, or a null document; `object` may be anything.
const base::Json& field(const base::Json& object, std::string_view name);
// The text of a text field, the digits of a number, or "".
std::string text_field(const base::Json& object, std::string_view name);
std::optional<int64_t> integer_field(const base::Json& object, std::string_view name);
std::optional<double> number_field(const base::Json& object, std::string_view name);
bool bool_field(const base::Json& object, std::string_view name);
// The array, or an empty one.
const base::Json& array_field(const base::Json& object, std::string_view name);
// Any value as a cell shows it: text without quotes, null as "".
std::string shown_value(const base::Json& value);

}  // namespace cromford::cli
