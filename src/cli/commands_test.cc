// The commands against a scripted server: what they ask, what they print, how they end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/json.h"
#include "cli/command_fixture.h"
#include "cli/pipelines.h"

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

class CommandsTest : public CommandTest {};

TEST_F(CommandsTest, VersionStartsNothing) {
  EXPECT_EQ(run_bare({"--version"}), 0);
  EXPECT_EQ(out_, "cromford 1.2.3\n");
  EXPECT_EQ(run_bare({"version"}), 0);
  EXPECT_EQ(run_bare({"--json", "version"}), 0);
  EXPECT_EQ(out_, "{\"version\":\"1.2.3\"}\n");
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(CommandsTest, WrongUsageIsExitCodeTwoWithErrorAndRemedy) {
  EXPECT_EQ(run_bare({"datset", "list"}), 2);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_,
              StartsWith("error: there is no command 'datset'\nremedy: did you mean 'dataset'"));
  EXPECT_EQ(run_bare({"--json", "datset"}), 2);
  EXPECT_EQ(json_of(err_)["code"], "INVALID_ARGUMENT");
  EXPECT_EQ(run_bare({"--home", "a", "--url", "b", "status"}), 2);
  EXPECT_THAT(err_, HasSubstr("--home and --url are both given"));
}

TEST_F(CommandsTest, AServerThatIsNotThereIsExitCodeSeven) {
  EXPECT_EQ(run_bare({"--url", "http://127.0.0.1:1", "dataset", "list"}), 7);
  EXPECT_THAT(err_, HasSubstr("error: no server can be reached at http://127.0.0.1:1"));
  EXPECT_THAT(err_, HasSubstr("remedy: start one with `cromford server`"));
  EXPECT_EQ(run_bare({"--url", "ftp://x", "dataset", "list"}), 2);
}

TEST_F(CommandsTest, TheCodesOfTheServerBecomeExitCodes) {
  const std::pair<std::string, int> codes[] = {{"INVALID_ARGUMENT", 2},  {"FAILED_PRECONDITION", 3},
                                               {"PERMISSION_DENIED", 4}, {"UNAUTHENTICATED", 4},
                                               {"NOT_FOUND", 5},         {"ALREADY_EXISTS", 6},
                                               {"ABORTED", 6},           {"UNAVAILABLE", 7},
                                               {"CANCELLED", 130},       {"INTERNAL", 1}};
  for (const auto& [code, exit] : codes) {
    on("GET", "/jobs/" + code,
       {400, R"({"status":400,"code":")" + code + R"(","detail":"no","remedy":"do"})"});
    EXPECT_EQ(run({"job", "show", code}), exit) << code;
    EXPECT_EQ(err_, "error: no\nremedy: do\n");
  }
}

TEST_F(CommandsTest, WithJsonTheServersProblemIsGivenUnchanged) {
  const std::string problem =
      R"({"code":"NOT_FOUND","detail":"no job 'x'","request_id":"r7","status":404})";
  on("GET", "/jobs/x", {404, problem});
  EXPECT_EQ(run({"--json", "job", "show", "x"}), 5);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_, problem + "\n");
}

TEST_F(CommandsTest, NoColourAndNoEscapesWhenPiped) {
  on("GET", "/jobs", {200, R"({"jobs":[{"id":"j","kind":"train","state":"failed","progress":0.5,
      "title":"train","created_at":"2026-11-22T15:04:05Z"}]})"});
  EXPECT_EQ(run({"job", "list"}), 0);
  EXPECT_EQ(out_,
            "id\tkind\tstate\tprogress\ttitle\tcreated\n"
            "j\ttrain\tfailed\t0.5\ttrain\t2026-11-22T15:04:05Z\n");
  terminal_ = true;
  EXPECT_EQ(run({"job", "list"}), 0);
  EXPECT_THAT(out_, HasSubstr("\x1b[31mfailed"));
  EXPECT_THAT(out_, HasSubstr("50.0%"));
  variables_["NO_COLOR"] = "1";
  EXPECT_EQ(run({"job", "list"}), 0);
  EXPECT_THAT(out_, Not(HasSubstr("\x1b")));
}

