#pragma once

// Idempotency-Key (IETF draft-ietf-httpapi-idempotency-key-header-07): a creating POST that is sent
// again with the same key is answered as the first time instead of creating a second thing. Answers
// are kept in memory, for a day and within bounds; the oldest go first. Failures are not kept, so
// that they can be tried again.
//
//   TRY(auto replay, store.begin(key, fingerprint));
//   if (replay) return *replay;
//   ...
//   store.finish(key, answer);                       // or store.abandon(key)
//
// Thread safety: every member may be called from any thread.

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

class IdempotencyStore {
 public:
  struct Bounds {
    std::chrono::nanoseconds age = std::chrono::hours(24);
    size_t entries = 10'000;
    size_t bytes = 64U << 20;
  };
  explicit IdempotencyStore(const base::Clock& clock) : IdempotencyStore(clock, Bounds{}) {}
  IdempotencyStore(const base::Clock& clock, Bounds bounds) : clock_(clock), bounds_(bounds) {}

  // The answer to give again; nullopt: the caller shall do the work and call finish() or abandon().
  // `fingerprint` stands for the whole request. 422 when the key came with another request; 409
  // with Retry-After when the first request is still being worked on.
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

  void drop(Entries::iterator entry);
  void drop_what_is_too_much();

  const base::Clock& clock_;
  const Bounds bounds_;
  std::mutex mutex_;
  Entries entries_;  // From the oldest to the newest.
  std::map<std::string, Entries::iterator> by_key_;
  size_t bytes_ = 0;
};

}  // namespace cromford::http
