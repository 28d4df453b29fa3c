#include "ingest/check_run.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "table/import.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::ingest {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CheckRunTest : public ::testing::Test {
 protected:
  // A stored table from CSV text.
  table::StoredTable store(const std::string& csv, const std::string& name = "rows") {
    const std::filesystem::path folder = directory_ / name;
    std::filesystem::create_directories(folder);
    std::ofstream(directory_ / (name + ".csv")) << csv;
    table::ImportOptions options;
    options.inputs.push_back(
        {.path = directory_ / (name + ".csv"), .display_name = "", .format = ""});
    options.output_directory = folder;
    const absl::StatusOr<table::ImportResult> imported = table::import_files(options);
    EXPECT_OK(imported);
    table::StoredTable stored{.schema = imported->schema, .parts = {}};
    for (const table::ImportedPart& part : imported->parts) {
      stored.parts.push_back(part.path);
    }
    return stored;
  }

  absl::StatusOr<CheckOutcome> run(const table::StoredTable& rows, std::string_view rules,
                                   std::optional<table::StoredTable> earlier = std::nullopt) {
    std::filesystem::create_directories(directory_ / "work");
    CheckRun run;
    run.input = rows;
    run.earlier = std::move(earlier);
    run.work = directory_ / "work";
    run.engine.memory_limit_bytes = 256ULL << 20;
    return run_checks(*parse_checks(*base::parse_json(rules), "/checks"), run);
  }

  std::vector<std::string> column(const table::StoredTable& rows, const std::string& name) {
    const auto engine = table::Engine::create({});
    const absl::StatusOr<table::Table> table = table::read_table(**engine, rows);
    EXPECT_OK(table);
    std::vector<std::string> cells;
    for (int64_t row = 0; row < table->row_count(); ++row) {
      cells.push_back(table::cell_text(*table->find(name), row));
    }
    return cells;
  }

  std::vector<table::QuarantinedRow> quarantine(const CheckOutcome& outcome) {
    const auto engine = table::Engine::create({});
    const auto rows = table::read_quarantine(**engine, *outcome.quarantine_path, 100);
    EXPECT_OK(rows);
    return *rows;
  }

  bool work_is_empty() const { return std::filesystem::is_empty(directory_ / "work"); }

  const std::string flights_ =
      "id,origin,distance,delay,day\n"
      "1,ORD,100,5,2001-01-01\n"
      "2,,9,1,2001-01-02\n"
      "3,atl,7000,-3,2001-02-01\n"
      "3,ATL,,0,2001-03-01\n"
      "5,JFK,500,,2002-01-01\n";
  testing::TempDir directory_;
};

TEST_F(CheckRunTest, EveryKindFindsItsRows) {
  const table::StoredTable rows = store(flights_);
  ASSERT_OK_AND_ASSIGN(const CheckOutcome outcome, run(rows, R"([
      {"column": "origin", "not_null": true},
      {"column": "distance", "between": [10, 6000]},
      {"column": "distance", "between": [null, 500]},
      {"column": "origin", "in": ["ORD", "ATL"]},
      {"column": "delay", "not_in": [0, 5]},
      {"column": "origin", "matches": "[A-Z]{3}"},
      {"column": "id", "unique": true},
      {"columns": ["id", "origin"], "unique": true},
      {"column": "origin", "min_length": 4},
      {"column": "distance", "max_length": 3},
      {"column": "day", "between": ["2001-01-02", "2001-12-31"]},
      {"sql": "delay >= 0 or distance < 1000"},
      {"row_count": [5, 5]}])"));
  std::vector<int64_t> failed;
  for (const table::CheckResult& result : outcome.verdict.results) {
    failed.push_back(result.failed_rows);
    EXPECT_EQ(result.passed, result.failed_rows == 0) << result.check;
  }
  EXPECT_THAT(failed, ElementsAre(1, 2, 1, 2, 2, 1, 1, 0, 4, 1, 2, 1, 0));
  EXPECT_THAT(outcome.verdict.sentences,
              ::testing::Contains("distance between 10 and 6000: 2 of 5 rows fail, with values "
                                  "such as 7000; 9"));
  EXPECT_EQ(outcome.row_count, 5);
  EXPECT_EQ(outcome.rows.parts, rows.parts);
  EXPECT_TRUE(work_is_empty());
}

