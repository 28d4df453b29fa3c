#pragma once

// Small things done with text, the same everywhere and without locale.
//
//   for (std::string_view word : base::split("a,b", ',')) { ... }
//   std::optional<double> number = base::to_number<double>("1e3");
//   base::append_number(out, 0.1);                // shortest text that reads back the same
//
// Thread safety: functions only.

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

namespace cromford::base {

// Without blanks, tabs and line ends at both ends.
std::string_view trim(std::string_view text);
// The pieces between separators; always at least one, and empty pieces stay.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(std::span<const std::string> pieces, std::string_view separator);
// ASCII only.
std::string lower(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);

// Whether it is well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
bool is_utf8(std::string_view text);
// The longest beginning of at most `bytes` bytes that does not cut a character in two.
std::string_view clip_utf8(std::string_view text, size_t bytes);

// The whole of `text` as a number, or nullopt: no blanks, no leading '+', nothing behind it, and it
// must fit. For doubles "inf" and "nan" are refused.
template <typename T>
  requires(std::integral<T> || std::floating_point<T>)
std::optional<T> to_number(std::string_view text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) {
    return std::nullopt;
  }
  if constexpr (std::floating_point<T>) {
    if (!std::isfinite(value)) {
      return std::nullopt;
    }
  }
  return value;
}

// Appends the shortest text that reads back as the same number; "null" for what is not finite, so
// that it may stand in JSON.
void append_number(std::string& out, double value);
void append_number(std::string& out, int64_t value);

std::string to_hex(std::span<const std::byte> bytes);
std::string to_hex(std::string_view bytes);
// nullopt unless it is an even number of hexadecimal digits.
std::optional<std::string> from_hex(std::string_view text);

// RFC 4648 section 5, without padding.
std::string to_base64url(std::string_view bytes);
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace cromford::base
