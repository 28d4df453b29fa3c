#pragma once

// Asking work to stop: who starts it keeps the source, who does it looks at the token now and then.
// A token may also carry a deadline; both end the work with their own reason.
//
//   base::CancelSource source;
//   std::thread worker([token = source.token()] {
//     for (const auto& chunk : chunks) { if (token.cancelled()) return; work(chunk); }
//   });
//   source.cancel();
//
// Thread safety: sources and tokens may be shared by threads and copied. A default-made token is
// never cancelled.

#include <absl/status/status.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>

#include "base/clock.h"

namespace cromford::base {

class CancelToken {
 public:
  CancelToken() = default;

  // Cheap enough for inner loops: one relaxed load, and the clock where there is a deadline.
  bool cancelled() const;
  // OK, CANCELLED, or DEADLINE_EXCEEDED.
  absl::Status check() const;
  // This token with a deadline `remaining` from now on `clock`, which must outlive it; the earlier
  // of two deadlines counts.
  CancelToken with_deadline(const Clock& clock, std::chrono::nanoseconds remaining) const;

 private:
  friend class CancelSource;
  bool past_deadline() const;

  std::shared_ptr<const std::atomic<bool>> flag_;
  const Clock* clock_ = nullptr;
  std::chrono::nanoseconds deadline_{0};
};

class CancelSource {
 public:
  CancelSource();
  // Async-signal-safe, may be called repeatedly.
  void cancel();
  bool cancelled() const;
  CancelToken token() const;

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace cromford::base
