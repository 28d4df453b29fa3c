#pragma once

// Writing JSON text piece by piece into a string that is kept from answer to answer.
//
//   append_json_text(out, "say \"hi\"");       // "say \"hi\""
//   base::append_number(out, 0.1);
//
// Thread safety: functions only.

#include <string>
#include <string_view>

namespace cromford::serve {

// Appends `text` (UTF-8) as a JSON string with its quotation marks.
void append_json_text(std::string& out, std::string_view text);

}  // namespace cromford::serve
