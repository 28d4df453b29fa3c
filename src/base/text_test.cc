#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace cromford::base {
namespace {

using ::testing::ElementsAre;

TEST(TextTest, TrimSplitJoinLower) {
  EXPECT_EQ(trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_THAT(split("a,,b,", ','), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(split("", ','), ElementsAre(""));
  EXPECT_EQ(join(std::vector<std::string>{"a", "", "b"}, ", "), "a, , b");
  EXPECT_EQ(join(std::vector<std::string>{}, ", "), "");
  EXPECT_EQ(lower("AbC\xc3\x84"), "abc\xc3\x84");
  EXPECT_TRUE(equal_ignoring_case("Content-Type", "content-type"));
  EXPECT_FALSE(equal_ignoring_case("a", "ab"));
}

TEST(TextTest, Utf8IsToldFromOtherBytes) {
  for (const std::string_view text :
       {"", "abc", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xef\xbf\xbf",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(text)) << to_hex(text);
  }
  for (const std::string_view text :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xe1\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
        "ok\xf0\x9f\x98"}) {
    EXPECT_FALSE(is_utf8(text)) << to_hex(text);
  }
}

TEST(TextTest, ClippingKeepsCharactersWhole) {
  EXPECT_EQ(clip_utf8("abc", 5), "abc");
  EXPECT_EQ(clip_utf8("abc", 2), "ab");
  EXPECT_EQ(clip_utf8("a\xc3\xa4", 2), "a");
  EXPECT_EQ(clip_utf8("a\xc3\xa4z", 3), "a\xc3\xa4");
  EXPECT_EQ(clip_utf8("\xf0\x9f\x98\x80", 3), "");
}

TEST(TextTest, NumbersAreReadStrictly) {
  EXPECT_EQ(to_number<double>("1e3"), 1000.0);
  EXPECT_EQ(to_number<double>("-0.5"), -0.5);
  EXPECT_EQ(to_number<int64_t>("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(to_number<uint8_t>("255"), 255);
  for (const std::string_view text : {"", " 1", "1 ", "+1", "1x", "0x1", "inf", "nan", "1e999"}) {
    EXPECT_FALSE(to_number<double>(text).has_value()) << text;
  }
  EXPECT_FALSE(to_number<int64_t>("9223372036854775808").has_value());
  EXPECT_FALSE(to_number<int64_t>("1.0").has_value());
  EXPECT_FALSE(to_number<uint8_t>("256").has_value());
  EXPECT_FALSE(to_number<uint64_t>("-1").has_value());
}

TEST(TextTest, NumbersAreWrittenShortestAndReadBack) {
  std::string out;
  append_number(out, 0.1);
  out += ' ';
  append_number(out, 1e300);
  out += ' ';
  append_number(out, int64_t{-7});
  out += ' ';
  append_number(out, std::numeric_limits<double>::infinity());
  EXPECT_EQ(out, "0.1 1e+300 -7 null");
  for (const double value : {0.1 + 0.2, 1.0 / 3, 5e-324, 1.7976931348623157e308}) {
    std::string text;
    append_number(text, value);
    EXPECT_EQ(to_number<double>(text), value);
  }
}

TEST(TextTest, HexAndBase64ReadBack) {
  EXPECT_EQ(to_hex(std::string_view("\x00\xff\x1a", 3)), "00ff1a");
  EXPECT_EQ(from_hex("00FF1a"), std::string("\x00\xff\x1a", 3));
  EXPECT_FALSE(from_hex("0").has_value());
  EXPECT_FALSE(from_hex("0g").has_value());
  // RFC 4648, section 10, without padding.
  const std::vector<std::pair<std::string, std::string>> pairs{
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};
  for (const auto& [bytes, text] : pairs) {
    EXPECT_EQ(to_base64url(bytes), text);
    EXPECT_EQ(from_base64url(text), bytes);
  }
  for (const char* const text : {"Z", "Zg==", "Zh", "Zm9", "a+b/", "Zm9v\n"}) {
    EXPECT_FALSE(from_base64url(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace cromford::base
