#pragma once

// The way of outcomes into the log: whatever waits is written by one write and made durable by one
// sync, then joined, then acknowledged. For the sources of this folder.
//
//   OutcomeCommitter committer(core);
//   committer.add("default/late", rule, outcomes, [](absl::StatusOr<OutcomeReceipt> receipt)
//   {...});
//
// Thread safety: may be shared by threads.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "feedback/core.h"

namespace cromford::feedback {

class OutcomeCommitter {
 public:
  using Done = std::function<void(absl::StatusOr<OutcomeReceipt>)>;

  // `before_join` is called by the committing thread once for each sync, so that the predictions
  // that were written before are known.
  OutcomeCommitter(Core& core, std::function<void()> before_join);
  // Commits what waits, and ends.
  ~OutcomeCommitter();

  void add(std::string_view endpoint, const OutcomeRule& rule,
           std::span<const OutcomeRecord> outcomes, Done done);
  // Finishes the segment where it is due; always: where it has records.
  void close_segment(bool always);

 private:
  struct Request {
    uint32_t endpoint = 0;
    std::string frames;  // of the outcomes that were taken
    OutcomeReceipt receipt;
    Done done;
  };

  void run();
  void commit(std::deque<Request>& requests);
  absl::Status store(std::string& frames);
  absl::Status append(std::string& frames);
  void join(Request& request, uint64_t offset, std::string_view frames);
  void finish_segment(uint64_t end);

  Core& core_;
  const std::function<void()> before_join_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Request> waiting_;
  bool stopped_ = false;
  size_t last_group_ = 0;                  // requests of the last commit
  std::chrono::nanoseconds last_sync_{0};  // how long its sync took; the committing thread's

  std::mutex segment_mutex_;  // the segment: the committing thread, and who closes it
  std::optional<OpenSegment> segment_;
  uint64_t records_ = 0;
  bool is_refusing_ = false;  // said once

  std::thread thread_;
};

}  // namespace cromford::feedback
