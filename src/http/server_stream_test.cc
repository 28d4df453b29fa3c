// Uploads, downloads, events, the pool, and the way a server stops.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "http/raw_client.h"
#include "http/test_server.h"
#include "testing/faulty_file_system.h"
#include "testing/status_matchers.h"

namespace cromford::http {
namespace {

using ::testing::HasSubstr;

std::string read_file(const std::filesystem::path& path) {
  return *base::system_files().read(path);
}

TEST(UploadTest, ArrivesInAFileThatGoesAgain) {
  TestServer server;
  std::string content;
  std::filesystem::path path;
  server.upload = [&](Request& request, Response& response) {
    path = request.upload->path();
    content = read_file(path);
    response.body = std::string(request.parameter("name"));
    return absl::OkStatus();
  };
  RawClient client(server.port());
  std::string body(3'000'000, 'x');
  body[1'234'567] = 'y';
  EXPECT_EQ(client.request("POST", "/uploads/big", body).body, "big");
  EXPECT_EQ(content, body);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(client.request("POST", "/uploads/empty").body, "empty");
  EXPECT_EQ(content, "");
}

TEST(UploadTest, AChunkedUploadArrivesWhole) {
  TestServer server;
  std::string content;
  server.upload = [&](Request& request, Response&) {
    content = read_file(request.upload->path());
    return absl::OkStatus();
  };
  RawClient client(server.port());
  client.send("POST /uploads/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    const std::string piece(static_cast<size_t>(1 + i * 37), static_cast<char>('a' + i % 26));
    expected += piece;
    client.send(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece));
  }
  client.send("0\r\n\r\n");
  EXPECT_EQ(client.read().status, 200);
  EXPECT_EQ(content, expected);
  EXPECT_EQ(client.request("GET", "/healthz").status, 200);
}

TEST(UploadTest, AContentEncodingMustBeKnownAndTrue) {
  struct Case {
    const char* field;
    std::string body;
    int status;
  };
  const std::string gzip("\x1f\x8b\x08\x00", 4);
  const std::string zstd("\x28\xb5\x2f\xfd", 4);
  const Case cases[] = {
      {"gzip", gzip, 200},
      {"GZIP", gzip, 200},
      {"zstd", zstd, 200},
      {"identity", "a\n1", 200},
      {"gzip", "a\n1", 400},
      {"gzip", zstd, 400},
      {"zstd", gzip, 400},
      {"zstd", "", 400},
      {"br", "a\n1", 415},
      {"gzip, gzip", gzip, 415},
      {"gzip\r\nContent-Encoding: gzip", gzip, 415},
  };
  TestServer server;
  for (const Case& one : cases) {
    RawClient client(server.port());
    const RawAnswer answer = client.request("POST", "/uploads/x", one.body,
                                            fmt::format("Content-Encoding: {}\r\n", one.field));
    EXPECT_EQ(answer.status, one.status) << one.field;
  }
  EXPECT_TRUE(std::filesystem::is_empty(server.directory()));
}

TEST(UploadTest, ATakenFileStays) {
  TestServer server;
  std::filesystem::path path;
  server.upload = [&](Request& request, Response&) {
    path = request.upload->take();
    return absl::OkStatus();
  };
  RawClient client(server.port());
  EXPECT_EQ(client.request("POST", "/uploads/x", "content").status, 200);
  EXPECT_EQ(read_file(path), "content");
}

TEST(UploadTest, BeyondTheLimitNothingIsKept) {
  ServerOptions options;
  options.limits.upload_bytes = 1000;
  TestServer server(options);
  RawClient client(server.port());
  const RawAnswer announced = client.request("POST", "/uploads/x", std::string(1001, 'x'));
  EXPECT_EQ(announced.status, 413);
  EXPECT_THAT(announced.body, HasSubstr("1000 B"));
  RawClient other(server.port());
  other.send(
      "POST /uploads/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3e9\r\n" +
      std::string(1001, 'x') + "\r\n0\r\n\r\n");
  EXPECT_EQ(other.read().status, 413);
  EXPECT_TRUE(std::filesystem::is_empty(server.directory()));
}

TEST(UploadTest, AFullDiskIsTold) {
  testing::FaultyFileSystem files;
  TestServer server({}, &files);
  files.fill_up_after(500'000);
  RawClient client(server.port());
  const RawAnswer answer = client.request("POST", "/uploads/x", std::string(2'000'000, 'x'));
  EXPECT_EQ(answer.status, 507);
  EXPECT_THAT(answer.body, HasSubstr("the upload cannot be kept"));
  EXPECT_TRUE(std::filesystem::is_empty(server.directory()));
  files.clear();
  RawClient again(server.port());
  EXPECT_EQ(again.request("POST", "/uploads/x", "x").status, 200);
}

TEST(UploadTest, AnyFailureOfTheDiskLeavesNothing) {
  testing::FaultyFileSystem files;
  TestServer server({}, &files);
  for (const auto operation : {testing::FaultyFileSystem::Operation::kOpen,
                               testing::FaultyFileSystem::Operation::kWrite}) {
    files.clear();
    files.fail(operation, 1);
    RawClient client(server.port());
    EXPECT_EQ(client.request("POST", "/uploads/x", "content").status, 500);
    EXPECT_TRUE(std::filesystem::is_empty(server.directory()));
  }
}

TEST(UploadTest, TooLittleRoomIsSeenBeforeTheBodyIsRead) {
  ServerOptions options;
  options.limits.upload_free_bytes_min = uint64_t{1} << 60;
  TestServer server(options);
  RawClient client(server.port());
  client.send("POST /uploads/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n");
  const RawAnswer answer = client.read();
  EXPECT_EQ(answer.status, 507);
  EXPECT_THAT(answer.body, HasSubstr("which is too little for this upload"));
}

TEST(UploadTest, ALostConnectionLeavesNothing) {
  TestServer server;
  {
    RawClient client(server.port());
    client.send("POST /uploads/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc");
  }
  server.server().stop();
  EXPECT_TRUE(std::filesystem::is_empty(server.directory()));
}

TEST(DownloadTest, SendsAFileInPieces) {
  TestServer server;
  std::string content(3'000'001, 'x');
  content[2'345'678] = 'y';
  std::ofstream(server.directory() / "f") << content;
  server.file = [&](Request&, Response& response) {
    response.content_type = "text/csv";
    response.file = FileBody{server.directory() / "f", "flights.csv", false};
    return absl::OkStatus();
  };
  RawClient client(server.port());
  EXPECT_EQ(client.request("HEAD", "/file").headers.at("content-length"), "3000001");
  const RawAnswer answer = client.request("GET", "/file");
  EXPECT_EQ(answer.body, content);
  EXPECT_EQ(answer.headers.at("content-disposition"), "attachment; filename=\"flights.csv\"");
  EXPECT_EQ(client.request("GET", "/healthz").status, 200);
}

TEST(DownloadTest, AMissingFileIsAnError) {
  TestServer server;
  server.file = [&](Request&, Response& response) {
    response.file = FileBody{server.directory() / "missing", "", false};
    return absl::OkStatus();
  };
  RawClient client(server.port());
  EXPECT_EQ(client.request("GET", "/file").status, 404);
}

TEST(DownloadTest, AReaderThatGoesAwayIsNoTrouble) {
  TestServer server;
  std::ofstream(server.directory() / "f") << std::string(20'000'000, 'x');
  server.file = [&](Request&, Response& response) {
    response.file = FileBody{server.directory() / "f", "", true};
    return absl::OkStatus();
  };
  {
    RawClient client(server.port(), 4096);
    client.send("GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(client.read_head().status, 200);
  }
  server.server().stop();
  EXPECT_FALSE(std::filesystem::exists(server.directory() / "f"));
}

// Events that a test hands in one by one.
class Feed {
 public:
  void open(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
    opened_.notify_all();
  }
  void wait_until_open() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return wake_ != nullptr; });
  }
  void publish(const Event& event) {
    std::function<void()> wake;
    {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
      wake = wake_;
    }
    if (wake) {
      wake();
    }
  }
  std::optional<Event> take() {
    const std::lock_guard lock(mutex_);
    if (at_ == events_.size()) {
      return std::nullopt;
    }
    return events_[at_++];
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  std::function<void()> wake_;
  std::vector<Event> events_;
  size_t at_ = 0;
};

class FeedStream final : public EventStream {
 public:
  explicit FeedStream(Feed& feed) : feed_(feed) {}
  std::optional<Event> next() override { return feed_.take(); }

