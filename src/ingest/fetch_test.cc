#include "ingest/fetch.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include "testing/faulty_file_system.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::ingest {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// A real server on loopback: answers each path with the bytes that a test gave for it, then closes
// or keeps the connection open in silence until the client goes.
class TestServer {
 public:
  struct Answer {
    std::string bytes;
    bool stall = false;
    std::function<void()> before_stall;
  };

  explicit TestServer(std::map<std::string, Answer> answers) : answers_(std::move(answers)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    listen(listener_, 16);
    socklen_t length = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~TestServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  int port() const { return port_; }
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (;;) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) {
        return;
      }
      answer(client);
      close(client);
    }
  }
  void answer(int client) {
    std::string request;
    char buffer[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = recv(client, buffer, sizeof(buffer), 0);
      if (got <= 0) {
        return;
      }
      request.append(buffer, static_cast<size_t>(got));
    }
    std::string path = request.substr(4, request.find(' ', 4) - 4);
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const auto known = answers_.find(path);
    const Answer missing{"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"};
    const Answer& chosen = known == answers_.end() ? missing : known->second;
    size_t sent = 0;
    while (sent < chosen.bytes.size()) {
      const ssize_t count =
          send(client, chosen.bytes.data() + sent, chosen.bytes.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) {
        return;
      }
      sent += static_cast<size_t>(count);
    }
    if (chosen.stall) {
      if (chosen.before_stall) {
        chosen.before_stall();
      }
      while (recv(client, buffer, sizeof(buffer), 0) > 0) {
      }
    }
  }

  std::map<std::string, Answer> answers_;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::vector<std::string> requests_;
};

std::string ok(const std::string& body, const std::string& headers = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers +
         "Connection: close\r\n\r\n" + body;
}

std::string redirect(const std::string& location, int status = 302) {
  return "HTTP/1.1 " + std::to_string(status) + " Moved\r\nLocation: " + location +
         "\r\nContent-Length: 5\r\nConnection: close\r\n\r\nmoved";
}

std::string status_only(int status) {
  return "HTTP/1.1 " + std::to_string(status) +
         " No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
}

// Half a minute passes whenever somebody looks at the clock.
class HurriedClock final : public base::Clock {
 public:
  base::Time now() const override { return base::Time(); }
  std::chrono::nanoseconds monotonic() const override {
    return std::chrono::seconds(30) * ++looks_;
  }

 private:
  mutable std::atomic<int> looks_ = 0;
};

