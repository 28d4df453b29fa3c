#pragma once

// Conditions in users' SQL (`--where`), answered by a process of their own: a condition may eat any
// memory and never end, which neither the server's memory nor its threads may pay for.
//
//   Queries queries(context);
//   TRY(base::Json answer, queries.run({{"table", stored_table_json(stored)}, {"rows", ...}},
//                                      std::chrono::seconds(30)));
//
// Thread safety: every member may be called from any thread.

#include <atomic>
#include <chrono>

#include "app/context.h"
#include "base/cancel.h"
#include "base/json.h"
#include "base/status.h"

namespace cromford::app {

class Queries {
 public:
  // `context` must outlive it.
  explicit Queries(const Context& context) : context_(context) {}

  // Hands `input` to the worker `query` (query_worker.cc) and gives its answer. UNAVAILABLE where
  // as many run as may; RESOURCE_EXHAUSTED over the memory of queries; DEADLINE_EXCEEDED after
  // `time_limit`; CANCELLED after stop(); else what the worker says.
  absl::StatusOr<base::Json> run(base::Json input, std::chrono::nanoseconds time_limit);

  // Ends those that run; later ones are refused.
  void stop() { stopping_.cancel(); }

 private:
  absl::StatusOr<base::Json> run_in(const std::filesystem::path& directory, base::Json input,
                                    std::chrono::nanoseconds time_limit);

  const Context& context_;
  base::CancelSource stopping_;
  std::atomic<int> running_{0};
};

}  // namespace cromford::app
