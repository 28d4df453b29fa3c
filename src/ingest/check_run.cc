#include "ingest/check_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "base/file_system.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "table/sandbox.h"

namespace cromford::ingest {
namespace {

using table::quote_name;
using table::quote_text;

constexpr int kExamples = 3;
constexpr std::string_view kReserved = "cromford ";

std::string flag_name(size_t index) {
  return quote_name(fmt::format("{}check {}", kReserved, index));
}

// The rows of `input` with the verdict of each rule as a boolean column; all rules are evaluated in
// the one pass that reads them.
class Questions {
 public:
  Questions(const CheckRun& run, int64_t earlier_rows, bool looks_back)
      : run_(run), earlier_rows_(earlier_rows), looks_back_(looks_back) {}

  std::string tally(std::span<const RowRule> rules) const;
  std::string kept(std::span<const RowRule> rules) const;
  std::string set_aside(std::span<const RowRule> rules) const;

  table::SandboxQuery ask(std::string sql) const;

 private:
  std::string flagged(std::span<const RowRule> rules) const;
  std::string row_number() const { return quote_name(kRowNumberColumn); }
  std::string only_new() const {
    return looks_back_ ? fmt::format("{} > {}", row_number(), earlier_rows_) : "true";
  }
  // Windows forget the order of the rows.
  std::string in_order() const {
    return looks_back_ ? fmt::format(" ORDER BY {}", row_number()) : "";
  }

  const CheckRun& run_;
  int64_t earlier_rows_;
  bool looks_back_;
};

table::SandboxQuery Questions::ask(std::string sql) const {
  table::SandboxQuery query{
      .input = run_.input, .sql = std::move(sql), .engine = run_.engine, .cancel = run_.cancel};
  if (looks_back_ && run_.earlier) {
    query.input.parts = run_.earlier->parts;
    query.input.parts.insert(query.input.parts.end(), run_.input.parts.begin(),
                             run_.input.parts.end());
  }
  return query;
}

std::string Questions::flagged(std::span<const RowRule> rules) const {
  std::string flags;
  for (size_t i = 0; i < rules.size(); ++i) {
    flags += fmt::format(", ({}) AS {}", rules[i].fails_sql, flag_name(i));
  }
  const std::string rows =
      looks_back_
          ? fmt::format("(SELECT *, row_number() OVER () AS {} FROM input) AS input", row_number())
          : "input";
  return fmt::format("(SELECT *{} FROM {})", flags, rows);
}

std::string Questions::tally(std::span<const RowRule> rules) const {
  std::string counts = "count(*) AS n";
  for (size_t i = 0; i < rules.size(); ++i) {
    counts += fmt::format(", count(*) FILTER (WHERE {}) AS c{}", flag_name(i), i);
    if (!rules[i].value_sql.empty()) {
      counts += fmt::format(", CAST(to_json(min({}, {}) FILTER (WHERE {})) AS VARCHAR) AS e{}",
                            rules[i].value_sql, kExamples, flag_name(i), i);
    }
  }
  return fmt::format("SELECT {} FROM {} WHERE {}", counts, flagged(rules), only_new());
}

std::string any_of(std::span<const RowRule> rules) {
  std::vector<std::string> flags;
  for (size_t i = 0; i < rules.size(); ++i) {
    flags.push_back(flag_name(i));
  }
  return fmt::format("({})", base::join(flags, " OR "));
}

std::string Questions::kept(std::span<const RowRule> rules) const {
  std::vector<std::string> columns;
  for (const table::ColumnSchema& column : run_.input.schema.columns) {
    columns.push_back(quote_name(column.name));
  }
  return fmt::format("SELECT {} FROM {} WHERE {} AND NOT {}{}", base::join(columns, ", "),
                     flagged(rules), only_new(), any_of(rules), in_order());
}

std::string Questions::set_aside(std::span<const RowRule> rules) const {
  std::vector<std::string> members;
  for (const table::ColumnSchema& column : run_.input.schema.columns) {
    members.push_back(fmt::format("{}, {}", quote_text(column.name), quote_name(column.name)));
  }
  std::vector<std::string> reasons;
  for (size_t i = 0; i < rules.size(); ++i) {
    reasons.push_back(
        fmt::format("CASE WHEN {} THEN {} END", flag_name(i), quote_text(rules[i].reason)));
  }
  return fmt::format(
      "SELECT CAST(0 AS BIGINT) AS line, '' AS source, CAST(json_object({}) AS VARCHAR) AS text, "
      "concat_ws('; ', {}) AS reason FROM {} WHERE {} AND {}{}",
      base::join(members, ", "), base::join(reasons, ", "), flagged(rules), only_new(),
      any_of(rules), in_order());
}

std::vector<std::string> read_examples(const table::Column* column) {
  std::vector<std::string> examples;
  if (column == nullptr || !column->valid(0)) {
    return examples;
  }
  const absl::StatusOr<base::Json> list = base::parse_json(column->text(0));
  if (list.ok() && list->is_array()) {
    for (const base::Json& value : *list) {
      if (value.is_string()) {
        examples.push_back(value.get<std::string>());
      }
    }
  }
  return examples;
}

absl::StatusOr<CheckTally> count_failures(const Questions& questions,
                                          std::span<const RowRule> rules) {
  TRY(const table::Table answer, table::run_query(questions.ask(questions.tally(rules))));
  CheckTally tally;
  tally.row_count = answer.find("n")->integers[0];
  for (size_t i = 0; i < rules.size(); ++i) {
    tally.failed_rows.push_back(answer.find(fmt::format("c{}", i))->integers[0]);
    tally.examples.push_back(read_examples(answer.find(fmt::format("e{}", i))));
  }
  return tally;
}

// Which rule's SQL does not run: found by asking one after the other.
absl::Status blame(const absl::Status& error, const CheckList& checks, const CheckPlan& plan,
                   const Questions& questions) {
  if (error.code() != absl::StatusCode::kInvalidArgument) {
    return error;
  }
  for (const RowRule& rule : plan.rows) {
    const absl::StatusOr<CheckTally> alone = count_failures(questions, std::span(&rule, 1));
    if (!alone.ok()) {
      const Check& check = checks[rule.check];
      const std::string detail(base::message(alone.status()));
      return base::with_field_error(
          base::annotate(alone.status(), fmt::format("the check '{}' cannot be run", check.name)),
          {check.pointer, detail});
    }
  }
  return error;
}

// Takes files away again unless all went well.
class WorkFiles {
 public:
  explicit WorkFiles(const std::filesystem::path& work)
      : kept(work / "checked.parquet"), set_aside(work / "check_quarantine.parquet") {}
  ~WorkFiles() {
    if (!done_) {
      for (const std::filesystem::path& file : {kept, set_aside}) {
        base::system_files().remove(file).IgnoreError();
      }
    }
  }
  WorkFiles(const WorkFiles&) = delete;
  WorkFiles& operator=(const WorkFiles&) = delete;
  void done() { done_ = true; }

