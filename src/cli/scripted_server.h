#pragma once

// A small HTTP server for the tests of this folder: it answers what a test scripts, and notes what
// it was asked.
//
//   ScriptedServer server;
//   server.on("GET /api/v1/projects/default/datasets", {200, R"({"datasets":[]})"});
//   run({"--url", server.url(), "dataset", "list"});
//   EXPECT_EQ(server.requests().back().target, "...");
//
// Thread safety: every member may be called from any thread.

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace cromford::cli {

struct ScriptedAnswer {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::string headers = {};  // Whole lines, each ended by \r\n.
};

struct SeenRequest {
  std::string method;
  std::string path;                            // Without the query.
  std::string query;                           // As it came.
  std::map<std::string, std::string> headers;  // Names in lower case.
  std::string body;                            // Chunks put together.
  int connection = 0;
};

class ScriptedServer {
 public:
  using Handler = std::function<ScriptedAnswer(const SeenRequest&)>;

  ScriptedServer();
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::string url() const;
  std::string address() const;  // "127.0.0.1:PORT"

  // `what` is "METHOD /path". Several answers for the same are given one after the other, the last
  // one for ever. What nobody scripted is answered with 404.
  void on(const std::string& what, const ScriptedAnswer& answer);
  void on(const std::string& what, Handler handler);

  std::vector<SeenRequest> requests() const;
  // The requests of that "METHOD /path".
  std::vector<SeenRequest> requests(const std::string& what) const;

 private:
  void serve();
  void serve_connection(int socket, int number);
  ScriptedAnswer answer(const SeenRequest& request);

  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Handler>> script_;
  std::vector<SeenRequest> requests_;
  std::vector<int> sockets_;
  std::vector<std::thread> connections_;
  std::thread thread_;
};

}  // namespace cromford::cli
