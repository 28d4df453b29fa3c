// The handlers: what reaches the use cases, and what goes back.

#include "http/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/resources.h"
#include "http/fake_app.h"
#include "http/raw_client.h"
#include "http/server.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kProject = "/api/v1/projects/default";
constexpr std::string_view kId = "01hv3c9k2m8q4z7x5y6w1t0s9r";

// A stream of given events that then waits.
class GivenEvents final : public EventStream {
 public:
  explicit GivenEvents(std::vector<Event> events) : events_(std::move(events)) {}
  std::optional<Event> next() override {
    return at_ < events_.size() ? std::optional(events_[at_++]) : std::nullopt;
  }

 private:
  std::vector<Event> events_;
  size_t at_ = 0;
};

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() {
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.owner_token = "owner";
    options.spool_directory = directory_.path();
    options.access_log = AccessLog::kOff;
    auto router = api_router({app_, metrics_,
                              [this](std::string_view project, std::vector<std::string> topics,
                                     std::optional<uint64_t> after, const std::function<void()>&) {
                                opened_ = std::string(project);
                                topics_ = std::move(topics);
                                after_ = after;
                                return std::make_unique<GivenEvents>(
                                    std::vector<Event>{{8, "job", R"({"id":"x"})"}});
                              }});
    EXPECT_OK(router);
    auto server = Server::start(
        std::move(options), std::move(*router),
        {base::system_clock(), base::system_entropy(), base::system_files(), metrics_});
    EXPECT_OK(server);
    server_ = std::move(*server);
    client_ = std::make_unique<RawClient>(server_->port());
  }

  RawAnswer call(std::string_view method, std::string_view rest, std::string_view body = {},
                 std::string_view headers = {}) {
    const std::string target =
        rest.starts_with('/') && !rest.starts_with("/v2") && !rest.starts_with("/api")
            ? std::string(kProject) + std::string(rest)
            : std::string(rest);
    return client_->request(method, target, body, headers);
  }
  static base::Json json(const RawAnswer& answer) {
    auto parsed = base::parse_json(answer.body);
    EXPECT_OK(parsed);
    return parsed.ok() ? *parsed : base::Json();
  }

  testing::TempDir directory_;
  FakeApp app_;
  Metrics metrics_{api_routes()};
  std::string opened_;
  std::vector<std::string> topics_;
  std::optional<uint64_t> after_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<RawClient> client_;
};

struct Call {
  const char* method;
  std::string target;
  const char* body;
  int status;
  std::string noted;
};

