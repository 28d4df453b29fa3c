// The load of the serving benchmark: keep-alive connections to 127.0.0.1, each with one POST under
// way at a time. Prints one JSON object with the requests per second, the latencies, and the
// processor time that the server spent per request.
//
//   http_load --port 7040 --process PID --path /v2/models/late/infer --body FILE
//             [--connections 64] [--seconds 3]

#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "sockets.h"

namespace cromford::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  uint16_t port = 0;
  pid_t process = 0;
  std::string path;
  std::string body;
  int connections = 64;
  double seconds = 3;
};

double processor_seconds(pid_t process) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    fail("the clock of the server");
  }
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

class Load {
 public:
  explicit Load(const Settings& settings)
      : request_(fmt::format("POST {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUser-Agent: bench\r\n"
                             "Accept: */*\r\nContent-Type: application/json\r\n"
                             "Content-Length: {}\r\n\r\n{}",
                             settings.path, settings.port, settings.body.size(), settings.body)),
        epoll_(epoll_create1(0)) {
    for (int i = 0; i < settings.connections; ++i) {
      const int descriptor = connect_to(settings.port);
      watch(epoll_, descriptor);
      peers_.resize(std::max(peers_.size(), static_cast<size_t>(descriptor) + 1));
      ask(descriptor);
    }
  }

  // Gives the latencies of the requests that were answered, in microseconds.
  std::vector<float> run(double seconds) {
    std::vector<float> latencies;
    std::array<epoll_event, 256> events;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (Clock::now() < end) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i) {
        answer_and_ask(events[static_cast<size_t>(i)].data.fd, latencies);
      }
    }
    return latencies;
  }

 private:
  struct Peer {
    std::string pending;
    Clock::time_point asked;
  };

  void ask(int descriptor) {
    peers_[static_cast<size_t>(descriptor)].asked = Clock::now();
    if (write(descriptor, request_.data(), request_.size()) !=
        static_cast<ssize_t>(request_.size())) {
      fail("write");
    }
  }

  void answer_and_ask(int descriptor, std::vector<float>& latencies) {
    std::array<char, 16384> buffer;
    const ssize_t count = read(descriptor, buffer.data(), buffer.size());
    if (count <= 0) {
      fail("the server closed a connection");
    }
    Peer& peer = peers_[static_cast<size_t>(descriptor)];
    peer.pending.append(buffer.data(), static_cast<size_t>(count));
    const MessageSize size = message_size(peer.pending);
    if (size.total == 0) {
      return;
    }
    if (!peer.pending.starts_with("HTTP/1.1 200")) {
      fail(peer.pending.substr(0, 300));
    }
    peer.pending.erase(0, size.total);
    latencies.push_back(
        std::chrono::duration<float, std::micro>(Clock::now() - peer.asked).count());
    ask(descriptor);
  }

  const std::string request_;
  const int epoll_;
  std::vector<Peer> peers_;  // By descriptor.
};

float quantile(std::vector<float>& values, double share) {
  const auto place =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

Settings read_settings(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    const std::string_view value = argv[i + 1];
    const double number = base::to_number<double>(value).value_or(0);
    if (flag == "--port") {
      settings.port = static_cast<uint16_t>(number);
    } else if (flag == "--process") {
      settings.process = static_cast<pid_t>(number);
    } else if (flag == "--path") {
      settings.path = value;
    } else if (flag == "--body") {
      std::ostringstream text;
      text << std::ifstream(argv[i + 1], std::ios::binary).rdbuf();
      settings.body = text.str();
    } else if (flag == "--connections") {
      settings.connections = static_cast<int>(number);
    } else if (flag == "--seconds") {
      settings.seconds = number;
    } else {
      fail(fmt::format("there is no flag {}", flag));
    }
  }
  return settings;
}

int run(const Settings& settings) {
  Load load(settings);
  load.run(0.5);  // Warms up.
  const double before = processor_seconds(settings.process);
  const auto start = Clock::now();
  std::vector<float> latencies = load.run(settings.seconds);
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  const double processor = processor_seconds(settings.process) - before;
  if (latencies.empty()) {
    fail("no request was answered");
  }
  const auto requests = static_cast<double>(latencies.size());
  fmt::print(
      "{{\"requests_per_second\":{:.1f},\"processor_us\":{:.3f},\"p50_us\":{:.1f},"
      "\"p99_us\":{:.1f}}}\n",
      requests / elapsed, processor / requests * 1e6, quantile(latencies, 0.5),
      quantile(latencies, 0.99));
  return 0;
}

}  // namespace
}  // namespace cromford::bench

int main(int argc, char** argv) {
  return cromford::bench::run(cromford::bench::read_settings(argc, argv));
}
