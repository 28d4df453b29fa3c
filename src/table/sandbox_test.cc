#include "table/sandbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/status.h"
#include "table/duck.h"
#include "table/import.h"
#include "table/sandbox_engine.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::table {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// A small stored table, and beside it files that no query may reach.
class SandboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(directory_ / "in.csv")
        << "id,name,when\n1,ada,2001-02-01\n2,bob,2001-02-03\n3,,\n";
    std::ofstream(directory_ / "secret.csv") << "password\nhunter2\n";
    ImportOptions options;
    options.inputs.push_back({.path = directory_ / "in.csv"});
    options.output_directory = directory_.path();
    ASSERT_OK_AND_ASSIGN(const ImportResult result, import_files(options));
    stored_ = {result.schema, {result.parts[0].path}};
    std::filesystem::copy_file(result.parts[0].path, directory_ / "other.parquet");
  }

  absl::StatusOr<Table> run(const std::string& sql) {
    SandboxQuery query;
    query.input = stored_;
    query.sql = fill_in(sql);
    query.engine.threads = 2;
    return run_query(query);
  }

  // $DIR stands for the test's folder, $PART for the part that `input` reads.
  std::string fill_in(std::string sql) const {
    for (const auto& [mark, text] :
         {std::pair<std::string, std::string>{"$DIR", directory_.path().string()},
          {"$PART", stored_.parts[0].string()}}) {
      for (size_t at = sql.find(mark); at != std::string::npos; at = sql.find(mark)) {
        sql.replace(at, mark.size(), text);
      }
    }
    return sql;
  }

  testing::TempDir directory_;
  StoredTable stored_;
};

TEST_F(SandboxTest, RunsQueriesOverInput) {
  const std::vector<std::pair<std::string, int64_t>> queries = {
      {"select * from input", 3},
      {"SELECT * FROM Input;", 3},
      {"from input", 3},
      {"select id, upper(name) as n from input where id > 1 -- a remark", 2},
      {"with a as (select id from input), b as (select max(id) as m from a) select * from a, b", 3},
      {"with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select * from "
       "t",
       5},
      {"select i.id, x.id as other from input i left join input x on i.id = x.id + 1", 3},
      {"select *, row_number() over (order by id) as n, lag(id, 1, 0) over (order by id) from "
       "input",
       3},
      {"select unnest([1, 2]) as u, id from input", 6},
      {"select id from input, range(2)", 6},
      {"select g from generate_series(1, 4) t(g)", 4},
      {"select count(*), avg(id), median(id), list(name) from input group by id % 2", 2},
      {"select id from input union all select id from input", 6},
      {"select id from input where id in (select max(id) from input)", 1},
      {"values (1), (2)", 2},
      {"select columns('i.*') from input", 3},
      {"select date_trunc('month', \"when\"), strftime(\"when\", '%Y'), now() from input", 3},
      {"select * from input order by id desc limit 2 offset 1", 2},
      {"select current_date, current_timestamp, today()", 1},
      {"select case when id > 2 then 'x' end, regexp_replace(name, 'a', 'b'), id::text from input",
       3},
      {"select distinct name is null from input", 2},
      {"select * from input using sample 2", 2},
      {"select \"when\" as w from input qualify row_number() over (order by id) = 1", 1},
      {"with input as (select id from input) select * from input", 3},
  };
  for (const auto& [sql, rows] : queries) {
    auto result = run(sql);
    ASSERT_OK(result) << sql;
    EXPECT_EQ(result->row_count(), rows) << sql;
  }
}

