#include "table/engine_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "testing/status_matchers.h"

namespace cromford::table {
namespace {

using ::testing::HasSubstr;

// The engine's message, what is said of it, and a part of the remedy.
struct Case {
  std::string message;
  std::string said;
  std::string remedy;
};

TEST(EngineWords, OfQueries) {
  const std::vector<Case> cases = {
      {"Referenced column \"dist\" not found in FROM clause!\nCandidate bindings: \"distance\", "
       "\"id\"\n\nLINE 3: dist > 5\n        ^",
       "there is no column \"dist\"", "did you mean \"distance\" or \"id\"?"},
      {"Referenced column \"a\" not found in FROM clause!\n\nLINE 1: a", "there is no column \"a\"",
       "single quotes"},
      {"Scalar Function with name summ does not exist!\nDid you mean \"sum\"?\n\nLINE 1: ...",
       "there is no function \"summ\"", "did you mean \"sum\"?"},
      {"Table with name flights does not exist!\nDid you mean \"input\"?",
       "there is no table \"flights\" here", "table input"},
      {"No function matches the given name and argument types 'sum(VARCHAR)'. You might need to "
       "add explicit type casts.\n\tCandidate functions:\n\tsum(DECIMAL) -> DECIMAL\n",
       "there is no function sum(VARCHAR) for values of these types", "CAST"},
      {"Could not convert string 'x' to INT32\n\nLINE 1: SELECT c0",
       "Could not convert string 'x' "
       "to INT32",
       "TRY_CAST"},
      {"Max expression depth limit of 1000 exceeded. Use \"SET max_expression_depth TO x\" to "
       "increase the maximum expression depth.",
       "the query is nested too deeply", "parentheses"},
      {"something\nof two lines!", "something of two lines", "correct the query"},
  };
  for (const Case& c : cases) {
    const absl::Status status = words_of_query(c.message);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(base::message(status), c.said);
    EXPECT_THAT(base::remedy(status), HasSubstr(c.remedy)) << c.message;
  }
}

TEST(EngineWords, OfFiles) {
  const KnownFile file{.path = "/home/run/uploads/01m8", .display_name = "a.csv"};
  const absl::Status parquet = words_of_file(
      base::invalid(
          "No magic bytes found at end of file '/home/run/uploads/01m8'\n\nLINE 2: SELECT "
          "* FROM read_parquet(['/home"),
      file);
  EXPECT_EQ(base::message(parquet), "a.csv is not a Parquet file, or is cut off");
  EXPECT_NE(base::remedy(parquet), "");
  const absl::Status json = words_of_file(
      base::invalid("Malformed JSON in file \"/home/run/uploads/01m8\", at byte 3. Try increasing "
                    "'sample_size'."),
      file);
  EXPECT_EQ(base::message(json), "Malformed JSON in file \"a.csv\", at byte 3");
  EXPECT_EQ(base::message(words_of_file(base::exhausted("no space", "free some"), file)),
            "a.csv: no space");
  EXPECT_EQ(base::remedy(words_of_file(base::exhausted("no space", "free some"), file)),
            "free some");
}

}  // namespace
}  // namespace cromford::table