TEST_F(ApiTest, EachRouteReachesItsUseCase) {
  const std::string id(kId);
  app_.download = {.path = directory_ / "d", .content_type = "text/csv", .file_name = "d.csv"};
  std::ofstream(directory_ / "d") << "x";
  const Call calls[] = {
      {"GET", "/datasets", "", 200, "list_datasets default"},
      {"GET", "/datasets/a", "", 200, "dataset default a"},
      {"DELETE", "/datasets/a", "", 204, "delete_dataset default a"},
      {"GET", "/datasets/a:diff?from=1&to=2", "", 200, "diff default a 1 2"},
      {"GET", "/datasets/a:diff?from=1", "", 200, "diff default a 1 latest"},
      {"GET", "/datasets/a/versions", "", 200, "list_dataset_versions default a"},
      {"GET", "/datasets/a/versions/latest", "", 200, "version default a latest"},
      {"GET", "/datasets/a/versions/3/rows", "", 200, "rows default a 3"},
      {"GET", "/datasets/a/versions/3/quarantine?limit=7", "", 200, "quarantine default a 3 7"},
      {"GET", "/datasets/a/versions/3/export?format=jsonl&where=x", "", 200,
       "export default a 3 jsonl x"},
      {"POST", "/runs", R"({"dataset":"a"})", 202, "start_run default"},
      {"GET", "/runs", "", 200, "list_runs default"},
      {"GET", "/runs/" + id, "", 200, "run default " + id},
      {"POST", "/runs/" + id + ":cancel", "", 200, "cancel_run default " + id},
      {"GET", "/models", "", 200, "list_models default"},
      {"GET", "/models/m", "", 200, "model default m"},
      {"DELETE", "/models/m", "", 204, "delete_model default m"},
      {"GET", "/models/m/versions", "", 200, "list_model_versions default m"},
      {"GET", "/models/m/versions/2", "", 200, "model_version default m 2"},
      {"GET", "/models/m/versions/2/card?format=md", "", 200, "card default m 2 md"},
      {"GET", "/models/m/versions/2/package", "", 200, "package default m 2"},
      {"POST", "/models/m/versions/2:evaluate", "{}", 202, "evaluate default m 2"},
      {"GET", "/endpoints", "", 200, "list_endpoints default"},
      {"GET", "/endpoints/e", "", 200, "endpoint default e"},
      {"PUT", "/endpoints/e", "{}", 200, "deploy default e"},
      {"DELETE", "/endpoints/e", "", 204, "delete_endpoint default e"},
      {"POST", "/endpoints/e:split", "{}", 200, "split default e"},
      {"POST", "/endpoints/e:promote", "{}", 200, "promote default e"},
      {"POST", "/endpoints/e:rollback", "", 200, "rollback default e"},
      {"POST", "/endpoints/e:check", "", 200, "check default e"},
      {"GET", "/endpoints/e/lifecycle", "", 200, "lifecycle default e"},
      {"GET", "/endpoints/e/evidence/ab", "", 200, "evidence default e ab"},
      {"POST", "/endpoints/e:retrain", "", 200, "retrain default e"},
      {"POST", "/endpoints/e:approve", "{}", 200, "approve default e"},
      {"POST", "/endpoints/e:reject", "{}", 200, "reject default e"},
      {"GET", "/endpoints/e/policy", "", 200, "policy default e"},
      {"PUT", "/endpoints/e/policy", "{}", 200, "put_policy default e"},
      {"GET", "/endpoints/e/monitor?from=2001-02-01&window=7d", "", 200,
       "monitor default e 2001-02-01  7d"},
      {"POST", "/endpoints/e:predict?unknown=ignore", "{}", 200, "predict default e ignore"},
      {"GET", "/alerts", "", 200, "list_alerts default"},
      {"GET", "/alerts/" + id, "", 200, "alert default " + id},
      {"POST", "/alerts/" + id + ":acknowledge", "", 200, "acknowledge default " + id},
      {"POST", "/alerts/" + id + ":silence", "{}", 200, "silence default " + id},
      {"GET", "/pipelines", "", 200, "list_pipelines default"},
      {"GET", "/pipelines/p", "", 200, "pipeline default p"},
      {"PUT", "/pipelines/p", "pipeline: p", 200, "apply default p"},
      {"DELETE", "/pipelines/p", "", 204, "delete_pipeline default p"},
      {"POST", "/pipelines/p:run", "", 202, "run_pipeline default p"},
      {"GET", "/pipelines/p/history", "", 200, "history default p"},
      {"GET", "/endpoints/e/log?from=2001-02-01&format=csv", "", 200,
       "log_of default e 2001-02-01  csv"},
      {"POST", "/endpoints/e:compact", "", 202, "compact default e"},
      {"POST", "/endpoints/e:outcomes", "{}", 200, "outcomes default e"},
      {"GET", "/endpoints/e/predictions/a%20b", "", 200, "prediction default e a b"},
      {"GET", "/jobs", "", 200, "list_jobs default"},
      {"GET", "/jobs/" + id, "", 200, "job default " + id},
      {"POST", "/jobs/" + id + ":cancel", "", 200, "cancel_job default " + id},
      {"GET", "/jobs/" + id + "/log", "", 200, "log default " + id},
      {"GET", "/jobs/" + id + "/file", "", 200, "job_file default " + id},
      {"GET", "/audit?object=endpoint/late&at=2026-01-01", "", 200, "list_audit default"},
      {"GET", "/audit/checkpoint", "", 200, "checkpoint newest"},
      {"GET", "/audit/checkpoint?from_size=7", "", 200, "checkpoint 7"},
      {"GET", "/audit/export", "", 200, "export_audit"},
      {"GET", "/audit/entries/" + id, "", 200, "audit_entry default " + id},
      {"GET", "/lineage?object=endpoint/late", "", 200, "lineage default endpoint/late"},
      {"GET", "/v2/models/e", "", 200, "metadata e "},
      {"GET", "/v2/models/e/ready", "", 200, "ready e "},
      {"POST", "/v2/models/e/infer", "{}", 200, "infer e "},
      {"GET", "/v2/models/e/versions/2", "", 200, "metadata e 2"},
      {"GET", "/v2/models/e/versions/2/ready", "", 200, "ready e 2"},
      {"POST", "/v2/models/e/versions/2/infer", "{}", 200, "infer e 2"},
  };
  for (const Call& one : calls) {
    app_.calls.clear();
    EXPECT_EQ(call(one.method, one.target, one.body).status, one.status) << one.target;
    EXPECT_THAT(app_.calls, ElementsAre(one.noted)) << one.target;
  }
  // The same calls, when the use case fails.
  app_.failure = base::not_found("there is no such thing");
  for (const Call& one : calls) {
    EXPECT_EQ(call(one.method, one.target, one.body).status, 404) << one.target;
  }
}

