#include "http/idempotency.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/assert.h"
#include "base/json.h"
#include "base/log.h"
#include "base/status.h"
#include "http/problem.h"

namespace cromford::http {
namespace {

absl::Status used_for_another() {
  return with_http_status(base::invalid("this Idempotency-Key was already used for another request",
                                        "use a new key for each new request"),
                          422);
}

absl::Status cut_off() {
  return base::conflict(
      "the server ended while it worked on the first request with this Idempotency-Key, which may "
      "have been carried out",
      "look whether it was (list the jobs), and if not, send it with a new key");
}

// A note of the log: {"fingerprint", "answer"}, where the answer is null as long as there is none.
std::string note_of(const std::string& fingerprint, const KeptAnswer* answer) {
  base::Json note = {{"fingerprint", fingerprint}, {"answer", nullptr}};
  if (answer != nullptr) {
    note["answer"] = {{"status", answer->status},
                      {"content_type", answer->content_type},
                      {"body", answer->body},
                      {"location", answer->location},
                      {"etag", answer->etag}};
  }
  return base::dump_json(note);
}

// The answer of a note; nullopt: the request was begun only.
absl::StatusOr<std::optional<KeptAnswer>> answer_of(const std::string& text,
                                                    const std::string& fingerprint) {
  TRY(const base::Json note, base::parse_json(text));
  if (note.value("fingerprint", std::string()) != fingerprint) {
    return used_for_another();
  }
  const base::Json answer = note.value("answer", base::Json());
  if (!answer.is_object()) {
    return std::optional<KeptAnswer>();
  }
  return KeptAnswer{.status = answer.value("status", 200),
                    .content_type = answer.value("content_type", std::string()),
                    .body = answer.value("body", std::string()),
                    .location = answer.value("location", std::string()),
                    .etag = answer.value("etag", std::string())};
}

}  // namespace

absl::StatusOr<std::optional<KeptAnswer>> IdempotencyStore::begin(const std::string& key,
                                                                  const std::string& fingerprint) {
  TRY(std::optional<KeptAnswer> known, enter(key, fingerprint));
  if (known || log_ == nullptr) {
    return known;
  }
  // From here on the entry keeps others with this key away.
  absl::StatusOr<std::optional<KeptAnswer>> noted = note_begun(key, fingerprint);
  if (!noted.ok()) {
    drop(key);
  } else if (*noted) {
    settle(key, **noted);
  }
  return noted;
}

absl::StatusOr<std::optional<KeptAnswer>> IdempotencyStore::note_begun(
    const std::string& key, const std::string& fingerprint) {
  TRY(const std::optional<std::string> note, log_->find(key));
  if (!note) {
    TRY(log_->put(key, note_of(fingerprint, nullptr)));
    return std::optional<KeptAnswer>();
  }
  TRY(std::optional<KeptAnswer> answer, answer_of(*note, fingerprint));
  if (!answer) {
    return cut_off();
  }
  return answer;
}

absl::StatusOr<std::optional<KeptAnswer>> IdempotencyStore::enter(const std::string& key,
                                                                  const std::string& fingerprint) {
  const std::lock_guard lock(mutex_);
  drop_what_is_too_much();
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    const Entry& entry = *found->second;
    if (entry.fingerprint != fingerprint) {
      return used_for_another();
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
  const KeptAnswer copy = answer;
  const std::string fingerprint = settle(key, std::move(answer));
  if (log_ == nullptr) {
    return;
  }
  if (const absl::Status status = log_->put(key, note_of(fingerprint, &copy)); !status.ok()) {
    // The thing is made, so the request succeeded; after a restart its repetition is refused.
    base::log_error("an answer could not be kept for its Idempotency-Key",
                    {{"error", base::describe(status)}});
  }
}

void IdempotencyStore::abandon(const std::string& key) {
  if (log_ != nullptr) {
    if (const absl::Status status = log_->remove(key); !status.ok()) {
      base::log_error("a failed request could not be freed for another attempt",
                      {{"error", base::describe(status)}});
    }
  }
  drop(key);
}

// Gives the fingerprint of the request.
std::string IdempotencyStore::settle(const std::string& key, KeptAnswer answer) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  CROMFORD_ASSERT(found != by_key_.end(), "entries without an answer are never dropped");
  Entry& entry = *found->second;
  const size_t bytes =
      answer.body.size() + answer.content_type.size() + answer.location.size() + answer.etag.size();
  entry.answer = std::move(answer);
  entry.bytes += bytes;
  bytes_ += bytes;
  std::string fingerprint = entry.fingerprint;
  drop_what_is_too_much();
  return fingerprint;
}

void IdempotencyStore::drop(const std::string& key) {
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
