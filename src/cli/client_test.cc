#include "cli/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/status.h"
#include "cli/scripted_server.h"
#include "testing/status_matchers.h"

namespace cromford::cli {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

TEST(ClientTest, OneConnectionServesManyRequests) {
  ScriptedServer server;
  server.on("GET /a", {200, R"({"a":1})"});
  Client client({.url = server.url()});
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK_AND_ASSIGN(const base::Json document, client.get("/a"));
    EXPECT_EQ(document["a"], 1);
  }
  for (const SeenRequest& request : server.requests()) {
    EXPECT_EQ(request.connection, 0);
  }
}

TEST(ClientTest, MethodsDoNotLeakFromOneRequestToTheNext) {
  ScriptedServer server;
  server.on("PUT /a", {200, "{}"});
  server.on("GET /a", {200, "{}"});
  server.on("DELETE /a", {204, ""});
  Client client({.url = server.url()});
  EXPECT_OK(
      client.send({.method = "PUT", .path = "/a", .body = "x", .content_type = "text/plain"}));
  EXPECT_OK(client.send({.path = "/a"}));
  EXPECT_OK(client.send({.method = "DELETE", .path = "/a"}));
  const auto requests = server.requests();
  EXPECT_EQ(requests[0].body, "x");
  EXPECT_EQ(requests[1].method, "GET");
  EXPECT_EQ(requests[1].body, "");
  EXPECT_EQ(requests[2].method, "DELETE");
}

TEST(ClientTest, AnswersGoToTheSinkAndErrorsDoNot) {
  ScriptedServer server;
  server.on("GET /good", {200, std::string(100'000, 'x')});
  server.on("GET /bad", {404, R"({"status":404,"code":"NOT_FOUND","detail":"no"})"});
  Client client({.url = server.url()});
  std::string got;
  const auto sink = [&](std::string_view piece) {
    got += piece;
    return true;
  };
  EXPECT_OK(client.send({.path = "/good", .sink = sink}));
  EXPECT_EQ(got.size(), 100'000U);
  EXPECT_THAT(client.send({.path = "/bad", .sink = sink}),
              StatusIs(absl::StatusCode::kNotFound, "no"));
  EXPECT_EQ(got.size(), 100'000U);
  EXPECT_THAT(client.send({.path = "/good", .sink = [](std::string_view) { return false; }}),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("could not be written")));
}

TEST(ClientTest, UploadsTellTheirLengthWhereItIsKnown) {
  ScriptedServer server;
  server.on("POST /u", {200, "{}"});
  Client client({.url = server.url()});
  std::istringstream known("hello");
  EXPECT_OK(client.send({.method = "POST", .path = "/u", .upload = &known, .upload_bytes = 5}));
  std::istringstream unknown("hello again");
  EXPECT_OK(client.send({.method = "POST", .path = "/u", .upload = &unknown}));
  const auto requests = server.requests();
  EXPECT_EQ(requests[0].headers.at("content-length"), "5");
  EXPECT_EQ(requests[0].body, "hello");
  EXPECT_EQ(requests[1].body, "hello again");
}

TEST(ClientTest, AnAnswerThatIsNoJsonIsDamage) {
  ScriptedServer server;
  server.on("GET /a", {200, "<html>"});
  Client client({.url = server.url()});
  EXPECT_THAT(client.get("/a"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("/a cannot be read")));
}

TEST(ClientTest, ASecondInterruptEndsATransfer) {
  ScriptedServer server;
  const std::atomic<int> interrupts = 2;
  Client client({.url = server.url(), .interrupts = &interrupts});
  EXPECT_THAT(client.send({.path = "/healthz"}),
              StatusIs(absl::StatusCode::kCancelled, "interrupted"));
}

TEST(ClientTest, PathsAndQueriesAreEncoded) {
  ScriptedServer server;
  server.on("GET /a", {200, "{}"});
  Client client({.url = server.url()});
  EXPECT_OK(client.get("/a", {{"q", "x = 'ä' & y"}, {"empty", ""}}));
  EXPECT_EQ(server.requests()[0].query, "q=x%20%3D%20%27%C3%A4%27%20%26%20y");
  EXPECT_EQ(encoded("a/b"), "a%2Fb");
}

}  // namespace
}  // namespace cromford::cli