class FetchTest : public ::testing::Test {
 protected:
  FetchOptions options(const std::string& url) const {
    FetchOptions options;
    options.url = url;
    options.output = directory_ / "out";
    options.policy = AddressPolicy::kAny;
    return options;
  }
  std::string content() const {
    std::ifstream file(directory_ / "out", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void expect_no_output() const { EXPECT_FALSE(std::filesystem::exists(directory_ / "out")); }

  testing::TempDir directory_;
};

TEST_F(FetchTest, DownloadsAFileWithItsParticulars) {
  const TestServer server({{"/data/orders.csv?sig=secret",
                            {ok("a,b\n1,2\n",
                                "Content-Type: Text/CSV; charset=utf-8\r\nETag: \"v1\"\r\n"
                                "Last-Modified: Sun, 22 Nov 2026 10:00:00 GMT\r\n")}}});
  std::vector<uint64_t> received;
  FetchOptions wanted = options(server.url("/data/orders.csv?sig=secret"));
  wanted.progress = [&](const FetchProgress& progress) {
    received.push_back(progress.received);
    EXPECT_EQ(progress.expected.value_or(8), 8u);
  };
  ASSERT_OK_AND_ASSIGN(const FetchResult result, fetch(wanted));
  EXPECT_EQ(content(), "a,b\n1,2\n");
  EXPECT_EQ(result.bytes, 8u);
  EXPECT_EQ(result.content_type, "text/csv");
  EXPECT_EQ(result.file_name, "orders.csv");
  EXPECT_EQ(result.etag, "\"v1\"");
  EXPECT_EQ(result.last_modified, "Sun, 22 Nov 2026 10:00:00 GMT");
  EXPECT_THAT(result.final_url, AllOf(HasSubstr("/data/orders.csv"), Not(HasSubstr("secret"))));
  ASSERT_FALSE(received.empty());
  EXPECT_EQ(received.back(), 8u);
}

TEST_F(FetchTest, LargeBodiesWithoutLengthArriveWhole) {
  std::string body;
  for (int i = 0; body.size() < 5'000'000; ++i) {
    body += "row " + std::to_string(i) + "\n";
  }
  const TestServer server(
      {{"/big", {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body}},
       {"/chunked",
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}}});
  ASSERT_OK_AND_ASSIGN(const FetchResult result, fetch(options(server.url("/big"))));
  EXPECT_EQ(result.bytes, body.size());
  EXPECT_EQ(content(), body);
  ASSERT_OK(fetch(options(server.url("/chunked"))));
  EXPECT_EQ(content(), "hello");
}

TEST_F(FetchTest, CompressedBodiesStayAsTheyCame) {
  const std::string gzip("\x1f\x8b\x08\x00 not really", 15);
  const TestServer server({{"/a.csv.gz", {ok(gzip, "Content-Encoding: gzip\r\n")}}});
  ASSERT_OK(fetch(options(server.url("/a.csv.gz"))));
  EXPECT_EQ(content(), gzip);
}

TEST_F(FetchTest, NamesComeFromTheHeaderAndAreCleaned) {
  const auto with_name = [](const std::string& disposition) {
    return ok("x", "Content-Disposition: " + disposition + "\r\n");
  };
  const TestServer server({
      {"/1", {with_name("attachment; filename=\"../../etc/passwd\"")}},
      {"/2", {with_name("attachment; filename=plain.csv; size=3")}},
      {"/3", {with_name("attachment; filename=\"a.csv\"; filename*=UTF-8''n%C3%A9w%20one.csv")}},
      {"/4", {with_name("attachment; filename=\"..\"")}},
      {"/", {ok("x")}},
      {"/dir/..%2f..%2fx%00y.csv", {ok("x")}},
  });
  const std::map<std::string, std::string> expected = {
      {"/1", "passwd"}, {"/2", "plain.csv"}, {"/3", "n_w_one.csv"},
      {"/4", "4"},      {"/", "download"},   {"/dir/..%2f..%2fx%00y.csv", "x_y.csv"}};
  for (const auto& [path, name] : expected) {
    ASSERT_OK_AND_ASSIGN(const FetchResult result, fetch(options(server.url(path))));
    EXPECT_EQ(result.file_name, name) << path;
  }
}

TEST_F(FetchTest, RedirectsAreFollowedAndCounted) {
  const TestServer server({{"/a", {redirect("/b", 301)}},
                           {"/b", {redirect("c.csv", 307)}},
                           {"/c.csv", {ok("end")}},
                           {"/loop", {redirect("/loop")}}});
  ASSERT_OK_AND_ASSIGN(const FetchResult result, fetch(options(server.url("/a"))));
  EXPECT_EQ(content(), "end");
  EXPECT_EQ(result.file_name, "c.csv");
  EXPECT_EQ(result.final_url, server.url("/c.csv"));
  EXPECT_THAT(fetch(options(server.url("/loop"))),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("more than 5 redirects")));
  expect_no_output();
}

TEST_F(FetchTest, RedirectsToOtherSchemesAndCredentialsAreRefused) {
  const TestServer server({{"/file", {redirect("file:///etc/passwd")}},
                           {"/ftp", {redirect("ftp://127.0.0.1/x")}},
                           {"/user", {redirect("http://me:pw@127.0.0.1/x")}}});
  for (const char* path : {"/file", "/ftp", "/user"}) {
    EXPECT_THAT(fetch(options(server.url(path))),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("redirected by 127.0.0.1: the URL is refused")))
        << path;
    expect_no_output();
  }
}

TEST_F(FetchTest, PrivateAddressesAreDenied) {
  const TestServer server({{"/", {ok("x")}}});
  for (const std::string& url : {server.url("/"), std::string("http://localhost/"),
                                 std::string("http://169.254.169.254/latest/")}) {
    FetchOptions wanted = options(url);
    wanted.policy = AddressPolicy::kPublic;
    EXPECT_THAT(fetch(wanted), StatusIs(absl::StatusCode::kPermissionDenied,
                                        HasSubstr("not an address of the public internet")));
    expect_no_output();
  }
  EXPECT_THAT(server.port(), ::testing::Gt(0));
}

