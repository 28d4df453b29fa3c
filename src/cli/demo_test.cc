#include "cli/demo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/json.h"
#include "cli/command_fixture.h"
#include "cli/demo_months.h"
#include "cli/demo_report.h"
#include "cli/demo_rows.h"
#include "cli/demo_traffic.h"
#include "testing/status_matchers.h"

namespace cromford::cli {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DemoTest : public CommandTest {
 protected:
  // A server on which the line has run, whatever month is asked for.
  void script_the_line();
};

// Answers each row of a predict request with the probability 0.25.
ScriptedAnswer predict_quarter(const SeenRequest& request) {
  const base::Json body = *base::parse_json(request.body);
  base::Json answer = {{"predictions", base::Json::array()}};
  for (const base::Json& id : body["ids"]) {
    answer["predictions"].push_back({{"id", id}, {"probability", 0.25}});
  }
  return {200, base::dump_json(answer)};
}

void DemoTest::script_the_line() {
  run_server_on_home();
  on("PUT", "/pipelines/flights-late", {200, R"({"name":"flights-late"})"});
  on_job("/pipelines/flights-late:run", "{}");
  on("GET", "/pipelines/flights-late/history",
     {200, R"({"runs":[{"steps":[{"step":"train","state":"succeeded","seconds":60}]}]})"});
  on("GET", "/endpoints/flights-late",
     {200, R"({"variants":[{"model":"flights-late","model_version":1,"role":"champion"}]})"});
  on("GET", "/models/flights-late/versions/1",
     {200, R"({"model":"flights-late","version":1,"importance":[{"column":"origin","share":1}],
              "columns":[{"name":"origin","type":"text"}],
              "lineage":{"dataset":"flights","dataset_version":1}})"});
  on("GET", "/datasets/flights/versions/1",
     {200, R"({"schema":[{"name":"date"},{"name":"origin"},{"name":"late"}]})"});
  std::string february;
  for (int i = 0; i < 1200; ++i) {
    february += i % 4 == 0 ? "{\"date\":\"2001-02-01\",\"origin\":\"ORD\",\"late\":true}\n"
                           : "{\"date\":\"2001-02-01\",\"origin\":\"LAX\",\"late\":false}\n";
  }
  on("GET", "/datasets/flights/versions/1/export", {200, february, "application/jsonl"});
  on("POST", "/endpoints/flights-late:predict", predict_quarter);
  on("POST", "/datasets/flights-february-answers/versions",
     {202, R"({"id":"j2","state":"succeeded","result":{"version":5}})"});
  on("POST", "/models/flights-late/versions/1:evaluate",
     {202, R"({"id":"j3","state":"succeeded","result":{"metrics":{"auc":{"value":0.75}},
              "reliability":[{"mean_prediction":0.25,"observed":0.26,"row_count":1200}]}})"});
}

TEST_F(DemoTest, TheEmbeddedPipelineIsTheTemplate) {
  std::ifstream file(std::string(CROMFORD_SOURCE_DIR) + "/templates/flights/pipeline.yaml");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(flights_pipeline(), text.str());
}

TEST_F(DemoTest, ThePipelineIsPointedAtTheRawFile) {
  ASSERT_OK_AND_ASSIGN(const std::string yaml,
                       flights_pipeline_for("/data/my \"flights\".parquet", "20s"));
  EXPECT_THAT(yaml, HasSubstr("source: {file: \"/data/my \\\"flights\\\".parquet\"}"));
  EXPECT_THAT(yaml, HasSubstr("budget: {time: 20s, memory: 4GiB}"));
}

TEST_F(DemoTest, TheRawFileIsFoundOrItsAbsenceExplained) {
  const std::string file = write_file("f.parquet", "x");
  EXPECT_EQ(find_flights(file, environment_)->string(), file);
  EXPECT_THAT(find_flights("/no/f.parquet", environment_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/f.parquet")));
  const auto packages = folder_.path() / "vendor/node_modules/vega-datasets/data";
  std::filesystem::create_directories(packages);
  std::ofstream(packages / "flights-3m.parquet") << "x";
  environment_.executable = folder_.path() / "build/release/src/main/cromford";
  EXPECT_OK(find_flights("", environment_));
}

TEST(DemoTrafficTest, FieldsAreTakenOutOfARow) {
  std::string row = R"({"a":1,"b":"x, \"y\" }","late":true})";
  EXPECT_EQ(take_field(row, "late"), "true");
  EXPECT_EQ(row, R"({"a":1,"b":"x, \"y\" }"})");
  EXPECT_EQ(take_field(row, "b"), R"("x, \"y\" }")");
  EXPECT_EQ(row, R"({"a":1})");
  EXPECT_EQ(take_field(row, "b"), std::nullopt);
  EXPECT_EQ(take_field(row, "a"), "1");
  EXPECT_EQ(row, "{}");
  std::string first = R"({"a":null,"b":2})";
  EXPECT_EQ(take_field(first, "a"), "null");
  EXPECT_EQ(first, R"({"b":2})");
  std::string broken = R"({"a":"\)";
  EXPECT_TRUE(take_field(broken, "a").has_value());
}

