#include "flow/check_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "testing/status_matchers.h"

namespace cromford::flow {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

TEST(CheckListTest, ReadsYamlAndJsonAlike) {
  const std::vector<std::string> files = {
      R"([{"column": "distance", "between": [10, 6000], "on_fail": "quarantine"},
          {"columns": ["a", "b"], "unique": true}])",
      "[\n\t{\"column\": \"distance\", \"between\": [10, 6000], \"on_fail\": \"quarantine\"},\n"
      "\t{\"columns\": [\"a\", \"b\"], \"unique\": true}\n]",
      "- {column: distance, between: [10, 6000], on_fail: quarantine}\n"
      "- columns: [a, b]\n  unique: true\n",
      "# as in a pipeline file\nchecks:\n"
      "  - {column: distance, between: [10, 6000], on_fail: quarantine}\n"
      "  - {columns: [a, b], unique: true}\n",
      R"({"checks": [{"column": "distance", "between": [10, 6000], "on_fail": "quarantine"},
          {"columns": ["a", "b"], "unique": true}]})",
  };
  for (const std::string& file : files) {
    SCOPED_TRACE(file);
    ASSERT_OK_AND_ASSIGN(const base::Json rules, parse_checks_file(file));
    EXPECT_EQ(base::dump_json(rules),
              R"([{"between":[10,6000],"column":"distance","on_fail":"quarantine"},)"
              R"({"columns":["a","b"],"unique":true}])");
  }
}

TEST(CheckListTest, NamesLineAndKeyOfAMistake) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "line 1, checks: here should stand a list of rules"},
      {"just words", "line 1, checks: here should stand a list of rules"},
      {"- {column: a, not_null: true}\n- {column: b, betwen: [1, 2]}\n",
       "line 2, checks[1].betwen: this key is not known (did you mean 'between'?)"},
      {"[{\"column\": \"a\",\n\"nut_null\": true}]", "line 2, checks[0].nut_null"},
      {"check:\n  - {column: a, not_null: true}\n",
       "line 1, check: this key is not known (did you mean 'checks'?)"},
      {"- {column: a, not_null: true\n- b\n", "line 3"},
      {"[{]", "line 1"},
  };
  for (const auto& [file, message] : cases) {
    EXPECT_THAT(parse_checks_file(file).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message)))
        << file;
  }
  const absl::Status status = parse_checks_file("- {column: a}\n- {row_count: 5}\n").status();
  EXPECT_EQ(base::field_errors(status).size(), 2U);
}

}  // namespace
}  // namespace cromford::flow
