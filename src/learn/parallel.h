#pragma once

// Pieces of work on a few threads. Results must not depend on how work is cut: callers write to
// places of their own.
//
//   in_pieces(rows, threads, [&](size_t first, size_t last) { ... });
//   in_turn(jobs.size(), threads, [&](size_t job) { ... });
//
// An exception of the work, on whatever thread (memory that runs out), ends what has not begun and
// is thrown again on the calling thread once all helpers are done.
// Thread safety: the functions return when all work is done.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace cromford::learn {

// Calls work(i) for each i in [0, count), in order of i but on up to `threads` threads.
template <typename Work>
void in_turn(size_t count, size_t threads, Work work) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto run = [&] {
    try {
      for (size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
        work(i);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
      next.store(count);
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (size_t i = 1; i < std::min(threads, count); ++i) {
      helpers.emplace_back(run);
    }
    run();
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
}

// Calls work(first, last) for consecutive pieces of [0, count).
template <typename Work>
void in_pieces(size_t count, size_t threads, Work work) {
  const size_t pieces = std::max<size_t>(1, std::min(threads, count / 256));
  in_turn(pieces, threads, [&work, count, pieces](size_t piece) {
    work(count * piece / pieces, count * (piece + 1) / pieces);
  });
}

}  // namespace cromford::learn
