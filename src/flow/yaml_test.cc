#include "flow/yaml.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/json.h"
#include "flow/section_reader.h"
#include "testing/status_matchers.h"

namespace cromford::flow {
namespace {

using ::testing::HasSubstr;
using testing::StatusIs;

std::string as_json(std::string_view text) {
  const auto node = parse_yaml(text);
  return node.ok() ? base::dump_json(yaml_to_json(*node)) : "error";
}

TEST(YamlTest, WordsMeanWhatYamlSays) {
  EXPECT_EQ(as_json("a: [1, -2, +3, 1.5, 1e3, true, 'true', \"1\", ~, null, , text, 2001-02-01]"),
            R"({"a":[1,-2,3,1.5,1000.0,true,"true","1",null,null,null,"text","2001-02-01"]})");
  EXPECT_EQ(as_json("a:\n  b: |\n    two\n    lines\n  c: >\n    one\n    line\n"),
            "{\"a\":{\"b\":\"two\\nlines\\n\",\"c\":\"one line\\n\"}}");
  EXPECT_EQ(as_json(""), "null");
  EXPECT_EQ(as_json("# only a comment\n"), "null");
  EXPECT_EQ(as_json("---\na: 1\n...\n"), R"({"a":1})");
  EXPECT_EQ(as_json("a: .inf"), R"({"a":".inf"})");
}

TEST(YamlTest, NodesKnowTheirLines) {
  ASSERT_OK_AND_ASSIGN(const YamlNode node, parse_yaml("a: 1\n\nb:\n  - x\n  - y: z\n"));
  EXPECT_EQ(node.find("a")->line, 1);
  EXPECT_EQ(node.entries[1].line, 3);
  EXPECT_EQ(node.find("b")->items[0].line, 4);
  EXPECT_EQ(node.find("b")->items[1].find("y")->line, 5);
  EXPECT_EQ(node.find("c"), nullptr);
}

TEST(YamlTest, MistakesNameTheLine) {
  const auto expect = [](std::string_view text, std::string_view message) {
    EXPECT_THAT(parse_yaml(text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(std::string(message))))
        << text;
  };
  expect("a: 1\na: 2\n", "line 2: the key 'a' stands twice");
  expect("a: 1\n b: 2\n", "line 2");
  expect("a: [1, 2\n", "line");
  expect("a: &x 1\nb: *x\n", "line 1: anchors are not supported");
  expect("a: *x\n", "line 1");
  expect("a: !!int 1\n", "line 1: tags like");
  expect("a: !custom {}\n", "line 1: tags like");
  expect("a: 1\n? [b, c]\n: 2\n", "line 2: a key must be a word");
  expect("a: 1\n---\nb: 2\n", "more than one document");
  expect("a: \xff\n", "it is not UTF-8");
  expect(std::string_view("a: 1\nb: \0\n", 10), "line 2: there is a control character");
  expect("\ta: 1", "line 1");
}

TEST(YamlTest, SizeAndDepthAreLimited) {
  EXPECT_THAT(parse_yaml(std::string(kYamlBytesMax + 1, ' ')),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("1.0 MiB")));
  EXPECT_THAT(parse_yaml(std::string(100'000, '[')), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(parse_yaml(std::string(kYamlDepthMax + 1, '[') + std::string(kYamlDepthMax + 1, ']')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("deeper than 32")));
  EXPECT_OK(parse_yaml(std::string(kYamlDepthMax, '[') + std::string(kYamlDepthMax, ']')));
  std::string many = "[";
  for (size_t i = 0; i <= kYamlNodesMax; ++i) {
    many += "1,";
  }
  EXPECT_THAT(parse_yaml(many + "]"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("more than 50000 values")));
}

TEST(YamlTest, ABombOfAliasesDoesNothing) {
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 30; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) +
            ", *a" + std::to_string(i - 1) + "]\n";
  }
  EXPECT_THAT(parse_yaml(bomb), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace cromford::flow
