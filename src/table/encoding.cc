#include "table/encoding.h"

#include <array>
#include <cstring>

namespace cromford::table {
namespace {

constexpr std::string_view kUtf8Mark = "\xEF\xBB\xBF";
constexpr uint32_t kReplacement = 0xFFFD;

// The upper half of Windows-1252 that differs from Latin-1 (0x80..0x9F); its five holes keep the
// Latin-1 control characters, as browsers do (https://encoding.spec.whatwg.org/#windows-1252).
constexpr std::array<uint16_t, 32> kWindows1252 = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

void append_character(uint32_t code, std::string& text) {
  if (code < 0x80) {
    text.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    text.push_back(static_cast<char>(0xC0 | (code >> 6)));
    text.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else if (code < 0x10000) {
    text.push_back(static_cast<char>(0xE0 | (code >> 12)));
    text.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
    text.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else {
    text.push_back(static_cast<char>(0xF0 | (code >> 18)));
    text.push_back(static_cast<char>(0x80 | ((code >> 12) & 0x3F)));
    text.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
    text.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  }
}

void append_windows1252(char c, std::string& text) {
  const auto byte = static_cast<unsigned char>(c);
  append_character(byte >= 0x80 && byte < 0xA0 ? kWindows1252[byte - 0x80U] : byte, text);
}

// The length of the ASCII run at the beginning of `text`.
size_t ascii_length(std::string_view text) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    if ((word & 0x8080808080808080ULL) != 0) {
      break;
    }
  }
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) {
    ++i;
  }
  return i;
}

enum class Sequence { kValid, kInvalid, kCut };

// Looks at the character of several bytes at the beginning of `text`; on kValid `length` is its
// length (RFC 3629, table in section 4).
Sequence look_at_utf8(std::string_view text, size_t& length) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  unsigned second_min = 0x80;
  unsigned second_max = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    second_min = first == 0xE0 ? 0xA0 : 0x80;
    second_max = first == 0xED ? 0x9F : 0xBF;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    second_min = first == 0xF0 ? 0x90 : 0x80;
    second_max = first == 0xF4 ? 0x8F : 0xBF;
  } else {
    return Sequence::kInvalid;
  }
  for (size_t i = 1; i < length; ++i) {
    if (i >= text.size()) {
      return Sequence::kCut;
    }
    if (byte(i) < (i == 1 ? second_min : 0x80) || byte(i) > (i == 1 ? second_max : 0xBF)) {
      return Sequence::kInvalid;
    }
  }
  return Sequence::kValid;
}

// UTF-16 without a mark shows in NUL bytes at every other place: text of most scripts has many
// blanks, digits and separators.
Encoding detect_by_nuls(std::string_view sample) {
  size_t even = 0;
  size_t odd = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    if (sample[i] == '\0') {
      ((i % 2 == 0) ? even : odd)++;
    }
  }
  const size_t half = sample.size() / 2;
  if (odd > half / 4 && even * 16 < odd) {
    return Encoding::kUtf16Le;
  }
  if (even > half / 4 && odd * 16 < even) {
    return Encoding::kUtf16Be;
  }
  return even + odd > 0 ? Encoding::kBinary : Encoding::kUtf8;
}

}  // namespace

std::string_view encoding_name(Encoding encoding) {
  switch (encoding) {
    case Encoding::kUtf8:
      return "utf-8";
    case Encoding::kUtf16Le:
      return "utf-16le";
    case Encoding::kUtf16Be:
      return "utf-16be";
    case Encoding::kWindows1252:
      return "windows-1252";
    case Encoding::kBinary:
      break;
  }
  return "binary";
}

