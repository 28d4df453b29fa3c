#include "base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/status.h"

namespace cromford::base {
namespace {

TEST(JsonTest, EqualDocumentsHaveEqualText) {
  EXPECT_EQ(dump_json(*parse_json(R"({"b":1,"a":[true,null]})")), R"({"a":[true,null],"b":1})");
}

TEST(JsonTest, ErrorsNameLineAndColumn) {
  const absl::Status status = parse_json("{\n  \"a\": 1,\n  oops\n}").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(message(status), "the text is not JSON: line 3, column 3");
}

TEST(JsonTest, RepeatedKeysAndDeepNestingAreRefused) {
  EXPECT_EQ(message(parse_json(R"({"a":1,"a":2})").status()),
            "the JSON document is refused: the key 'a' stands twice in one object");
  EXPECT_FALSE(parse_json(std::string(100'000, '[')).ok());
  EXPECT_TRUE(parse_json(std::string(60, '[') + std::string(60, ']')).ok());
}

TEST(JsonTest, TextThatIsNotUtf8IsReplaced) {
  EXPECT_EQ(dump_json(Json("a\xff")), "\"a\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace cromford::base
