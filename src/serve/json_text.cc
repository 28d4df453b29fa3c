#include "serve/json_text.h"

#include <algorithm>

namespace cromford::serve {
namespace {

bool needs_escape(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default: {
      const auto byte = static_cast<unsigned char>(c);
      out += "\\u00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
}

}  // namespace

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  if (std::none_of(text.begin(), text.end(), needs_escape)) {
    out += text;
  } else {
    for (const char c : text) {
      if (needs_escape(c)) {
        append_escaped(out, c);
      } else {
        out += c;
      }
    }
  }
  out += '"';
}

}  // namespace cromford::serve
