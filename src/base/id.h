#pragma once

// Ids of predictions, runs, jobs: ULIDs (https://github.com/ulid/spec) in lower case, 26 characters
// of Crockford's base 32: 48 bits of milliseconds, then 80 random bits. Sorted as text they are
// sorted by time of creation.
//
//   base::IdSource ids(base::system_clock(), base::system_entropy());
//   const std::string id = ids.next();          // "01hv3c9k2m8q4z7x5y6w1t0s9r"
//
// Thread safety: one source may be shared by threads.

#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace cromford::base {

class IdSource {
 public:
  // Both must outlive the source.
  IdSource(Clock& clock, Entropy& entropy);

  // Greater than every id that this source gave before, even when the clock stands still or jumps
  // back: then the last time is kept and the random part is counted up.
  std::string next();
  // The same at the end of `out`, for callers that keep their memory.
  void append(std::string& out);

 private:
  Clock& clock_;
  Entropy& entropy_;
  std::mutex mutex_;
  uint64_t last_ms_ = 0;
  uint64_t high_ = 0;  // 16 bits of the random part
  uint64_t low_ = 0;   // 64 bits of the random part
};

// Whether `text` has the form of an id.
bool is_id(std::string_view text);

}  // namespace cromford::base
