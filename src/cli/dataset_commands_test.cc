// The `dataset` commands against a scripted server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/json.h"
#include "cli/command_fixture.h"

namespace cromford::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

base::Json json_of(const std::string& text) {
  return base::parse_json(text).value_or(base::Json());
}

constexpr std::string_view kVersionDocument =
    R"({"dataset":"flights","version":2,"row_count":3000000,"column_count":2,"size_bytes":13631488,
        "created_at":"2026-11-22T15:04:05Z","content_hash":"abc","query":"select 1",
        "schema":[{"name":"date","type":"timestamp"},{"name":"delay","type":"integer"}],
        "sources":[{"name":"flights-3m.parquet"}],"parents":["flights@1"],
        "quarantine":{"row_count":3},
        "checks":[{"check":"delay between 0 and 9","column":"delay","on_fail":"warn",
                   "failed_rows":17,"passed":false}],
        "profile":{"columns":[{"name":"delay","storage":"integer","semantic":"number",
                   "missing":30000,"distinct":500,"number":{"min":-30,"max":900,"mean":7.25}},
                   {"name":"date","storage":"timestamp","semantic":"datetime","missing":0,
                   "distinct":7,"top":[{"value":"2001-01-01","count":3}]}],
        "warnings":[{"code":"x","column":"delay","text":"has outliers"}]}})";

class DatasetCommandsTest : public CommandTest {};

TEST_F(DatasetCommandsTest, AddUploadsToADistantServer) {
  on_job("/datasets/flights/versions", R"({"dataset":"flights","version":2,"row_count":3})");
  on("GET", "/datasets/flights/versions/2", {200, std::string(kVersionDocument)});
  const std::string file = write_file("flights.csv", "a,b\n1,2\n");
  EXPECT_EQ(
      run({"dataset", "add", "flights", file, "--query", "select * from input", "--key", "a"}), 0);
  const auto posts = server_.requests(in_project("POST", "/datasets/flights/versions"));
  ASSERT_EQ(posts.size(), 1U);
  EXPECT_EQ(posts[0].body, "a,b\n1,2\n");
  EXPECT_EQ(posts[0].headers.at("content-type"), "text/csv");
  EXPECT_EQ(posts[0].query,
            "mode=replace&query=select%20%2A%20from%20input&key=a&source_name=flights.csv");
  EXPECT_EQ(out_, "flights@2\t3000000 rows\t2 columns\t13.0 MiB\n");
  EXPECT_THAT(err_, HasSubstr("warning: 3 rows could not be taken"));
  EXPECT_THAT(err_, HasSubstr("warning: delay: has outliers"));
  EXPECT_THAT(err_, HasSubstr("next: cromford train flights"));
}