TEST_F(CheckRunTest, QuarantinedRowsCarryTheirReasons) {
  const table::StoredTable rows = store(flights_);
  ASSERT_OK_AND_ASSIGN(const CheckOutcome outcome, run(rows, R"([
      {"column": "origin", "not_null": true, "on_fail": "quarantine"},
      {"column": "distance", "between": [10, 6000], "on_fail": "quarantine"},
      {"column": "delay", "not_null": true}])"));
  EXPECT_EQ(outcome.row_count, 3);
  EXPECT_EQ(outcome.quarantined_count, 2);
  EXPECT_EQ(outcome.rows.schema, rows.schema);
  EXPECT_THAT(column(outcome.rows, "id"), ElementsAre("1", "3", "5"));
  EXPECT_THAT(column(outcome.rows, "day"), ElementsAre("2001-01-01", "2001-03-01", "2002-01-01"));
  const std::vector<table::QuarantinedRow> aside = quarantine(outcome);
  ASSERT_EQ(aside.size(), 2u);
  EXPECT_EQ(aside[0].reason, "origin not null; distance between 10 and 6000");
  EXPECT_EQ(aside[1].reason, "distance between 10 and 6000");
  EXPECT_THAT(aside[1].text, AllOf(HasSubstr("\"origin\":\"atl\""), HasSubstr("7000")));
  EXPECT_FALSE(outcome.verdict.results[2].passed);
}

TEST_F(CheckRunTest, AllRowsMayBeSetAside) {
  const table::StoredTable rows = store("a\n1\n2\n");
  ASSERT_OK_AND_ASSIGN(const CheckOutcome outcome,
                       run(rows, R"([{"sql": "a > 5", "on_fail": "quarantine"}])"));
  EXPECT_EQ(outcome.row_count, 0);
  EXPECT_EQ(outcome.quarantined_count, 2);
  EXPECT_TRUE(outcome.rows.parts.empty());
}

TEST_F(CheckRunTest, TheFirstOfRepeatedRowsStaysAlsoOverVersions) {
  const table::StoredTable rows = store(flights_);
  constexpr std::string_view kRules =
      R"([{"column": "id", "unique": true, "on_fail": "quarantine"}])";
  ASSERT_OK_AND_ASSIGN(const CheckOutcome alone, run(rows, kRules));
  EXPECT_THAT(column(alone.rows, "id"), ElementsAre("1", "2", "3", "5"));
  EXPECT_THAT(column(alone.rows, "origin"), ElementsAre("ORD", "", "atl", "JFK"));
  const table::StoredTable earlier =
      store("id,origin,distance,delay,day\n5,X,1,1,2000-01-01\n9,Y,1,1,2000-01-01\n", "earlier");
  ASSERT_OK_AND_ASSIGN(const CheckOutcome behind, run(rows, kRules, earlier));
  EXPECT_THAT(column(behind.rows, "id"), ElementsAre("1", "2", "3"));
  EXPECT_EQ(behind.quarantined_count, 2);
  EXPECT_EQ(behind.verdict.results[0].failed_rows, 2);
}

TEST_F(CheckRunTest, RejectionNamesRuleCountAndExamplesAndLeavesNothing) {
  const table::StoredTable rows = store(flights_);
  const absl::Status status = run(rows, R"([
      {"column": "delay", "not_null": true, "on_fail": "quarantine"},
      {"column": "distance", "between": [10, 6000], "on_fail": "reject"}])")
                                  .status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr("distance between 10 and 6000: 2 of 5 rows fail, with "
                                         "values such as 7000; 9")));
  EXPECT_EQ(base::field_errors(status)[0].pointer, "/checks/1");
  EXPECT_TRUE(work_is_empty());
}

