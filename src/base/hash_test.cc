#include "base/hash.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

#include "testing/status_matchers.h"

namespace cromford::base {
namespace {

using testing::StatusIs;

// 0, 1, ..., 255
std::string all_bytes() {
  std::string bytes(256, '\0');
  std::iota(bytes.begin(), bytes.end(), '\0');
  return bytes;
}

TEST(HashTest, ContentHashesAreBlake2b) {
  // From Python's hashlib.blake2b(..., digest_size=32).
  EXPECT_EQ(content_hash("").text(),
            "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  EXPECT_EQ(content_hash("abc").text(),
            "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  EXPECT_EQ(content_hash(std::string(1000, 'x')).text(),
            "ab75119ede14ef06ebf31f745fb655ed006cccfe8054c635308a557f7c9beaba");
}

TEST(HashTest, PiecesGiveTheSameAsTheWhole) {
  ContentHasher hasher;
  const std::string bytes(1000, 'x');
  hasher.update(std::string_view(bytes).substr(0, 1));
  hasher.update(std::as_bytes(std::span(bytes)).subspan(1, 500));
  ContentHasher moved = std::move(hasher);
  moved.update(std::string_view(bytes).substr(501));
  EXPECT_EQ(moved.finish(), content_hash(bytes));
}

TEST(HashTest, TheTextOfAHashReadsBack) {
  const ContentHash hash = content_hash("abc");
  EXPECT_EQ(*parse_content_hash(hash.text()), hash);
  for (const std::string& text : {std::string(), std::string(63, 'a'), std::string(64, 'g'),
                                  std::string(64, 'A'), std::string(66, 'a')}) {
    EXPECT_THAT(parse_content_hash(text), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST(HashTest, Hash64IsPromisedForEver) {
  EXPECT_EQ(hash64(""), 0xef46db3751d8e999U);
  EXPECT_EQ(hash64("a"), 0xd24ec4f1a98c6e5bU);
  EXPECT_EQ(hash64("abc"), 0x44bc2cf5ad770999U);
  EXPECT_EQ(hash64("abc", 7), 0x9e755206156676d7U);
  EXPECT_EQ(hash64("The quick brown fox jumps over the lazy dog"), 0x0b242d361fda71bcU);
  EXPECT_EQ(hash64(all_bytes()), 0x1facbe8406cd904bU);
  EXPECT_EQ(hash64(all_bytes(), 7), 0xd233f62ec80e6ea8U);
}

TEST(HashTest, Crc32cIsTheSameByInstructionAndByTables) {
  std::string text;
  for (unsigned length = 0; length < 70; ++length) {
    EXPECT_EQ(crc32c(text, length * 77U), crc32c_portable(text, length * 77U)) << length;
    text.push_back(static_cast<char>(length * 37U + 200U));
  }
  EXPECT_EQ(crc32c_portable("123456789"), 0xe3069283U);
}

TEST(HashTest, Crc32cHasItsCheckValue) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  const std::string bytes = all_bytes();
  const uint32_t whole = crc32c(bytes);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const std::string_view text(bytes);
    EXPECT_EQ(crc32c(text.substr(cut), crc32c(text.substr(0, cut))), whole);
  }
}

}  // namespace
}  // namespace cromford::base
