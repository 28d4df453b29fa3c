#pragma once

// The way of answered predictions into the log of a home. Each thread that answers has a writer of
// its own; what it wrote in a turn must pass commit() before the answers leave.
//
//   PredictionLog predictions(log, threads, clock);
//   TRY(predictions.add({.endpoint = endpoint, .ids = ids});   // by predict_json and the like
//   if (predictions.has_uncommitted()) predictions.commit(post_answers);
//
// Thread safety: all members, from at most as many threads as were named.

#include <absl/status/status.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "feedback/log.h"

namespace cromford::serve {

struct VariantSpec;

class PredictionLog {
 public:
  // `writers`: at most as many as the log has.
  PredictionLog(feedback::Log& log, size_t writers);
  PredictionLog(const PredictionLog&) = delete;
  PredictionLog& operator=(const PredictionLog&) = delete;

  // The number under which the log knows a version of an endpoint; see variant_layout().
  uint32_t declare(const feedback::Layout& layout) { return log_.declare(layout); }
  // Of the calling thread, from its first use on. RESOURCE_EXHAUSTED for one thread too many.
  absl::StatusOr<feedback::PredictionWriter*> writer();

  // Whether the calling thread has added what is not committed.
  bool has_uncommitted();
  // Hands what the calling thread added to the kernel, or to the disk where the log promises that;
  // `done` is called once, from any thread.
  void commit(const std::function<void(absl::Status)>& done);

 private:
  feedback::Log& log_;
  const size_t writers_;
  const uint64_t number_;  // Of this object among all that ever were.
  std::atomic<size_t> threads_{0};
};

// The key under which the log joins predictions and outcomes of an endpoint: "default/late". What a
// shadow scores stands under a key of its own, "default/late/shadow/late@4": its rows have the same
// ids.
std::string log_key(std::string_view project, std::string_view endpoint);
feedback::Layout variant_layout(std::string_view project, std::string_view endpoint,
                                const VariantSpec& variant);

}  // namespace cromford::serve
