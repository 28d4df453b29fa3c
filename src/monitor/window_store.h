#pragma once

// The windows of counts of all endpoints, as documents of the metadata: one for each hour of event
// time and served version. They are documents and not objects because the hour under way changes
// with every round, and all hours of a round must be stored together or not at all.
//
//   WindowStore windows(metadata);
//   TRY(windows.add("default", "late", {{.window = hour}}));
//   TRY(const auto february, windows.list("default", "late", {.from = from, .to = to}));
//
// Thread safety: as the metadata; windows of one endpoint are added by one thread at a time.

#include <absl/status/statusor.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "monitor/window_counts.h"
#include "store/metadata.h"

namespace cromford::monitor {

struct StoredWindow {
  WindowCounts window;
  bool shadow = false;  // Whether the version scored these rows without answering them.
  uint64_t errors = 0;  // Requests that were refused or failed.
  // Answered requests by how long they took, in the buckets of who counts them.
  std::vector<uint64_t> latency = {};
  uint64_t latency_sum_ns = 0;
};

// Adds the one to the other; INVALID_ARGUMENT as merge() of their counts.
absl::Status merge(const StoredWindow& other, StoredWindow& into);

struct Period {
  std::optional<base::Time> from = std::nullopt;
  std::optional<base::Time> to = std::nullopt;  // The first that is no more meant.
};

class WindowStore {
 public:
  explicit WindowStore(store::Metadata& metadata) : metadata_(metadata) {}

  // Adds counts to those stored, in one commit: after an error nothing has changed. Counts on other
  // bins (a model that was deleted and made anew) take the place of those stored.
  absl::Status add(const std::string& project, const std::string& endpoint,
                   std::span<const StoredWindow> windows);
  // Those that meet the period, in order of time. DATA_LOSS names a damaged one.
  absl::StatusOr<std::vector<StoredWindow>> list(const std::string& project,
                                                 const std::string& endpoint,
                                                 const Period& period) const;
  // Puts the hours that ended at `before` (a midnight) or earlier together to days, in one commit;
  // the number of hours that are gone.
  absl::StatusOr<uint64_t> fold(const std::string& project, const std::string& endpoint,
                                base::Time before);
  // The clock of the endpoint: the begin of the latest hour that has rows, without those more than
  // a day after `now`, which come from clocks that are wrong.
  absl::StatusOr<std::optional<base::Time>> watermark(const std::string& project,
                                                      const std::string& endpoint,
                                                      base::Time now) const;

 private:
  // What stores these windows on top of those there are.
  absl::StatusOr<std::vector<store::Write>> sums_of(const std::string& project,
                                                    const std::string& endpoint,
                                                    std::span<const StoredWindow> windows) const;

  store::Metadata& metadata_;
};

}  // namespace cromford::monitor
