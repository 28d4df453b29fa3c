#pragma once

// The few calls on sockets that the servers and the load of the serving benchmark share.
//
//   const int listener = listen_on_loopback();
//   announce(listener);                       // "listening http=127.0.0.1:PORT"
//   watch(epoll, listener);
//
// Thread safety: functions without state. What fails ends the program: it is a benchmark.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace cromford::bench {

[[noreturn]] inline void fail(std::string_view what) {
  fmt::print(stderr, "{}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

inline void watch(int epoll, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = descriptor;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    fail("epoll_ctl");
  }
}

inline void set_no_delay(int descriptor) {
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

inline sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline int connect_to(uint16_t port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = loopback(port);
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("connect");
  }
  set_no_delay(descriptor);
  return descriptor;
}

inline int listen_on_loopback() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = loopback(0);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, 1024) != 0) {
    fail("listen");
  }
  return listener;
}

inline uint16_t port_of(int listener) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    fail("getsockname");
  }
  return ntohs(address.sin_port);
}

// The line that `cromford server` prints as well.
inline void announce(uint16_t port) {
  fmt::print("listening http=127.0.0.1:{}\n", port);
  std::fflush(stdout);
}

// Of the message that `bytes` begins with; a total of 0 says that it is not complete.
struct MessageSize {
  size_t header = 0;
  size_t total = 0;
};

inline MessageSize message_size(std::string_view bytes) {
  const size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    return {};
  }
  size_t body = 0;
  // Servers spell the field in either way.
  for (const std::string_view name : {"Content-Length: ", "content-length: "}) {
    if (const size_t field = bytes.find(name); field < end) {
      body = std::strtoull(bytes.data() + field + name.size(), nullptr, 10);
    }
  }
  const size_t total = end + 4 + body;
  return {end + 4, bytes.size() >= total ? total : 0};
}

}  // namespace cromford::bench