TEST_F(FetchTest, NamesThatLeadToPrivateAddressesAreDeniedWhenConnecting) {
  TestServer server({{"/", {ok("x")}}});
  const std::string port = std::to_string(server.port());
  FetchOptions wanted = options("http://data.example:" + port + "/");
  wanted.policy = AddressPolicy::kPublic;
  wanted.known_hosts = {"data.example:" + port + ":127.0.0.1"};
  EXPECT_THAT(fetch(wanted), StatusIs(absl::StatusCode::kPermissionDenied,
                                      HasSubstr("data.example leads to 127.0.0.1")));
  expect_no_output();
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(FetchTest, RedirectsToPrivateAddressesAreDenied) {
  // 127.0.0.1 plays a public address here, 127.0.0.2 a private one.
  std::map<std::string, TestServer::Answer> answers;
  answers["/literal"] = {redirect("http://127.0.0.2/")};
  answers["/name"] = {redirect("http://inside.example/")};
  answers["/good"] = {ok("x")};
  TestServer server(std::move(answers));
  const std::string port = std::to_string(server.port());
  const auto wanted = [&](const std::string& path) {
    FetchOptions made = options("http://data.example:" + port + path);
    made.policy = AddressPolicy::kPublic;
    made.known_hosts = {"data.example:" + port + ":127.0.0.1", "inside.example:80:127.0.0.2"};
    made.allowed_address = [](const sockaddr& address) {
      return reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr ==
             htonl(INADDR_LOOPBACK);
    };
    return made;
  };
  ASSERT_OK(fetch(wanted("/good")));
  EXPECT_THAT(fetch(wanted("/literal")),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       HasSubstr("redirected by data.example: 127.0.0.2 is not")));
  EXPECT_THAT(fetch(wanted("/name")), StatusIs(absl::StatusCode::kPermissionDenied,
                                               HasSubstr("inside.example leads to 127.0.0.2")));
  expect_no_output();
}