TEST(DemoTrafficTest, ProbabilitiesAreReadInOrder) {
  EXPECT_THAT(probabilities_of(R"({"predictions":[{"probability":0.25,"probabilities":{"true":1}},
                                  {"probability":1e-3}]})"),
              ElementsAre(0.25, 1e-3));
  EXPECT_THAT(probabilities_of("{}"), ElementsAre());
  EXPECT_THAT(probabilities_of(R"({"probability":null})"), ElementsAre());
}

TEST(DemoTrafficTest, BodiesAreJsonWithIds) {
  const FlightSource source = {.not_an_input = {"date"}};
  std::vector<FlightRow> rows = {
      *flight_of(R"({"date":"2001-02-01T10:00:00Z","distance":700,"late":true})", source),
      *flight_of(R"({"date":"2001-02-01T11:00:00Z","distance":70,"late":false})", source)};
  rows[0].id = "a";
  rows[1].id = "b";
  EXPECT_EQ(*base::parse_json(predict_body(rows)),
            *base::parse_json(R"({"ids":["a","b"],"rows":[{"distance":700},{"distance":70}],
                                 "at":["2001-02-01T10:00:00Z","2001-02-01T11:00:00Z"]})"));
  EXPECT_EQ(*base::parse_json(outcomes_body(rows)), *base::parse_json(R"({"outcomes":[
                {"id":"a","value":true,"at":"2001-02-01T12:55:00Z"},
                {"id":"b","value":false,"at":"2001-02-01T11:40:00Z"}]})"));
  EXPECT_EQ(flight_of(R"({"date":"2001-02-01T10:00:00Z"})", source), std::nullopt);
  EXPECT_EQ(flight_of(R"({"date":"soon","late":true})", source), std::nullopt);
}

TEST(DemoTrafficTest, QuantilesOfLatency) {
  LoadResult load;
  EXPECT_EQ(load.latency_us(0.5), 0);
  load.latencies_us = {1, 2, 3, 4, 5};
  EXPECT_EQ(load.latency_us(0.5), 3);
  EXPECT_EQ(load.latency_us(1), 5);
}

TEST_F(DemoTest, MonthsAreDrawnOnOneScaleAndWritten) {
  const std::vector<MonthReport> months = {
      {.month = "2001-02", .flights = 10, .still = {0.75, 0.46}, .loop = {0.75, 0.46}},
      {.month = "2001-03", .flights = 20, .still = {0.70, 0.50}, .loop = {0.74, 0.47}}};
  const std::string plot = plot_months(months);
  EXPECT_THAT(plot, HasSubstr("2001-02  .......................................#\n"));
  EXPECT_THAT(plot, HasSubstr("2001-03  o..............................#........\n"));
  EXPECT_EQ(plot_months({}), "");
  const std::vector<base::Json> decisions = {*base::parse_json(
      R"({"event_time":"2001-03-14T00:00:00Z","to":"promoted","model":"m@2","reason":"a \"gain\""})")};
  const auto folder = folder_.path() / "report";
  ASSERT_OK(write_report(folder, months, decisions, {}));
  std::ifstream timeline(folder / "timeline.csv");
  std::stringstream text;
  text << timeline.rdbuf();
  EXPECT_EQ(text.str(),
            "time,kind,what,model,reason\n"
            "2001-03-14T00:00:00Z,decision,promoted,m@2,\"a \"\"gain\"\"\"\n");
  EXPECT_TRUE(std::filesystem::exists(folder / "months.csv"));
  EXPECT_THAT(write_report(write_file("f", "x"), months, {}, {}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("months.csv")));
}

TEST_F(DemoTest, AloneItListsTheDemos) {
  EXPECT_EQ(run({"demo"}), 0);
  EXPECT_THAT(out_, HasSubstr("flights\t"));
  EXPECT_EQ(run({"demo", "trains"}), 5);
  EXPECT_THAT(err_, HasSubstr("there is no demo 'trains'"));
  EXPECT_EQ(run({"demo", "flights", "--data", write_file("f.parquet", "x")}), 2);
  EXPECT_THAT(err_, HasSubstr("run the demo without --url"));
}

