#include "http/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "testing/status_matchers.h"

namespace cromford::http {
namespace {

using cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TargetTest, TakesPathAndQueryApart) {
  Target target;
  ASSERT_OK(target.parse("/api/v1/a%20b/x:verb?filter=a%3D1+b&empty&x=%C3%A4"));
  EXPECT_EQ(target.path(), "/api/v1/a%20b/x:verb");
  EXPECT_THAT(target.segments(), ElementsAre("api", "v1", "a%20b", "x:verb"));
  EXPECT_EQ(target.decode(target.segments()[2]), "a b");
  EXPECT_EQ(target.query("filter"), "a=1 b");
  EXPECT_EQ(target.query("empty"), "");
  EXPECT_EQ(target.query("x"), "\xc3\xa4");
  EXPECT_EQ(target.query("absent"), std::nullopt);
}

TEST(TargetTest, MayBeUsedAgain) {
  Target target;
  ASSERT_OK(target.parse("/a?x=1"));
  ASSERT_OK(target.parse("/b/c"));
  EXPECT_THAT(target.segments(), ElementsAre("b", "c"));
  EXPECT_TRUE(target.queries().empty());
}

TEST(TargetTest, RootAndEmptySegments) {
  Target target;
  ASSERT_OK(target.parse("/"));
  EXPECT_THAT(target.segments(), ElementsAre(""));
  ASSERT_OK(target.parse("/a//b/"));
  EXPECT_THAT(target.segments(), ElementsAre("a", "", "b", ""));
}

TEST(TargetTest, TheAbsoluteFormNamesTheHost) {
  Target target;
  ASSERT_OK(target.parse("http://127.0.0.1:7040/healthz?x=1"));
  EXPECT_EQ(target.authority(), "127.0.0.1:7040");
  EXPECT_EQ(target.path(), "/healthz");
  EXPECT_THAT(target.parse("http:///x"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("names no host")));
  EXPECT_THAT(target.parse("http://host?x"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no path")));
}

TEST(TargetTest, AnEncodedSlashStaysInItsSegment) {
  Target target;
  ASSERT_OK(target.parse("/a%2Fb/c"));
  EXPECT_THAT(target.segments(), ElementsAre("a%2Fb", "c"));
  EXPECT_EQ(target.decode(target.segments()[0]), "a/b");
}

TEST(TargetTest, RefusesWhatIsNotPlainlyWellFormed) {
  struct Case {
    std::string raw;
    std::string reason;
  };
  std::string deep;
  for (int i = 0; i < 40; ++i) {
    deep += "/x";
  }
  std::string many = "/?";
  for (int i = 0; i < 70; ++i) {
    many += "p" + std::to_string(i) + "=1&";
  }
  const Case cases[] = {
      {"", "does not begin with '/'"},
      {"*", "does not begin with '/'"},
      {"a/b", "does not begin with '/'"},
      {"host:443", "does not begin with '/'"},
      {"/a b", "percent-encoded"},
      {"/\xc3\xa4", "percent-encoded"},
      {"/a#b", "fragment"},
      {"/%", "hexadecimal"},
      {"/%4", "hexadecimal"},
      {"/%zz", "hexadecimal"},
      {"/?x=%1", "hexadecimal"},
      {"/%00", "NUL"},
      {"/?x=%00", "NUL"},
      {"/%0a", "control characters"},
      {"/%ff", "not UTF-8"},
      {"/?x=%c0%af", "not UTF-8"},
      {"/a/../b", "'.' or '..'"},
      {"/a/%2e%2E/b", "'.' or '..'"},
      {"/./b", "'.' or '..'"},
      {"/?a=1&a=2", "'a' stands twice"},
      {deep, "more than 32 segments"},
      {many, "more than 64 parameters"},
  };
  for (const Case& one : cases) {
    Target target;
    EXPECT_THAT(target.parse(one.raw),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(one.reason)))
        << one.raw;
    EXPECT_TRUE(target.segments().empty()) << one.raw;
  }
}

}  // namespace
}  // namespace cromford::http