TEST_F(CommandsTest, ListsReadAllPages) {
  on("GET", "/datasets", {200, R"({"datasets":[{"name":"a"}],"next_page_token":"t1"})"});
  on("GET", "/datasets", {200, R"({"datasets":[{"name":"b"}]})"});
  EXPECT_EQ(run({"--json", "dataset", "list", "--filter", "row_count>1 AND name:a"}), 0);
  EXPECT_EQ(out_, "{\"datasets\":[{\"name\":\"a\"},{\"name\":\"b\"}]}\n");
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].query, "filter=row_count%3E1%20AND%20name%3Aa&page_size=1000");
  EXPECT_THAT(requests[1].query, HasSubstr("page_token=t1"));
  EXPECT_EQ(requests[0].connection, requests[1].connection);
}

TEST_F(CommandsTest, ListsStopAtTheirLimit) {
  on("GET", "/models", {200, R"({"models":[{"name":"a"},{"name":"b"}],"next_page_token":"t"})"});
  EXPECT_EQ(run({"--json", "model", "list", "--limit", "2"}), 0);
  EXPECT_EQ(json_of(out_)["models"].size(), 2U);
  EXPECT_EQ(server_.requests().size(), 1U);
  EXPECT_EQ(server_.requests()[0].query, "page_size=2");
}

TEST_F(CommandsTest, ProjectAndTokenReachTheServer) {
  server_.on("GET /api/v1/projects/lab/jobs", {200, R"({"jobs":[]})"});
  EXPECT_EQ(run({"--project", "lab", "--token", "secret", "job", "list"}), 0);
  variables_["CROMFORD_PROJECT"] = "lab";
  variables_["CROMFORD_TOKEN"] = "other";
  EXPECT_EQ(run({"job", "list"}), 0);
  const auto requests = server_.requests();
  EXPECT_EQ(requests[0].headers.at("authorization"), "Bearer secret");
  EXPECT_EQ(requests[1].headers.at("authorization"), "Bearer other");
}

TEST_F(CommandsTest, DeletingAsksOnATerminalAndWantsYesElsewhere) {
  on("DELETE", "/datasets/d", {204, ""});
  EXPECT_EQ(run({"dataset", "delete", "d"}), 2);
  EXPECT_THAT(err_, HasSubstr("remedy: add --yes"));
  EXPECT_TRUE(server_.requests().empty());
  EXPECT_EQ(run({"--yes", "--json", "dataset", "delete", "d"}), 0);
  EXPECT_EQ(out_, "{\"deleted\":\"d\"}\n");
  terminal_ = true;
  in_ = "n\n";
  EXPECT_EQ(run({"dataset", "delete", "d"}), 130);
  EXPECT_EQ(server_.requests().size(), 1U);
  in_ = "y\n";
  EXPECT_EQ(run({"dataset", "delete", "d"}), 0);
  EXPECT_EQ(server_.requests().size(), 2U);
}

constexpr std::string_view kRunDocument =
    R"({"id":"j1","state":"succeeded","dataset":"flights@1","target":"late","model":"late",
        "model_version":3,"task":"binary","metric":"auc",
        "trials":[{"rank":1,"learner":"boosting","score":0.7553,"spread":0.001,"seconds":8.2,
                   "settings":{"depth":6,"rate":0.123456}}],
        "metrics":{"auc":{"value":0.7553,"lower":0.754,"upper":0.7566}},
        "importance":[{"column":"origin_late_share","share":0.5},{"column":"hour","share":0.25}],
        "warnings":[{"code":"leak","column":"x","text":"x alone predicts too well"}]})";

