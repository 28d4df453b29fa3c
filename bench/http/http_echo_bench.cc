// What a request costs: the server of src/http with one inline handler against a raw epoll echo,
// which does the least that can be done. Both echo a body of the size of one row of V2 JSON; each
// runs in its own process on one thread, and its processor time is divided by its requests.
//
//   http_echo_bench [--seconds N] [--connections N] [--body BYTES]

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "http/server.h"

namespace cromford {
namespace {

struct Settings {
  double seconds = 3;
  int connections = 64;
  size_t body_bytes = 600;
};

[[noreturn]] void fail(std::string_view what) {
  fmt::print(stderr, "http_echo_bench: {}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

void pin(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(processor), &set);
  sched_setaffinity(0, sizeof set, &set);  // Where there is one processor only, it stays unpinned.
}

void watch(int epoll, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = descriptor;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    fail("epoll_ctl");
  }
}

void set_no_delay(int descriptor) {
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// The length of the message that `bytes` begins with, or 0 when it is not complete.
size_t message_length(std::string_view bytes, size_t* header_length) {
  constexpr std::string_view kField = "Content-Length: ";
  const size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    return 0;
  }
  *header_length = end + 4;
  size_t body = 0;
  if (const size_t field = bytes.find(kField); field < end) {
    body = std::strtoull(bytes.data() + field + kField.size(), nullptr, 10);
  }
  return bytes.size() >= *header_length + body ? *header_length + body : 0;
}

// --- the raw server ---------------------------------------------------------------------------

void echo_once(int descriptor) {
  std::array<char, 16384> buffer;
  const ssize_t count = read(descriptor, buffer.data(), buffer.size() - 1);
  if (count <= 0) {
    close(descriptor);
    return;
  }
  buffer[static_cast<size_t>(count)] = 0;
  const std::string_view request(buffer.data(), static_cast<size_t>(count));
  size_t header = 0;
  if (message_length(request, &header) == 0) {
    return;  // The load generator sends whole requests.
  }
  const std::string_view body = request.substr(header);
  std::array<char, 16384 + 256> answer;
  const int head = std::snprintf(
      answer.data(), 256,
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
      body.size());
  std::memcpy(answer.data() + head, body.data(), body.size());
  if (write(descriptor, answer.data(), static_cast<size_t>(head) + body.size()) < 0) {
    close(descriptor);
  }
}

[[noreturn]] void serve_raw(int port_pipe) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, 1024) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    fail("listen");
  }
  const uint16_t port = ntohs(address.sin_port);
  if (write(port_pipe, &port, sizeof port) != sizeof port) {
    fail("pipe");
  }
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

// --- our server -------------------------------------------------------------------------------

[[noreturn]] void serve_ours(int port_pipe) {
  static constexpr http::Route kRoutes[] = {{.method = http::Method::kPost,
                                             .pattern = "/v2/models/{model}/infer",
                                             .operation = "infer",
                                             .permission = http::Permission::kPredict,
                                             .kind = http::HandlerKind::kInline,
                                             .body_bytes_max = 8U << 20,
                                             .content_types = "application/json"}};
  auto router =
      http::Router::create(kRoutes, {{"infer", [](http::Request& request, http::Response& answer) {
                                        answer.body.assign(request.body);
                                        return absl::OkStatus();
                                      }}});
  http::ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.loop_threads = 1;
  options.limits.connections = 10'000;
  http::Metrics metrics(kRoutes);
  auto server = http::Server::start(
      options, std::move(*router),
      {base::system_clock(), base::system_entropy(), base::system_files(), metrics});
  if (!server.ok()) {
    fail(base::describe(server.status()));
  }
  const uint16_t port = (*server)->port();
  if (write(port_pipe, &port, sizeof port) != sizeof port) {
    fail("pipe");
  }
  for (;;) {
    pause();
  }
}

// --- the load ---------------------------------------------------------------------------------

struct Result {
  double requests_per_second = 0;
  double processor_us = 0;  // Of the server, per request.
};

int connect_to(uint16_t port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail("connect");
  }
  set_no_delay(descriptor);
  return descriptor;
}

void send_request(int descriptor, std::string_view request) {
  if (write(descriptor, request.data(), request.size()) != static_cast<ssize_t>(request.size())) {
    fail("write");
  }
}

