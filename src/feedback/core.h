#pragma once

// What the parts of a log share: its options, its segments, what is known of ids, the layouts that
// were declared, and the segments that wait for being closed. For the sources of this folder.
//
// Thread safety: may be shared by threads.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "feedback/codec.h"
#include "feedback/joiner.h"
#include "feedback/log.h"
#include "feedback/segment.h"

namespace cromford::feedback {

struct DeclaredLayout {
  uint32_t number = 0;
  Layout layout;
  LayoutShape shape;
  uint32_t endpoint = 0;  // the joiner's number
  uint64_t seed = 0;      // of its ids' fingerprints
  std::string frame;      // as it stands in segments
};

class Layouts {
 public:
  // `endpoint` is the joiner's number of the layout's endpoint.
  uint32_t declare(const Layout& layout, uint32_t endpoint);
  // nullptr for a number that was not declared. Stays valid.
  const DeclaredLayout* find(uint32_t number) const;

 private:
  mutable std::mutex mutex_;
  std::deque<DeclaredLayout> layouts_;
};

// A segment that nobody writes to any more.
struct FinishedSegment {
  SegmentKind kind = SegmentKind::kPredictions;
  uint32_t number = 0;
  uint64_t frames_end = 0;  // what stands behind it is not to be believed
  std::vector<uint64_t> layouts;
};

struct Core {
  explicit Core(const LogOptions& log_options);

  const LogOptions options;
  Segments segments;
  Joiner joiner;
  Layouts layouts;
  std::atomic<uint32_t> next_number{1};

  // Whether a segment of this size, these records and this age is to be closed.
  bool due(uint64_t bytes, uint64_t records, base::Time created_at) const;
  // A new segment; readers know of it.
  absl::StatusOr<OpenSegment> create_segment(SegmentKind kind, Durability durability);

  void finish(FinishedSegment segment);
  // Those that were finished since the last call.
  std::vector<FinishedSegment> take_finished();

  // Wakes who waits in `wait`.
  void wake();
  // Returns after `wake`, after a while, or when `stop` was called (then false).
  bool wait();
  void stop();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<FinishedSegment> finished_;
  bool woken_ = false;
  bool stopped_ = false;
};

}  // namespace cromford::feedback