TEST_F(CommandsTest, TrainSendsItsSettingsAndEndsWithTheModel) {
  on_job("/runs", R"({"run":"j1","model":"late","model_version":3})");
  on("GET", "/runs/j1", {200, std::string(kRunDocument)});
  EXPECT_EQ(
      run({"train",         "flights@1", "--target", "late",   "--model",        "late",
           "--time",        "30s",       "--memory", "2GiB",   "--seed",         "7",
           "--ignore",      "a,b",       "--ignore", "c",      "--learners",     "linear,boosting",
           "--time-column", "date",      "--weight", "w",      "--group-column", "g",
           "--metric",      "auc",       "--task",   "binary", "--where",        "x>1",
           "--trials",      "5"}),
      0);
  const base::Json body = json_of(server_.requests(in_project("POST", "/runs"))[0].body);
  EXPECT_EQ(body, json_of(R"({"dataset":"flights@1","target":"late","model":"late","where":"x>1",
      "task":"binary","metric":"auc","budget":{"time":"30s","memory":"2GiB","trials":5},"seed":7,
      "time_column":"date","group_column":"g","weight_column":"w","ignore":["a","b","c"],
      "learners":["linear","boosting"]})"));
  EXPECT_THAT(out_, HasSubstr("model\tlate@3\n"));
  EXPECT_THAT(out_, HasSubstr("1\tboosting\t0.7553\t0.001\t8.2\tdepth=6 rate=0.1235\n"));
  EXPECT_THAT(out_, HasSubstr("auc\t0.7553\t0.754\t0.7566\n"));
  EXPECT_THAT(err_, HasSubstr("warning: x alone predicts too well"));
  EXPECT_THAT(err_, HasSubstr("made late@3\nnext: cromford model card late@3"));
}

TEST_F(CommandsTest, TrainWithJsonIsTheFinishedJob) {
  on_job("/runs", R"({"run":"j1","model":"late","model_version":3})");
  on("GET", "/runs/j1", {200, std::string(kRunDocument)});
  EXPECT_EQ(run({"--json", "train", "flights", "--target", "late"}), 0);
  EXPECT_EQ(json_of(out_)["result"]["model_version"], 3);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 1);
}

TEST_F(CommandsTest, TrainShowsLiveProgressOnATerminal) {
  on("POST", "/runs", {202, R"({"id":"j1","state":"queued"})"});
  on("GET", "/jobs/j1",
     {200, R"({"id":"j1","state":"running","stage":"searching","progress":0.5,"detail":
              {"trials_done":4,"best":{"learner":"boosting","score":0.7553},"metric":"auc",
               "eta_s":22}})"});
  on("GET", "/jobs/j1", {200, R"({"id":"j1","state":"succeeded","result":{"run":"j1","model":"late",
              "model_version":3}})"});
  on("GET", "/runs/j1", {200, std::string(kRunDocument)});
  terminal_ = true;
  variables_["NO_COLOR"] = "1";
  EXPECT_EQ(run({"train", "flights", "--target", "late"}), 0);
  EXPECT_THAT(err_, HasSubstr("waiting for its turn"));
  EXPECT_THAT(err_, HasSubstr("searching  22.0s left  best auc 0.7553 (boosting)  4 trials"));
  EXPECT_THAT(out_, HasSubstr("▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇\n"));
}

TEST_F(CommandsTest, TheFirstInterruptKeepsTheBestModel) {
  on("POST", "/runs", {202, R"({"id":"j1","state":"running"})"});
  on("GET", "/jobs/j1", {200, R"({"id":"j1","state":"running"})"});
  on("GET", "/jobs/j1", {200, R"({"id":"j1","state":"running"})"});
  on("GET", "/jobs/j1", {200, R"({"id":"j1","state":"cancelled","result":{"run":"j1","model":"late",
              "model_version":3}})"});
  on("POST", "/runs/j1:cancel", {200, "{}"});
  on("GET", "/runs/j1", {200, std::string(kRunDocument)});
  on_sleep_ = [this] { interrupts_ = 1; };
  EXPECT_EQ(run({"train", "flights", "--target", "late"}), 130);
  EXPECT_EQ(server_.requests(in_project("POST", "/runs/j1:cancel")).size(), 1U);
  EXPECT_THAT(err_, HasSubstr("the best model so far is kept"));
  EXPECT_THAT(err_, HasSubstr("made late@3"));
  EXPECT_THAT(err_, HasSubstr("the training was stopped; late@3 is the best model up to then"));
}

TEST_F(CommandsTest, TheSecondInterruptQuits) {
  on("POST", "/runs", {202, R"({"id":"j1","state":"running"})"});
  on("GET", "/jobs/j1", {200, R"({"id":"j1","state":"running"})"});
  on("POST", "/runs/j1:cancel", {200, "{}"});
  on_sleep_ = [this] { ++interrupts_; };
  EXPECT_EQ(run({"train", "flights", "--target", "late"}), 130);
  EXPECT_THAT(err_, HasSubstr("error: interrupted"));
}