// Reads an answer and sends the next request at once; returns how many answers came.
int answer_and_ask(int descriptor, std::string& pending, std::string_view request) {
  std::array<char, 16384> buffer;
  const ssize_t count = read(descriptor, buffer.data(), buffer.size());
  if (count <= 0) {
    fail("the server closed a connection");
  }
  pending.append(buffer.data(), static_cast<size_t>(count));
  size_t header = 0;
  const size_t length = message_length(pending, &header);
  if (length == 0) {
    return 0;
  }
  if (!pending.starts_with("HTTP/1.1 200")) {
    fail(pending.substr(0, 300));
  }
  pending.erase(0, length);
  send_request(descriptor, request);
  return 1;
}

double processor_seconds(pid_t process) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    fail("clock");
  }
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

Result load(pid_t server, uint16_t port, const Settings& settings) {
  using Clock = std::chrono::steady_clock;
  const std::string request = fmt::format(
      "POST /v2/models/late/infer HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUser-Agent: bench\r\n"
      "Accept: */*\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      port, settings.body_bytes, std::string(settings.body_bytes, 'x'));
  const int epoll = epoll_create1(0);
  std::vector<int> connections;
  std::vector<std::string> pending;
  for (int i = 0; i < settings.connections; ++i) {
    connections.push_back(connect_to(port));
    watch(epoll, connections.back());
    pending.resize(std::max(pending.size(), static_cast<size_t>(connections.back()) + 1));
    send_request(connections.back(), request);
  }
  std::array<epoll_event, 256> events;
  const auto run = [&](double seconds) {
    int64_t requests = 0;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (Clock::now() < end) {
      const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i) {
        const int ready = events[static_cast<size_t>(i)].data.fd;
        requests += answer_and_ask(ready, pending[static_cast<size_t>(ready)], request);
      }
    }
    return requests;
  };
  run(0.5);  // Warms up.
  const auto start = Clock::now();
  const double processor_before = processor_seconds(server);
  const auto requests = static_cast<double>(run(settings.seconds));
  const double processor = processor_seconds(server) - processor_before;
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  for (const int connection : connections) {
    close(connection);
  }
  close(epoll);
  return {requests / elapsed, processor / requests * 1e6};
}

Result measure(void (*serve)(int), const Settings& settings) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) {
    fail("pipe");
  }
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(0);
    serve(pipe_ends[1]);
    std::exit(1);
  }
  uint16_t port = 0;
  if (read(pipe_ends[0], &port, sizeof port) != sizeof port) {
    fail("the server did not start");
  }
  pin(1);
  const Result result = load(child, port, settings);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  return result;
}

Settings read_settings(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    const auto value = base::to_number<double>(argv[i + 1]);
    if (!value || *value <= 0) {
      fmt::print(stderr, "http_echo_bench: {} needs a number\n", flag);
      std::exit(2);
    }
    if (flag == "--seconds") {
      settings.seconds = *value;
    } else if (flag == "--connections") {
      settings.connections = static_cast<int>(*value);
    } else if (flag == "--body") {
      settings.body_bytes = std::min<size_t>(static_cast<size_t>(*value), 8000);
    } else {
      fmt::print(stderr, "http_echo_bench: there is no flag {}\n", flag);
      std::exit(2);
    }
  }
  return settings;
}

int run(int argc, char** argv) {
  const Settings settings = read_settings(argc, argv);
  fmt::print("{} connections, bodies of {} bytes, {} s each\n\n", settings.connections,
             settings.body_bytes, settings.seconds);
  const Result raw = measure([](int pipe) { serve_raw(pipe); }, settings);
  const Result ours = measure([](int pipe) { serve_ours(pipe); }, settings);
  fmt::print("{:<12} {:>12} {:>22}\n", "server", "requests/s", "processor us/request");
  fmt::print("{:<12} {:>12.0f} {:>22.2f}\n", "raw epoll", raw.requests_per_second,
             raw.processor_us);
  fmt::print("{:<12} {:>12.0f} {:>22.2f}\n", "cromford", ours.requests_per_second,
             ours.processor_us);
  fmt::print("\nprocessor time per request: {:.2f}x of the raw echo\n",
             ours.processor_us / raw.processor_us);
  return 0;
}

}  // namespace
}  // namespace cromford

int main(int argc, char** argv) {
  return cromford::run(argc, argv);
}
