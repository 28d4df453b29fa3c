#include "serve/outcome_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "serve/serve_fixture_test.h"

namespace cromford::serve {
namespace {

using ::testing::HasSubstr;
using testing::StatusIs;

class OutcomeJsonTest : public ServeFixture {
 protected:
  OutcomeBody body_;
};

TEST_F(OutcomeJsonTest, ReadsValuesAsClassesAndNumbers) {
  ASSERT_OK(body_.parse(R"({"outcomes":[{"id":"a","value":true,"at":"2001-02-01T13:00:00Z"},)"
                        R"({"id":"b","value":"late","at":null},{"id":"c","value":3},)"
                        R"({"value":2.5,"id":"d"}]})",
                        limits_));
  const auto records = body_.records();
  ASSERT_EQ(records.size(), 4U);
  EXPECT_EQ(records[0].value.text, "true");
  EXPECT_EQ(records[0].at, base::parse_time("2001-02-01T13:00:00Z").value());
  EXPECT_TRUE(std::isnan(records[0].value.number));
  EXPECT_EQ(records[1].value.text, "late");
  EXPECT_EQ(records[1].at, std::nullopt);
  EXPECT_EQ(records[2].value.text, "3");
  EXPECT_EQ(records[2].value.number, 3.0);
  EXPECT_EQ(records[3].value.text, "2.5");
  EXPECT_EQ(records[3].id, "d");
}

TEST_F(OutcomeJsonTest, NamesWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> bodies = {
      {"[]", "object"},
      {"{}", "no 'outcomes'"},
      {R"({"outcome":[]})", "unknown field 'outcome'"},
      {R"({"outcomes":7})", "a list is expected"},
      {R"({"outcomes":[7]})", "an object is expected"},
      {R"({"outcomes":[{"id":"a"}]})", "outcome 0 has no 'value'"},
      {R"({"outcomes":[{"value":1}]})", "outcome 0 has no 'id'"},
      {R"({"outcomes":[{"id":"","value":1}]})", "'id' cannot be"},
      {R"({"outcomes":[{"id":7,"value":1}]})", "'id' cannot be the number 7"},
      {R"({"outcomes":[{"id":"a","value":null}]})", "'value' cannot be"},
      {R"({"outcomes":[{"id":"a","value":1,"at":"soon"}]})", "'at' cannot be the text \"soon\""},
      {R"({"outcomes":[{"id":"a","value":1,"when":2}]})", "'when' cannot be"},
  };
  for (const auto& [body, message] : bodies) {
    EXPECT_THAT(body_.parse(body, limits_),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message)))
        << body;
  }
  base::Limits few;
  few.predict_rows = 1;
  EXPECT_THAT(
      body_.parse(R"({"outcomes":[{"id":"a","value":1},{"id":"b","value":1}]})", few),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 outcomes, the limit is 1")));
}

TEST_F(OutcomeJsonTest, AnswersWithCountsAndReasons) {
  feedback::OutcomeReceipt receipt{.accepted = 2, .joined = 1, .waiting = 1};
  receipt.rejected.push_back({1, base::invalid("'maybe' is not a class")});
  const std::vector<std::string> ids = {"a", "b \"c\"", "d"};
  EXPECT_EQ(outcome_answer(receipt, ids),
            R"({"accepted":2,"joined":1,"waiting":1,"duplicates":0,"corrections":0,)"
            R"("rejected":[{"index":1,"id":"b \"c\"","detail":"'maybe' is not a class"}]})");
}

TEST_F(OutcomeJsonTest, TheRuleIsTheChampions) {
  const auto late = endpoint(late_package());
  EXPECT_EQ(outcome_rule(*late).classes, late->champion().spec.package->classes());
}

}  // namespace
}  // namespace cromford::serve