TEST_F(ApiTest, WhatIsWrongIsRefusedBeforeTheUseCase) {
  struct Wrong {
    const char* method;
    const char* target;
    const char* body;
    int status;
    const char* detail;
  };
  const Wrong wrongs[] = {
      {"GET", "/datasets/A", "", 400, "'A' cannot be the name of a dataset"},
      {"GET", "/endpoints/..%2f", "", 400, "'../' cannot be the name of an endpoint"},
      {"PUT", "/pipelines/p?folder=/x", "y", 403, "only the owner"},
      {"GET", "/api/v1/projects/-/datasets", "", 400, "-"},
      {"GET", "/datasets/a/versions/0", "", 400, "'0' is not a version"},
      {"GET", "/datasets/a/versions/01", "", 400, "'01' is not a version"},
      {"GET", "/datasets/a/versions/newest", "", 400, "'newest' is not a version"},
      {"GET", "/jobs/7", "", 400, "'7' is not an id"},
      {"GET", "/datasets?page_size=-1", "", 400, "'page_size' is '-1'"},
      {"GET", "/datasets?page_size=x", "", 400, "'page_size' is 'x'"},
      {"GET", "/datasets?fields=a,,b", "", 400, "'fields' has an empty name"},
      {"GET", "/datasets/a/versions/1/rows?limit=10001", "", 400, "'limit' is '10001'"},
      {"GET", "/datasets/a/versions/1/export?format=xls", "", 400, "'format' is 'xls'"},
      {"GET", "/datasets/a:diff", "", 400, "'from' is missing"},
      {"POST", "/runs", "", 400, "has no body"},
      {"POST", "/runs", "[]", 400, "no object"},
      {"POST", "/runs", "{", 400, "not JSON"},
      {"POST", "/pipelines/p:run", R"({"x":1})", 400, "takes no arguments, but the body has 'x'"},
      {"POST", "/endpoints/e:predict?unknown=x", "{}", 400, "neither 'ignore' nor 'refuse'"},
      {"POST", "/datasets/a/versions", "", 400, "the body is empty"},
      {"POST", "/models/m/versions", "", 400, "the body is empty"},
      {"POST", "/models/m/versions/1:score", "", 400, "the body is empty"},
      {"POST", "/datasets/a/versions?mode=merge", "x", 400, "'mode' is 'merge'"},
      {"POST", "/datasets/a/versions?format=xls", "x", 400, "'format' is 'xls'"},
      {"GET", "/events", "", 400, "'' is not a topic"},
      {"GET", "/events?topics=job", "", 400, "'job' is not a topic"},
      {"GET", "/events?topics=job/all", "", 400, "'job/all' is not a topic"},
      {"GET", "/events?topics=bogus/x", "", 400, "'bogus/x' is not a topic"},
      {"GET", "/events?topics=endpoint/e&after=x", "", 400, "'x' is not the id of an event"},
      {"GET", "/events?topics=job/0123456789012345678901234567890123456789012345678901234567890123",
       "", 400, "is not a topic"},
  };
  for (const Wrong& wrong : wrongs) {
    const RawAnswer answer = call(wrong.method, wrong.target, wrong.body);
    EXPECT_EQ(answer.status, wrong.status) << wrong.target;
    EXPECT_THAT(json(answer).value("detail", ""), HasSubstr(wrong.detail)) << wrong.target;
    const std::string told = json(answer).value("detail", "");
    const bool asks_for_remedy = told.find("not JSON") == std::string::npos;
    EXPECT_TRUE(!asks_for_remedy || json(answer).contains("remedy")) << wrong.target;
  }
  EXPECT_TRUE(app_.calls.empty());
}

