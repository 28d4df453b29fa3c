#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "http/raw_client.h"
#include "http/test_server.h"
#include "nlohmann/json.hpp"
#include "testing/status_matchers.h"

namespace cromford::http {
namespace {

using cromford::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ServerTest, AnswersAGet) {
  TestServer server;
  RawClient client(server.port());
  const RawAnswer answer = client.request("GET", "/hello/w%C3%B6rld?greeting=good+day");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "good day w\xc3\xb6rld");
  EXPECT_EQ(answer.headers.at("content-type"), "text/plain");
  EXPECT_EQ(answer.headers.at("etag"), "\"v1\"");
  EXPECT_EQ(answer.headers.at("date"), "Thu, 01 Jan 2026 00:00:00 GMT");
  EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff");
  EXPECT_EQ(answer.headers.count("access-control-allow-origin"), 0U);
  EXPECT_EQ(answer.headers.at("x-request-id").size(), 26U);
}

TEST(ServerTest, OneConnectionServesManyRequests) {
  TestServer server;
  RawClient client(server.port());
  for (int i = 0; i < 100; ++i) {
    const std::string body = "request " + std::to_string(i);
    EXPECT_EQ(client.request("POST", "/echo", body).body, body);
  }
}

TEST(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  TestServer server;
  RawClient client(server.port());
  std::string all;
  for (int i = 0; i < 20; ++i) {
    const std::string body = std::to_string(i);
    all +=
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
  }
  client.send(all);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.read().body, std::to_string(i));
  }
}

TEST(ServerTest, ARequestMayComeByteByByte) {
  TestServer server;
  RawClient client(server.port());
  for (const char c : std::string("\r\nPOST /echo HTTP/1.1\r\nHost: localhost\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n"
                                  "3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n")) {
    client.send(std::string_view(&c, 1));
  }
  EXPECT_EQ(client.read().body, "abcdefg");
  EXPECT_EQ(client.request("POST", "/echo", "again").body, "again");
}

TEST(ServerTest, LargeBodiesArriveWhole) {
  TestServer server;
  RawClient client(server.port());
  std::string body(1 << 20, 'x');
  body[77777] = 'y';
  EXPECT_EQ(client.request("POST", "/echo", body).body, body);
  EXPECT_EQ(client.request("POST", "/echo", "small").body, "small");
}

TEST(ServerTest, HeadSendsTheHeaderOfGet) {
  TestServer server;
  RawClient client(server.port());
  const RawAnswer answer = client.request("HEAD", "/hello/you");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-length"), "9");
  EXPECT_EQ(client.request("GET", "/hello/you").body, "hello you");
}

TEST(ServerTest, AnUnchangedResourceIsNotSentAgain) {
  TestServer server;
  RawClient client(server.port());
  for (const char* tags : {"\"v1\"", "W/\"v1\"", "\"a\", \"v1\"", "*"}) {
    const RawAnswer answer =
        client.request("GET", "/hello/you", "", std::string("If-None-Match: ") + tags + "\r\n");
    EXPECT_EQ(answer.status, 304) << tags;
    EXPECT_EQ(answer.headers.count("content-length"), 0U);
  }
  EXPECT_EQ(client.request("GET", "/hello/you", "", "If-None-Match: \"v2\"\r\n").status, 200);
}

TEST(ServerTest, RequestIdsAreKeptWhenTameAndMadeOtherwise) {
  TestServer server;
  RawClient client(server.port());
  EXPECT_EQ(
      client.request("GET", "/hello/you", "", "X-Request-Id: abc-1\r\n").headers.at("x-request-id"),
      "abc-1");
  EXPECT_EQ(client.request("GET", "/hello/you", "", "X-Request-Id: a b\"\r\n")
                .headers.at("x-request-id")
                .size(),
            26U);
}

