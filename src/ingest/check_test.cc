#include "ingest/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "testing/status_matchers.h"

namespace cromford::ingest {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

absl::StatusOr<CheckList> parse(std::string_view text) {
  return parse_checks(*base::parse_json(text), "/checks");
}

TEST(CheckTest, EveryKindIsRead) {
  ASSERT_OK_AND_ASSIGN(const CheckList checks, parse(R"([
      {"column": "distance", "between": [10, 6000], "on_fail": "quarantine"},
      {"column": "origin", "not_null": true, "on_fail": "reject", "tolerance": "0.5%"},
      {"column": "state", "in": ["open", "closed"]},
      {"column": "level", "not_in": [1, 2.5, 3, 4, 5, 6]},
      {"column": "code", "matches": "[A-Z]{3}", "name": "airport codes"},
      {"columns": ["day", "flight"], "unique": true},
      {"column": "name", "min_length": 1},
      {"column": "name", "max_length": 80, "tolerance": 0.25},
      {"row_count": [1000, null]},
      {"sql": "arrival >= departure"},
      {"column": "when", "between": ["2001-01-01", null]}])"));
  std::vector<std::string> names;
  for (const Check& check : checks) {
    names.push_back(check.name);
  }
  EXPECT_THAT(
      names,
      ElementsAre("distance between 10 and 6000", "origin not null", "state in (open, closed)",
                  "level not in (1, 2.5, 3, 4, 5, ...)", "airport codes", "day, flight unique",
                  "name of at least 1 characters", "name of at most 80 characters",
                  "row count at least 1000", "arrival >= departure", "when at least 2001-01-01"));
  EXPECT_EQ(checks[0].on_fail, OnFail::kQuarantine);
  EXPECT_DOUBLE_EQ(*checks[1].tolerance, 0.005);
  EXPECT_EQ(checks[2].on_fail, OnFail::kWarn);
  EXPECT_EQ(checks[5].pointer, "/checks/5");
  // What is written reads back as the same.
  ASSERT_OK_AND_ASSIGN(const CheckList again, parse_checks(to_json(checks), "/checks"));
  EXPECT_EQ(to_json(again), to_json(checks));
  EXPECT_EQ(again[4].name, "airport codes");
}

struct WrongRule {
  const char* rule;
  const char* pointer;
  const char* words;
};

TEST(CheckTest, MistakesAreNamed) {
  const std::vector<WrongRule> cases = {
      {R"(1)", "/checks/0", "a rule is an object"},
      {R"({})", "/checks/0", "does not say what must hold"},
      {R"({"column": "a", "not_nul": true})", "/checks/0/not_nul", "did you mean 'not_null'"},
      {R"({"column": "a", "zzzzzz": true})", "/checks/0/zzzzzz", "'zzzzzz' is not known"},
      {R"({"column": "a", "not_null": true, "unique": true})", "/checks/0/unique",
       "write two rules"},
      {R"({"not_null": true})", "/checks/0/column", "needs 'column'"},
      {R"({"column": "", "not_null": true})", "/checks/0/column", "needs 'column'"},
      {R"({"columns": ["a"], "not_null": true})", "/checks/0/columns", "for 'unique' only"},
      {R"({"columns": [], "unique": true})", "/checks/0/columns", "for 'unique' only"},
      {R"({"column": "a", "sql": "b > 1"})", "/checks/0/column", "no single column"},
      {R"({"column": "a", "not_null": false})", "/checks/0/not_null", "must be true"},
      {R"({"column": "a", "between": [1]})", "/checks/0/between", "two ends"},
      {R"({"column": "a", "between": [null, null]})", "/checks/0/between", "two ends"},
      {R"({"column": "a", "between": [9, 1]})", "/checks/0/between", "smaller end"},
      {R"({"column": "a", "between": [1, "b"]})", "/checks/0/between", "different kinds"},
      {R"({"column": "a", "between": [true, false]})", "/checks/0/between", "not true or false"},
      {R"({"column": "a", "between": [{}, 1]})", "/checks/0/between", "takes numbers"},
      {R"({"column": "a", "in": []})", "/checks/0/in", "1 to 10000"},
      {R"({"column": "a", "in": [[1]]})", "/checks/0/in", "takes numbers"},
      {R"({"column": "a", "matches": " "})", "/checks/0/matches", "takes a text"},
      {R"({"sql": 1})", "/checks/0/sql", "takes a text"},
      {R"({"column": "a", "min_length": -1})", "/checks/0/min_length", "whole number"},
      {R"({"row_count": [1.5, null]})", "/checks/0/row_count", "whole numbers"},
      {R"({"row_count": ["a", null]})", "/checks/0/row_count", "whole numbers"},
      {R"({"row_count": [1, 2], "on_fail": "quarantine"})", "/checks/0/on_fail", "no single row"},
      {R"({"row_count": [1, 2], "tolerance": 0.1})", "/checks/0/tolerance", "no tolerance"},
      {R"({"column": "a", "not_null": true, "on_fail": "rejct"})", "/checks/0/on_fail",
       "did you mean 'reject'"},
      {R"({"column": "a", "not_null": true, "on_fail": 3})", "/checks/0/on_fail", "not '3'"},
      {R"({"column": "a", "not_null": true, "tolerance": 1})", "/checks/0/tolerance", "share"},
      {R"({"column": "a", "not_null": true, "tolerance": "x%"})", "/checks/0/tolerance", "share"},
      {R"({"column": "a", "not_null": true, "name": ""})", "/checks/0/name", "1 to 200"},
  };
  for (const WrongRule& one : cases) {
    const absl::Status status = parse("[" + std::string(one.rule) + "]").status();
    EXPECT_THAT(status, StatusIs(kInvalid, AllOf(HasSubstr(one.words), HasSubstr(one.pointer))))
        << one.rule;
    ASSERT_EQ(base::field_errors(status).size(), 1u) << one.rule;
    EXPECT_EQ(base::field_errors(status)[0].pointer, one.pointer);
  }
}

TEST(CheckTest, AllWrongRulesAreReportedAtOnce) {
  const absl::Status status =
      parse(R"([{"colum": 1}, {"column": "a", "not_null": true}, {"row_count": 3}])").status();
  const std::vector<base::FieldError> errors = base::field_errors(status);
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[0].pointer, "/checks/0/colum");
  EXPECT_EQ(errors[1].pointer, "/checks/2/row_count");
}