TEST_F(ApiTest, ListParametersAreRead) {
  call("GET",
       "/runs?page_size=5000&page_token=t&filter=state%3Da&order_by=name+desc&fields=id,+state");
  EXPECT_EQ(app_.list.page_size, 1000);
  EXPECT_EQ(app_.list.page_token, "t");
  EXPECT_EQ(app_.list.filter, "state=a");
  EXPECT_EQ(app_.list.order_by, "name desc");
  EXPECT_THAT(app_.list.fields, ElementsAre("id", "state"));
  call("GET", "/runs");
  EXPECT_EQ(app_.list.page_size, 50);
}

TEST_F(ApiTest, TheLimitsAreThoseOfTheApp) {
  app_.bounds.page_size = 7;
  app_.bounds.page_size_max = 9;
  app_.bounds.event_topics = 1;
  app_.bounds.preview_rows = 3;
  call("GET", "/runs");
  EXPECT_EQ(app_.list.page_size, 7);
  call("GET", "/runs?page_size=10");
  EXPECT_EQ(app_.list.page_size, 9);
  EXPECT_THAT(json(call("GET", "/events?topics=endpoint/a,endpoint/b")).value("detail", ""),
              HasSubstr("a stream may have 1 topics, not 2"));
  EXPECT_EQ(call("GET", "/datasets/d/versions/1/rows?limit=4").status, 400);
}

TEST_F(ApiTest, ListsRefuseFieldsThatTheyDoNotHave) {
  const RawAnswer fields = call("GET", "/datasets?fields=name,row_cuont");
  EXPECT_EQ(fields.status, 400);
  EXPECT_EQ(json(fields).value("detail", ""),
            "fields: there is no field 'row_cuont' (did you mean 'row_count'?)");
  const RawAnswer order = call("GET", "/jobs?order_by=state,nosuch+desc");
  EXPECT_EQ(order.status, 400);
  EXPECT_THAT(json(order).value("detail", ""), HasSubstr("order_by: there is no field 'nosuch'"));
  // Neither a slip nor what is stored and not shown; also where only some fields are asked for.
  const RawAnswer filter = call("GET", "/datasets?filter=name:a+AND+row_cuont%3E1");
  EXPECT_EQ(filter.status, 400);
  EXPECT_EQ(json(filter).value("detail", ""),
            "filter: there is no field 'row_cuont' (did you mean 'row_count'?)");
  for (const char* const hidden :
       {"/jobs?filter=payload.url:signature", "/jobs?order_by=payload.url&fields=id"}) {
    EXPECT_EQ(call("GET", hidden).status, 400) << hidden;
  }
  for (const char* const good : {"/runs?filter=metrics.auc.value%3E0.7+AND+state=succeeded",
                                 "/runs?order_by=metrics.auc.value+desc,created_at",
                                 "/endpoints?fields=name,+state", "/models?order_by=updated_at"}) {
    EXPECT_EQ(call("GET", good).status, 200) << good;
  }
}

