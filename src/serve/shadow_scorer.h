#pragma once

// Scores the rows of answered requests with the shadow versions of their endpoints, on a thread of
// its own: however slow a shadow is, no answer waits for it. Work that it cannot keep up with is
// left out and counted.
//
//   ShadowScorer shadows(base::system_clock());
//   shadows.add(variant, lane);                      // copies the lane's rows
//   shadows.wait_until_idle();                       // in tests
//
// Thread safety: all members, from any thread.

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "model/package.h"
#include "serve/endpoint.h"
#include "serve/traffic.h"

namespace cromford::serve {

class RowColumns;

class ShadowScorer {
 public:
  // Rows that may wait; what would exceed it is left out, unless nothing else waits.
  static constexpr size_t kRowsWaitingMax = 65'536;

  explicit ShadowScorer(base::Clock& clock);
  // Leaves out what still waits.
  ~ShadowScorer();
  ShadowScorer(const ShadowScorer&) = delete;
  ShadowScorer& operator=(const ShadowScorer&) = delete;

  // Takes a copy of `rows`, in the columns of the variant's package, and counts them for the
  // variant when they are scored. No allocation once it has seen work of this size.
  void add(const Variant& variant, const RowColumns& rows);
  void wait_until_idle();

 private:
  struct Work;

  void run();
  void score(Work& work);

  base::Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Work>> waiting_;
  std::vector<std::unique_ptr<Work>> free_;
  size_t rows_waiting_ = 0;  // Together with those that are being scored.
  bool stopped_ = false;
  model::Workspace workspace_;  // Of the thread.
  std::thread thread_;
};

}  // namespace cromford::serve