  const std::filesystem::path kept;
  const std::filesystem::path set_aside;

 private:
  bool done_ = false;
};

absl::Status set_rows_aside(const Questions& questions, std::span<const RowRule> rules,
                            const CheckRun& run, CheckOutcome& outcome) {
  WorkFiles files(run.work);
  TRY(const table::WrittenQuery aside,
      table::run_query_to_file(questions.ask(questions.set_aside(rules)), files.set_aside));
  TRY(const table::WrittenQuery kept,
      table::run_query_to_file(questions.ask(questions.kept(rules)), files.kept));
  if (kept.row_count + aside.row_count != outcome.row_count) {
    return base::internal(fmt::format("{} rows became {} kept and {} quarantined ones",
                                      outcome.row_count, kept.row_count, aside.row_count));
  }
  outcome.rows.parts.clear();
  if (kept.row_count > 0) {
    outcome.rows.parts.push_back(files.kept);
  } else {
    TRY(base::system_files().remove(files.kept));
  }
  outcome.row_count = kept.row_count;
  outcome.quarantined_count = aside.row_count;
  outcome.quarantine_path = files.set_aside;
  files.done();
  return absl::OkStatus();
}

absl::StatusOr<int64_t> count_earlier(const CheckRun& run) {
  table::SandboxQuery query{.input = *run.earlier,
                            .sql = "SELECT count(*) AS n FROM input",
                            .engine = run.engine,
                            .cancel = run.cancel};
  TRY(const table::Table answer, table::run_query(query));
  return answer.find("n")->integers[0];
}

absl::Status check_column_names(const table::Schema& schema) {
  for (const table::ColumnSchema& column : schema.columns) {
    if (base::lower(column.name).starts_with(kReserved)) {
      return base::invalid(
          fmt::format("the column name '{}' is reserved while checks run", column.name),
          "rename the column in the query");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CheckOutcome> run_checks(const CheckList& checks, const CheckRun& run) {
  TRY(check_column_names(run.input.schema));
  TRY(const CheckPlan plan, plan_checks(checks, run.input.schema));
  const bool looks_back = std::any_of(plan.rows.begin(), plan.rows.end(),
                                      [](const RowRule& rule) { return rule.looks_back; });
  int64_t earlier_rows = 0;
  if (looks_back && run.earlier) {
    TRY(earlier_rows, count_earlier(run));
  }
  const Questions questions(run, earlier_rows, looks_back);
  absl::StatusOr<CheckTally> tally = count_failures(questions, plan.rows);
  if (!tally.ok()) {
    return blame(tally.status(), checks, plan, questions);
  }
  CheckOutcome outcome;
  TRY(outcome.verdict, judge_checks(checks, plan, *tally));
  outcome.rows = run.input;
  outcome.row_count = tally->row_count;
  std::vector<RowRule> quarantining;
  for (size_t i = 0; i < plan.rows.size(); ++i) {
    if (plan.rows[i].quarantine && tally->failed_rows[i] > 0) {
      quarantining.push_back(plan.rows[i]);
    }
  }
  if (!quarantining.empty()) {
    TRY(set_rows_aside(questions, quarantining, run, outcome));
  }
  return outcome;
}

}  // namespace cromford::ingest
