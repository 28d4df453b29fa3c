// The smaller parts of the core by themselves.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/codes.h"
#include "base/json.h"
#include "base/status.h"
#include "http/buffer.h"
#include "http/events.h"
#include "http/guard.h"
#include "http/idempotency.h"
#include "http/metrics.h"
#include "http/problem.h"
#include "http/request_parser.h"
#include "http/worker_pool.h"
#include "testing/simulated_clock.h"
#include "testing/status_matchers.h"

namespace cromford::http {
namespace {

using cromford::testing::StatusIs;
using ::testing::HasSubstr;

TEST(GuardTest, KnowsTheNamesOfThisServer) {
  const Guard guard({.host_names = {"factory.example"}});
  for (const char* good : {"localhost", "LOCALHOST:7040", "127.0.0.1", "127.0.0.1:80", "127.1.2.3",
                           "[::1]", "[::1]:7040", "10.0.0.5:7040", "factory.example:443"}) {
    EXPECT_OK(guard.check_host(good, "10.0.0.5")) << good;
  }
  for (const char* bad : {"evil.example", "localhost.evil.example", "10.0.0.6", "127.0.0.1.evil",
                          "0.0.0.0", "[::2]", "2130706433"}) {
    EXPECT_THAT(guard.check_host(bad, "10.0.0.5"), StatusIs(absl::StatusCode::kPermissionDenied))
        << bad;
  }
  for (const char* malformed :
       {"", ":80", "[::1", "[::1]x", "localhost:", "localhost:http", "[]"}) {
    EXPECT_THAT(guard.check_host(malformed, "10.0.0.5"),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << malformed;
  }
  EXPECT_THAT(guard.check_host(std::nullopt, ""), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(GuardTest, ForeignNamesAreToldTheKeyThatAdmitsThem) {
  const absl::Status status = Guard({.host_names = {}}).check_host("example.org", "127.0.0.1");
  EXPECT_THAT(base::remedy(status), HasSubstr("`host_names`"));
}

TEST(GuardTest, OriginsMustBeThisSite) {
  const auto check = [](std::optional<std::string_view> site,
                        std::optional<std::string_view> origin) {
    return Guard::check_origin(site, origin, "localhost:7040").ok();
  };
  EXPECT_TRUE(check(std::nullopt, std::nullopt));
  EXPECT_TRUE(check("same-origin", "http://other"));
  EXPECT_TRUE(check("none", std::nullopt));
  EXPECT_FALSE(check("same-site", std::nullopt));
  EXPECT_FALSE(check("cross-site", "http://localhost:7040"));
  EXPECT_TRUE(check(std::nullopt, "http://localhost:7040"));
  EXPECT_TRUE(check(std::nullopt, "https://localhost:7040"));
  EXPECT_FALSE(check(std::nullopt, "http://localhost:7041"));
  EXPECT_FALSE(check(std::nullopt, "null"));
}

TEST(GuardTest, ComparesSecretsWhole) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abcd"));
  EXPECT_FALSE(equal_in_constant_time("", "a"));
}

TEST(IdempotencyStoreTest, KeepsWithinItsBounds) {
  testing::SimulatedClock clock;
  IdempotencyStore store(clock, {.age = std::chrono::hours(24), .entries = 2, .bytes = 1 << 20});
  const auto is_new = [&](const std::string& key) {
    const auto begun = store.begin(key, "f");
    EXPECT_OK(begun);
    return begun.ok() && !begun->has_value();
  };
  EXPECT_TRUE(is_new("a"));
  EXPECT_THAT(store.begin("a", "f"),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("still being worked on")));
  store.abandon("a");
  EXPECT_TRUE(is_new("a"));
  store.finish("a", {.status = 201, .body = "x"});
  EXPECT_FALSE(is_new("a"));
  EXPECT_THAT(store.begin("a", "other"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("already used")));
  EXPECT_TRUE(is_new("b"));
  EXPECT_TRUE(is_new("c"));  // The third: the oldest finished one goes.
  store.finish("b", {});
  EXPECT_TRUE(is_new("a"));
  store.finish("a", {});
  store.finish("c", {});
  clock.advance(std::chrono::hours(25));
  EXPECT_TRUE(is_new("a"));
}

TEST(IdempotencyStoreTest, LargeAnswersGoFirstByAge) {
  testing::SimulatedClock clock;
  IdempotencyStore store(clock, {.bytes = 10'000});
  ASSERT_OK(store.begin("a", "f"));
  store.finish("a", {.body = std::string(6000, 'x')});
  ASSERT_OK(store.begin("b", "f"));
  store.finish("b", {.body = std::string(6000, 'x')});
  ASSERT_OK_AND_ASSIGN(const auto kept, store.begin("b", "f"));
  EXPECT_TRUE(kept.has_value());
  ASSERT_OK_AND_ASSIGN(const auto gone, store.begin("a", "f"));
  EXPECT_FALSE(gone.has_value());
}

// Notes that outlive a store, as the disk would; put() fails from the `fail_at`-th on.
class MemoryLog final : public AnswerLog {
 public:
  absl::StatusOr<std::optional<std::string>> find(const std::string& key) override {
    const auto found = notes.find(key);
    return found == notes.end() ? std::optional<std::string>() : found->second;
  }
  absl::Status put(const std::string& key, const std::string& note) override {
    if (--puts_left < 0) {
      return base::exhausted("the disk is full");
    }
    notes[key] = note;
    return absl::OkStatus();
  }
  absl::Status remove(const std::string& key) override {
    notes.erase(key);
    return absl::OkStatus();
  }

  std::map<std::string, std::string> notes;
  int puts_left = 1000;
};

TEST(IdempotencyStoreTest, AnswersOutliveTheStore) {
  testing::SimulatedClock clock;
  MemoryLog log;
  {
    IdempotencyStore first(clock, &log);
    ASSERT_OK_AND_ASSIGN(const auto nothing, first.begin("k", "f"));
    EXPECT_FALSE(nothing.has_value());
    first.finish("k", {.status = 202,
                       .content_type = "application/json",
                       .body = "{\"id\":1}",
                       .location = "/jobs/1",
                       .etag = "\"3\""});
  }
  IdempotencyStore second(clock, &log);
  for (int round = 0; round < 2; ++round) {  // From the log, then from memory.
    ASSERT_OK_AND_ASSIGN(const auto kept, second.begin("k", "f"));
    ASSERT_TRUE(kept.has_value());
    EXPECT_EQ(kept->status, 202);
    EXPECT_EQ(kept->content_type, "application/json");
    EXPECT_EQ(kept->body, "{\"id\":1}");
    EXPECT_EQ(kept->location, "/jobs/1");
    EXPECT_EQ(kept->etag, "\"3\"");
  }
  IdempotencyStore third(clock, &log);
  EXPECT_THAT(third.begin("k", "other"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("already used")));
  EXPECT_OK(third.begin("k", "f"));  // The refusal before left no trace.
}

TEST(IdempotencyStoreTest, WhatWasCutOffIsNotCarriedOutAgain) {
  testing::SimulatedClock clock;
  MemoryLog log;
  {
    IdempotencyStore first(clock, &log);
    ASSERT_OK(first.begin("cut off", "f"));
    ASSERT_OK(first.begin("failed", "f"));
    first.abandon("failed");
  }
  IdempotencyStore second(clock, &log);
  EXPECT_THAT(second.begin("cut off", "f"),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("may have been carried out")));
  ASSERT_OK_AND_ASSIGN(const auto again, second.begin("failed", "f"));
  EXPECT_FALSE(again.has_value());
}

TEST(IdempotencyStoreTest, NothingIsBegunThatCannotBeNoted) {
  testing::SimulatedClock clock;
  MemoryLog log;
  log.puts_left = 0;
  IdempotencyStore store(clock, &log);
  EXPECT_THAT(store.begin("k", "f"), StatusIs(absl::StatusCode::kResourceExhausted));
  log.puts_left = 1;
  ASSERT_OK(store.begin("k", "f"));
  store.finish("k", {.body = "x"});  // The answer cannot be noted, but is remembered.
  ASSERT_OK_AND_ASSIGN(const auto kept, store.begin("k", "f"));
  EXPECT_EQ(kept->body, "x");
}

TEST(ProblemTest, TellsAllThatTheStatusTells) {
  absl::Status status = base::invalid("two fields are wrong", "mend them");
  status = base::with_field_error(std::move(status), {"/rows/0", "no object"});
  Response response;
  write_error(status, ErrorFormat::kProblem, "id-1", response);
  ASSERT_OK_AND_ASSIGN(const base::Json problem, base::parse_json(response.body));
  EXPECT_EQ(problem, (base::Json{{"type", "about:blank"},
                                 {"status", 400},
                                 {"code", "INVALID_ARGUMENT"},
                                 {"title", problem["title"]},
                                 {"detail", "two fields are wrong"},
                                 {"remedy", "mend them"},
                                 {"request_id", "id-1"},
                                 {"errors", {{{"pointer", "/rows/0"}, {"detail", "no object"}}}}}));
  EXPECT_FALSE(problem["title"].get<std::string>().empty());
}

TEST(ProblemTest, OnlyLimitsThatPassInviteToTryAgain) {
  EXPECT_EQ(http_status_of(base::exhausted("262145 columns are too many")), 422);
  const absl::Status full = base::passing(base::exhausted("1000 jobs wait already"));
  EXPECT_EQ(http_status_of(full), 429);
  EXPECT_EQ(http_status_of(base::annotate(full, "import")), 429);
}

TEST(ProblemTest, MayCarryAStatusOfItsOwn) {
  const absl::Status status =
      with_retry_after(with_http_status(base::exhausted("the disk is full"), 507), 9);
  EXPECT_EQ(http_status_of(status), 507);
  Response response;
  write_error(status, ErrorFormat::kOpenInference, "id", response);
  EXPECT_EQ(response.status, 507);
  EXPECT_EQ(response.retry_after_s, 9);
  EXPECT_EQ(response.body, R"({"error":"the disk is full"})");
  for (const int known : {401, 405, 408, 412, 413, 415, 428, 431}) {
    write_error(with_http_status(base::invalid("x"), known), ErrorFormat::kProblem, "", response);
    EXPECT_THAT(response.body, HasSubstr("\"title\":\"")) << known;
  }
}

TEST(EventTest, LinesOfDataStandByThemselves) {
  std::string out;
  append_event(out, {3, "job", "a\nb"});
  append_event(out, {4, "reset", ""});
  EXPECT_EQ(out, "id: 3\nevent: job\ndata: a\ndata: b\n\nid: 4\nevent: reset\ndata: \n\n");
}

TEST(BufferTest, KeepsWhatIsNotUsed) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece(static_cast<size_t>(i % 50), static_cast<char>('a' + i % 26));
    const std::span<char> room = buffer.prepare(64);
    std::copy(piece.begin(), piece.end(), room.begin());
    buffer.commit(piece.size());
    expected += piece;
    ASSERT_EQ(buffer.view(), expected);
    const size_t used = buffer.size() * 2 / 3;
    buffer.consume(used);
    expected.erase(0, used);
  }
  for (size_t i = 0; i < kBodyPadding; ++i) {
    EXPECT_GE(buffer.view().data()[buffer.size() + i], 0);  // Readable.
  }
  buffer.clear();
  buffer.shrink(0);
  EXPECT_TRUE(buffer.empty());
}

TEST(RequestParserTest, ReadsTheHeaderPieceByPiece) {
  const std::string text =
      "POST /x?y HTTP/1.1\r\nHost: a\r\nX-Long:   padded value  \r\nContent-Length: 3\r\n\r\nabc";
  RequestParser parser(1024, 512);
  for (int round = 0; round < 2; ++round) {
    parser.reset();
    size_t begin = 0;
    size_t end = 0;
    while (!parser.header_done()) {
      ASSERT_LT(end, text.size());
      ++end;
      ASSERT_OK_AND_ASSIGN(const size_t used,
                           parser.read_header(std::string_view(text).substr(begin, end - begin)));
      begin += used;
    }
    EXPECT_EQ(text.substr(begin), "abc");
    EXPECT_EQ(parser.method(), Method::kPost);
    EXPECT_EQ(parser.target(), "/x?y");
    EXPECT_EQ(parser.header("x-long"), "padded value");
    EXPECT_EQ(parser.content_length(), 3U);
    EXPECT_FALSE(parser.chunked());
    EXPECT_TRUE(parser.keep_alive());
  }
}

TEST(WorkerPoolTest, DoesAllThatItTook) {
  std::atomic<int> done = 0;
  int taken = 0;
  {
    WorkerPool pool("test", 3, 1000);
    for (int i = 0; i < 500; ++i) {
      taken += pool.submit([&] { ++done; }) ? 1 : 0;
    }
    pool.stop();
    EXPECT_FALSE(pool.submit([&] { ++done; }));
  }
  EXPECT_EQ(taken, 500);
  EXPECT_EQ(done, 500);
}

TEST(MetricsTest, RendersHistograms) {
  static constexpr Route kRoutes[] = {{.pattern = "/a", .operation = "a"}};
  Metrics metrics(kRoutes);
  metrics.observe(0, 200, std::chrono::microseconds(60));
  metrics.observe(0, 503, std::chrono::seconds(100));
  metrics.observe(Metrics::kNoRoute, 404, std::chrono::microseconds(1));
  metrics.add_bytes(10, 20);
  std::string text;
  metrics.render(text);
  for (const char* line :
       {"cromford_http_requests_total{operation=\"a\",status=\"2xx\"} 1\n",
        "cromford_http_requests_total{operation=\"a\",status=\"5xx\"} 1\n",
        "cromford_http_requests_total{operation=\"none\",status=\"4xx\"} 1\n",
        "cromford_http_request_duration_seconds_bucket{operation=\"a\",le=\"1e-04\"} 1\n",
        "cromford_http_request_duration_seconds_bucket{operation=\"a\",le=\"+Inf\"} 2\n",
        "cromford_http_request_duration_seconds_count{operation=\"a\"} 2\n",
        "cromford_http_received_bytes_total 10\n", "cromford_http_sent_bytes_total 20\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

}  // namespace
}  // namespace cromford::http
