#pragma once

// Text in the encodings that files have, turned into UTF-8 while it streams by. Byte order marks
// are honoured and removed. What is neither UTF-16 nor well-formed UTF-8 is taken for Windows-1252
// (which contains Latin-1): wholly when most of a sample is so, else just the bytes that do not
// fit.
//
//   const Encoding encoding = detect_encoding(first_bytes);
//   Transcoder transcoder(encoding);
//   transcoder.push(bytes, /*last=*/false, text);     // appends UTF-8 to `text`
//
// Thread safety: functions, and a class for one thread.

#include <cstdint>
#include <string>
#include <string_view>

namespace cromford::table {

enum class Encoding { kUtf8, kUtf16Le, kUtf16Be, kWindows1252, kBinary };

// "utf-8", "utf-16le", "utf-16be", "windows-1252", "binary".
std::string_view encoding_name(Encoding encoding);

// From the beginning of a file; the sample may end within a character. `kBinary` is what has NUL
// bytes without being UTF-16.
Encoding detect_encoding(std::string_view sample);

class Transcoder {
 public:
  explicit Transcoder(Encoding encoding) : encoding_(encoding) {}

  // Appends `bytes` to `text` as UTF-8; always well-formed. A character that is cut at the end of
  // `bytes` waits for the next call, unless it is the `last`.
  void push(std::string_view bytes, bool last, std::string& text);

  // The bytes so far that were not what the encoding promises: in UTF-8 they were read as
  // Windows-1252, in UTF-16 replaced by U+FFFD.
  int64_t repaired_count() const { return repaired_count_; }

 private:
  void push_utf8(std::string_view bytes, bool last, std::string& text);
  void push_utf16(std::string_view bytes, bool last, std::string& text);
  void append_unit(uint32_t unit, std::string& text);

  Encoding encoding_;
  bool at_start_ = true;
  std::string carry_;            // bytes of a character that was cut
  uint32_t high_surrogate_ = 0;  // waits for its low one
  int64_t repaired_count_ = 0;
};

}  // namespace cromford::table