 private:
  Feed& feed_;
};

Handler open_feed(Feed& feed) {
  return [&feed](Request& request, Response& response) {
    response.events = std::make_unique<FeedStream>(feed);
    feed.open(request.wake);
    return absl::OkStatus();
  };
}

TEST(EventsTest, AreSentAsTheyCome) {
  Feed feed;
  TestServer server;
  server.events = open_feed(feed);
  RawClient client(server.port());
  client.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const RawAnswer head = client.read_head();
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("x-accel-buffering"), "no");
  EXPECT_EQ(head.headers.at("cache-control"), "no-store");
  EXPECT_EQ(client.read_until("\n\n"), "retry: 2000\n\n");
  for (uint64_t id = 1; id <= 50; ++id) {
    feed.publish({id, "job", "line 1\nline 2"});
    EXPECT_EQ(client.read_until("\n\n"),
              fmt::format("id: {}\nevent: job\ndata: line 1\ndata: line 2\n\n", id));
  }
}

TEST(EventsTest, NoneIsLostAmongManyPublishers) {
  Feed feed;
  TestServer server;
  server.events = open_feed(feed);
  RawClient client(server.port());
  client.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  feed.wait_until_open();
  std::vector<std::thread> publishers;
  for (int t = 0; t < 4; ++t) {
    publishers.emplace_back([&feed] {
      for (uint64_t i = 0; i < 500; ++i) {
        feed.publish({i, "job", "x"});
      }
    });
  }
  client.read_until("retry: 2000\n\n");
  for (int i = 0; i < 2000; ++i) {
    ASSERT_THAT(client.read_until("\n\n"), HasSubstr("data: x"));
  }
  for (std::thread& publisher : publishers) {
    publisher.join();
  }
}

