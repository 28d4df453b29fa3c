#pragma once

// What a log does beside the requests: closes segments and gives them their index files, keeps the
// checkpoint, merges indexes, gives up outcomes that wait too long, removes what is old. For the
// sources of this folder.
//
// Thread safety: one call at a time.

#include <cstdint>
#include <map>
#include <vector>

#include "feedback/core.h"
#include "feedback/recovery.h"

namespace cromford::feedback {

class Maintenance {
 public:
  Maintenance(Core& core, Recovered recovered)
      : core_(core),
        unsettled_(std::move(recovered.unsettled)),
        unindexed_(std::move(recovered.unindexed)),
        removed_(std::move(recovered.removed)) {}

  // Gives segments, whose records are all known to the joiner, their footer and their index. Where
  // something fails, it and what is behind it is tried again by the next call.
  absl::Status close_finished(std::vector<FinishedSegment> segments);
  // Syncs a closed segment and gives it its name; whether more are left. One by one, because each
  // may take the disk a while, and indexing what is closed meanwhile keeps memory small.
  absl::StatusOr<bool> settle_one();
  absl::Status give_up_outcomes();
  absl::Status merge_indexes();
  absl::StatusOr<uint64_t> retain(const Retention& retention);
  absl::Status write_checkpoint();

 private:
  absl::Status close(const FinishedSegment& segment);
  absl::Status write_indexes(SegmentKind kind);
  absl::Status merge(SegmentKind kind, const Index::Files& old);
  absl::Status drop_dead_indexes(SegmentKind kind);
  absl::StatusOr<uint64_t> remove(const ClosedSegment& segment);
  // Whether an index need not know a segment any more.
  bool is_dead(uint32_t number) const;

  Core& core_;
  std::vector<FinishedSegment> finished_;
  std::vector<UnsettledSegment> unsettled_;
  std::vector<uint32_t> unindexed_;
  std::map<uint32_t, uint32_t> removed_;  // see Checkpoint::removed
  bool checkpoint_is_due_ = true;
  base::Time next_give_up_ = base::Time::min();
  uint32_t given_up_through_ = 0;  // while merging
};

}  // namespace cromford::feedback
