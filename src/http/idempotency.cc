#include "http/idempotency.h"

#include <utility>

#include "base/assert.h"
#include "base/status.h"
#include "http/problem.h"

namespace cromford::http {

absl::StatusOr<std::optional<KeptAnswer>> IdempotencyStore::begin(const std::string& key,
                                                                  const std::string& fingerprint) {
  const std::lock_guard lock(mutex_);
  drop_what_is_too_much();
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    const Entry& entry = *found->second;
    if (entry.fingerprint != fingerprint) {
      return with_http_status(
          base::invalid("this Idempotency-Key was already used for another request",
                        "use a new key for each new request"),
          422);
    }
    if (!entry.answer) {
      return with_retry_after(
          base::conflict("the first request with this Idempotency-Key is still being worked on",
                         "send the request again in a moment"),
          1);
    }
    return entry.answer;
  }
  const size_t bytes = sizeof(Entry) + 2 * key.size() + fingerprint.size();
  entries_.push_back({key, fingerprint, clock_.monotonic(), std::nullopt, bytes});
  by_key_.emplace(key, std::prev(entries_.end()));
  bytes_ += bytes;
  return std::nullopt;
}

void IdempotencyStore::finish(const std::string& key, KeptAnswer answer) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  CROMFORD_ASSERT(found != by_key_.end(), "entries without an answer are never dropped");
  Entry& entry = *found->second;
  const size_t bytes =
      answer.body.size() + answer.content_type.size() + answer.location.size() + answer.etag.size();
  entry.answer = std::move(answer);
  entry.bytes += bytes;
  bytes_ += bytes;
  drop_what_is_too_much();
}

void IdempotencyStore::abandon(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  CROMFORD_ASSERT(found != by_key_.end(), "entries without an answer are never dropped");
  drop(found->second);
}

void IdempotencyStore::drop(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

void IdempotencyStore::drop_what_is_too_much() {
  const std::chrono::nanoseconds now = clock_.monotonic();
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const bool too_much = now - entry->since >= bounds_.age || entries_.size() > bounds_.entries ||
                          bytes_ > bounds_.bytes;
    if (!too_much) {
      return;
    }
    const auto next = std::next(entry);
    if (entry->answer) {
      drop(entry);
    }
    entry = next;
  }
}

}  // namespace cromford::http