TEST_F(CommandsTest, ATrainingThatIsStoppedBeforeAModelIsCancelled) {
  on("POST", "/runs", {202, R"({"id":"j1","state":"running"})"});
  on("GET", "/jobs/j1", {200, R"({"id":"j1","state":"cancelled","result":null})"});
  EXPECT_EQ(run({"train", "flights", "--target", "late"}), 130);
}

TEST_F(CommandsTest, ALostServerIsToldWithTheJobsName) {
  on("POST", "/runs", {202, R"({"id":"j1","state":"running"})"});
  on("GET", "/jobs/j1", {503, R"({"status":503,"code":"UNAVAILABLE","detail":"stopping"})"});
  EXPECT_EQ(run({"train", "flights", "--target", "late"}), 7);
  EXPECT_THAT(err_, HasSubstr("while waiting for job j1: stopping"));
  EXPECT_THAT(err_, HasSubstr("`cromford job show j1`"));
}

TEST_F(CommandsTest, RunsAreListedShownAndCancelled) {
  on("GET", "/runs", {200, "{\"runs\":[" + std::string(kRunDocument) + "]}"});
  EXPECT_EQ(run({"run", "list"}), 0);
  EXPECT_THAT(out_, HasSubstr("j1\tsucceeded\tflights@1\tlate\tlate@3\tauc\t0.7553\t"));
  on("GET", "/runs/j1", {200, std::string(kRunDocument)});
  EXPECT_EQ(run({"run", "show", "j1"}), 0);
  EXPECT_THAT(out_, HasSubstr("origin_late_share\t0.5\t\n"));
  on("POST", "/runs/j1:cancel", {200, "{}"});
  EXPECT_EQ(run({"run", "cancel", "j1"}), 0);
}

TEST_F(CommandsTest, ModelsAreShownExportedImportedAndDeleted) {
  on("GET", "/models/late/versions/3",
     {200, R"({"model":"late","version":3,"task":"binary","target":"late",
              "classes":["false","true"],"positive_class":"true",
              "columns":[{"name":"origin","type":"text"}],"metrics":{"auc":{"value":0.7}},
              "lineage":{"run":"j1","dataset":"flights","dataset_version":1,"where":"x>1"},
              "package":{"size_bytes":1024}})"});
  EXPECT_EQ(run({"model", "show", "late@3"}), 0);
  EXPECT_THAT(out_, HasSubstr("classes\tfalse, true (probability is that of true)\n"));
  EXPECT_THAT(out_, HasSubstr("trained on\tflights@1 where x>1\n"));
  EXPECT_THAT(out_, HasSubstr("origin\ttext\n"));

  on("GET", "/models/late/versions/4",
     {200, R"({"model":"late","version":4,"metrics":{},"complete":false})"});
  EXPECT_EQ(run({"model", "show", "late@4"}), 0);
  EXPECT_THAT(err_, HasSubstr("this model is not tested: its run was stopped"));

  on("GET", "/models/late/versions/latest/package", {200, "PACKAGE", "application/octet-stream"});
  const std::string file = (folder_.path() / "late@3.cromford").string();
  EXPECT_EQ(run({"model", "export", "late", file}), 0);
  EXPECT_EQ(read_file(file), "PACKAGE");

  on("POST", "/models/late/versions", {201, R"({"model":"late","version":4})"});
  EXPECT_EQ(run({"model", "import", file}), 0);
  EXPECT_EQ(out_, "late@4\n");
  EXPECT_EQ(server_.requests(in_project("POST", "/models/late/versions"))[0].body, "PACKAGE");
  EXPECT_EQ(run({"model", "import", write_file("###.bin", "x")}), 2);
  EXPECT_THAT(err_, HasSubstr("--model NAME"));

  on("DELETE", "/models/late",
     {422, R"({"status":422,"code":"FAILED_PRECONDITION","detail":"endpoint late serves it"})"});
  EXPECT_EQ(run({"--yes", "model", "delete", "late"}), 3);
}

TEST_F(CommandsTest, CardsComeInThreeForms) {
  on("GET", "/models/late/versions/latest/card", {200, "# Model card", "text/markdown"});
  EXPECT_EQ(run({"model", "card", "late"}), 0);
  EXPECT_EQ(out_, "# Model card\n");
  EXPECT_EQ(run({"model", "card", "late", "--format", "html"}), 0);
  EXPECT_EQ(run({"--json", "model", "card", "late"}), 0);
  const auto requests = server_.requests();
  EXPECT_EQ(requests[0].query, "format=md");
  EXPECT_EQ(requests[1].query, "format=html");
  EXPECT_EQ(requests[2].query, "format=json");
}

