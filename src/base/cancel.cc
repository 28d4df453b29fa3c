#include "base/cancel.h"

#include "base/status.h"

namespace cromford::base {

bool CancelToken::past_deadline() const {
  return clock_ != nullptr && clock_->monotonic() >= deadline_;
}

bool CancelToken::cancelled() const {
  return (flag_ && flag_->load(std::memory_order_relaxed)) || past_deadline();
}

absl::Status CancelToken::check() const {
  if (flag_ && flag_->load(std::memory_order_relaxed)) {
    return base::cancelled("it was cancelled");
  }
  if (past_deadline()) {
    return {absl::StatusCode::kDeadlineExceeded, "the time for it is over"};
  }
  return absl::OkStatus();
}

CancelToken CancelToken::with_deadline(const Clock& clock,
                                       std::chrono::nanoseconds remaining) const {
  CancelToken result = *this;
  if (clock_ == nullptr || remaining < deadline_ - clock_->monotonic()) {
    result.clock_ = &clock;
    result.deadline_ = clock.monotonic() + remaining;
  }
  return result;
}

CancelSource::CancelSource() : flag_(std::make_shared<std::atomic<bool>>(false)) {}

void CancelSource::cancel() {
  flag_->store(true, std::memory_order_relaxed);
}

bool CancelSource::cancelled() const {
  return flag_->load(std::memory_order_relaxed);
}

CancelToken CancelSource::token() const {
  CancelToken token;
  token.flag_ = flag_;
  return token;
}

}  // namespace cromford::base
