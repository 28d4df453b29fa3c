// The least that an HTTP server can do: epoll, one read, the body written back. What a request of
// ours costs is told as a multiple of what one costs here.

#include <array>
#include <cstring>
#include <string_view>

#include "sockets.h"

namespace cromford::bench {
namespace {

constexpr size_t kMessageBytes = 16384;  // The load sends whole requests, smaller than this.

void echo_once(int descriptor) {
  std::array<char, kMessageBytes> buffer;
  const ssize_t count = read(descriptor, buffer.data(), buffer.size() - 1);
  if (count <= 0) {
    close(descriptor);
    return;
  }
  buffer[static_cast<size_t>(count)] = 0;
  const std::string_view request(buffer.data(), static_cast<size_t>(count));
  const MessageSize size = message_size(request);
  if (size.total == 0) {
    return;
  }
  const std::string_view body = request.substr(size.header);
  std::array<char, kMessageBytes + 256> answer;
  const int head = std::snprintf(
      answer.data(), 256,
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
      body.size());
  std::memcpy(answer.data() + head, body.data(), body.size());
  if (write(descriptor, answer.data(), static_cast<size_t>(head) + body.size()) < 0) {
    close(descriptor);
  }
}

[[noreturn]] void serve() {
  const int listener = listen_on_loopback();
  announce(port_of(listener));
  const int epoll = epoll_create1(0);
  watch(epoll, listener);
  std::array<epoll_event, 256> events;
  for (;;) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int ready = events[static_cast<size_t>(i)].data.fd;
      if (ready == listener) {
        const int accepted = accept(listener, nullptr, nullptr);
        set_no_delay(accepted);
        watch(epoll, accepted);
      } else {
        echo_once(ready);
      }
    }
  }
}

}  // namespace
}  // namespace cromford::bench

int main() {
  cromford::bench::serve();
}
