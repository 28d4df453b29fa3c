#pragma once

// The counts of the log, and which records they cover, as one small file that is replaced whole:
// after a restart only what is not covered is counted again. Without it, everything is.
//
// Thread safety: values and functions only.

#include <absl/status/statusor.h>

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "feedback/statistics.h"

namespace cromford::feedback {

inline constexpr std::string_view kCheckpointName = "checkpoint";
// All of a segment.
inline constexpr uint64_t kWhole = std::numeric_limits<uint64_t>::max();

struct Checkpoint {
  struct Endpoint {
    std::string name;
    EndpointStatistics statistics;
  };
  uint32_t next_number = 1;               // of a segment
  uint32_t given_up_through = 0;          // outcomes up to this segment no longer wait
  std::map<uint32_t, uint64_t> progress;  // by segment: records before this offset are covered
  // Segments that were removed: as long as outcomes up to the other segment wait, they are
  // remembered by the index, or what they answered would seem to be waiting.
  std::map<uint32_t, uint32_t> removed;
  std::vector<Endpoint> endpoints;
};

std::string encode_checkpoint(const Checkpoint& checkpoint);
// DATA_LOSS for anything else.
absl::StatusOr<Checkpoint> decode_checkpoint(std::string_view bytes);

}  // namespace cromford::feedback