TEST_F(FetchTest, NoProxyComesFromTheEnvironmentAndNoSecretLeaves) {
  TestServer server({{"/a", {redirect("/b")}}, {"/b", {ok("x", "Set-Cookie: session=1\r\n")}}});
  // Nothing listens there: a proxy from the environment would break the download.
  setenv("http_proxy", "http://127.0.0.1:9", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
  const absl::StatusOr<FetchResult> result = fetch(options(server.url("/a")));
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
  EXPECT_OK(result);
  for (const std::string& request : server.requests()) {
    EXPECT_THAT(request, AllOf(Not(HasSubstr("Authorization")), Not(HasSubstr("Cookie")),
                               Not(HasSubstr("Referer"))));
  }
}

TEST_F(FetchTest, AProxyOfTheConfigurationIsUsed) {
  TestServer proxy({{"http://data.example/a.csv", {ok("by proxy")}}});
  FetchOptions wanted = options("http://data.example/a.csv");
  wanted.policy = AddressPolicy::kPublic;
  wanted.proxy = "http://127.0.0.1:" + std::to_string(proxy.port());
  ASSERT_OK(fetch(wanted));
  EXPECT_EQ(content(), "by proxy");
}

TEST_F(FetchTest, SizesAreLimited) {
  const TestServer server(
      {{"/told", {ok(std::string(2000, 'x'))}},
       {"/untold", {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(2000, 'x')}},
       {"/exact", {ok(std::string(1000, 'x'))}}});
  for (const char* path : {"/told", "/untold"}) {
    FetchOptions wanted = options(server.url(path));
    wanted.bytes_max = 1000;
    EXPECT_THAT(fetch(wanted), StatusIs(absl::StatusCode::kResourceExhausted,
                                        HasSubstr("larger than the limit of 1000 B")))
        << path;
    expect_no_output();
  }
  FetchOptions wanted = options(server.url("/exact"));
  wanted.bytes_max = 1000;
  EXPECT_OK(fetch(wanted));
}

TEST_F(FetchTest, TruncatedAnswersAreErrors) {
  const TestServer server(
      {{"/short", {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"}},
       {"/chunk", {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this"}},
       {"/none", {""}}});
  for (const char* path : {"/short", "/chunk", "/none"}) {
    EXPECT_THAT(fetch(options(server.url(path))),
                StatusIs(absl::StatusCode::kUnavailable, HasSubstr("before the file did")))
        << path;
    expect_no_output();
  }
}

TEST_F(FetchTest, SilenceAndSlownessEnd) {
  const HurriedClock clock;
  const TestServer server({{"/silent", {.bytes = "", .stall = true, .before_stall = {}}},
                           {"/half",
                            {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
                             .stall = true,
                             .before_stall = {}}}});
  for (const char* path : {"/silent", "/half"}) {
    FetchOptions wanted = options(server.url(path));
    wanted.clock = &clock;
    EXPECT_THAT(fetch(wanted),
                StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("sent nothing for")))
        << path;
    expect_no_output();
  }
  FetchOptions wanted = options(server.url("/silent"));
  wanted.clock = &clock;
  wanted.idle_timeout = std::chrono::hours(100);
  wanted.duration_max = std::chrono::minutes(3);
  EXPECT_THAT(fetch(wanted),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("took longer than 3m")));
}

TEST_F(FetchTest, CancellingStops) {
  base::CancelSource source;
  const TestServer server(
      {{"/", {.bytes = "", .stall = true, .before_stall = [&] { source.cancel(); }}}});
  FetchOptions wanted = options(server.url("/"));
  wanted.cancel = source.token();
  EXPECT_THAT(fetch(wanted), StatusIs(absl::StatusCode::kCancelled));
  expect_no_output();
}

TEST_F(FetchTest, StatusesBecomeErrors) {
  std::map<std::string, TestServer::Answer> answers;
  const std::map<int, absl::StatusCode> expected = {
      {404, absl::StatusCode::kNotFound},         {410, absl::StatusCode::kNotFound},
      {401, absl::StatusCode::kPermissionDenied}, {403, absl::StatusCode::kPermissionDenied},
      {429, absl::StatusCode::kUnavailable},      {500, absl::StatusCode::kUnavailable},
      {503, absl::StatusCode::kUnavailable},      {400, absl::StatusCode::kInvalidArgument},
      {204, absl::StatusCode::kInvalidArgument},  {304, absl::StatusCode::kInvalidArgument}};
  for (const auto& [status, code] : expected) {
    answers["/" + std::to_string(status)] = {status_only(status)};
  }
  const TestServer server(std::move(answers));
  for (const auto& [status, code] : expected) {
    const std::string path = "/" + std::to_string(status);
    EXPECT_THAT(fetch(options(server.url(path))),
                StatusIs(code, HasSubstr("answered " + std::to_string(status))));
    expect_no_output();
  }
}

TEST_F(FetchTest, EndlessHeadersAndErrorPagesEnd) {
  const TestServer server(
      {{"/header",
        {"HTTP/1.1 200 OK\r\n" +
         [] {
           std::string lines;
           for (int i = 0; i < 400; ++i) {
             lines += "X-" + std::to_string(i) + ": " + std::string(1000, 'x') + "\r\n";
           }
           return lines;
         }()}},
       {"/error", {"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n" + std::string(3'000'000, 'x')}}});
  EXPECT_THAT(fetch(options(server.url("/header"))), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(fetch(options(server.url("/error"))),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("very long")));
}

TEST_F(FetchTest, ConnectionsThatFailAreNamed) {
  int port = 0;
  {
    const TestServer gone({});
    port = gone.port();
  }
  EXPECT_THAT(fetch(options("http://127.0.0.1:" + std::to_string(port) + "/")),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("cannot be fetched")));
  EXPECT_THAT(
      fetch(options("http://no-such-host.invalid/")),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("there is no host no-such-host.invalid")));
  expect_no_output();
}

TEST_F(FetchTest, AFullDiskIsAnError) {
  const TestServer server({{"/", {ok(std::string(100'000, 'x'))}}});
  testing::FaultyFileSystem files;
  files.fill_up_after(1000);
  FetchOptions wanted = options(server.url("/"));
  wanted.files = &files;
  EXPECT_THAT(fetch(wanted), StatusIs(absl::StatusCode::kResourceExhausted));
  expect_no_output();
}

TEST_F(FetchTest, ARefusedUrlLeavesTheOutputAlone) {
  std::ofstream(directory_ / "out") << "precious";
  FetchOptions wanted = options("http://127.0.0.1/");
  wanted.policy = AddressPolicy::kPublic;
  EXPECT_THAT(fetch(wanted), StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_EQ(content(), "precious");
}

}  // namespace
}  // namespace cromford::ingest