TEST_F(CommandsTest, EvaluatePrintsTheMetrics) {
  on_job("/models/late/versions/latest:evaluate",
         R"({"row_count":458170,"metrics":{"auc":{"value":0.75,"lower":0.74,"upper":0.76}}})");
  EXPECT_EQ(
      run({"model", "evaluate", "late", "flights@1", "--where", "x>1", "--prediction-column", "p"}),
      0);
  EXPECT_EQ(out_, "metric\tvalue\tlower\tupper\nauc\t0.75\t0.74\t0.76\n");
  EXPECT_EQ(json_of(server_.requests()[0].body),
            json_of(R"({"dataset":"flights@1","where":"x>1","prediction_column":"p"})"));
}

TEST_F(CommandsTest, PredictUploadsWaitsAndDownloads) {
  on_job("/models/late/versions/3:score", R"({"row_count":2})");
  on("GET", "/jobs/j1/file", {200, "prediction\ntrue\nfalse\n", "text/csv"});
  on("GET", "/endpoints/live",
     {200, R"({"name":"live","variants":[{"model":"x","model_version":1,"role":"challenger"},
              {"model":"late","model_version":3,"role":"champion"}]})"});
  const std::string input = write_file("new.json", R"([{"a":1},{"a":2}])");
  const std::string output = (folder_.path() / "scored.csv").string();
  EXPECT_EQ(run({"predict", "--endpoint", "live", "--input", input, "--output", output, "--explain",
                 "2"}),
            0);
  EXPECT_EQ(read_file(output), "prediction\ntrue\nfalse\n");
  const auto posts = server_.requests(in_project("POST", "/models/late/versions/3:score"));
  EXPECT_EQ(posts[0].query, "explain=2&format=csv&source_name=new.json");
  EXPECT_EQ(posts[0].headers.at("content-type"), "application/octet-stream");
  EXPECT_EQ(posts[0].body, R"([{"a":1},{"a":2}])");
}

TEST_F(CommandsTest, PredictScoresADatasetToStandardOutput) {
  on_job("/models/late/versions/latest:score", R"({"row_count":2})");
  on("GET", "/jobs/j1/file", {200, "prediction\ntrue\n", "text/csv"});
  EXPECT_EQ(run({"predict", "--model", "late", "--dataset", "flights@2", "--where", "x=1",
                 "--output", "-"}),
            0);
  EXPECT_EQ(out_, "prediction\ntrue\n");
  EXPECT_EQ(json_of(server_.requests()[0].body),
            json_of(R"({"dataset":"flights@2","where":"x=1","format":"csv"})"));
}

TEST_F(CommandsTest, PredictRefusesHalfQuestions) {
  const std::string same = write_file("same.csv", "a\n1\n");
  EXPECT_EQ(run({"predict", "--model", "m", "--input", same, "--output", same}), 2);
  EXPECT_THAT(err_, HasSubstr("--input and --output are the same file"));
  EXPECT_EQ(run({"predict", "--input", "a.csv", "--output", "b.csv"}), 2);
  EXPECT_THAT(err_, HasSubstr("either --model or --endpoint"));
  EXPECT_EQ(run({"predict", "--model", "m", "--output", "b.csv"}), 2);
  EXPECT_THAT(err_, HasSubstr("either --input FILE or --dataset NAME"));
  EXPECT_EQ(run({"predict", "--model", "m", "--input", "a.csv", "--output", "b.doc"}), 2);
  EXPECT_THAT(err_, HasSubstr("let --output end in .csv or .parquet"));
  EXPECT_EQ(run({"predict", "--model", "m", "--input", "/no/a.csv", "--output", "b.csv"}), 5);
  on("GET", "/endpoints/empty", {200, R"({"variants":[]})"});
  EXPECT_EQ(run({"predict", "--endpoint", "empty", "--input", "a", "--output", "b.csv"}), 3);
}

