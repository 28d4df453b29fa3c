#pragma once

// JSON documents off the hot path: nlohmann::json, declared only. Include <nlohmann/json.hpp> in
// the .cc files that build or read documents; it must not reach a widely included header, because
// it alone costs a second of compile time.

#include <absl/status/statusor.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace cromford::base {

using Json = nlohmann::json;  // Objects keep their keys sorted, so equal documents have equal text.

// Parses `text`; an error names line and column. Nesting deeper than 64 and duplicate keys are
// refused.
absl::StatusOr<Json> parse_json(std::string_view text);

// The document on one line, keys sorted; text that is not UTF-8 is replaced, never an exception.
std::string dump_json(const Json& document);
// The same, indented by two spaces.
std::string pretty_json(const Json& document);

}  // namespace cromford::base