TEST_F(CheckRunTest, RulesThatDoNotRunAreNamed) {
  const table::StoredTable rows = store(flights_);
  for (const char* rule :
       {R"({"sql": "no_such_column > 1"})", R"({"sql": "cast(origin as integer) > 1"})",
        R"({"sql": "sum(delay) > 1"})", R"({"column": "origin", "matches": "("})"}) {
    const absl::Status status =
        run(rows, fmt::format(R"([{{"column": "id", "not_null": true}}, {}])", rule)).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                                 AllOf(HasSubstr("the check '"), HasSubstr("cannot be run"))))
        << rule;
    ASSERT_FALSE(base::field_errors(status).empty()) << rule;
    EXPECT_EQ(base::field_errors(status)[0].pointer, "/checks/1");
    EXPECT_TRUE(work_is_empty());
  }
}

TEST_F(CheckRunTest, RulesReachNothingButTheRows) {
  const table::StoredTable rows = store(flights_);
  for (const char* sql :
       {"origin in (select content from read_text('/etc/passwd'))",
        "exists (select 1 from duckdb_settings())", "1 = 1) from input; copy input to '/tmp/x' --",
        "getenv('HOME') is null", "read_csv('/etc/passwd') is null"}) {
    const base::Json rules = base::Json::array({{{"sql", sql}}});
    EXPECT_THAT(run(rows, base::dump_json(rules)), StatusIs(absl::StatusCode::kInvalidArgument))
        << sql;
  }
}

TEST_F(CheckRunTest, NamesAndConstantsAreQuoted) {
  const table::StoredTable rows = store("\"a \"\"b\"\" 'c'\"\nit's\nx\n");
  ASSERT_OK_AND_ASSIGN(const CheckOutcome outcome, run(rows, R"([
      {"column": "a \"b\" 'c'", "in": ["it's"], "on_fail": "quarantine", "name": "o'clock"}])"));
  EXPECT_EQ(outcome.row_count, 1);
  EXPECT_EQ(quarantine(outcome)[0].reason, "o'clock");
}

TEST_F(CheckRunTest, NoChecksAndNoRows) {
  const table::StoredTable rows = store(flights_);
  ASSERT_OK_AND_ASSIGN(const CheckOutcome none, run(rows, "[]"));
  EXPECT_EQ(none.row_count, 5);
  const table::StoredTable empty{.schema = rows.schema, .parts = {}};
  ASSERT_OK_AND_ASSIGN(const CheckOutcome outcome,
                       run(empty, R"([{"column": "id", "unique": true, "on_fail": "reject"}])"));
  EXPECT_EQ(outcome.row_count, 0);
}

TEST_F(CheckRunTest, ReservedColumnNamesAndCancellation) {
  EXPECT_THAT(run(store("Cromford x\n1\n"), "[]"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("reserved")));
  base::CancelSource source;
  source.cancel();
  CheckRun cancelled;
  cancelled.input = store(flights_, "other");
  cancelled.work = directory_.path();
  cancelled.cancel = source.token();
  const auto rules = parse_checks(*base::parse_json(R"([{"column": "id", "not_null": true}])"));
  EXPECT_THAT(run_checks(*rules, cancelled), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(CheckRunTest, RowsAreCountedBeforeTheyAreSetAside) {
  const table::StoredTable rows = store(flights_);
  EXPECT_THAT(run(rows, R"([{"column": "origin", "not_null": true, "on_fail": "quarantine",
                             "tolerance": "10%"}])"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("1 of 5 rows fail")));
  EXPECT_OK(run(rows, R"([{"column": "origin", "not_null": true, "on_fail": "quarantine",
                           "tolerance": "20%"}])"));
}

}  // namespace
}  // namespace cromford::ingest