constexpr std::string_view kEndpointDocument =
    R"({"name":"late","state":"serving","task":"binary","variants":[{"model":"late",
        "model_version":3,"weight":90,"role":"champion"},{"model":"late","model_version":4,
        "weight":10,"role":"challenger"}],"traffic":{"requests":12345,"rows":5,"errors":0},
        "updated_at":"2026-11-22T15:04:05Z"})";

TEST_F(CommandsTest, DeployPutsTheEndpoint) {
  on("PUT", "/endpoints/late", {200, std::string(kEndpointDocument)});
  EXPECT_EQ(run({"deploy", "late@4", "--strategy", "canary", "--percent", "10"}), 0);
  EXPECT_EQ(json_of(server_.requests()[0].body),
            json_of(R"({"model":"late@4","strategy":"canary","percent":10.0})"));
  EXPECT_THAT(out_, HasSubstr("late@4\tchallenger\t10\n"));
  EXPECT_THAT(err_, HasSubstr("curl -s " + server_.url() +
                              "/api/v1/projects/default/endpoints/late:predict"));
}

TEST_F(CommandsTest, ChangesOfEndpointsAreGuardedByTheirEtag) {
  on("GET", "/endpoints/late",
     {200, std::string(kEndpointDocument), "application/json", "ETag: \"7\"\r\n"});
  for (const std::string verb : {"split", "promote", "rollback"}) {
    on("POST", "/endpoints/late:" + verb, {200, std::string(kEndpointDocument)});
  }
  EXPECT_EQ(run({"endpoint", "split", "late", "3=75", "@4=25.5"}), 0);
  const auto posts = server_.requests(in_project("POST", "/endpoints/late:split"));
  EXPECT_EQ(posts[0].headers.at("if-match"), "\"7\"");
  EXPECT_EQ(json_of(posts[0].body), json_of(R"({"weights":{"3":75.0,"4":25.5}})"));
  EXPECT_EQ(run({"endpoint", "promote", "late"}), 0);
  EXPECT_EQ(run({"endpoint", "rollback", "late"}), 0);
  EXPECT_EQ(run({"endpoint", "split", "late", "late@3=75", "later@3=25"}), 0);
  EXPECT_EQ(run({"endpoint", "split", "late", "three=75"}), 2);
  EXPECT_THAT(err_, HasSubstr("write VERSION=WEIGHT"));
  EXPECT_EQ(run({"endpoint", "show", "late"}), 0);
  EXPECT_THAT(out_, HasSubstr("requests\t12345\n"));
}

TEST_F(CommandsTest, EndpointsAreListedAndDeleted) {
  on("GET", "/endpoints", {200, "{\"endpoints\":[" + std::string(kEndpointDocument) + "]}"});
  EXPECT_EQ(run({"endpoint", "list"}), 0);
  EXPECT_THAT(out_,
              HasSubstr("late\tserving\tbinary\tlate@3 champion 90%, late@4 challenger 10%\t"));
  on("DELETE", "/endpoints/late", {204, ""});
  EXPECT_EQ(run({"--yes", "endpoint", "delete", "late"}), 0);
  EXPECT_EQ(run({"endpoint", "delete", "late"}), 2);
}

TEST_F(CommandsTest, PipelinesAreAppliedUnderTheirOwnName) {
  on("PUT", "/pipelines/line", {200, R"({"name":"line","warnings":["monitor is not run yet"]})"});
  const std::string yaml = "# a comment\npipeline: 'line'  # its name\ndataset: {name: d}\n";
  EXPECT_EQ(run({"pipeline", "apply", write_file("line.yaml", yaml)}), 0);
  const auto puts = server_.requests();
  EXPECT_EQ(puts[0].body, yaml);
  EXPECT_EQ(puts[0].headers.at("content-type"), "application/yaml");
  EXPECT_EQ(out_, "line\n");
  EXPECT_THAT(err_, HasSubstr("warning: monitor is not run yet"));
  EXPECT_EQ(run({"pipeline", "apply", write_file("bad.yaml", "dataset: x\n")}), 2);
  EXPECT_THAT(err_, HasSubstr("begin the file with a line `pipeline: NAME`"));
  EXPECT_EQ(run({"pipeline", "apply", "/no/such.yaml"}), 5);
}