TEST(ServerTest, Http10ConnectionsCloseUnlessAskedToStay) {
  TestServer server;
  RawClient client(server.port());
  client.send("GET /hello/you HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client.read().headers.at("connection"), "keep-alive");
  client.send("GET /hello/you HTTP/1.0\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.read().headers.at("connection"), "close");
  EXPECT_EQ(client.read().status, 0);
}

struct BadRequest {
  const char* name;
  std::string text;
  int status;
  const char* detail;
};

class BadRequestTest : public ::testing::TestWithParam<BadRequest> {};

TEST_P(BadRequestTest, IsToldWhatIsWrong) {
  ServerOptions options;
  options.limits.header_bytes = 2048;
  options.limits.uri_bytes = 512;
  TestServer server(options);
  RawClient client(server.port());
  client.send(GetParam().text);
  const RawAnswer answer = client.read();
  EXPECT_EQ(answer.status, GetParam().status);
  ASSERT_OK_AND_ASSIGN(const base::Json problem, base::parse_json(answer.body));
  EXPECT_THAT(problem["detail"].get<std::string>(), HasSubstr(GetParam().detail));
  EXPECT_EQ(problem["status"], answer.status);
  EXPECT_EQ(problem["request_id"], answer.headers.at("x-request-id"));
  EXPECT_EQ(answer.headers.at("content-type"), "application/problem+json");
}

std::string get(const std::string& target, const std::string& headers = "Host: localhost\r\n") {
  return "GET " + target + " HTTP/1.1\r\n" + headers + "\r\n";
}
std::string post(const std::string& target, const std::string& headers,
                 const std::string& body = "") {
  return "POST " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body;
}

INSTANTIATE_TEST_SUITE_P(
    All, BadRequestTest,
    ::testing::Values(
        BadRequest{"Garbage", "\x16\x03\x01\r\n\r\n", 400, "is not HTTP/1.1"},
        BadRequest{"Version", "GET / HTTP/2.0\r\n\r\n", 400, "is not HTTP/1.1"},
        BadRequest{"LongHeader", get("/", "X: " + std::string(4000, 'x') + "\r\n"), 431,
                   "header of the request is longer than 2.0 KiB"},
        BadRequest{"LongTarget", get("/" + std::string(600, 'x')), 414, "longer than 512 B"},
        BadRequest{"TwoLengths", post("/echo", "Content-Length: 1\r\nContent-Length: 2\r\n", "ab"),
                   400, "is not HTTP/1.1"},
        BadRequest{"LengthAndChunks",
                   post("/echo", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "a"), 400,
                   "is not HTTP/1.1"},
        BadRequest{"Coding", post("/echo", "Transfer-Encoding: gzip, chunked\r\n"), 501,
                   "Transfer-Encoding"},
        BadRequest{"OldCoding",
                   "POST /echo HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
                   400, "HTTP/1.0"},
        BadRequest{"BadChunk", post("/echo", "Transfer-Encoding: chunked\r\n", "zz\r\n\r\n"), 400,
                   "is not HTTP/1.1"},
        BadRequest{"LongChunks",
                   post("/things", "Transfer-Encoding: chunked\r\n",
                        "800\r\n" + std::string(2048, 'x') + "\r\n0\r\n\r\n"),
                   413, "longer than 1.0 KiB"},
        BadRequest{"Target", get("/%zz"), 400, "hexadecimal"},
        BadRequest{"NoHost", get("/hello/you", ""), 400, "no Host"},
        BadRequest{"TwoHosts", get("/hello/you", "Host: localhost\r\nHost: localhost\r\n"), 400,
                   "two Host"},
        BadRequest{"OtherHost", get("/hello/you", "Host: evil.example\r\n"), 403,
                   "not called 'evil.example'"},
        BadRequest{"OtherAuthority", get("http://evil.example/hello/you"), 403,
                   "not called 'evil.example'"},
        BadRequest{"CrossSite", post("/work", "Origin: http://evil.example\r\n"), 403,
                   "another site"},
        BadRequest{"CrossSiteFetch", post("/work", "Sec-Fetch-Site: cross-site\r\n"), 403,
                   "another site"},
        BadRequest{"CrossSiteImage",
                   get("/hello/you",
                       "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n"
                       "Sec-Fetch-Mode: no-cors\r\n"),
                   403, "another site"},
        BadRequest{"NoPath", get("/nothing"), 404, "nothing at /nothing"},
        BadRequest{"TrailingSlash", get("/hello/you/"), 404, "nothing at"},
        BadRequest{"Method", get("/echo"), 405, "/echo has no method GET"},
        BadRequest{"OddMethod", "BREW /echo HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "BREW"},
        BadRequest{"Query", get("/hello/you?page_sise=1"), 400, "did you mean 'page_size'"},
        BadRequest{"QueryTwice", get("/hello/you?page_size=1&page_size=2"), 400, "stands twice"},
        BadRequest{"BodyOfGet", get("/hello/you", "Host: localhost\r\nContent-Length: 1\r\n") + "x",
                   400, "takes no body"},
        BadRequest{"MediaType",
                   post("/echo", "Content-Type: text/html\r\nContent-Length: 1\r\n", "x"), 415,
                   "text/html"},
        BadRequest{"Compressed",
                   post("/echo", "Content-Encoding: gzip\r\nContent-Length: 1\r\n", "x"), 415,
                   "Content-Encoding 'gzip'"},
        BadRequest{"LongBody", post("/things", "Content-Length: 1025\r\n"), 413,
                   "longer than 1.0 KiB"},
        BadRequest{"Expectation", post("/echo", "Expect: tea\r\nContent-Length: 1\r\n", "x"), 417,
                   "100-continue"},
        BadRequest{"WrongToken",
                   get("/hello/you", "Host: localhost\r\nAuthorization: Bearer x\r\n"), 401,
                   "token is wrong"}),
    [](const auto& bad) { return bad.param.name; });

TEST(ServerTest, ARefusedRequestLeavesTheConnectionUsable) {
  TestServer server;
  RawClient client(server.port());
  EXPECT_EQ(client.request("POST", "/nothing", "some body").status, 404);
  const RawAnswer wrong_method = client.request("DELETE", "/hello/you");
  EXPECT_EQ(wrong_method.status, 405);
  EXPECT_EQ(wrong_method.headers.at("allow"), "GET, HEAD");
  EXPECT_EQ(client.request("GET", "/hello/you").status, 200);
}

TEST(ServerTest, ABodyThatIsRefusedUnreadEndsTheConnectionWithItsAnswerIntact) {
  TestServer server;
  RawClient client(server.port());
  client.send(post("/things", "Content-Length: 100000000\r\n"));
  const std::string megabyte(1 << 20, 'x');
  for (int i = 0; i < 10 && client.send(megabyte); ++i) {
  }
  const RawAnswer answer = client.read();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.headers.at("connection"), "close");
}

TEST(ServerTest, TheOpenInferenceRoutesHaveTheirOwnErrors) {
  TestServer server;
  RawClient client(server.port());
  const RawAnswer answer = client.request("POST", "/v2/echo", std::string(17, 'x'));
  EXPECT_EQ(answer.status, 413);
  ASSERT_OK_AND_ASSIGN(const base::Json error, base::parse_json(answer.body));
  EXPECT_EQ(error.size(), 1U);
  EXPECT_THAT(error["error"].get<std::string>(), HasSubstr("longer than 16 B"));
}

TEST(ServerTest, UnknownPathsAreAnsweredAsTheirNeighboursAre) {
  TestServer server;
  RawClient client(server.port());
  for (const char* const target : {"/v2/nosuch", "/v2/echo/more"}) {
    const RawAnswer answer = client.request("GET", target);
    EXPECT_EQ(answer.status, 404);
    ASSERT_OK_AND_ASSIGN(const base::Json error, base::parse_json(answer.body));
    EXPECT_EQ(error.size(), 1U) << target;
    EXPECT_TRUE(error.contains("error")) << target;
  }
  const RawAnswer answer = client.request("GET", "/v22");
  EXPECT_EQ(answer.headers.at("content-type"), "application/problem+json");
}

TEST(ServerTest, TheAbsoluteFormIsUnderstood) {
  TestServer server;
  RawClient client(server.port());
  EXPECT_EQ(client.request("GET", "http://127.0.0.1:7040/hello/you").status, 200);
}

TEST(ServerTest, WaitsForTheBodyThatAClientAnnounces) {
  TestServer server;
  RawClient client(server.port());
  client.send(post("/echo", "Expect: 100-continue\r\nContent-Length: 3\r\n"));
  EXPECT_EQ(client.read().status, 100);
  client.send("abc");
  EXPECT_EQ(client.read().body, "abc");
  client.send(post("/things", "Expect: 100-continue\r\nContent-Length: 3000\r\n"));
  EXPECT_EQ(client.read().status, 413);  // Without having asked for the body.
}

TEST(ServerTest, ASlowHeaderAndASlowBodyAreGivenUp) {
  TestServer server;
  RawClient slow_header(server.port());
  RawClient slow_body(server.port());
  RawClient idle(server.port());
  slow_header.send("GET /hello/you HTTP/1.1\r\nHo");
  slow_body.send(post("/echo", "Expect: 100-continue\r\nContent-Length: 3\r\n"));
  EXPECT_EQ(slow_body.read().status, 100);
  EXPECT_EQ(idle.request("GET", "/hello/you").status, 200);
  // A deadline is set when the first byte has been seen, of which nothing tells from outside.
  RawAnswer header_answer;
  std::thread reader([&] { header_answer = slow_header.read(); });
  RawAnswer body_answer;
  std::thread other_reader([&] { body_answer = slow_body.read(); });
  std::string rest;
  std::thread third_reader([&] { rest = idle.read_to_end(); });
  std::atomic<bool> done = false;
  std::thread time([&] {
    while (!done) {
      server.pass(std::chrono::seconds(10));
    }
  });
  reader.join();
  other_reader.join();
  third_reader.join();
  done = true;
  time.join();
  EXPECT_EQ(header_answer.status, 408);
  EXPECT_THAT(header_answer.body, HasSubstr("header of the request did not come in time"));
  EXPECT_EQ(body_answer.status, 408);
  EXPECT_EQ(rest, "");  // An idle connection is closed without a word.
}

TEST(ServerTest, ABodyThatDripsIsGivenUp) {
  TestServer server;
  RawClient client(server.port());
  client.send(post("/echo", "Content-Length: 100000\r\n"));
  std::atomic<bool> done = false;
  std::thread drip([&] {
    while (!done && client.send("x")) {
      server.pass(std::chrono::seconds(10));  // Well within the idle timeout.
    }
  });
  const RawAnswer answer = client.read();
  done = true;
  drip.join();
  EXPECT_EQ(answer.status, 408);
  EXPECT_THAT(answer.body, HasSubstr("body of the request did not come in time"));
}

TEST(ServerTest, ConnectionsBeyondTheLimitAreTold) {
  ServerOptions options;
  options.limits.connections = 2;
  TestServer server(options);
  RawClient first(server.port());
  RawClient second(server.port());
  EXPECT_EQ(first.request("GET", "/hello/you").status, 200);
  EXPECT_EQ(second.request("GET", "/hello/you").status, 200);
  RawClient third(server.port());
  const RawAnswer answer = third.read();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers.at("retry-after"), "1");
  EXPECT_THAT(answer.body, HasSubstr("2 connections"));
  EXPECT_EQ(first.request("GET", "/hello/you").status, 200);
}

TEST(ServerTest, TokensDecideWhoMayAsk) {
  ServerOptions options;
  options.token = "secret";
  options.owner_token = "owner";
  options.host_names = {"factory.example"};
  TestServer server(options);
  Caller caller = Caller::kAnonymous;
  server.work = [&](Request& request, Response&) {
    caller = request.caller;
    return absl::OkStatus();
  };
  RawClient client(server.port());
  const RawAnswer without = client.request("POST", "/work");
  EXPECT_EQ(without.status, 401);
  EXPECT_EQ(without.headers.at("www-authenticate"), "Bearer realm=\"cromford\"");
  EXPECT_EQ(client.request("POST", "/work", "", "Authorization: Bearer wrong\r\n").status, 401);
  EXPECT_EQ(client.request("POST", "/work", "", "Authorization: Basic c2VjcmV0\r\n").status, 401);
  EXPECT_EQ(client.request("GET", "/nothing").status, 401);
  EXPECT_EQ(client.request("GET", "/healthz").status, 200);
  EXPECT_EQ(client.request("POST", "/work", "", "Authorization: bearer secret\r\n").status, 200);
  EXPECT_EQ(caller, Caller::kUser);
  EXPECT_EQ(client.request("POST", "/work", "", "Authorization: Bearer owner\r\n").status, 200);
  EXPECT_EQ(caller, Caller::kOwner);
  client.send("GET /healthz HTTP/1.1\r\nHost: Factory.Example:443\r\n\r\n");
  EXPECT_EQ(client.read().status, 200);
}

TEST(ServerTest, AnOccupiedPortIsNamed) {
  TestServer server;
  auto router = Router::create({}, {});
  ASSERT_OK(router);
  ServerOptions options;
  options.listen = server.server().address();
  Metrics metrics({});
  EXPECT_THAT(
      Server::start(options, std::move(*router),
                    {base::system_clock(), base::system_entropy(), base::system_files(), metrics}),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr(server.server().address())));
}

