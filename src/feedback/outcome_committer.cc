#include "feedback/outcome_committer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::feedback {
namespace {

// One write and one sync take at most about so much.
constexpr size_t kCommitBytes = 4U << 20;

absl::Status check_value(const OutcomeRule& rule, const OutcomeValue& value) {
  if (rule.classes.empty()) {
    return std::isfinite(value.number) && value.text.empty()
               ? absl::OkStatus()
               : base::invalid("the outcome of a regression is a finite number");
  }
  const bool known =
      std::find(rule.classes.begin(), rule.classes.end(), value.text) != rule.classes.end();
  return known ? absl::OkStatus()
               : base::invalid(
                     fmt::format("'{}' is none of the classes", base::clip_utf8(value.text, 80)),
                     fmt::format("the classes are {}",
                                 base::join(rule.classes, ", ").substr(0, 1000)));
}

absl::Status check_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax
             ? absl::OkStatus()
             : base::invalid(fmt::format("an id has 1 to {} bytes", kIdBytesMax));
}

}  // namespace

OutcomeCommitter::OutcomeCommitter(Core& core, std::function<void()> before_join)
    : core_(core), before_join_(std::move(before_join)), thread_([this] { run(); }) {}

OutcomeCommitter::~OutcomeCommitter() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
  close_segment(true);
}

void OutcomeCommitter::add(std::string_view endpoint, const OutcomeRule& rule,
                           std::span<const OutcomeRecord> outcomes, Done done) {
  Request request{.endpoint = core_.joiner.endpoint(endpoint),
                  .frames = {},
                  .receipt = {},
                  .done = std::move(done)};
  const base::Time now = core_.options.clock->now();
  uint64_t bad_values = 0;
  uint64_t from_future = 0;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const OutcomeRecord& outcome = outcomes[i];
    absl::Status reason = check_id(outcome.id);
    if (reason.ok()) {
      reason = check_value(rule, outcome.value);
    }
    if (!reason.ok()) {
      ++bad_values;
    } else if (outcome.at && *outcome.at > now + core_.options.future_max) {
      ++from_future;
      reason = base::invalid(fmt::format("it happened at {}, more than {} in the future",
                                         base::format_time(*outcome.at),
                                         base::format_duration(core_.options.future_max)),
                             "look at the sender's clock");
    }
    if (!reason.ok()) {
      request.receipt.rejected.push_back({i, reason});
      continue;
    }
    append_outcome(request.frames, {.endpoint = endpoint,
                                    .id = outcome.id,
                                    .is_number = rule.classes.empty(),
                                    .at_was_told = outcome.at.has_value(),
                                    .text = outcome.value.text,
                                    .number = outcome.value.number,
                                    .at = outcome.at.value_or(now),
                                    .arrival_time = now});
  }
  if (bad_values + from_future > 0) {
    core_.joiner.count(request.endpoint, [&](EndpointStatistics& statistics) {
      statistics.rejected_value += bad_values;
      statistics.rejected_future += from_future;
    });
  }
  if (request.frames.empty()) {
    request.done(std::move(request.receipt));
    return;
  }
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(request));
  changed_.notify_all();
}

void OutcomeCommitter::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopped_ || !waiting_.empty(); });
    if (waiting_.empty()) {
      return;
    }
    // Those who were acknowledged together are about to come again: waiting for them a little, less
    // than a sync takes, lets them share the next sync too.
    changed_.wait_for(lock, last_sync_ / 2,
                      [&] { return stopped_ || waiting_.size() >= last_group_; });
    std::deque<Request> requests;
    size_t bytes = 0;
    while (!waiting_.empty() && (requests.empty() || bytes < kCommitBytes)) {
      bytes += waiting_.front().frames.size();
      requests.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    last_group_ = requests.size();
    lock.unlock();
    commit(requests);
    lock.lock();
  }
}

