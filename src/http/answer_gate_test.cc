// Answers that wait until what their handlers wrote is safe.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "http/raw_client.h"
#include "http/test_server.h"

namespace cromford::http {
namespace {

using ::testing::HasSubstr;

// Lets nobody pass until the test says so.
class ManualGate final : public AnswerGate {
 public:
  bool is_shut() override { return true; }
  void pass(std::function<void(absl::Status)> done) override {
    {
      const std::scoped_lock lock(mutex_);
      ++passes_;
      if (!stays_open_) {
        waiting_.push_back(std::move(done));
        changed_.notify_all();
        return;
      }
    }
    done(absl::OkStatus());
  }

  void stay_open() {
    const std::scoped_lock lock(mutex_);
    stays_open_ = true;
  }

  // Waits for somebody at the gate, then lets everybody through.
  void open(const absl::Status& status = absl::OkStatus()) {
    std::vector<std::function<void(absl::Status)>> through;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !waiting_.empty(); });
      through.swap(waiting_);
    }
    for (const auto& done : through) {
      done(status);
    }
  }
  int passes() {
    const std::scoped_lock lock(mutex_);
    return passes_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::function<void(absl::Status)>> waiting_;
  int passes_ = 0;
  bool stays_open_ = false;
};

TEST(AnswerGateTest, AnAnswerLeavesOnceItIsSafe) {
  ManualGate gate;
  TestServer server({}, nullptr, &gate);
  RawClient client(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi");
  std::thread answered_later([&] { EXPECT_EQ(client.read().body, "hi"); });
  gate.open();  // Waits until the request is at the gate.
  answered_later.join();
  EXPECT_EQ(gate.passes(), 1);
}

TEST(AnswerGateTest, WhatCannotBeMadeSafeIsAnsweredWithTheError) {
  ManualGate gate;
  TestServer server({}, nullptr, &gate);
  RawClient client(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi");
  gate.open(base::unavailable("the disk is full", "make room"));
  const RawAnswer answer = client.read();
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("the disk is full"));
}

// The threads for long predictions pass the gate, too.
TEST(AnswerGateTest, ALargeBodyIsHeldAsWell) {
  ManualGate gate;
  TestServer server({}, nullptr, &gate);
  const std::string body(100'000, 'x');
  RawClient client(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + body);
  std::thread answered_later([&] { EXPECT_EQ(client.read().body, body); });
  gate.open();
  answered_later.join();
}

// Refused requests have written nothing, so they do not wait.
TEST(AnswerGateTest, ErrorsLeaveAtOnce) {
  ManualGate gate;
  TestServer server({}, nullptr, &gate);
  RawClient client(server.port());
  EXPECT_EQ(client.request("GET", "/nowhere").status, 404);
  EXPECT_EQ(gate.passes(), 0);
}

TEST(AnswerGateTest, ManyConnectionsOfOneLoopPassTogether) {
  ManualGate gate;
  gate.stay_open();
  ServerOptions options;
  options.loop_threads = 1;
  TestServer server(std::move(options), nullptr, &gate);
  constexpr int kClients = 16;
  constexpr int kRequests = 20;
  std::vector<std::thread> clients;
  clients.reserve(kClients);
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      RawClient client(server.port());
      for (int k = 0; k < kRequests; ++k) {
        EXPECT_EQ(client.request("POST", "/echo", "hi").body, "hi");
      }
    });
  }
  for (std::thread& client : clients) {
    client.join();
  }
  EXPECT_GT(gate.passes(), 0);
  EXPECT_LE(gate.passes(), kClients * kRequests);
}

}  // namespace
}  // namespace cromford::http