TEST_F(ApiTest, AJobIsAcceptedWithItsLocation) {
  const RawAnswer answer = call("POST", "/runs", "{}");
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(answer.headers.at("location"), std::string(kProject) + "/jobs/" + std::string(kId));
}

TEST_F(ApiTest, AStreamedImportHandsItsFileOver) {
  const RawAnswer answer =
      call("POST",
           "/datasets/a/versions?mode=append&query=select+1&format=csv&key=a,+b&"
           "source_name=x.csv&checks=%5B%7B%7D%5D",
           "a,b\n1,2\n", "Content-Type: text/csv\r\n");
  EXPECT_EQ(answer.status, 202);
  EXPECT_TRUE(app_.import.append);
  EXPECT_EQ(app_.import.query, "select 1");
  EXPECT_EQ(app_.import.format, "csv");
  EXPECT_THAT(app_.import.key, ElementsAre("a", "b"));
  EXPECT_EQ(app_.import.source_name, "x.csv");
  EXPECT_EQ(app_.import.checks_text, "[{}]");
  EXPECT_EQ(*base::system_files().read(app_.import.spooled_file), "a,b\n1,2\n");
  EXPECT_FALSE(app_.caller.owner);
  EXPECT_EQ(app_.caller.request_id, answer.headers.at("x-request-id"));
}