TEST_F(SandboxTest, RefusesEveryAttack) {
  const std::vector<std::string> attacks = {
      // Files, by function.
      "select * from read_csv('$DIR/secret.csv')",
      "select * from read_csv_auto('$DIR/secret.csv')",
      "select * from read_text('$DIR/secret.csv')",
      "select * from read_blob('$DIR/secret.csv')",
      "select * from read_json('$DIR/secret.csv')",
      "select * from read_json_objects('$DIR/secret.csv')",
      "select * from read_ndjson('$DIR/secret.csv')",
      "select * from read_parquet('$DIR/other.parquet')",
      "select * from parquet_scan('$DIR/other.parquet')",
      "select * from parquet_metadata('$DIR/other.parquet')",
      "select * from parquet_schema('$PART')",
      "select * from read_parquet('$PART')",
      "select * from sniff_csv('$DIR/secret.csv')",
      "select * from read_duckdb('$DIR/x.db')",
      "select * from glob('$DIR/*')",
      "select * from glob('/etc/*')",
      // Files, by replacement scan.
      "select * from '$DIR/secret.csv'",
      "select * from \"$DIR/other.parquet\"",
      "select * from '$PART'",
      "from '/etc/passwd'",
      "with \"$DIR/other.parquet\" as (select 1) select * from (select * from "
      "\"$DIR/other.parquet\")",
      "with a as (select 1) select * from a, '$DIR/secret.csv'",
      "with a as (from read_text('/etc/passwd')) from a",
      "with a as (with b as (from read_text('/etc/passwd')) from b) from a",
      "select * from (with a as (from '$DIR/secret.csv') from a)",
      "with a as (select getenv('HOME')) from a",
      "select * from input where exists (from '$DIR/secret.csv')",
      "select (select count(*) from '$DIR/secret.csv') from input",
      "select * from input join lateral (from read_text('$DIR/secret.csv')) on true",
      "select * from input union all select * from read_csv('$DIR/secret.csv')",
      "with x as materialized (from read_text('/etc/passwd')) select * from x",
      "with recursive t as (select 1 union all from read_text('/etc/passwd')) from t",
      "select list_transform([1], x -> (select content from read_text('/etc/passwd'))) from input",
      "select * from query('select * from read_text(''/etc/passwd'')')",
      "select * from query_table('$DIR/secret.csv')",
      "select * from json_execute_serialized_sql(json_serialize_sql('select 42'))",
      "select json_deserialize_sql(json_serialize_sql('select 42'))",
      "select json_serialize_plan('select 42')",
      // Network and extensions.
      "select * from read_csv('http://127.0.0.1:1/x.csv')",
      "select * from 'https://example.com/x.parquet'",
      "select * from 's3://bucket/x.parquet'",
      "install httpfs",
      "load httpfs",
      "force install spatial from community",
      "select * from duckdb_extensions()",
      // Writing.
      "copy input to '$DIR/stolen.csv'",
      "copy (select * from input) to '$DIR/stolen.csv'",
      "export database '$DIR/stolen'",
      "import database '$DIR/stolen'",
      "select write_log('x')",
      // Other databases and objects.
      "attach '$DIR/x.db' as x",
      "detach memory",
      "use memory",
      "create table t as select 1",
      "create view v as select 1",
      "create macro m() as table select * from read_text('/etc/passwd')",
      "create secret (type s3)",
      "create sequence s",
      "drop view input",
      "alter table input add column x int",
      "insert into input values (1)",
      "update input set id = 1",
      "delete from input",
      "truncate input",
      "merge into input using input i on true when matched then delete",
      // Settings and state.
      "set memory_limit = '100GB'",
      "set enable_external_access = true",
      "set lock_configuration = false",
      "reset memory_limit",
      "pragma database_list",
      "pragma enable_profiling",
      "call pragma_version()",
      "set variable a = 1",
      "select getvariable('a')",
      "select current_setting('temp_directory')",
      "select getenv('HOME')",
      "select * from duckdb_settings()",
      "select * from duckdb_secrets()",
      "select * from which_secret('x', 's3')",
      "select * from duckdb_databases()",
      "select * from duckdb_temporary_files()",
      "select * from duckdb_memory()",
      "select * from duckdb_views",
      "select * from duckdb_tables",
      "select * from pg_catalog.pg_tables",
      "select * from pg_class",
      "select * from information_schema.tables",
      "select * from sqlite_master",
      "select * from system.information_schema.tables",
      "select * from pragma_database_list",
      "with duckdb_views as (from duckdb_views) from duckdb_views",
      "with pg_class as (from pg_class) from pg_class",
      "select * from memory.main.input",
      "select * from main.input",
      "select * from temp.input",
      "select * from other_table",
      "show tables",
      "show all tables",
      "describe input",
      "summarize input",
      "select * from (describe input)",
      "select * from (show tables)",
      "explain select 1",
      "explain analyze select * from input",
      "select current_user, session_user, pg_get_viewdef('input')",
      "select version()",
      "select current_database()",
      "select current_schemas(true)",
      "select main.current_setting('threads')",
      "select pg_catalog.current_setting('threads')",
      "select system.main.current_setting('threads')",
      "select txid_current()",
      "select current_query()",
      "select nextval('s')",
      "select inet_server_addr()",
      "select pg_sleep(1)",
      "select sleep_ms(1000)",
      "select setseed(0.5)",
      "select * from arrow_scan(1::bigint::pointer, 2::bigint::pointer, 3::bigint::pointer)",
      "select * from seq_scan('input')",
      "select * from repeat_row(1, num_rows = 3)",
      "select * from test_all_types()",
      "select * from sql_auto_complete('sel')",
      "select * from pragma_storage_info('input')",
      "select * from duckdb_functions()",
      "select * from checkpoint()",
      "select * from enable_logging()",
      "select * from duckdb_logs",
      // More than one statement, or none.
      "select 1; select 2",
      "select 1; drop view input",
      "begin; select 1",
      "checkpoint",
      "vacuum",
      "prepare p as select 1",
      "execute p",
      "select $1 from input",
      "select ? from input",
      "",
      "   ;; ",
      "-- only a remark",
      "select 1) to '$DIR/stolen.csv' --",
      "select * from input) t; drop view input; select * from (select 1",
      "pivot input on name using count(*)",
      std::string("select 1\0from input", 18),
      "select '\xff\xfe'",
  };
  for (const std::string& sql : attacks) {
    const auto result = run(sql);
    EXPECT_THAT(result.status(), StatusIs(kInvalid)) << sql;
    EXPECT_FALSE(base::remedy(result.status()).empty()) << sql;
  }
  EXPECT_FALSE(std::filesystem::exists(directory_ / "stolen.csv"));
}

