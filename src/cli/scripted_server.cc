#include "cli/scripted_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "base/text.h"

namespace cromford::cli {
namespace {

// Reads lines and counted bytes from a socket.
class Reader {
 public:
  explicit Reader(int socket) : socket_(socket) {}

  std::optional<std::string> line() {
    size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      if (!more()) {
        return std::nullopt;
      }
    }
    std::string text = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return text;
  }

  std::optional<std::string> bytes(size_t count) {
    while (buffer_.size() < count) {
      if (!more()) {
        return std::nullopt;
      }
    }
    std::string text = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return text;
  }

 private:
  bool more() {
    char piece[16384];
    const ssize_t count = ::recv(socket_, piece, sizeof piece, 0);
    if (count <= 0) {
      return false;
    }
    buffer_.append(piece, static_cast<size_t>(count));
    return true;
  }

  int socket_;
  std::string buffer_;
};

std::optional<std::string> read_chunks(Reader& reader) {
  std::string body;
  while (const auto size = reader.line()) {
    const size_t count = std::stoul(*size, nullptr, 16);
    const auto piece = reader.bytes(count + 2);
    if (!piece) {
      return std::nullopt;
    }
    if (count == 0) {
      return body;
    }
    body += piece->substr(0, count);
  }
  return std::nullopt;
}

std::optional<SeenRequest> read_request(Reader& reader) {
  const auto first = reader.line();
  if (!first) {
    return std::nullopt;
  }
  SeenRequest request;
  const auto words = base::split(*first, ' ');
  request.method = words[0];
  const std::string target(words.size() > 1 ? words[1] : "");
  request.path = target.substr(0, target.find('?'));
  request.query = target.size() > request.path.size() ? target.substr(request.path.size() + 1) : "";
  for (auto line = reader.line(); line && !line->empty(); line = reader.line()) {
    const size_t colon = line->find(':');
    request.headers[base::lower(line->substr(0, colon))] = base::trim(line->substr(colon + 1));
  }
  std::optional<std::string> body = std::string();
  if (request.headers.contains("transfer-encoding")) {
    body = read_chunks(reader);
  } else if (request.headers.contains("content-length")) {
    body = reader.bytes(std::stoul(request.headers["content-length"]));
  }
  if (!body) {
    return std::nullopt;
  }
  request.body = *std::move(body);
  return request;
}

bool send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    text.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

ScriptedServer::ScriptedServer() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::listen(listener_, 64) != 0) {
    std::abort();  // No test can go on without it.
  }
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  on("GET /healthz", {200, "ok", "text/plain"});
  thread_ = std::thread([this] { serve(); });
}

ScriptedServer::~ScriptedServer() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int socket : sockets_) {
      ::shutdown(socket, SHUT_RDWR);
    }
  }
  for (std::thread& connection : connections_) {
    connection.join();
  }
  for (const int socket : sockets_) {
    ::close(socket);
  }
  ::close(listener_);
}

std::string ScriptedServer::address() const {
  return fmt::format("127.0.0.1:{}", port_);
}

std::string ScriptedServer::url() const {
  return "http://" + address();
}

void ScriptedServer::on(const std::string& what, const ScriptedAnswer& answer) {
  on(what, [answer](const SeenRequest&) { return answer; });
}

void ScriptedServer::on(const std::string& what, Handler handler) {
  const std::lock_guard lock(mutex_);
  script_[what].push_back(std::move(handler));
}

std::vector<SeenRequest> ScriptedServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<SeenRequest> ScriptedServer::requests(const std::string& what) const {
  std::vector<SeenRequest> found;
  for (const SeenRequest& request : requests()) {
    if (request.method + " " + request.path == what) {
      found.push_back(request);
    }
  }
  return found;
}

ScriptedAnswer ScriptedServer::answer(const SeenRequest& request) {
  Handler handler;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    const auto found = script_.find(request.method + " " + request.path);
    if (found == script_.end()) {
      return {404,
              fmt::format(R"({{"status":404,"code":"NOT_FOUND","title":"Not found",)"
                          R"("detail":"nobody scripted {} {}"}})",
                          request.method, request.path),
              "application/problem+json"};
    }
    handler = found->second.front();
    if (found->second.size() > 1) {
      found->second.erase(found->second.begin());
    }
  }
  return handler(request);
}

void ScriptedServer::serve() {
  int number = 0;
  while (!stopping_) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) {
      continue;
    }
    const std::lock_guard lock(mutex_);
    sockets_.push_back(socket);
    connections_.emplace_back([this, socket, number] { serve_connection(socket, number); });
    ++number;
  }
}

void ScriptedServer::serve_connection(int socket, int number) {
  Reader reader(socket);
  while (auto request = read_request(reader)) {
    request->connection = number;
    const ScriptedAnswer reply = answer(*request);
    const std::string body = reply.status == 204 ? "" : reply.body;
    if (!send_all(socket, fmt::format("HTTP/1.1 {} Scripted\r\nContent-Type: {}\r\n"
                                      "Content-Length: {}\r\n{}\r\n{}",
                                      reply.status, reply.content_type, body.size(), reply.headers,
                                      body))) {
      break;
    }
  }
  ::shutdown(socket, SHUT_RDWR);
}

}  // namespace cromford::cli