TEST(CheckTest, OnlyListsOfReasonableLengthAreTaken) {
  EXPECT_THAT(parse(R"({"column": "a"})"), StatusIs(kInvalid, HasSubstr("must be a list")));
  base::Json many = base::Json::array();
  for (size_t i = 0; i <= kChecksMax; ++i) {
    many.push_back({{"column", "a"}, {"not_null", true}});
  }
  EXPECT_THAT(parse_checks(many), StatusIs(kInvalid, HasSubstr("1001 checks")));
  EXPECT_THAT(*parse("[]"), IsEmpty());
}

table::Schema schema() {
  using table::ColumnType;
  return {{{"distance", ColumnType::kInteger},
           {"price", ColumnType::kNumber},
           {"late", ColumnType::kBoolean},
           {"day", ColumnType::kDate},
           {"at", ColumnType::kTimestamp},
           {"origin", ColumnType::kText}}};
}

absl::StatusOr<CheckPlan> plan(std::string_view rules) {
  const absl::StatusOr<CheckList> checks = parse(rules);
  EXPECT_OK(checks);
  return plan_checks(*checks, schema());
}

TEST(CheckPlanTest, ColumnsAndTypesMustFit) {
  EXPECT_THAT(
      plan(R"([{"column": "distnace", "not_null": true}])"),
      StatusIs(kInvalid, AllOf(HasSubstr("there is no column distnace"), HasSubstr("distance"))));
  for (const char* rule :
       {R"([{"column": "distance", "in": ["a"]}])",
        R"([{"column": "price", "between": ["a", "b"]}])", R"([{"column": "late", "in": [1]}])",
        R"([{"column": "day", "between": [1, 2]}])",
        R"([{"column": "at", "between": ["soon", null]}])",
        R"([{"column": "origin", "in": [true]}])"}) {
    const absl::Status status = plan(rule).status();
    EXPECT_THAT(status, StatusIs(kInvalid, HasSubstr("cannot be compared"))) << rule;
    EXPECT_EQ(base::field_errors(status)[0].pointer, "/checks/0");
  }
  EXPECT_THAT(plan(R"([{"column": "late", "between": [0, 1]}])"),
              StatusIs(kInvalid, HasSubstr("has no order")));
  EXPECT_THAT(plan(R"([{"columns": ["day", "gate"], "unique": true}])"),
              StatusIs(kInvalid, HasSubstr("there is no column gate")));
}