TEST_F(SandboxTest, RefusesAttacksInConditions) {
  for (const std::string attack :
       {"1=1) to '$DIR/stolen.csv' --", "1=1); drop view input; select (1", "id > 1 order by id",
        "id > 1 limit 1", "true) union all select 1 from (select 2",
        "exists (from '$DIR/secret.csv')", "getenv('HOME') is null",
        "id in (select * from read_text('/etc/passwd'))", "", "id > 1 /*", "(id > 1"}) {
    EXPECT_THAT(check_condition(fill_in(attack)), StatusIs(kInvalid)) << attack;
  }
  for (const std::string fine :
       {"id > 1", "name is null or id = 2", "id in (select max(id) from input)",
        "id > 1 -- a remark", "\"when\" >= date '2001-02-02'"}) {
    EXPECT_OK(check_condition(fine)) << fine;
  }
}

// The second wall holds without the first: the engine itself refuses what the tree check would
// have found.
TEST_F(SandboxTest, TheLockedEngineRefusesByItself) {
  ASSERT_OK_AND_ASSIGN(OpenSandbox sandbox, open_sandbox({.engine = {.threads = 1},
                                                          .input_sql = select_stored(stored_),
                                                          .files = stored_.parts}));
  ASSERT_OK(sandbox.connection.run("select * from input"));
  for (const std::string sql :
       {"select * from read_csv('$DIR/secret.csv')", "select * from read_text('$DIR/secret.csv')",
        "select * from '$DIR/secret.csv'", "select * from '$DIR/other.parquet'",
        "select * from read_parquet('$DIR/other.parquet')",
        "select * from read_parquet('$DIR/../*/other.parquet')", "copy input to '$DIR/stolen.csv'",
        "attach '$DIR/x.db' as x", "install httpfs", "load '$DIR/x.duckdb_extension'",
        "set enable_external_access = true", "set lock_configuration = false",
        "set memory_limit = '100GB'", "reset temp_directory", "set temp_directory = '$DIR'",
        "export database '$DIR/stolen'", "select * from read_csv('http://127.0.0.1:1/x.csv')",
        "set allowed_directories = ['$DIR']", "set allowed_paths = ['$DIR/secret.csv']"}) {
    const auto result = sandbox.connection.run(fill_in(sql));
    EXPECT_FALSE(result.ok()) << sql;
  }
  EXPECT_FALSE(std::filesystem::exists(directory_ / "stolen.csv"));
  // Where the path of a file is known it may be listed, but not its neighbours.
  const auto listed = sandbox.connection.run(fill_in("select * from glob('$DIR/*')"));
  EXPECT_TRUE(!listed.ok()) << "the folder can be listed";
}

