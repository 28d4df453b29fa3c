#pragma once

// What is behind a PredictionWriter, and what the log's own threads do with it. For the sources of
// this folder.
//
// A turn's way: `write_turn` appends it to the active segment. With Durability::kKernel its records
// are visible at once; with kDisk they wait in `unsynced` until `sync` has made them durable. A
// segment that is full or failed is detached, and finished once nothing of it waits any more.
//
// Thread safety: what stands above the mutex belongs to the writer's thread, what stands below it
// is guarded by it.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "feedback/core.h"
#include "feedback/prediction_writer.h"

namespace cromford::feedback {

using Done = std::function<void(absl::Status)>;

// A segment that a writer appends, or appended, to.
struct WriterSegment {
  OpenSegment segment;
  uint64_t records = 0;
  uint64_t durable_end = kSegmentHeaderBytes;  // Durability::kDisk: what was synced
  std::vector<bool> has_layout;                // by number
  std::vector<uint64_t> layouts;               // where they stand
};

// A turn that waits for its sync.
struct UnsyncedTurn {
  uint32_t segment = 0;
  uint64_t end = 0;
  std::vector<Arrival> arrivals;
  Done done;
};

struct PredictionWriter::State {
  explicit State(Core& log_core) : core(log_core) {}

  // Writes the turn and forgets it. Returns how it went; nullopt: `done` will be called after the
  // sync. For the writer's thread.
  std::optional<absl::Status> write_turn(const Done& done);
  // Appends what became visible since the last call to `out`.
  void take_arrivals(std::vector<Arrival>& out);
  // Detaches the segment where it is due; always: where it has records.
  void close_segment(bool always);
  // Durability::kDisk: syncs what waits and calls back; false when there was nothing to do.
  bool sync();
  // How many predictions were lost since the last call, by endpoint.
  std::map<uint32_t, uint64_t> take_lost();

  Core& core;
  std::function<void()> wake_syncer = [] {};

  std::string frames;
  std::vector<Arrival> turn;                        // offsets count from the beginning of `frames`
  std::vector<const DeclaredLayout*> known;         // by number
  std::vector<const DeclaredLayout*> turn_layouts;  // distinct
  std::string layout_frames;

  std::mutex mutex;
  std::optional<WriterSegment> active;
  std::vector<WriterSegment> detached;  // kDisk only: their last sync is to come
  std::vector<UnsyncedTurn> unsynced;
  std::vector<Arrival> arrived;
  std::map<uint32_t, uint64_t> lost;
  std::chrono::nanoseconds retry_at{0};
  absl::Status last_error;
  std::mutex sync_mutex;  // held while syncing, before `mutex`

 private:
  bool kernel_only() const { return core.options.durability == Durability::kKernel; }
  absl::Status append_turn();
  absl::Status ensure_segment();
  absl::Status append_layouts();
  void detach();
  void finish(const WriterSegment& segment, uint64_t end);
  absl::Status lose(const std::vector<Arrival>& arrivals, const absl::Status& status);
  void sync_segment(uint32_t number);
  WriterSegment* find(uint32_t number);
  void remove(uint32_t number);
  void take_turns(uint32_t number, std::vector<UnsyncedTurn>& out);
};

}  // namespace cromford::feedback