void OutcomeCommitter::commit(std::deque<Request>& requests) {
  std::string frames;
  for (const Request& request : requests) {
    frames += request.frames;
  }
  absl::Status status;
  {
    const std::lock_guard lock(segment_mutex_);
    status = store(frames);
    if (status.ok()) {
      before_join_();
      uint64_t offset = segment_->size() - frames.size();
      for (Request& request : requests) {
        join(request, offset, request.frames);
        offset += request.frames.size();
      }
    }
  }
  for (Request& request : requests) {
    if (status.ok()) {
      request.done(std::move(request.receipt));
    } else {
      request.done(status);
    }
  }
}

// Two files are tried. What could not be made durable in the first is cut off it and never synced
// there again.
absl::Status OutcomeCommitter::store(std::string& frames) {
  if (segment_ && core_.due(segment_->size(), records_, segment_->created_at())) {
    finish_segment(segment_->size());
  }
  absl::Status status;
  for (int attempt = 0; attempt < 2; ++attempt) {
    status = append(frames);
    if (status.ok()) {
      is_refusing_ = false;
      return status;
    }
  }
  if (!std::exchange(is_refusing_, true)) {
    base::log_error("outcomes are refused", {{"error", base::describe(status)}});
  }
  const auto full = base::exhausted(
      fmt::format("the log cannot store outcomes: {}", base::message(status)),
      fmt::format("free space on the disk of {} and send them again; none of them was taken",
                  core_.options.directory.string()));
  return status.code() == absl::StatusCode::kResourceExhausted
             ? full
             : base::with_remedy(base::annotate(status, "the log cannot store outcomes"),
                                 "look at the disk and send them again; none of them was taken");
}

absl::Status OutcomeCommitter::append(std::string& frames) {
  if (!segment_) {
    TRY(segment_, core_.create_segment(SegmentKind::kOutcomes, Durability::kDisk));
    records_ = 0;
  }
  const uint64_t begin = segment_->size();
  absl::Status status = segment_->append(frames);
  if (status.ok()) {
    const auto syncing = core_.options.clock->monotonic();
    status = segment_->file()->sync();
    last_sync_ = core_.options.clock->monotonic() - syncing;
    if (!status.ok()) {
      segment_->cut(begin);
    }
  }
  if (!status.ok()) {
    finish_segment(begin);
  }
  return status;
}

void OutcomeCommitter::join(Request& request, uint64_t offset, std::string_view frames) {
  for (size_t at = 0; at < frames.size();) {
    const std::string_view payload = unchecked_payload(frames, at);
    const auto outcome = decode_outcome(payload);
    const IndexEntry entry{
        .fingerprint = fingerprint(endpoint_seed(outcome->endpoint), outcome->id),
        .time_us = outcome->at.time_since_epoch().count(),
        .arrival_us = outcome->arrival_time.time_since_epoch().count(),
        .segment = segment_->number(),
        .offset = static_cast<uint32_t>((offset + at) / 8)};
    ++request.receipt.accepted;
    ++records_;
    switch (core_.joiner.add_outcome(request.endpoint, entry, *outcome)) {
      case Met::kJoined:
        ++request.receipt.joined;
        break;
      case Met::kWaiting:
        ++request.receipt.waiting;
        break;
      case Met::kDuplicate:
        ++request.receipt.duplicates;
        break;
      case Met::kCorrection:
        ++request.receipt.corrections;
        break;
    }
    at += frame_bytes(payload.size());
  }
}

void OutcomeCommitter::finish_segment(uint64_t end) {
  core_.finish({SegmentKind::kOutcomes, segment_->number(), end, {}});
  segment_.reset();
}

void OutcomeCommitter::close_segment(bool always) {
  const std::lock_guard lock(segment_mutex_);
  if (segment_ && records_ > 0 &&
      (always || core_.due(segment_->size(), records_, segment_->created_at()))) {
    finish_segment(segment_->size());
  }
}

}  // namespace cromford::feedback