TEST(CheckPlanTest, ExpressionsMustBeConditionsOverTheRow) {
  for (const char* sql :
       {"1) or (1", "select 1", "distance > 1; drop table input", "getenv('HOME') = 'x'",
        "distance > (select count(*) from read_text('/etc/passwd'))"}) {
    const base::Json rules = base::Json::array({{{"sql", sql}}});
    EXPECT_THAT(plan(base::dump_json(rules)), StatusIs(kInvalid, HasSubstr("the check"))) << sql;
  }
}

CheckTally tally_of(int64_t rows, std::vector<int64_t> failed) {
  CheckTally tally{.row_count = rows, .failed_rows = std::move(failed), .examples = {}};
  tally.examples.resize(tally.failed_rows.size());
  return tally;
}

TEST(JudgeTest, WarnTellsQuarantineSetsAsideRejectRefuses) {
  ASSERT_OK_AND_ASSIGN(const CheckList checks, parse(R"([
      {"column": "distance", "between": [1, 2]},
      {"column": "price", "between": [1, 2], "on_fail": "quarantine"},
      {"row_count": [1, 50]},
      {"column": "origin", "not_null": true, "on_fail": "reject", "tolerance": 0.1}])"));
  ASSERT_OK_AND_ASSIGN(const CheckPlan plan, plan_checks(checks, schema()));
  ASSERT_EQ(plan.rows.size(), 3u);
  ASSERT_OK_AND_ASSIGN(const CheckVerdict verdict,
                       judge_checks(checks, plan, tally_of(100, {3, 4, 10})));
  ASSERT_EQ(verdict.results.size(), 4u);
  EXPECT_EQ(verdict.results[0],
            (table::CheckResult{"distance between 1 and 2", "distance", "warn", 3, false}));
  EXPECT_EQ(verdict.results[1].on_fail, "quarantine");
  EXPECT_FALSE(verdict.results[1].passed);
  EXPECT_FALSE(verdict.results[2].passed);
  EXPECT_TRUE(verdict.results[3].passed);
  EXPECT_EQ(verdict.results[3].failed_rows, 10);
  EXPECT_THAT(verdict.sentences, ElementsAre("distance between 1 and 2: 3 of 100 rows fail",
                                             "price between 1 and 2: 4 of 100 rows fail",
                                             "row count between 1 and 50: there are 100 rows"));

  CheckTally worse = tally_of(100, {0, 0, 11});
  worse.examples[2] = {"x", "y"};
  const absl::Status status = judge_checks(checks, plan, worse).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                               AllOf(HasSubstr("rejected by 1 of 4 checks"),
                                     HasSubstr("origin not null: 11 of 100 rows fail"),
                                     HasSubstr("x; y"))));
  EXPECT_EQ(base::field_errors(status)[0].pointer, "/checks/3");
  EXPECT_THAT(base::remedy(status), HasSubstr("quarantine"));
}

TEST(JudgeTest, QuarantineBeyondItsToleranceRejects) {
  ASSERT_OK_AND_ASSIGN(const CheckList checks, parse(R"([
      {"column": "price", "between": [1, 2], "on_fail": "quarantine", "tolerance": 0.05},
      {"row_count": [10, null], "on_fail": "reject"}])"));
  ASSERT_OK_AND_ASSIGN(const CheckPlan plan, plan_checks(checks, schema()));
  EXPECT_OK(judge_checks(checks, plan, tally_of(100, {5})));
  EXPECT_THAT(judge_checks(checks, plan, tally_of(100, {6})),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(judge_checks(checks, plan, tally_of(9, {0})),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("row count at least 10: there are 9 rows")));
}

}  // namespace
}  // namespace cromford::ingest
