#pragma once

// Threads that take work from one queue, first come, first served. Threads are made when there is
// work for them and stay until the end.
//
//   WorkQueue queue(2);
//   queue.add([job] { carry_out(job); });
//   queue.stop();                                 // what has begun ends; what waits is dropped
//
// Thread safety: every member may be called from any thread.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cromford::flow {

class WorkQueue {
 public:
  explicit WorkQueue(size_t threads_max) : threads_max_(threads_max) {}
  ~WorkQueue() { stop(); }
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // After stop(), work is dropped.
  void add(std::function<void()> work);
  // Waits for the work that has begun; may be called more than once.
  void stop();

 private:
  void run();

  const size_t threads_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace cromford::flow
