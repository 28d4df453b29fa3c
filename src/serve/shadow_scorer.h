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
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "model/package.h"
#include "serve/endpoint.h"
#include "serve/row_columns.h"
#include "serve/traffic.h"

namespace cromford::serve {

class ShadowScorer {
 public:
  // Rows that may wait; what would exceed it is left out, unless nothing else waits.
  static constexpr size_t kRowsWaitingMax = 65'536;

  // What shadows answer goes to `log`, where there is one.
  explicit ShadowScorer(base::Clock& clock, PredictionLog* log = nullptr);
  // Leaves out what still waits.
  ~ShadowScorer();
  ShadowScorer(const ShadowScorer&) = delete;
  ShadowScorer& operator=(const ShadowScorer&) = delete;

  // Takes a copy of `rows`, in the columns of the variant's package, with their ids and event times
  // (none: they came at `arrival`), and counts and logs them for the variant when they are scored.
  // No allocation once it has seen work of this size.
  void add(const Variant& variant, const RowColumns& rows, std::span<const std::string_view> ids,
           std::span<const base::Time> times, base::Time arrival);
  void wait_until_idle();

 private:
  struct Work;

  void run();
  void score(Work& work);
  absl::Status log(const Work& work, const model::Predictions& predictions, uint64_t latency_ns);

  base::Clock& clock_;
  PredictionLog* const log_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Work>> waiting_;
  std::vector<std::unique_ptr<Work>> free_;
  size_t rows_waiting_ = 0;  // Together with those that are being scored.
  bool stopped_ = false;
  model::Workspace workspace_;  // Of the thread, as is `row_`.
  RowValues row_;
  std::thread thread_;
};

}  // namespace cromford::serve
