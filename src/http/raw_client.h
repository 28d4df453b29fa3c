#pragma once

// A client for the tests of the server that sends exactly the bytes it is told to, and reads whole
// answers. Reading blocks until the server speaks or closes (at most half a minute).
//
//   RawClient client(server.port());
//   client.send("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
//   const RawAnswer answer = client.read();
//   EXPECT_EQ(answer.status, 200);
//
// Thread safety: belongs to one thread.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace cromford::http {

struct RawAnswer {
  int status = 0;                              // 0: the server closed without an answer.
  std::map<std::string, std::string> headers;  // Names in lower case.
  std::string body;
};

class RawClient {
 public:
  explicit RawClient(uint16_t port, int receive_buffer = 0)
      : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer > 0) {
      setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const timeval patience{30, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ =
        connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  void close() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
      descriptor_ = -1;
    }
  }
  void end_sending() { shutdown(descriptor_, SHUT_WR); }

  // Whether the server took all of it.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) {
        return false;
      }
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // GET and the like, on a connection that stays open.
  RawAnswer request(std::string_view method, std::string_view target, std::string_view body = {},
                    std::string_view more_headers = {}) {
    std::string text = std::string(method) + " " + std::string(target) +
                       " HTTP/1.1\r\nHost: localhost\r\n" + std::string(more_headers);
    if (!body.empty()) {
      text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    send(text + "\r\n" + std::string(body));
    return read(method == "HEAD");
  }

  // The next answer (1xx are answers too), with its body by Content-Length or to the end.
  RawAnswer read(bool head_only = false) {
    RawAnswer answer;
    while (received_.find("\r\n\r\n") == std::string::npos) {
      if (!receive()) {
        return answer;
      }
    }
    const size_t end = received_.find("\r\n\r\n");
    parse_header(received_.substr(0, end), answer);
    received_.erase(0, end + 4);
    const bool no_body =
        head_only || answer.status < 200 || answer.status == 204 || answer.status == 304;
    if (no_body) {
      return answer;
    }
    const auto length = answer.headers.find("content-length");
    if (length == answer.headers.end()) {
      answer.body = read_to_end();
      return answer;
    }
    const size_t size = std::strtoull(length->second.c_str(), nullptr, 10);
    while (received_.size() < size && receive()) {
    }
    answer.body = received_.substr(0, size);
    received_.erase(0, size);
    return answer;
  }

  // Only the header; what follows is left to read_until() or read_to_end().
  RawAnswer read_head() { return read(true); }

  // What comes up to and including `mark`; less when the server closes before.
  std::string read_until(std::string_view mark) {
    size_t found = received_.find(mark);
    while (found == std::string::npos && receive()) {
      found = received_.find(mark);
    }
    const size_t size = found == std::string::npos ? received_.size() : found + mark.size();
    std::string text = received_.substr(0, size);
    received_.erase(0, size);
    return text;
  }

  std::string read_to_end() {
    while (receive()) {
    }
    return std::exchange(received_, {});
  }

 private:
  bool receive() {
    char bytes[65536];
    const ssize_t count = recv(descriptor_, bytes, sizeof bytes, 0);
    if (count <= 0) {
      return false;
    }
    received_.append(bytes, static_cast<size_t>(count));
    return true;
  }

  static void parse_header(std::string_view text, RawAnswer& answer) {
    bool first = true;
    for (std::string_view line : base::split(text, '\n')) {
      line = base::trim(line);
      if (first) {
        answer.status =
            base::to_number<int>(line.substr(std::min<size_t>(9, line.size()), 3)).value_or(-1);
        first = false;
        continue;
      }
      const size_t colon = line.find(':');
      answer.headers[base::lower(line.substr(0, colon))] =
          std::string(base::trim(line.substr(std::min(colon, line.size() - 1) + 1)));
    }
  }

  int descriptor_;
  bool connected_ = false;
  std::string received_;
};

}  // namespace cromford::http