TEST(EventsTest, ACommentKeepsTheStreamAlive) {
  Feed feed;
  ServerOptions options;
  options.event_comment_interval = std::chrono::milliseconds(1);
  TestServer server(options);
  server.events = open_feed(feed);
  RawClient client(server.port());
  client.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  client.read_until("retry: 2000\n\n");
  EXPECT_EQ(client.read_until("\n\n"), ": \n\n");
}

TEST(EventsTest, StoppingEndsTheStream) {
  Feed feed;
  TestServer server;
  server.events = open_feed(feed);
  RawClient client(server.port());
  client.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  client.read_until("retry: 2000\n\n");
  server.server().stop();
  EXPECT_EQ(client.read_to_end(), "");
  feed.publish({1, "job", "nobody listens"});
}

TEST(EventsTest, AReaderThatGoesIsForgotten) {
  Feed feed;
  TestServer server;
  server.events = open_feed(feed);
  {
    RawClient client(server.port());
    client.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.read_until("retry: 2000\n\n");
  }
  // Once the stream has ended, only the connection that asks is counted.
  RawClient client(server.port());
  std::string figures;
  do {
    client.request("GET", "/healthz");
    figures.clear();
    server.metrics().render(figures);
  } while (figures.find("cromford_http_connections 1\n") == std::string::npos);
  feed.publish({1, "job", "nobody listens"});
}

