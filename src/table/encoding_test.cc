#include "table/encoding.h"

#include <gtest/gtest.h>

#include <string>

#include "base/text.h"

namespace cromford::table {
namespace {

using std::string_literals::operator""s;

std::string to_utf8(const std::string& bytes, Encoding encoding) {
  std::string whole;
  Transcoder(encoding).push(bytes, true, whole);
  // Byte by byte gives the same.
  std::string pieces;
  Transcoder transcoder(encoding);
  for (const char c : bytes) {
    transcoder.push({&c, 1}, false, pieces);
  }
  transcoder.push({}, true, pieces);
  EXPECT_EQ(pieces, whole);
  EXPECT_TRUE(base::is_utf8(whole));
  return whole;
}

TEST(Encoding, IsFoundFromMarksAndContent) {
  EXPECT_EQ(detect_encoding("\xEF\xBB\xBF"
                            "a,b"),
            Encoding::kUtf8);
  EXPECT_EQ(detect_encoding("\xFF\xFE"
                            "a\0"s),
            Encoding::kUtf16Le);
  EXPECT_EQ(detect_encoding("\xFE\xFF"
                            "\0a"s),
            Encoding::kUtf16Be);
  EXPECT_EQ(detect_encoding("a\0,\0b\0\n\0"s), Encoding::kUtf16Le);
  EXPECT_EQ(detect_encoding("\0a\0,\0b\0\n"s), Encoding::kUtf16Be);
  EXPECT_EQ(detect_encoding("caf\xC3\xA9"), Encoding::kUtf8);
  EXPECT_EQ(detect_encoding("caf\xC3"), Encoding::kUtf8) << "cut by the end of the sample";
  EXPECT_EQ(detect_encoding("caf\xE9,1\n"), Encoding::kWindows1252);
  EXPECT_EQ(detect_encoding("\0\1\2\3abc\0"s), Encoding::kBinary);
  EXPECT_EQ(detect_encoding(""), Encoding::kUtf8);
}

TEST(Encoding, TurnsEverythingIntoUtf8) {
  EXPECT_EQ(to_utf8("\xEF\xBB\xBF"
                    "a",
                    Encoding::kUtf8),
            "a");
  EXPECT_EQ(to_utf8("caf\xE9 \x80", Encoding::kWindows1252), "café €");
  EXPECT_EQ(to_utf8("\xFF\xFE"
                    "a\0\xE9\0"s,
                    Encoding::kUtf16Le),
            "aé");
  EXPECT_EQ(to_utf8("\xFE\xFF"
                    "\0a\xD8\x3D\xDE\x00"s,
                    Encoding::kUtf16Be),
            "a😀");
}

TEST(Encoding, RepairsWhatDoesNotFit) {
  EXPECT_EQ(to_utf8("caf\xE9, caf\xC3\xA9", Encoding::kUtf8), "café, café");
  EXPECT_EQ(to_utf8("\xC0\xAF \xED\xA0\x80", Encoding::kUtf8), "À¯ í\xC2\xA0€");
  EXPECT_EQ(to_utf8("\x3D\xD8"
                    "a\0"s,
                    Encoding::kUtf16Le),
            "\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(to_utf8("a\0\x3D"s, Encoding::kUtf16Le), "a\xEF\xBF\xBD");
  std::string text;
  Transcoder transcoder(Encoding::kUtf8);
  transcoder.push("a\xFF", true, text);
  EXPECT_EQ(transcoder.repaired_count(), 1);
}

TEST(Encoding, HasNames) {
  EXPECT_EQ(encoding_name(Encoding::kUtf16Be), "utf-16be");
  EXPECT_EQ(encoding_name(Encoding::kBinary), "binary");
}

}  // namespace
}  // namespace cromford::table