// The server reads the YAML; what it cannot know is where the file lies.
TEST_F(CommandsTest, AServerOfThisMachineIsToldTheFolderOfAPipelineFile) {
  const std::string file = write_file("line.yaml", "pipeline: line\n");
  on("PUT", "/pipelines/line", {200, R"({"name":"line"})"});
  EXPECT_EQ(run({"pipeline", "apply", file}), 0);
  EXPECT_EQ(server_.requests().back().query, "");
  run_server_on_home();
  server_.on("GET /healthz", {200, "ok"});
  EXPECT_EQ(run({"pipeline", "apply", file}), 0);
  const SeenRequest put = server_.requests().back();
  EXPECT_EQ(put.query, "folder=" + encoded(folder_.path().string()));
  EXPECT_EQ(put.body, "pipeline: line\n");
}

TEST_F(CommandsTest, PipelinesRunAndTellTheirSteps) {
  on_job("/pipelines/line:run", R"({"steps":2})");
  on("GET", "/pipelines/line/history",
     {200, R"({"runs":[{"id":"r1","state":"succeeded","started_at":"2026-11-22T15:04:05Z",
              "steps":[{"step":"dataset","state":"skipped","reason":"nothing changed"},
              {"step":"train","state":"succeeded","seconds":61.2,"result":{"model":"m"}}]}]})"});
  EXPECT_EQ(run({"pipeline", "run", "line"}), 0);
  EXPECT_THAT(out_, HasSubstr("dataset\tskipped\t\tnothing changed\n"));
  EXPECT_THAT(out_, HasSubstr("train\tsucceeded\t61.2\tmodel m\n"));
  EXPECT_EQ(run({"pipeline", "history", "line"}), 0);
  EXPECT_THAT(out_, HasSubstr("r1\tsucceeded\t2026-11-22T15:04:05Z\t"
                              "dataset skipped (nothing changed), train succeeded\n"));
  on("GET", "/pipelines", {200, R"({"pipelines":[{"name":"line"}]})"});
  EXPECT_EQ(run({"pipeline", "list"}), 0);
  on("GET", "/pipelines/line", {200, R"({"name":"line","file":"pipeline: line\n"})"});
  EXPECT_EQ(run({"pipeline", "show", "line"}), 0);
  EXPECT_EQ(out_, "pipeline: line\n");
  on("DELETE", "/pipelines/line", {204, ""});
  EXPECT_EQ(run({"--yes", "pipeline", "delete", "line"}), 0);
}

TEST_F(CommandsTest, JobsAreShownAndTheirLogs) {
  on("GET", "/jobs/j1", {200, R"({"id":"j1","kind":"import","state":"failed","progress":0.5,
              "error":{"detail":"broken","remedy":"mend it"}})"});
  EXPECT_EQ(run({"job", "show", "j1"}), 0);
  EXPECT_THAT(out_, HasSubstr("error\tbroken\nremedy\tmend it\n"));
  on("GET", "/jobs/j1/log", {200, "line 1\nline 2\n", "text/plain"});
  EXPECT_EQ(run({"job", "log", "j1"}), 0);
  EXPECT_EQ(out_, "line 1\nline 2\n");
  on("POST", "/jobs/j1:cancel", {200, R"({"id":"j1","state":"running"})"});
  EXPECT_EQ(run({"job", "cancel", "j1"}), 0);
}

TEST_F(CommandsTest, StatusTellsWhatRuns) {
  run_server_on_home();
  server_.on("GET /api/v1/status",
             {200, R"({"version":"1.2.3","uptime_s":90,"home":"/h","http":"127.0.0.1:7040",
              "endpoints":2,"jobs":{"running":1,"queued":0},
              "disk":{"used_bytes":1024,"free_bytes":2048},"memory_bytes":4096})"});
  EXPECT_EQ(run({"status"}), 0);
  EXPECT_THAT(out_, HasSubstr("server\t127.0.0.1:7040\n"));
  EXPECT_THAT(out_, HasSubstr("endpoints\t2\n"));
}

TEST_F(CommandsTest, HelpIsPrintedOnStandardOutput) {
  EXPECT_EQ(run_bare({"train", "--help"}), 0);
  EXPECT_THAT(out_, HasSubstr("Examples:"));
  EXPECT_EQ(err_, "");
}

}  // namespace
}  // namespace cromford::cli