TEST(EventsTest, ASlowReaderIsDropped) {
  Feed feed;
  TestServer server;
  server.events = open_feed(feed);
  RawClient client(server.port(), 4096);
  client.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  feed.wait_until_open();
  for (uint64_t id = 0; id < 200; ++id) {
    feed.publish({id, "job", std::string(100'000, 'x')});
  }
  std::string figures;
  do {
    server.pass(std::chrono::seconds(10));
    figures.clear();
    server.metrics().render(figures);
  } while (figures.find("cromford_http_connections 0\n") == std::string::npos);
}

TEST(PoolTest, WhatDoesNotFitIsRefused) {
  ServerOptions options;
  options.blocking_threads = 1;
  options.blocking_queue_max = 1;
  TestServer server(options);
  std::promise<void> started;
  std::promise<void> release;
  std::atomic<int> count = 0;
  server.work = [&](Request&, Response&) {
    if (count++ == 0) {
      started.set_value();
      release.get_future().wait();
    }
    return absl::OkStatus();
  };
  RawClient first(server.port());
  first.send("POST /work HTTP/1.1\r\nHost: localhost\r\n\r\n");
  started.get_future().wait();
  // One more waits in the queue; of two others, one at least finds it full.
  RawClient second(server.port());
  RawClient third(server.port());
  second.send("POST /work HTTP/1.1\r\nHost: localhost\r\n\r\n");
  third.send("POST /work HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::atomic<int> refused = 0;
  const auto read = [&](RawClient& client) {
    const RawAnswer answer = client.read();
    if (answer.status == 503) {
      EXPECT_EQ(answer.headers.at("retry-after"), "1");
      if (refused++ == 0) {
        release.set_value();
      }
    }
    return answer.status;
  };
  std::thread other([&] { read(second); });
  read(third);
  other.join();
  EXPECT_EQ(first.read().status, 200);
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(first.request("GET", "/healthz").status, 200);
}

// A client that does not see the end coming loses a request that may not be safe to repeat.
TEST(StopTest, ClientsBetweenTwoRequestsAreToldWithTheirNextAnswer) {
  ServerOptions options;
  options.stop_idle_grace = std::chrono::minutes(1);
  TestServer server(options);
  RawClient busy(server.port());
  EXPECT_FALSE(busy.request("GET", "/healthz").headers.contains("connection"));
  std::promise<void> started;
  server.work = [&](Request&, Response&) {
    started.set_value();
    return absl::OkStatus();
  };
  std::thread stopper([&] { server.server().stop(); });
  while (RawClient(server.port()).connected()) {
  }
  const RawAnswer answer = busy.request("POST", "/work");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_EQ(started.get_future().wait_for(std::chrono::seconds(0)), std::future_status::ready);
  stopper.join();
}

TEST(StopTest, FinishesWhatIsInFlight) {
  ServerOptions options;
  options.stop_idle_grace = std::chrono::milliseconds(0);
  TestServer server(options);
  std::promise<void> started;
  std::promise<void> release;
  server.work = [&](Request&, Response& response) {
    started.set_value();
    release.get_future().wait();
    response.body = "done";
    return absl::OkStatus();
  };
  RawClient busy(server.port());
  RawClient idle(server.port());
  EXPECT_EQ(idle.request("GET", "/healthz").status, 200);
  busy.send("POST /work HTTP/1.1\r\nHost: localhost\r\n\r\n");
  started.get_future().wait();
  std::thread stopper([&] { server.server().stop(); });
  EXPECT_EQ(idle.read_to_end(), "");  // Closed at once.
  release.set_value();
  const RawAnswer answer = busy.read();
  EXPECT_EQ(answer.body, "done");
  EXPECT_EQ(answer.headers.at("connection"), "close");
  stopper.join();
  RawClient late(server.port());
  EXPECT_FALSE(late.connected());
}

TEST(StopTest, CutsOffWhatTakesTooLong) {
  ServerOptions options;
  options.stop_grace = std::chrono::milliseconds(1);
  TestServer server(options);
  RawClient slow(server.port());
  slow.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
      "Content-Length: 10\r\n\r\n");
  EXPECT_EQ(slow.read().status, 100);
  server.server().stop();
  EXPECT_EQ(slow.read().status, 0);
}

TEST(IdempotencyTest, ARepeatedRequestIsAnsweredAgain) {
  TestServer server;
  std::atomic<int> count = 0;
  server.create = [&](Request&, Response& response) {
    response.status = 201;
    response.location = "/things/1";
    response.body = std::to_string(++count);
    return absl::OkStatus();
  };
  server.upload = [&](Request&, Response& response) {
    response.body = std::to_string(++count);
    return absl::OkStatus();
  };
  RawClient client(server.port());
  const std::string key = "Idempotency-Key: k1\r\n";
  EXPECT_EQ(client.request("POST", "/things", "a", key).body, "1");
  const RawAnswer again = client.request("POST", "/things", "a", key);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, "1");
  EXPECT_EQ(again.headers.at("location"), "/things/1");
  EXPECT_EQ(client.request("POST", "/things", "b", key).status, 422);
  EXPECT_EQ(client.request("POST", "/things", "a").body, "2");
  EXPECT_EQ(client.request("POST", "/things", "a", "Idempotency-Key: \r\n").status, 400);
  const std::string other = "Idempotency-Key: k2\r\n";
  EXPECT_EQ(client.request("POST", "/uploads/x", "content", other).body, "3");
  EXPECT_EQ(client.request("POST", "/uploads/x", "content", other).body, "3");
  EXPECT_EQ(client.request("POST", "/uploads/x", "CONTENT", other).status, 422);
}

TEST(ConcurrencyTest, ManyConnectionsOverAllLoops) {
  ServerOptions options;
  options.loop_threads = 3;
  TestServer server(options);
  server.work = [](Request& request, Response& response) {
    response.body = std::string(request.id);
    return absl::OkStatus();
  };
  std::vector<std::thread> clients;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 8; ++t) {
    clients.emplace_back([&, t] {
      for (int c = 0; c < 5; ++c) {
        RawClient client(server.port());
        for (int i = 0; i < 20; ++i) {
          const std::string text = fmt::format("{}-{}-{}", t, c, i);
          wrong += client.request("POST", "/echo", text).body == text ? 0 : 1;
          wrong +=
              client.request("POST", "/work", "", "X-Request-Id: " + text + "\r\n").body == text
                  ? 0
                  : 1;
          wrong += client.request("POST", "/uploads/x", text).body == std::to_string(text.size())
                       ? 0
                       : 1;
        }
      }
    });
  }
  for (std::thread& client : clients) {
    client.join();
  }
  EXPECT_EQ(wrong, 0);
  server.server().stop();
  EXPECT_TRUE(std::filesystem::is_empty(server.directory()));
}

}  // namespace
}  // namespace cromford::http
