#pragma once

// Opening a log that was there before: what was open gets its footer, what is damaged is kept aside
// and reported, and what the checkpoint does not cover is counted. For the sources of this folder.
//
// Thread safety: before anything else of the log runs.

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <vector>

#include "feedback/core.h"

namespace cromford::feedback {

// It has its footer, but not yet its name; see settle_segment.
struct UnsettledSegment {
  SegmentKind kind = SegmentKind::kPredictions;
  uint32_t number = 0;
};

struct Recovered {
  RecoveryReport report;
  std::vector<UnsettledSegment> unsettled;
  // Closed segments without an index file; their entries are in memory.
  std::vector<uint32_t> unindexed;
  // See Checkpoint::removed.
  std::map<uint32_t, uint32_t> removed;
};

absl::StatusOr<Recovered> recover(Core& core);

}  // namespace cromford::feedback
