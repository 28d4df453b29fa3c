#pragma once

// The prediction and outcome log of a home: nothing that was answered is forgotten, and what really
// happened finds its prediction by id. One log for all endpoints: each server thread appends to one
// file, whatever the number of endpoints (README.md says why; docs/formats/log.md has the bytes).
//
//   TRY(auto log, feedback::Log::open({.directory = home.log(), .writers = threads}));
//   for (const auto& fault : log->recovery().faults) { ... }     // tell a person
//   log->writer(i).add(record); log->writer(i).flush();          // thread i
//   TRY(const OutcomeReceipt receipt, log->add_outcomes("default/late", rule, outcomes));
//   TRY(const FoundPrediction found, log->find("default/late", "order-17"));
//   const EndpointStatistics late = log->statistics("default/late");
//
// Thread safety: all of it may be called from any thread; each writer belongs to one.

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "feedback/prediction_writer.h"
#include "feedback/record.h"
#include "feedback/statistics.h"

namespace cromford::feedback {

enum class Durability {
  kKernel,  // killing the process loses nothing, losing power may lose the last seconds
  kDisk,    // fsync before the answer, shared by all that wait
};
// What happens to predictions while the disk takes none.
enum class FullDisk { kAnswer, kRefuse };

struct LogOptions {
  std::filesystem::path directory;
  size_t writers = 1;
  Durability durability = Durability::kKernel;
  FullDisk full_disk = FullDisk::kAnswer;
  // A segment is closed when it has this size, this many records or this age.
  uint64_t segment_bytes = 64ULL << 20;
  uint64_t segment_records = 1ULL << 18;
  std::chrono::seconds segment_age{3600};
  // An outcome may lie this far in the future (clocks differ).
  std::chrono::seconds future_max{24 * 3600};
  // An outcome whose prediction does not come within this time is rejected.
  std::chrono::seconds waiting_max{30 * 24 * 3600};
  // After a failed write a writer waits this long before it asks the disk again.
  std::chrono::milliseconds retry_after{100};
  // Without its threads, `maintain` must be called (tests, offline tools).
  bool background = true;
  base::FileSystem* files = &base::system_files();
  base::Clock* clock = &base::system_clock();
};

// What outcomes of an endpoint may be. Empty `classes`: finite numbers.
struct OutcomeRule {
  std::vector<std::string> classes;
};

struct RejectedOutcome {
  size_t index = 0;  // in the request
  absl::Status reason;
};
// Counts of one request; accepted = joined + waiting + duplicates + corrections.
struct OutcomeReceipt {
  uint64_t accepted = 0;
  uint64_t joined = 0;
  uint64_t waiting = 0;
  uint64_t duplicates = 0;
  uint64_t corrections = 0;
  std::vector<RejectedOutcome> rejected;
};

struct FoundPrediction {
  Prediction prediction;          // the first that was logged under this id
  std::vector<Outcome> outcomes;  // the one that counts first, then those it took the place of
};

// One thing that recovery found damaged; `kept_as` is an untouched copy of the file.
struct LogFault {
  std::filesystem::path file;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  std::string reason;
  std::filesystem::path kept_as;
};
struct RecoveryReport {
  uint64_t segments = 0;
  uint64_t segments_scanned = 0;  // those that were open when the process ended
  uint64_t torn_bytes = 0;        // of frames that were not finished, cut off
  std::vector<LogFault> faults;
};

// A closed segment, as far as one endpoint is concerned.
struct SegmentShare {
  uint32_t segment = 0;
  uint64_t predictions = 0;
  base::Time first_event{};
  base::Time last_event{};
  base::Time last_arrival{};
};

struct Retention {
  // Predictions and outcomes that arrived longer ago may go; 0: no limit.
  std::chrono::seconds age{0};
  // The oldest go until the rest is not larger; 0: no limit.
  uint64_t bytes = 0;
};

class Log {
 public:
  // Recovers what is there: closed segments are believed, files that were open are read to their
  // last whole frame and closed. What is damaged is copied to DIRECTORY/quarantine and reported,
  // and all intact frames around it are kept.
  static absl::StatusOr<std::unique_ptr<Log>> open(const LogOptions& options);
  // Closes what is open; nothing is lost without it.
  virtual ~Log() = default;

  virtual const RecoveryReport& recovery() const = 0;

  // A number for the layout, the same for an equal one, for as long as this object lives.
  virtual uint32_t declare(const Layout& layout) = 0;
  // `index` < writers.
  virtual PredictionWriter& writer(size_t index) = 0;

  // Checks, joins and stores outcomes; returns or calls `done` (from the log's thread) once they
  // are on disk, with all that others wait for in the same sync. The outcome with the later `at`
  // counts, of equal ones the one that arrived later; the others stay in the history. The same
  // id, value and `at` again changes nothing. RESOURCE_EXHAUSTED, with a remedy, when the disk is
  // full: then none of the request is taken, and it can be sent again as it is.
  virtual absl::StatusOr<OutcomeReceipt> add_outcomes(std::string_view endpoint,
                                                      const OutcomeRule& rule,
                                                      std::span<const OutcomeRecord> outcomes) = 0;
  virtual void add_outcomes(std::string_view endpoint, const OutcomeRule& rule,
                            std::span<const OutcomeRecord> outcomes,
                            std::function<void(absl::StatusOr<OutcomeReceipt>)> done) = 0;

  // NOT_FOUND where this id was not predicted, or not kept so long.
  virtual absl::StatusOr<FoundPrediction> find(std::string_view endpoint, std::string_view id) = 0;

  virtual EndpointStatistics statistics(std::string_view endpoint) = 0;
  virtual std::vector<std::string> endpoints() = 0;
  // Closed segments with predictions of this endpoint, oldest first. What is written now is in none
  // of them: `seal` first.
  virtual std::vector<SegmentShare> segments(std::string_view endpoint) = 0;
  // Bytes of all files.
  virtual uint64_t size_bytes() = 0;

  // Closes all segments that are open and not empty.
  virtual absl::Status seal() = 0;
  // What the background does by itself: closes what is due, merges indexes, gives up outcomes that
  // waited too long.
  virtual absl::Status maintain() = 0;
  // Removes whole segments, predictions and outcomes alike; returns the bytes that became free.
  virtual absl::StatusOr<uint64_t> retain(const Retention& retention) = 0;
};

}  // namespace cromford::feedback
