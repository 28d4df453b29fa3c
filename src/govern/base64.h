#pragma once

// RFC 4648 section 4, with padding: what signed notes and their keys are written in.
//
//   note += to_base64(signature);
//   const std::optional<std::string> bytes = from_base64(word);
//
// Thread safety: functions only.

#include <optional>
#include <string>
#include <string_view>

namespace cromford::govern {

std::string to_base64(std::string_view bytes);
// nullopt for anything that to_base64() does not write.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace cromford::govern