TEST_F(DatasetCommandsTest, AddStreamsStandardInputInChunks) {
  on_job("/datasets/log/versions", R"({"dataset":"log","version":1})");
  on("GET", "/datasets/log/versions/1", {200, R"({"dataset":"log","version":1})"});
  in_ = std::string(300'000, 'x');
  EXPECT_EQ(run({"--json", "dataset", "add", "log", "-", "--append", "--format", "csv"}), 0);
  const auto posts = server_.requests(in_project("POST", "/datasets/log/versions"));
  EXPECT_EQ(posts[0].body, in_);
  EXPECT_EQ(posts[0].headers.at("transfer-encoding"), "chunked");
  EXPECT_EQ(posts[0].query, "mode=append&format=csv&source_name=stdin");
  EXPECT_EQ(json_of(out_)["result"]["version"], 1);
}

TEST_F(DatasetCommandsTest, AddNamesFilesToTheServerOnThisMachine) {
  run_server_on_home();
  on_job("/datasets/d/versions", R"({"dataset":"d","version":1,"unchanged":true})");
  on("GET", "/datasets/d/versions/1", {200, R"({"dataset":"d","version":1})"});
  const std::string first = write_file("a.csv", "x\n1\n");
  const std::string second = write_file("b.csv", "x\n2\n");
  const std::string rules = write_file("rules.json", R"([{"column":"x","not_null":true}])");
  EXPECT_EQ(run({"dataset", "add", "d", first, second, "--checks", rules, "--key", "x, y"}), 0);
  const auto posts = server_.requests(in_project("POST", "/datasets/d/versions"));
  ASSERT_EQ(posts.size(), 1U);
  EXPECT_EQ(posts[0].headers.at("content-type"), "application/vnd.cromford.import+json");
  EXPECT_EQ(posts[0].headers.at("authorization"), "Bearer owner-token");
  const base::Json body = json_of(posts[0].body);
  EXPECT_EQ(body["source"]["files"], base::Json::array({first, second}));
  EXPECT_EQ(body["checks"], R"([{"column":"x","not_null":true}])");
  EXPECT_EQ(body["key"], base::Json::array({"x", "y"}));
  EXPECT_EQ(body["mode"], "replace");
  EXPECT_THAT(err_, HasSubstr("nothing new is stored"));
}

TEST_F(DatasetCommandsTest, AddGivesUrlsToTheServer) {
  on("POST", "/datasets/d/versions", {202, R"({"id":"j9","state":"queued"})"});
  EXPECT_EQ(run({"dataset", "add", "d", "https://example.org/x.csv", "--detach"}), 0);
  EXPECT_EQ(out_, "j9\n");
  EXPECT_EQ(json_of(server_.requests()[0].body)["source"]["url"], "https://example.org/x.csv");
}

TEST_F(DatasetCommandsTest, AddRefusesInputsThatDoNotFit) {
  EXPECT_EQ(run({"dataset", "add", "d", "/no/such.csv"}), 5);
  EXPECT_THAT(err_, HasSubstr("there is no file /no/such.csv"));
  const std::string file = write_file("a.csv", "x\n1\n");
  EXPECT_EQ(run({"dataset", "add", "d", file, "-"}), 2);
  EXPECT_THAT(err_, HasSubstr("'-' cannot be joined with other inputs"));
  EXPECT_EQ(run({"dataset", "add", "d", file, file}), 2);
  EXPECT_THAT(err_, HasSubstr("several files at once need a server on this machine"));
  EXPECT_EQ(run({"dataset", "add", "Bad Name", file}), 2);
  EXPECT_EQ(run({"dataset", "add", "d", file, "--checks", "/no/rules"}), 5);
  EXPECT_EQ(run({"dataset", "add", "d", file, "--checks", write_file("r.yaml", " \n")}), 2);
  EXPECT_THAT(err_, HasSubstr("r.yaml is empty"));
  EXPECT_THAT(err_, HasSubstr("remedy: write a list of rules"));
  EXPECT_EQ(run({"dataset", "add", "d", folder_.path().string()}), 2);
  EXPECT_THAT(err_, HasSubstr("is a folder"));
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(DatasetCommandsTest, AFailedJobGivesItsOwnError) {
  on("POST", "/datasets/d/versions", {202, R"({"id":"j1","state":"queued"})"});
  on("GET", "/jobs/j1",
     {200, R"({"id":"j1","state":"failed","error":{"status":422,"code":"FAILED_PRECONDITION",
              "detail":"the check 'x not null' failed","remedy":"mend the rows"}})"});
  EXPECT_EQ(run({"dataset", "add", "d", write_file("a.csv", "x\n")}), 3);
  EXPECT_EQ(err_, "error: the check 'x not null' failed\nremedy: mend the rows\n");
}

TEST_F(DatasetCommandsTest, ShowPrintsFactsColumnsAndChecks) {
  on("GET", "/datasets/flights/versions/latest", {200, std::string(kVersionDocument)});
  terminal_ = true;
  variables_["NO_COLOR"] = "1";
  EXPECT_EQ(run({"dataset", "show", "flights"}), 0);
  for (const std::string text :
       {"flights@2", "3,000,000", "13.0 MiB", "2026-11-22 15:04", "flights@1",
        "-30 .. 900, mean 7.25", "1.0%", "2001-01-01", "delay between 0 and 9", "17"}) {
    EXPECT_THAT(out_, HasSubstr(text));
  }
  terminal_ = false;
  EXPECT_EQ(run({"--json", "dataset", "show", "flights"}), 0);
  EXPECT_EQ(json_of(out_), json_of(std::string(kVersionDocument)));
}

TEST_F(DatasetCommandsTest, AMistypedNameGetsTheNearestOne) {
  on("GET", "/datasets", {200, R"({"datasets":[{"name":"flights"},{"name":"orders"}]})"});
  EXPECT_EQ(run({"dataset", "show", "flihgts"}), 5);
  EXPECT_THAT(err_, HasSubstr("remedy: did you mean 'flights'?"));
}

TEST_F(DatasetCommandsTest, RowsKeepTheirValuesWhenPiped) {
  on("GET", "/datasets/d/versions/3/rows",
     {200, R"({"columns":[{"name":"t","type":"text"},{"name":"n","type":"number"}],
              "rows":[["a\tb",1.5],[null,null],["x",3]]})"});
  EXPECT_EQ(run({"dataset", "rows", "d@3", "--where", "n > 1", "--limit", "3"}), 0);
  EXPECT_EQ(out_, "t\tn\na b\t1.5\n\t\nx\t3\n");
  EXPECT_EQ(server_.requests()[0].query, "limit=3&where=n%20%3E%201");
}

TEST_F(DatasetCommandsTest, QuarantineIsShownWithReasons) {
  on("GET", "/datasets/d/versions/latest/quarantine",
     {200, R"({"rows":[{"line":7,"source":"a.csv","text":"x;y","reason":"two columns"}]})"});
  EXPECT_EQ(run({"dataset", "rows", "d", "--quarantine"}), 0);
  EXPECT_EQ(out_, "source\tline\treason\ttext\na.csv\t7\ttwo columns\tx;y\n");
}

TEST_F(DatasetCommandsTest, DiffComparesVersionsOfOneDataset) {
  on("GET", "/datasets/d:diff",
     {200, R"({"sentences":["3 rows more"],"columns":[{"name":"x","level":"none","psi":0.01,
              "missing_share":{"from":0,"to":0.5},"distinct":{"from":3,"to":4}}]})"});
  EXPECT_EQ(run({"dataset", "diff", "d@1", "d@2"}), 0);
  EXPECT_THAT(out_, HasSubstr("x\tnone\t0.01\t0\t0.5\t3\t4\n"));
  EXPECT_EQ(server_.requests()[0].query, "from=1&to=2");
  EXPECT_EQ(run({"dataset", "diff", "d@1", "e@2"}), 2);
}

TEST_F(DatasetCommandsTest, ExportWritesTheWholeFileOrNone) {
  on("GET", "/datasets/d/versions/latest/export", {200, "a,b\n1,2\n", "text/csv"});
  const std::string file = (folder_.path() / "out.csv").string();
  EXPECT_EQ(run({"dataset", "export", "d", file, "--where", "a=1"}), 0);
  EXPECT_EQ(read_file(file), "a,b\n1,2\n");
  EXPECT_EQ(server_.requests()[0].query, "format=csv&where=a%3D1");
  EXPECT_EQ(run({"dataset", "export", "d", "-"}), 0);
  EXPECT_EQ(out_, "a,b\n1,2\n");
  EXPECT_EQ(run({"dataset", "export", "nothing", (folder_.path() / "n.csv").string()}), 5);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "n.csv"));
  EXPECT_EQ(run({"dataset", "export", "d", "/no/folder/x.csv"}), 2);
  EXPECT_EQ(run({"dataset", "export", "d", "x.xlsx"}), 2);
  EXPECT_THAT(err_, HasSubstr("let the name end in .csv, .jsonl or .parquet"));
}

}  // namespace
}  // namespace cromford::cli