Encoding detect_encoding(std::string_view sample) {
  if (sample.starts_with(kUtf8Mark)) {
    return Encoding::kUtf8;
  }
  if (sample.starts_with("\xFF\xFE")) {
    return Encoding::kUtf16Le;
  }
  if (sample.starts_with("\xFE\xFF")) {
    return Encoding::kUtf16Be;
  }
  if (const Encoding by_nuls = detect_by_nuls(sample); by_nuls != Encoding::kUtf8) {
    return by_nuls;
  }
  size_t valid = 0;
  size_t invalid = 0;
  for (size_t i = 0; i < sample.size();) {
    i += ascii_length(sample.substr(i));
    if (i >= sample.size()) {
      break;
    }
    size_t length = 1;
    const Sequence sequence = look_at_utf8(sample.substr(i), length);
    if (sequence == Sequence::kCut) {
      break;
    }
    ++(sequence == Sequence::kValid ? valid : invalid);
    i += sequence == Sequence::kValid ? length : 1;
  }
  return invalid > valid ? Encoding::kWindows1252 : Encoding::kUtf8;
}

void Transcoder::push(std::string_view bytes, bool last, std::string& text) {
  std::string joined;
  if (!carry_.empty()) {
    joined = carry_;
    joined.append(bytes);
    bytes = joined;
    carry_.clear();
  }
  if (at_start_ && encoding_ == Encoding::kUtf8) {
    if (!last && bytes.size() < kUtf8Mark.size() && kUtf8Mark.starts_with(bytes)) {
      carry_ = bytes;
      return;
    }
    if (bytes.starts_with(kUtf8Mark)) {
      bytes.remove_prefix(kUtf8Mark.size());
    }
    at_start_ = false;
  }
  if (encoding_ == Encoding::kUtf16Le || encoding_ == Encoding::kUtf16Be) {
    push_utf16(bytes, last, text);
    return;
  }
  push_utf8(bytes, last, text);
}

void Transcoder::push_utf8(std::string_view bytes, bool last, std::string& text) {
  while (!bytes.empty()) {
    const size_t ascii = ascii_length(bytes);
    text.append(bytes.substr(0, ascii));
    bytes.remove_prefix(ascii);
    if (bytes.empty()) {
      return;
    }
    size_t length = 1;
    const Sequence sequence =
        encoding_ == Encoding::kUtf8 ? look_at_utf8(bytes, length) : Sequence::kInvalid;
    if (sequence == Sequence::kCut && !last) {
      carry_ = bytes;
      return;
    }
    if (sequence == Sequence::kValid) {
      text.append(bytes.substr(0, length));
      bytes.remove_prefix(length);
      continue;
    }
    append_windows1252(bytes.front(), text);
    bytes.remove_prefix(1);
    repaired_count_ += encoding_ == Encoding::kUtf8 ? 1 : 0;
  }
}

void Transcoder::push_utf16(std::string_view bytes, bool last, std::string& text) {
  size_t i = 0;
  for (; i + 2 <= bytes.size(); i += 2) {
    const uint32_t a = static_cast<unsigned char>(bytes[i]);
    const uint32_t b = static_cast<unsigned char>(bytes[i + 1]);
    append_unit(encoding_ == Encoding::kUtf16Le ? (b << 8) | a : (a << 8) | b, text);
  }
  if (i < bytes.size() && !last) {
    carry_ = bytes.substr(i);
  }
  if (last && (i < bytes.size() || high_surrogate_ != 0)) {
    append_character(kReplacement, text);
    ++repaired_count_;
    high_surrogate_ = 0;
  }
}

void Transcoder::append_unit(uint32_t unit, std::string& text) {
  const bool is_low = unit >= 0xDC00 && unit <= 0xDFFF;
  if (high_surrogate_ != 0) {
    if (is_low) {
      append_character(0x10000 + ((high_surrogate_ - 0xD800) << 10) + (unit - 0xDC00), text);
      high_surrogate_ = 0;
      return;
    }
    append_character(kReplacement, text);
    ++repaired_count_;
    high_surrogate_ = 0;
  }
  if (at_start_ && unit == 0xFEFF) {
    at_start_ = false;
    return;
  }
  at_start_ = false;
  if (unit >= 0xD800 && unit <= 0xDBFF) {
    high_surrogate_ = unit;
  } else if (is_low) {
    append_character(kReplacement, text);
    ++repaired_count_;
  } else {
    append_character(unit, text);
  }
}

}  // namespace cromford::table
