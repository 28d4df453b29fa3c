#include "serve/thread_number.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace cromford::serve {

size_t shard_count() {
  constexpr size_t kShardsMax = 16;
  return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kShardsMax);
}

size_t thread_number() {
  static std::atomic<size_t> next{0};
  thread_local const size_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace cromford::serve
