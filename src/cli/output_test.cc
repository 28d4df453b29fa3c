#include "cli/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/status.h"
#include "cli/problem.h"
#include "testing/status_matchers.h"

namespace cromford::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OutputTest : public ::testing::Test {
 protected:
  OutputTest() {
    environment_.in = &in_;
    environment_.out = &out_;
    environment_.err = &err_;
    environment_.variable = [this](std::string_view name) -> std::optional<std::string> {
      return name == "NO_COLOR" && no_color_ ? std::optional<std::string>("1") : std::nullopt;
    };
  }
  void be_terminal() {
    environment_.in_is_terminal = true;
    environment_.out_is_terminal = true;
    environment_.err_is_terminal = true;
  }

  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream err_;
  bool no_color_ = true;
  Environment environment_;
};

TextTable sample() {
  TextTable table({{"NAME", Align::kLeft, true}, {"ROWS", Align::kRight}});
  table.add({"flights", count_cell(3000000)});
  table.add({"a\tb", count_cell(7)});
  return table;
}

TEST_F(OutputTest, TablesAreAlignedForPeople) {
  be_terminal();
  Output(environment_, {}).table(sample());
  EXPECT_EQ(out_.str(),
            "NAME          ROWS\n"
            "flights  3,000,000\n"
            "a b              7\n");
}

TEST_F(OutputTest, TablesAreTabSeparatedWithRawValuesWhenPiped) {
  Output(environment_, {}).table(sample());
  EXPECT_EQ(out_.str(), "name\trows\nflights\t3000000\na b\t7\n");
}

TEST_F(OutputTest, ColumnsThatShrinkAreCutToTheTerminal) {
  TextTable table({{"TEXT", Align::kLeft, true}, {"N", Align::kRight}});
  table.add({"ein sehr langer Name mit Umläuten", "1"});
  EXPECT_EQ(table.aligned(20, false), "TEXT               N\nein sehr langer …  1\n");
}

TEST_F(OutputTest, ControlCharactersOfDataDoNotReachTheTerminal) {
  TextTable table({{"TEXT"}, {"N"}});
  table.add({"\x1b[31mred", "1"});
  EXPECT_EQ(table.aligned(80, false), "TEXT         N\n\\x1b[31mred  1\n");
  be_terminal();
  Output output(environment_, {});
  output.line("a\x1b[2J\tb");
  output.text("log\x07\n");
  output.heading("\x7f");
  output.note("n\x1b");
  output.warning("w\x1b");
  output.error(base::with_field_error(base::invalid("e\x1b", "r\x1b"), {"/a\x1b", "f\x1b"}));
  output.progress("p\x1b");
  EXPECT_FALSE(output.ask("q\x1b"));
  EXPECT_EQ(out_.str(), "a\\x1b[2J\tb\nlog\\x07\n\n\\x7f\n");
  EXPECT_EQ(err_.str(),
            "n\\x1b\nwarning: w\\x1b\nerror: e\\x1b\n  /a\\x1b: f\\x1b\n"
            "remedy: r\\x1b\n\r\x1b[Kp\\x1b\r\x1b[Kq\\x1b [y/N] ");
}

TEST_F(OutputTest, APipeGetsTextsAsTheyAre) {
  Output output(environment_, {});
  output.line("a\x1b[2J");
  output.text("log\x07");
  EXPECT_EQ(out_.str(), "a\x1b[2J\nlog\x07");
}

TEST(HarmlessTest, ControlCharactersOfEveryEncodingAreEscaped) {
  EXPECT_EQ(harmless("Ümläut\n\t…"), "Ümläut\n\t…");
  EXPECT_EQ(harmless("\xc2\x9b"
                     "31m\xc2\xa0"),
            "\\x9b31m\xc2\xa0");
  EXPECT_EQ(harmless("\x9b"
                     "31m"),
            "\\x9b31m");
  EXPECT_EQ(harmless(std::string_view("\0\r", 2)), "\\x00\\x0d");
}

TEST_F(OutputTest, ColourOnlyOnATerminalAndWithoutNoColor) {
  const absl::Status status = base::not_found("no dataset 'x'", "see dataset list");
  Output(environment_, {}).error(status);
  EXPECT_EQ(err_.str(), "error: no dataset 'x'\nremedy: see dataset list\n");
  err_.str("");
  be_terminal();
  Output(environment_, {}).error(status);
  EXPECT_THAT(err_.str(), Not(HasSubstr("\x1b[31m")));
  no_color_ = false;
  Output(environment_, {}).error(status);
  EXPECT_THAT(err_.str(), HasSubstr("\x1b[31merror:"));
}

