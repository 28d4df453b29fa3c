#pragma once

// Brings predictions and outcomes together by id, in whatever order they come, and counts. What is
// counted of an id follows from what is known of it alone (see `Standing`), so the same records
// give the same counts in any order, and after a restart.
//
//   Joiner joiner({.waiting_max = ..., .read_outcome = ...});
//   const uint32_t late = joiner.endpoint("default/late");
//   joiner.add_predictions(arrivals);
//   switch (joiner.add_outcome(late, entry, outcome)) { ... }
//
// Thread safety: may be shared by threads.

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "feedback/checkpoint.h"
#include "feedback/codec.h"
#include "feedback/format.h"
#include "feedback/index.h"
#include "feedback/statistics.h"

namespace cromford::feedback {

struct Arrival {
  IndexEntry entry;
  uint32_t endpoint = 0;
};

// What an outcome did.
enum class Met { kJoined, kWaiting, kDuplicate, kCorrection };

struct JoinerOptions {
  std::chrono::microseconds waiting_max{};
  // Whether the outcome that stands at `entry` says the same for the same id; false where it is
  // gone.
  std::function<bool(const IndexEntry& entry, const OutcomeView& outcome)> says_the_same;
};

class Joiner {
 public:
  explicit Joiner(JoinerOptions options) : options_(std::move(options)) {}

  // The number of an endpoint, for as long as this object lives.
  uint32_t endpoint(std::string_view name);
  std::vector<std::string> endpoints() const;
  EndpointStatistics statistics(std::string_view name) const;
  // For what is not counted by records: `change` is called under the joiner's lock.
  void count(uint32_t endpoint, const std::function<void(EndpointStatistics&)>& change);

  void add_predictions(std::span<const Arrival> arrivals);
  Met add_outcome(uint32_t endpoint, const IndexEntry& entry, const OutcomeView& outcome);
  // Counted before the restart: they go into the index and are not counted again.
  void restore_prediction(const IndexEntry& entry);
  void restore_outcome(const IndexEntry& entry, const OutcomeView& outcome);

  // Outcomes of this segment and of all before it no longer wait. `each` gives them again.
  using OutcomeVisitor = std::function<void(std::string_view endpoint, std::string_view id)>;
  void give_up(uint32_t segment, const std::function<void(const OutcomeVisitor&)>& each);
  uint32_t given_up_through() const;

  // What a segment holds by endpoint, for its footer; `remove_shares` once it is closed.
  Footer footer(uint32_t segment) const;
  // All of its records are counted.
  void finish_segment(uint32_t segment);

  // Calls `use` with an index under the lock.
  void with_index(SegmentKind kind, const std::function<void(Index&)>& use);
  void find(SegmentKind kind, uint64_t fingerprint, std::vector<IndexEntry>& out) const;

  // Counts and what they cover, as of one moment.
  Checkpoint checkpoint() const;
  void restore(const Checkpoint& checkpoint);

 private:
  // Of an id: nothing happened yet; met; an outcome waits for its prediction; it waited in vain.
  enum class Standing { kNone, kJoined, kWaiting, kRejected };
  using Entries = std::vector<IndexEntry>;

  Standing standing(const Entries& predictions, const Entries& outcomes) const;
  void move(EndpointStatistics& statistics, Standing before, Standing after);
  void add_prediction(const Arrival& arrival);
  // Whether one of `found_outcomes_` says the same.
  bool is_known(const OutcomeView& outcome) const;
  void note(const IndexEntry& entry, uint32_t endpoint);
  Index& index(SegmentKind kind) {
    return kind == SegmentKind::kPredictions ? predictions_ : outcomes_;
  }

  const JoinerOptions options_;
  mutable std::mutex mutex_;
  Index predictions_;
  Index outcomes_;
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<std::string> names_;
  std::vector<EndpointStatistics> statistics_;
  uint64_t waiting_ = 0;  // of all endpoints: where none waits, predictions need not look
  uint32_t given_up_through_ = 0;
  std::map<uint32_t, std::map<uint32_t, Footer::Share>> shares_;  // by segment and endpoint
  std::map<uint32_t, uint64_t> progress_;  // by segment: where the next record not counted stands
  Entries found_predictions_;              // kept for their memory
  Entries found_outcomes_;
};

// The outcome that counts: the latest `at`, of equal ones the last that arrived.
const IndexEntry& counting_outcome(std::span<const IndexEntry> outcomes);
// The prediction that counts: the first that arrived.
const IndexEntry& counting_prediction(std::span<const IndexEntry> predictions);

}  // namespace cromford::feedback