TEST_F(ApiTest, ARefusedImportLeavesNoFile) {
  app_.failure = base::not_found("no project");
  EXPECT_EQ(call("POST", "/datasets/a/versions", "a\n1\n").status, 404);
  EXPECT_FALSE(std::filesystem::exists(app_.import.spooled_file));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(ApiTest, OnlyTheOwnerMayNameFiles) {
  const std::string type = "Content-Type: application/vnd.cromford.import+json\r\n";
  const std::string body = R"({"source":{"file":"/data/x.csv"},"mode":"append","key":["a"],)"
                           R"("query":"q","format":"csv","checks":[{"column":"a"}]})";
  const RawAnswer refused = call("POST", "/datasets/a/versions", body, type);
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(json(refused)["detail"].get<std::string>(), HasSubstr("only the owner"));
  EXPECT_EQ(
      call("POST", "/datasets/a/versions", body, type + "Authorization: Bearer owner\r\n").status,
      202);
  EXPECT_THAT(app_.import.files, ElementsAre("/data/x.csv"));
  EXPECT_TRUE(app_.import.append);
  EXPECT_THAT(app_.import.key, ElementsAre("a"));
  EXPECT_EQ(app_.import.checks_json, R"([{"column":"a"}])");
  EXPECT_TRUE(app_.import.spooled_file.empty());
  EXPECT_TRUE(app_.caller.owner);
  EXPECT_EQ(
      call("POST", "/datasets/a/versions",
           R"({"source":{"url":"https://x/y"},"checks":"- {column: a, not_null: true}"})", type)
          .status,
      202);
  EXPECT_EQ(app_.import.url, "https://x/y");
  EXPECT_EQ(app_.import.checks_text, "- {column: a, not_null: true}");
}

TEST_F(ApiTest, ADescriptionOfSourcesIsReadStrictly) {
  const std::pair<const char*, const char*> cases[] = {
      {"{}", "names no source"},
      {R"({"source":7})", "names no source"},
      {R"({"source":{}})", "exactly one"},
      {R"({"source":{"url":"a","file":"b"}})", "exactly one"},
      {R"({"source":{"url":""}})", "source is empty"},
      {R"({"source":{"url":7}})", "'url' must be text"},
      {R"({"source":{"files":"x"}})", "'files' must be an array"},
      {R"({"source":{"files":[7]}})", "'files' must be an array"},
      {R"({"source":{"uri":"x"}})", "did you mean 'url'"},
      {R"({"source":{"url":"x"},"querry":"q"})", "did you mean 'query'"},
      {R"({"source":{"url":"x"},"mode":"merge"})", "the mode is 'merge'"},
      {R"({"source":{"url":"x"},"checks":{}})", "'checks' must be an array"},
  };
  for (const auto& [body, detail] : cases) {
    const RawAnswer answer = call("POST", "/datasets/a/versions", body,
                                  "Content-Type: application/vnd.cromford.import+json\r\n");
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_THAT(json(answer)["detail"].get<std::string>(), HasSubstr(detail)) << body;
  }
}

TEST_F(ApiTest, OutcomesComeAsAFileToo) {
  EXPECT_EQ(call("POST", "/endpoints/e/outcomes?format=csv&source_name=o.csv", "id,value\na,1\n",
                 "Content-Type: text/csv\r\n")
                .status,
            202);
  EXPECT_EQ(app_.calls.back(), "start_outcomes default e csv o.csv");
  EXPECT_FALSE(app_.import.spooled_file.empty());
  const RawAnswer empty = call("POST", "/endpoints/e/outcomes", "");
  EXPECT_EQ(empty.status, 400);
  EXPECT_THAT(empty.body, HasSubstr("id, value"));
}

TEST_F(ApiTest, ScoringTakesRowsOrADescription) {
  EXPECT_EQ(call("POST", "/models/m/versions/2:score?explain=3&format=parquet", "a\n1\n",
                 "Content-Type: text/csv\r\n")
                .status,
            202);
  EXPECT_EQ(app_.body, (base::Json{{"explain", 3}, {"format", "parquet"}}));
  EXPECT_EQ(*base::system_files().read(app_.import.spooled_file), "a\n1\n");
  EXPECT_EQ(call("POST", "/models/m/versions/2:score", R"({"dataset":"a"})",
                 "Content-Type: application/json\r\n")
                .status,
            202);
  EXPECT_EQ(app_.body, (base::Json{{"dataset", "a"}}));
  EXPECT_TRUE(app_.import.spooled_file.empty());
}

TEST_F(ApiTest, AnImportedModelIsCreated) {
  const RawAnswer answer = call("POST", "/models/m/versions", "package");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.headers.at("location"), std::string(kProject) + "/models/m/versions/4");
  EXPECT_FALSE(std::filesystem::exists(app_.import.spooled_file));
}

TEST_F(ApiTest, ARefusedPackageIsCalledByItsOwnName) {
  app_.failure = base::invalid("the package is damaged", "copy it again");
  const RawAnswer answer = call("POST", "/models/m/versions?source_name=bad.cromford", "package");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(json(answer).value("detail", ""), "bad.cromford: the package is damaged");
  EXPECT_EQ(json(answer).value("remedy", ""), "copy it again");
}

TEST_F(ApiTest, OnlyRowsMayComeCompressed) {
  const std::string gzip("\x1f\x8b\x08\x00", 4);
  EXPECT_EQ(call("POST", "/models/m/versions", gzip, "Content-Encoding: gzip\r\n").status, 415);
  EXPECT_EQ(call("POST", "/datasets/a/versions", gzip, "Content-Encoding: gzip\r\n").status, 202);
  EXPECT_EQ(call("POST", "/models/m/versions/1:score", gzip, "Content-Encoding: gzip\r\n").status,
            202);
}

TEST_F(ApiTest, TheFolderOfAPipelineFileIsHandedOn) {
  EXPECT_EQ(call("PUT", "/pipelines/p?folder=/a+b", "pipeline: p",
                 "Content-Type: application/yaml\r\nAuthorization: Bearer owner\r\n")
                .status,
            200);
  EXPECT_EQ(app_.folder, "/a b");
  const RawAnswer answer =
      call("PUT", "/pipelines/p?folder=a", "pipeline: p",
           "Content-Type: application/yaml\r\nAuthorization: Bearer owner\r\n");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(json(answer).value("detail", ""), HasSubstr("'a' is not absolute"));
}

TEST_F(ApiTest, TheLastEventIdOfTheHeaderDoesNotHideAWrongOneOfTheTarget) {
  const RawAnswer answer =
      call("GET", "/events?topics=endpoint/e&after=-1", "", "Last-Event-ID: 7\r\n");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(json(answer).value("detail", ""), HasSubstr("'-1' is not the id of an event"));
}

TEST_F(ApiTest, EntityTagsTravelBothWays) {
  EXPECT_EQ(call("GET", "/endpoints/e").headers.at("etag"), "\"7\"");
  EXPECT_EQ(call("GET", "/endpoints/e", "", "If-None-Match: \"7\"\r\n").status, 304);
  call("POST", "/endpoints/e:promote", "", "If-Match: \"7\"\r\n");
  EXPECT_EQ(app_.if_match, "\"7\"");
  call("POST", "/endpoints/e:promote");
  EXPECT_EQ(app_.if_match, std::nullopt);
  for (const char* bad : {"7", "W/\"7\"", "\"7\", \"8\"", "\"", "\"a b\"", "\"\xc3\xa9\""}) {
    const RawAnswer answer =
        call("POST", "/endpoints/e:promote", "", std::string("If-Match: ") + bad + "\r\n");
    EXPECT_EQ(answer.status, 400) << bad;
  }
}

TEST_F(ApiTest, StaleAndMissingTagsHaveTheirStatus) {
  store::Document document;
  document.key = {"default", "endpoint", "e"};
  document.revision = 8;
  for (const char* target :
       {"/endpoints/e:split", "/endpoints/e:promote", "/endpoints/e:rollback"}) {
    app_.failure = app::check_etag(document, "\"7\"", app::EtagRule::kRequired);
    const RawAnswer stale = call("POST", target, "{}", "If-Match: \"7\"\r\n");
    EXPECT_EQ(stale.status, 412) << target;
    EXPECT_EQ(json(stale).value("code", ""), "ABORTED") << target;
    app_.failure = app::check_etag(document, std::nullopt, app::EtagRule::kRequired);
    EXPECT_EQ(call("POST", target, "{}").status, 428) << target;
  }
}

TEST_F(ApiTest, FilesAreDownloadedUnderTheirName) {
  std::ofstream(directory_ / "export") << "a\n1\n";
  app_.download = {.path = directory_ / "export",
                   .content_type = "text/csv",
                   .file_name = "a\"b\r\n@1.csv",
                   .temporary = true};
  const RawAnswer answer = call("GET", "/datasets/a/versions/1/export");
  EXPECT_EQ(answer.body, "a\n1\n");
  EXPECT_EQ(answer.headers.at("content-type"), "text/csv");
  EXPECT_EQ(answer.headers.at("content-disposition"), "attachment; filename=\"a_b__@1.csv\"");
  EXPECT_FALSE(std::filesystem::exists(directory_ / "export"));
}

TEST_F(ApiTest, CardsComeInThreeForms) {
  EXPECT_EQ(call("GET", "/models/m/versions/1/card").headers.at("content-type"),
            "application/json");
  EXPECT_EQ(call("GET", "/models/m/versions/1/card?format=md").headers.at("content-type"),
            "text/markdown; charset=utf-8");
  const RawAnswer page = call("GET", "/models/m/versions/1/card?format=html");
  EXPECT_EQ(page.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_THAT(page.headers.at("content-security-policy"), HasSubstr("style-src 'unsafe-inline'"));
}

TEST_F(ApiTest, EventsAreStreamed) {
  client_->send("GET " + std::string(kProject) +
                "/events?topics=job/01hv3c9k2m8q4z7x5y6w1t0s9r,endpoint/late&after=3 HTTP/1.1\r\n"
                "Host: localhost\r\nLast-Event-ID: 7\r\n\r\n");
  const RawAnswer head = client_->read_head();
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-type"), "text/event-stream");
  EXPECT_EQ(client_->read_until("\"x\"}\n\n"),
            "retry: 2000\n\nid: 8\nevent: job\ndata: {\"id\":\"x\"}\n\n");
  EXPECT_EQ(opened_, "default");
  EXPECT_THAT(topics_, ElementsAre("job/01hv3c9k2m8q4z7x5y6w1t0s9r", "endpoint/late"));
  EXPECT_EQ(after_, 7U);
}

TEST_F(ApiTest, TheServerTellsOfItself) {
  EXPECT_EQ(json(call("GET", "/api/v1/status"))["version"], "0.1.0");
  EXPECT_EQ(json(call("GET", "/status"))["version"], "0.1.0");
  EXPECT_EQ(json(call("GET", "/api/v1/openapi.json"))["openapi"], "3.1.0");
  EXPECT_EQ(client_->request("GET", "/healthz").body, "ok\n");
  EXPECT_EQ(client_->request("GET", "/readyz").body, "ready\n");
  EXPECT_EQ(json(call("GET", "/v2"))["name"], "cromford");
  EXPECT_EQ(json(call("GET", "/v2/health/live"))["live"], true);
  EXPECT_EQ(json(call("GET", "/v2/health/ready"))["ready"], true);
  const std::string figures = client_->request("GET", "/metrics").body;
  EXPECT_THAT(figures, HasSubstr("cromford_jobs{state=\"running\"} 1"));
  EXPECT_THAT(figures,
              HasSubstr("cromford_http_requests_total{operation=\"get_status\",status=\"2xx\"} 1"));
  EXPECT_THAT(figures, HasSubstr("cromford_http_connections 1"));
}

TEST_F(ApiTest, AServerThatIsNotReadySaysWhy) {
  app_.readiness = base::unavailable("the store is being opened");
  EXPECT_EQ(client_->request("GET", "/readyz").status, 503);
  EXPECT_THAT(json(call("GET", "/v2/health/ready"))["error"].get<std::string>(),
              HasSubstr("the store is being opened"));
  EXPECT_EQ(call("GET", "/v2/models/e/ready").status, 503);
}

TEST_F(ApiTest, BinaryTensorsAreNotUnderstood) {
  const RawAnswer answer =
      call("POST", "/v2/models/e/infer", "{}", "Inference-Header-Content-Length: 2\r\n");
  EXPECT_EQ(answer.status, 501);
  EXPECT_THAT(json(answer)["error"].get<std::string>(), HasSubstr("as JSON"));
}

TEST_F(ApiTest, APredictionThatTakesLongIsAskedAgainElsewhere) {
  const std::string body = R"({"rows":["too long"]})";  // As FakeApp sees it.
  const RawAnswer answer = call("POST", "/endpoints/e:predict", body);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(app_.asked, 2);
  EXPECT_EQ(app_.seen, body);
  EXPECT_EQ(call("POST", "/endpoints/e:predict", R"({"rows":[]})").status, 200);
  EXPECT_EQ(app_.asked, 3);
}

TEST_F(ApiTest, ALargePredictionLeavesTheLoop) {
  const std::string body = "{\"rows\":[" + std::string(100'000, ' ') + "]}";
  EXPECT_EQ(call("POST", "/endpoints/e:predict", body).status, 200);
  EXPECT_EQ(app_.seen, body);
}

}  // namespace
}  // namespace cromford::http