TEST_F(DemoTest, TheWholeStoryAgainstAScriptedServer) {
  script_the_line();
  ASSERT_EQ(run({"demo", "flights", "--data", write_file("f.parquet", "x"), "--rows", "1100",
                 "--february-only"}),
            0)
      << err_;
  EXPECT_EQ(server_.requests(in_project("POST", "/endpoints/flights-late:predict")).size(),
            3U + 1100U + 1100U);
  const auto predictions = server_.requests(in_project("POST", "/endpoints/flights-late:predict"));
  EXPECT_THAT(predictions[0].body, HasSubstr(R"("rows":[{"origin":"ORD"},{"origin":"LAX"},)"));
  const auto answers =
      server_.requests(in_project("POST", "/datasets/flights-february-answers/versions"));
  EXPECT_THAT(answers[0].body, ::testing::StartsWith("id,probability,late\n2001-02-01-1,0.25,true\n"
                                                     "2001-02-01-2,0.25,false\n"));
  const auto judged =
      server_.requests(in_project("POST", "/models/flights-late/versions/1:evaluate"));
  EXPECT_EQ(*base::parse_json(judged[0].body),
            *base::parse_json(R"({"dataset":"flights-february-answers@5",
                                 "prediction_column":"probability"})"));
  EXPECT_THAT(out_, HasSubstr("auc\t0.75\t"));
  EXPECT_THAT(out_, HasSubstr("0.25\t0.26\t1200\n"));
  EXPECT_THAT(err_, HasSubstr("What to try next"));
}

TEST_F(DemoTest, TheMonthsAfterFebruaryAreLived) {
  script_the_line();
  on("POST", "/endpoints/flights-late:outcomes", {200, R"({"accepted":1,"rejected":[]})"});
  on("POST", "/endpoints/flights-late:check", {200, "{}"});
  on("GET", "/endpoints/flights-late/lifecycle",
     {200, R"({"stage":"idle","history":[{"event_time":"2001-03-01T00:00:00Z","to":"rejected",
                                        "model":"flights-late@2","reason":"no better"}]})"});
  on("GET", "/alerts", {200, R"({"alerts":[{"id":"a","since":"2001-03-01T00:00:00Z",
                                           "what":"distance moved"}]})"});
  const std::string report = (folder_.path() / "report").string();
  ASSERT_EQ(run({"demo", "flights", "--data", write_file("f.parquet", "x"), "--report", report}), 0)
      << err_;
  // All flights leave at midnight and land on the same day.
  const auto told = server_.requests(in_project("POST", "/endpoints/flights-late:outcomes"));
  ASSERT_EQ(told.size(), 5U);
  EXPECT_THAT(told[0].body,
              HasSubstr(R"({"id":"2001-02-01-1","value":true,"at":"2001-02-01T01:15:00Z"})"));
  EXPECT_EQ(server_.requests(in_project("POST", "/endpoints/flights-late:check")).size(), 5U);
  EXPECT_THAT(err_, HasSubstr("2001-03-01  rejected     flights-late@2: no better\n"));
  EXPECT_THAT(err_, HasSubstr("2001-03-01  alert        distance moved\n"));
  EXPECT_THAT(out_, HasSubstr("2001-06\t1200\t0.75\t0.75\t"));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "report/timeline.csv"));
}

TEST_F(DemoTest, AFailedRequestEndsTheTraffic) {
  run_server_on_home();
  on("PUT", "/pipelines/flights-late", {200, "{}"});
  on_job("/pipelines/flights-late:run", "{}");
  on("GET", "/pipelines/flights-late/history", {200, R"({"runs":[]})"});
  on("GET", "/endpoints/flights-late",
     {200, R"({"variants":[{"model":"flights-late","model_version":1}]})"});
  on("GET", "/models/flights-late/versions/1",
     {200, R"({"lineage":{"dataset":"flights","dataset_version":1}})"});
  on("GET", "/datasets/flights/versions/1", {200, "{}"});
  on("GET", "/datasets/flights/versions/1/export",
     {200, "{\"date\":\"2001-02-01\",\"late\":true}\n", "application/jsonl"});
  on("POST", "/endpoints/flights-late:predict",
     {429, R"({"status":429,"code":"RESOURCE_EXHAUSTED","detail":"too many rows"})"});
  EXPECT_EQ(run({"demo", "flights", "--data", write_file("f.parquet", "x")}), 1);
  EXPECT_THAT(err_, HasSubstr("error: too many rows"));
}

}  // namespace
}  // namespace cromford::cli