TEST_F(OutputTest, JsonIsOneDocumentAndNothingElseOnStandardOutput) {
  Output output(environment_, {.json = true});
  output.table(sample());
  output.line("text");
  output.heading("heading");
  output.note("note");
  output.document(base::Json{{"a", 1}});
  EXPECT_EQ(out_.str(), "{\"a\":1}\n");
  EXPECT_EQ(err_.str(), "note\n");
}

TEST_F(OutputTest, ErrorsAreProblemDocumentsWithJson) {
  absl::Status status = base::invalid("bad", "do better");
  status = base::with_field_error(status, {"/rows/0", "not an object"});
  Output(environment_, {.json = true}).error(status);
  ASSERT_OK_AND_ASSIGN(const base::Json problem, base::parse_json(err_.str()));
  EXPECT_EQ(problem["status"], 400);
  EXPECT_EQ(problem["code"], "INVALID_ARGUMENT");
  EXPECT_EQ(problem["detail"], "bad");
  EXPECT_EQ(problem["remedy"], "do better");
  EXPECT_EQ(problem["errors"][0]["pointer"], "/rows/0");
  EXPECT_EQ(out_.str(), "");
}

TEST_F(OutputTest, FieldsToBlameAreNamed) {
  const absl::Status status =
      base::with_field_error(base::invalid("bad"), {"/rows/0", "not an object"});
  Output(environment_, {}).error(status);
  EXPECT_EQ(err_.str(), "error: bad\n  /rows/0: not an object\n");
}

TEST_F(OutputTest, QuietKeepsWarningsAndErrors) {
  Output output(environment_, {.quiet = true});
  output.note("note");
  output.warning("warning");
  EXPECT_EQ(err_.str(), "warning: warning\n");
}

TEST_F(OutputTest, ProgressIsOnlyDrawnOnATerminalAndWipedBeforeOtherText) {
  Output(environment_, {}).progress("50%");
  EXPECT_EQ(err_.str(), "");
  be_terminal();
  Output output(environment_, {});
  output.progress("50%");
  output.note("done");
  EXPECT_EQ(err_.str(), "\r\x1b[K50%\r\x1b[Kdone\n");
}

TEST_F(OutputTest, OnlyYesIsYes) {
  be_terminal();
  in_.str("YES \nno\n\n");
  Output output(environment_, {});
  EXPECT_TRUE(output.ask("delete?"));
  EXPECT_FALSE(output.ask("delete?"));
  EXPECT_FALSE(output.ask("delete?"));
  EXPECT_FALSE(output.ask("delete?"));
}

TEST(CellTest, ValuesAreHumanised) {
  EXPECT_EQ(with_thousands(-1234567), "-1,234,567");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(-100), "-100");
  EXPECT_EQ(seconds_cell(0.0123).shown, "12ms");
  EXPECT_EQ(seconds_cell(8.14).shown, "8.1s");
  EXPECT_EQ(seconds_cell(59.99).shown, "1m00s");
  EXPECT_EQ(seconds_cell(150).shown, "2m30s");
  EXPECT_EQ(seconds_cell(9000).shown, "2h30m");
  EXPECT_EQ(seconds_cell(90000).shown, "1d01h");
  EXPECT_EQ(seconds_cell(8.14).raw, "8.14");
  EXPECT_EQ(share_cell(0.2148).shown, "21.5%");
  EXPECT_EQ(share_cell(0.0001).shown, "<0.1%");
  EXPECT_EQ(share_cell(0).shown, "0.0%");
  EXPECT_EQ(number_cell(3000000).shown, "3,000,000");
  EXPECT_EQ(number_cell(0.123456).shown, "0.1235");
  EXPECT_EQ(number_cell(457413.6).shown, "457,414");
  EXPECT_EQ(score_cell(0.75531).shown, "0.7553");
  EXPECT_EQ(score_cell(123456.7).shown, "1.2346e+05");
  EXPECT_EQ(time_cell("2026-11-22T15:04:05Z").shown, "2026-11-22 15:04");
  EXPECT_EQ(time_cell("").shown, "");
}

TEST(ProblemTest, TheServersDocumentIsKept) {
  const std::string body = R"({"status":409,"code":"ABORTED","title":"Conflict","detail":"stale",)"
                           R"("remedy":"read again","request_id":"r1","limit":7})";
  const absl::Status status = status_of_problem(409, body);
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(base::message(status), "stale");
  EXPECT_EQ(base::remedy(status), "read again");
  EXPECT_EQ(problem_document(status), *base::parse_json(body));
}

TEST(ProblemTest, AnAnswerThatIsNoProblemIsJudgedByItsStatus) {
  EXPECT_EQ(status_of_problem(502, "<html>").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status_of_problem(401, "").code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(status_of_problem(404, "{}").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status_of_problem(412, "[]").code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status_of_problem(418, "").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status_of_problem(500, "").code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(base::message(status_of_problem(502, "<html>"))), HasSubstr("502"));
}

}  // namespace
}  // namespace cromford::cli
