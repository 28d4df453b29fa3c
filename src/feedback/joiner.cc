#include "feedback/joiner.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>
#include <utility>

namespace cromford::feedback {
namespace {

base::Time time_of(int64_t us) {
  return base::Time(std::chrono::microseconds(us));
}

const IndexEntry& last_arrived(std::span<const IndexEntry> entries) {
  return *std::max_element(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.arrival_us, a.segment, a.offset) <
           std::tie(b.arrival_us, b.segment, b.offset);
  });
}

}  // namespace

const IndexEntry& counting_outcome(std::span<const IndexEntry> outcomes) {
  return *std::max_element(outcomes.begin(), outcomes.end(), [](const auto& a, const auto& b) {
    return std::tie(a.time_us, a.arrival_us, a.segment, a.offset) <
           std::tie(b.time_us, b.arrival_us, b.segment, b.offset);
  });
}

const IndexEntry& counting_prediction(std::span<const IndexEntry> predictions) {
  return *std::min_element(predictions.begin(), predictions.end(), before);
}

uint32_t Joiner::endpoint(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto [found, is_new] =
      numbers_.try_emplace(std::string(name), static_cast<uint32_t>(names_.size()));
  if (is_new) {
    names_.emplace_back(name);
    statistics_.emplace_back();
  }
  return found->second;
}

std::vector<std::string> Joiner::endpoints() const {
  const std::lock_guard lock(mutex_);
  return names_;
}

EndpointStatistics Joiner::statistics(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = numbers_.find(std::string(name));
  return found == numbers_.end() ? EndpointStatistics() : statistics_[found->second];
}

void Joiner::count(uint32_t endpoint, const std::function<void(EndpointStatistics&)>& change) {
  const std::lock_guard lock(mutex_);
  change(statistics_[endpoint]);
}

Joiner::Standing Joiner::standing(const Entries& predictions, const Entries& outcomes) const {
  if (outcomes.empty()) {
    return Standing::kNone;
  }
  const IndexEntry& newest = last_arrived(outcomes);
  const int64_t latest = newest.arrival_us + options_.waiting_max.count();
  const bool in_time =
      std::any_of(predictions.begin(), predictions.end(),
                  [&](const IndexEntry& entry) { return entry.arrival_us <= latest; });
  if (in_time) {
    return Standing::kJoined;
  }
  return newest.segment <= given_up_through_ ? Standing::kRejected : Standing::kWaiting;
}

void Joiner::move(EndpointStatistics& statistics, Standing before, Standing after) {
  if (before == after) {
    return;
  }
  const auto counter = [&](Standing standing) -> uint64_t* {
    switch (standing) {
      case Standing::kJoined:
        return &statistics.joined;
      case Standing::kWaiting:
        return &statistics.waiting;
      case Standing::kRejected:
        return &statistics.rejected_unknown;
      case Standing::kNone:
        break;
    }
    return nullptr;
  };
  // What retention took away may leave less than there was; a count never falls below zero.
  if (uint64_t* const from = counter(before); from != nullptr && *from > 0) {
    --*from;
    waiting_ -= before == Standing::kWaiting ? 1 : 0;
  }
  if (uint64_t* const to = counter(after); to != nullptr) {
    ++*to;
    waiting_ += after == Standing::kWaiting ? 1 : 0;
  }
  if (after == Standing::kJoined) {
    const IndexEntry& prediction = counting_prediction(found_predictions_);
    const IndexEntry& outcome = counting_outcome(found_outcomes_);
    statistics.event_lag.add(std::chrono::microseconds(outcome.time_us - prediction.time_us));
    statistics.arrival_lag.add(
        std::chrono::microseconds(outcome.arrival_us - prediction.arrival_us));
  }
}

void Joiner::note(const IndexEntry& entry, uint32_t endpoint) {
  Footer::Share& share = shares_[entry.segment][endpoint];
  const base::Time time = time_of(entry.time_us);
  const base::Time arrival = time_of(entry.arrival_us);
  if (share.records == 0) {
    share = {names_[endpoint], 0, time, time, arrival};
  }
  ++share.records;
  share.first_event = std::min(share.first_event, time);
  share.last_event = std::max(share.last_event, time);
  share.last_arrival = std::max(share.last_arrival, arrival);
}

void Joiner::add_predictions(std::span<const Arrival> arrivals) {
  const std::lock_guard lock(mutex_);
  for (const Arrival& arrival : arrivals) {
    add_prediction(arrival);
  }
}

void Joiner::add_prediction(const Arrival& arrival) {
  const IndexEntry& entry = arrival.entry;
  EndpointStatistics& statistics = statistics_[arrival.endpoint];
  ++statistics.predictions;
  if (waiting_ > 0) {
    found_outcomes_.clear();
    outcomes_.find(entry.fingerprint, found_outcomes_);
    if (!found_outcomes_.empty()) {
      found_predictions_.clear();
      predictions_.find(entry.fingerprint, found_predictions_);
      const Standing before = standing(found_predictions_, found_outcomes_);
      found_predictions_.push_back(entry);
      move(statistics, before, standing(found_predictions_, found_outcomes_));
    }
  }
  predictions_.insert(entry);
  note(entry, arrival.endpoint);
  progress_[entry.segment] = uint64_t{entry.offset} * 8 + 8;
}

