#pragma once

// How a text falls into tokens. Fitting (learn) and applying (FeaturePipeline) share it.
//
//   std::string scratch;
//   for_each_token(TokenKind::kWords, "Late arrival!", scratch,
//                  [&](std::string_view token) { ++counts[token]; });   // "late", "arrival"
//
// Thread safety: pure functions but for the scratch.

#include <cstddef>
#include <string>
#include <string_view>

#include "model/features/parts.h"

namespace cromford::model {

// Whether a byte belongs to a word: ASCII letters and digits, and all of a multi-byte character.
constexpr bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) > 127;
}

constexpr char lower_byte(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Calls use(word) for every word of `text` in its order, lower case (ASCII), with a blank on
// both sides where `padded`. The word lives in `scratch` until the next one.
template <typename F>
void for_each_word(std::string_view text, bool padded, std::string& scratch, F&& use) {
  for (size_t i = 0; i < text.size();) {
    if (!is_word_byte(text[i])) {
      ++i;
      continue;
    }
    scratch.assign(padded ? 1 : 0, ' ');
    for (; i < text.size() && is_word_byte(text[i]); ++i) {
      scratch += lower_byte(text[i]);
    }
    if (padded) {
      scratch += ' ';
    }
    use(std::string_view(scratch));
  }
}

// Calls use(token) for every token of `text` in its order.
template <typename F>
void for_each_token(TokenKind kind, std::string_view text, std::string& scratch, F&& use) {
  if (kind == TokenKind::kWords) {
    for_each_word(text, false, scratch, use);
    return;
  }
  const size_t length = kind == TokenKind::kCharacterGrams3 ? 3 : 4;
  for_each_word(text, true, scratch, [&](std::string_view word) {
    for (size_t start = 0; start + length <= word.size(); ++start) {
      use(word.substr(start, length));
    }
  });
}

}  // namespace cromford::model