TEST(ServerTest, AddressesThatCannotBeAreRefused) {
  for (const auto& [listen, code] : std::vector<std::pair<std::string, absl::StatusCode>>{
           {"", absl::StatusCode::kInvalidArgument},
           {"127.0.0.1", absl::StatusCode::kInvalidArgument},
           {"127.0.0.1:x", absl::StatusCode::kInvalidArgument},
           {"127.0.0.1:70000", absl::StatusCode::kInvalidArgument},
           {"factory.example:80", absl::StatusCode::kInvalidArgument},
           {"0.0.0.0:0", absl::StatusCode::kInvalidArgument},  // Without a token.
       }) {
    auto router = Router::create({}, {});
    ASSERT_OK(router);
    ServerOptions options;
    options.listen = listen;
    Metrics metrics({});
    EXPECT_THAT(Server::start(
                    options, std::move(*router),
                    {base::system_clock(), base::system_entropy(), base::system_files(), metrics}),
                StatusIs(code, Not(HasSubstr("without a message"))))
        << listen;
  }
}

TEST(ServerTest, AFailingHandlerIsAnswered) {
  TestServer server;
  server.work = [](Request&, Response&) -> absl::Status {
    throw std::runtime_error("secret of the library");
  };
  RawClient client(server.port());
  const RawAnswer answer = client.request("POST", "/work");
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(answer.body, Not(HasSubstr("secret")));
  EXPECT_EQ(client.request("GET", "/healthz").status, 200);
}

}  // namespace
}  // namespace cromford::http
