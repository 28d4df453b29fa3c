#pragma once

// Idempotency-Key (IETF draft-ietf-httpapi-idempotency-key-header-07): a creating POST that is sent
// again with the same key is answered as the first time instead of creating a second thing. Answers
// are kept for a day and within bounds; the oldest go first. Failures are not kept, so that they
// can be tried again.
//
// A restart is survived where there is an AnswerLog: a note that the request was begun is on disk
// before the work, the answer after it. If the server died in between, nobody knows whether the
// thing was created; the repeated request is then refused rather than carried out twice.
//
//   TRY(auto replay, store.begin(key, fingerprint));
//   if (replay) return *replay;
//   ...
//   store.finish(key, answer);                       // or store.abandon(key)
//
// Thread safety: every member may be called from any thread; with an AnswerLog they wait for the
// disk.

#include <absl/status/statusor.h>

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"

namespace cromford::http {

struct KeptAnswer {
  int status = 200;
  std::string content_type;
  std::string body;
  std::string location;
  std::string etag;
};

// Where the notes of a server lie when it is not running: texts under keys, dropped after a day at
// the earliest. Any thread may call it; put() returns when the note is on disk.
class AnswerLog {
 public:
  virtual ~AnswerLog() = default;
  virtual absl::StatusOr<std::optional<std::string>> find(const std::string& key) = 0;
  virtual absl::Status put(const std::string& key, const std::string& note) = 0;
  virtual absl::Status remove(const std::string& key) = 0;
};

class IdempotencyStore {
 public:
  struct Bounds {
    std::chrono::nanoseconds age = std::chrono::hours(24);
    size_t entries = 10'000;
    size_t bytes = 64U << 20;
  };
  // `log` may be null: nothing is known of earlier servers then.
  explicit IdempotencyStore(const base::Clock& clock, AnswerLog* log = nullptr)
      : IdempotencyStore(clock, Bounds{}, log) {}
  IdempotencyStore(const base::Clock& clock, Bounds bounds, AnswerLog* log = nullptr)
      : clock_(clock), bounds_(bounds), log_(log) {}

  // The answer to give again; nullopt: the caller shall do the work and call finish() or abandon().
  // `fingerprint` stands for the whole request. 422 when the key came with another request; 409
  // with Retry-After when the first request is still being worked on, 409 without it when the first
  // request was cut off by the end of the server. An error of the log is passed on.
  absl::StatusOr<std::optional<KeptAnswer>> begin(const std::string& key,
                                                  const std::string& fingerprint);
  void finish(const std::string& key, KeptAnswer answer);
  void abandon(const std::string& key);

 private:
  struct Entry {
    std::string key;
    std::string fingerprint;
    std::chrono::nanoseconds since{0};
    std::optional<KeptAnswer> answer;  // Absent while the request is being worked on.
    size_t bytes = 0;
  };
  using Entries = std::list<Entry>;

  // What the entries know; nullopt: nothing, and the key is entered.
  absl::StatusOr<std::optional<KeptAnswer>> enter(const std::string& key,
                                                  const std::string& fingerprint);
  // What the log knows; nullopt: nothing, and the request is noted there as begun.
  absl::StatusOr<std::optional<KeptAnswer>> note_begun(const std::string& key,
                                                       const std::string& fingerprint);
  std::string settle(const std::string& key, KeptAnswer answer);
  void drop(const std::string& key);
  void drop(Entries::iterator entry);
  void drop_what_is_too_much();

  const base::Clock& clock_;
  const Bounds bounds_;
  AnswerLog* const log_;
  std::mutex mutex_;
  Entries entries_;  // From the oldest to the newest.
  std::map<std::string, Entries::iterator> by_key_;
  size_t bytes_ = 0;
};

}  // namespace cromford::http