Met Joiner::add_outcome(uint32_t endpoint, const IndexEntry& entry, const OutcomeView& outcome) {
  const std::lock_guard lock(mutex_);
  EndpointStatistics& statistics = statistics_[endpoint];
  progress_[entry.segment] = uint64_t{entry.offset} * 8 + 8;
  note(entry, endpoint);
  found_outcomes_.clear();
  outcomes_.find(entry.fingerprint, found_outcomes_);
  if (is_known(outcome)) {
    ++statistics.duplicates;
    return Met::kDuplicate;
  }
  found_predictions_.clear();
  predictions_.find(entry.fingerprint, found_predictions_);
  const bool is_first = found_outcomes_.empty();
  const Standing before = standing(found_predictions_, found_outcomes_);
  found_outcomes_.push_back(entry);
  outcomes_.insert(entry);
  const Standing after = standing(found_predictions_, found_outcomes_);
  move(statistics, before, after);
  if (!is_first) {
    ++statistics.corrections;
    return Met::kCorrection;
  }
  return after == Standing::kJoined ? Met::kJoined : Met::kWaiting;
}

void Joiner::restore_prediction(const IndexEntry& entry) {
  const std::lock_guard lock(mutex_);
  predictions_.insert(entry);
}

void Joiner::restore_outcome(const IndexEntry& entry, const OutcomeView& outcome) {
  const std::lock_guard lock(mutex_);
  found_outcomes_.clear();
  outcomes_.find(entry.fingerprint, found_outcomes_);
  if (!is_known(outcome)) {
    outcomes_.insert(entry);
  }
}

bool Joiner::is_known(const OutcomeView& outcome) const {
  return std::any_of(found_outcomes_.begin(), found_outcomes_.end(), [&](const IndexEntry& known) {
    return options_.says_the_same(known, outcome);
  });
}

void Joiner::give_up(uint32_t segment, const std::function<void(const OutcomeVisitor&)>& each) {
  const std::lock_guard lock(mutex_);
  const uint32_t previous = given_up_through_;
  std::unordered_set<uint64_t> seen;
  each([&](std::string_view endpoint, std::string_view id) {
    const auto number = numbers_.find(std::string(endpoint));
    if (number == numbers_.end()) {
      return;
    }
    const uint64_t print = fingerprint(endpoint_seed(endpoint), id);
    found_outcomes_.clear();
    outcomes_.find(print, found_outcomes_);
    if (found_outcomes_.empty() || last_arrived(found_outcomes_).segment != segment) {
      return;
    }
    found_predictions_.clear();
    predictions_.find(print, found_predictions_);
    given_up_through_ = previous;
    const Standing before = standing(found_predictions_, found_outcomes_);
    given_up_through_ = segment;
    const Standing after = standing(found_predictions_, found_outcomes_);
    // An id may stand in the segment several times; it is rejected once.
    if (before != after && seen.insert(print).second) {
      move(statistics_[number->second], before, after);
    }
  });
  given_up_through_ = segment;
}

uint32_t Joiner::given_up_through() const {
  const std::lock_guard lock(mutex_);
  return given_up_through_;
}

Footer Joiner::footer(uint32_t segment) const {
  const std::lock_guard lock(mutex_);
  Footer footer;
  const auto shares = shares_.find(segment);
  if (shares != shares_.end()) {
    for (const auto& [endpoint, share] : shares->second) {
      footer.records += share.records;
      footer.last_arrival = std::max(footer.last_arrival, share.last_arrival);
      footer.shares.push_back(share);
    }
  }
  return footer;
}

void Joiner::finish_segment(uint32_t segment) {
  const std::lock_guard lock(mutex_);
  shares_.erase(segment);
  progress_[segment] = kWhole;
}

void Joiner::with_index(SegmentKind kind, const std::function<void(Index&)>& use) {
  const std::lock_guard lock(mutex_);
  use(index(kind));
}

void Joiner::find(SegmentKind kind, uint64_t fingerprint, std::vector<IndexEntry>& out) const {
  const std::lock_guard lock(mutex_);
  (kind == SegmentKind::kPredictions ? predictions_ : outcomes_).find(fingerprint, out);
}

Checkpoint Joiner::checkpoint() const {
  const std::lock_guard lock(mutex_);
  Checkpoint checkpoint;
  checkpoint.given_up_through = given_up_through_;
  checkpoint.progress = progress_;
  for (size_t i = 0; i < names_.size(); ++i) {
    checkpoint.endpoints.push_back({names_[i], statistics_[i]});
  }
  return checkpoint;
}

void Joiner::restore(const Checkpoint& checkpoint) {
  for (const Checkpoint::Endpoint& known : checkpoint.endpoints) {
    const uint32_t number = endpoint(known.name);
    const std::lock_guard lock(mutex_);
    statistics_[number] = known.statistics;
    waiting_ += known.statistics.waiting;
  }
  const std::lock_guard lock(mutex_);
  given_up_through_ = checkpoint.given_up_through;
  progress_ = checkpoint.progress;
}

}  // namespace cromford::feedback
