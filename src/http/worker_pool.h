#pragma once

// A fixed number of threads and a queue of bounded length: what would make the queue longer is
// refused, so that an overload shows at once instead of as ever longer waiting.
//
//   WorkerPool pool("http-work", 8, 256);
//   if (!pool.submit([&] { work(); })) { return base::unavailable("too much to do"); }
//   pool.stop();                                     // also in the destructor
//
// Thread safety: every member may be called from any thread.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace cromford::http {

class WorkerPool {
 public:
  WorkerPool(const std::string& name, int threads, size_t queue_max);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Whether the work was taken: false when the queue is full or the pool has stopped.
  bool submit(std::function<void()> work);
  // Does what is queued, then ends the threads.
  void stop();

 private:
  void run();

  const size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

// Starts a thread that takes no signals, which belong to the main thread.
std::thread start_thread(const std::string& name, std::function<void()> body);

}  // namespace cromford::http
