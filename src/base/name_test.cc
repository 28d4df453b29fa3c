#include "base/name.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/status.h"
#include "testing/status_matchers.h"

namespace cromford::base {
namespace {

using ::testing::HasSubstr;
using testing::StatusIs;

TEST(NameTest, NamesAreChecked) {
  for (const std::string& name :
       {std::string("a"), std::string("0"), std::string("flights-3m_x"), std::string(63, 'a')}) {
    EXPECT_OK(check_name("dataset", name)) << name;
  }
  for (const std::string& name :
       {std::string(), std::string("-a"), std::string("_a"), std::string("Flights"),
        std::string("a b"), std::string("a/b"), std::string(".."), std::string("a@1"),
        std::string("\xc3\xa4"), std::string(64, 'a'), std::string("a\0b", 3)}) {
    EXPECT_THAT(check_name("dataset", name), StatusIs(absl::StatusCode::kInvalidArgument,
                                                      HasSubstr("cannot be the name of a dataset")))
        << name;
  }
  EXPECT_THAT(remedy(check_name("model", "A")), HasSubstr("a-z"));
}

TEST(NameTest, VersionsAreRead) {
  EXPECT_EQ(*parse_versioned_name("model", "late"), (VersionedName{"late", std::nullopt}));
  EXPECT_EQ(*parse_versioned_name("model", "late@3"), (VersionedName{"late", 3}));
  EXPECT_EQ(*parse_versioned_name("model", "late@latest"), (VersionedName{"late", std::nullopt}));
  EXPECT_EQ((VersionedName{"late", 3}.text()), "late@3");
  EXPECT_EQ((VersionedName{"late", std::nullopt}.text()), "late");
  for (const std::string_view text : {"", "@3", "late@", "late@0", "late@-1", "late@x", "late@3@4",
                                      "late@99999999999", "late@03x", "L@1"}) {
    EXPECT_THAT(parse_versioned_name("model", text), StatusIs(absl::StatusCode::kInvalidArgument))
        << text;
  }
}

TEST(NameTest, TheNearestWordIsFound) {
  const std::vector<std::string> words{"origin", "destination", "distance", "delay", "date", "x1"};
  EXPECT_EQ(nearest("distnace", words), "distance");
  EXPECT_EQ(nearest("Distance", words), "distance");
  EXPECT_EQ(nearest("DISTANCE", words), "");
  EXPECT_EQ(nearest("destinaton", words), "destination");
  EXPECT_EQ(nearest("orign", words), "origin");
  EXPECT_EQ(nearest("dat", words), "date");
  EXPECT_EQ(nearest("x2", words), "x1");
  EXPECT_EQ(nearest("weather", words), "");
  EXPECT_EQ(nearest("q", words), "");
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest(std::string(1000, 'a'), words), "");
  EXPECT_EQ(nearest("a", std::vector<std::string>{}), "");
  EXPECT_EQ(did_you_mean("orign", words), " (did you mean 'origin'?)");
  EXPECT_EQ(did_you_mean("weather", words), "");
  const std::vector<std::string_view> views{"alpha", "beta"};
  EXPECT_EQ(nearest("alhpa", views), "alpha");
}

}  // namespace
}  // namespace cromford::base