TEST_F(SandboxTest, NamesWhatIsWrong) {
  const auto mistyped = run("select nam from input");
  EXPECT_THAT(mistyped, StatusIs(kInvalid, HasSubstr("there is no column \"nam\"")));
  EXPECT_THAT(base::remedy(mistyped.status()), HasSubstr("did you mean \"name\""));
  EXPECT_THAT(run("select upperr(name) from input"),
              StatusIs(kInvalid, HasSubstr("there is no function \"upperr\"")));
  EXPECT_THAT(run("select sum(name) from input"), StatusIs(kInvalid, HasSubstr("sum(VARCHAR)")));
  EXPECT_THAT(run("select id::int / name::int from input"),
              StatusIs(kInvalid, HasSubstr("Could not convert")));
  EXPECT_THAT(run("selec 1"), StatusIs(kInvalid, HasSubstr("cannot be read")));
  EXPECT_THAT(run("select * from glob('/etc/*')"), StatusIs(kInvalid, HasSubstr("glob")));
  EXPECT_THAT(run("select * from flights"), StatusIs(kInvalid, HasSubstr("flights")));
  EXPECT_THAT(run("drop view input"), StatusIs(kInvalid, HasSubstr("not a SELECT")));
  EXPECT_THAT(check_query(std::string(100'000, ' ') + "select 1"), testing::IsOk());
  EXPECT_THAT(check_query("select '" + std::string(100'000, 'x') + "'"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("64.0 KiB")));
}

TEST_F(SandboxTest, DescribesWithoutRunning) {
  SandboxQuery query;
  query.input = stored_;
  query.sql =
      "select id, name as \"Name\", id / 2 as half, \"when\", {a: id} as nested, id > 1 as b, "
      "current_timestamp::timestamp as t, time '10:00' as clock, id::hugeint as huge, "
      "id::decimal(9, 2) as money from input";
  ASSERT_OK_AND_ASSIGN(const Schema schema, describe_query(query));
  const std::vector<ColumnSchema> expected = {
      {"id", ColumnType::kInteger},  {"Name", ColumnType::kText},   {"half", ColumnType::kNumber},
      {"when", ColumnType::kDate},   {"nested", ColumnType::kText}, {"b", ColumnType::kBoolean},
      {"t", ColumnType::kTimestamp}, {"clock", ColumnType::kText},  {"huge", ColumnType::kNumber},
      {"money", ColumnType::kNumber}};
  EXPECT_EQ(schema.columns, expected);
}

TEST_F(SandboxTest, MapsResultsToTheSixTypes) {
  ASSERT_OK_AND_ASSIGN(
      const Table table,
      run("select {a: id} as nested, [id, 2] as l, 'nan'::double as n, 0.1::float as f, "
          "1.25::decimal(9, 2) as d, id as ID, id as id from input limit 1"));
  EXPECT_EQ(cell_text(*table.find("nested"), 0), "{\"a\":1}");
  EXPECT_EQ(cell_text(*table.find("l"), 0), "[1,2]");
  EXPECT_FALSE(table.find("n")->valid(0));
  EXPECT_EQ(table.find("f")->numbers[0], 0.1);
  EXPECT_EQ(table.find("d")->numbers[0], 1.25);
  EXPECT_NE(table.find("ID"), nullptr);
  EXPECT_EQ(table.columns().size(), 7U);
}

TEST_F(SandboxTest, WritesAFileWholeOrNotAtAll) {
  SandboxQuery query;
  query.input = stored_;
  query.sql = "select id * 2 as twice from input";
  ASSERT_OK_AND_ASSIGN(const WrittenQuery written,
                       run_query_to_file(query, directory_ / "out.parquet"));
  EXPECT_EQ(written.row_count, 3);
  EXPECT_EQ(written.schema.names(), std::vector<std::string>{"twice"});
  query.sql = "select error('no') from input";
  EXPECT_THAT(run_query_to_file(query, directory_ / "bad.parquet"), StatusIs(kInvalid));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "bad.parquet"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "bad.parquet.tmp"));
}

TEST_F(SandboxTest, StopsWhenCancelled) {
  base::CancelSource source;
  source.cancel();
  SandboxQuery query;
  query.input = stored_;
  query.sql = "select count(*) from range(1000000000000) a, range(1000000) b";
  query.cancel = source.token();
  EXPECT_THAT(run_query(query), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(SandboxTest, StopsAtItsDeadline) {
  SandboxQuery query;
  query.input = stored_;
  query.sql = "select count(*) from range(1000000000000) a, range(1000000) b";
  query.cancel =
      base::CancelToken().with_deadline(base::system_clock(), std::chrono::milliseconds(50));
  EXPECT_THAT(run_query(query), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(SandboxTest, KeepsItsMemoryAndDiskLimits) {
  SandboxQuery query;
  query.input = stored_;
  query.engine.memory_limit_bytes = 64ULL << 20;
  query.engine.threads = 1;
  query.sql =
      "select count(*) from (select *, row_number() over (order by b) as n from "
      "(select a, md5(a::text) as b from range(1500000) t(a)))";
  EXPECT_THAT(run_query(query), StatusIs(absl::StatusCode::kResourceExhausted));
  query.engine.temp_directory = directory_ / "spill";
  EXPECT_OK(run_query(query));
}

TEST_F(SandboxTest, GivesTheSameRowsOnAnyNumberOfThreads) {
  const std::string sql =
      "select a % 1000 as g, sum(a * 0.1) as s, count(*) as n from range(300000) t(a) group by g";
  SandboxQuery query;
  query.input = stored_;
  query.sql = sql;
  std::vector<std::string> firsts;
  for (const int threads : {1, 2, 4}) {
    query.engine.threads = threads;
    ASSERT_OK_AND_ASSIGN(const Table table, run_query(query));
    std::string text;
    for (int64_t row = 0; row < table.row_count(); ++row) {
      for (const Column& column : table.columns()) {
        text += cell_text(column, row) + ' ';
      }
    }
    firsts.push_back(text);
  }
  EXPECT_EQ(firsts[0], firsts[1]);
  EXPECT_EQ(firsts[0], firsts[2]);
}

TEST(Sandbox, QuotesNamesAndTexts) {
  EXPECT_EQ(quote_name("a \"b\""), "\"a \"\"b\"\"\"");
  EXPECT_EQ(quote_text("it's"), "'it''s'");
}

}  // namespace
}  // namespace cromford::table
