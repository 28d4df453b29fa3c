#pragma once

// The way of one server thread into the prediction log. Records of one turn of the event loop are
// gathered in memory and go to the kernel in one write, before the answers leave:
//
//   for (each row answered in this turn) TRY(writer.add(record));
//   TRY(writer.flush());                                 // now killing the process loses none
//   writer.flush(post_answers);                          // durability=fsync: called once on disk
//
// No memory is allocated once the largest turn has been seen.
// Thread safety: one thread owns a writer; the log's own threads meet it inside.

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "feedback/record.h"

namespace cromford::feedback {

class PredictionWriter {
 public:
  struct State;
  explicit PredictionWriter(std::unique_ptr<State> state);
  ~PredictionWriter();
  PredictionWriter(const PredictionWriter&) = delete;
  PredictionWriter& operator=(const PredictionWriter&) = delete;

  // Takes the record into the turn's buffer. INVALID_ARGUMENT, and nothing is taken, for what does
  // not fit the layout or a limit.
  absl::Status add(const PredictionRecord& record);

  // Hands the turn to the kernel; with Durability::kDisk, waits until it is on disk. When that
  // fails, the policy of the log decides: kAnswer counts the records as lost and returns OK;
  // kRefuse returns RESOURCE_EXHAUSTED (or what the disk says) and the turn must not be answered.
  // Either way the turn is over, and a later turn tries again with a new file.
  absl::Status flush();

  // The same; `done` is called exactly once, when the turn is as durable as the log promises: with
  // Durability::kKernel before this returns, with kDisk from the log's own thread after a sync that
  // all writers share. Its status is that of `flush()`.
  void flush(const std::function<void(absl::Status)>& done);

  // Forgets what was added since the last flush, for a turn that is answered with an error.
  void discard();
  // Bytes added since the last flush.
  size_t pending_bytes() const;

  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

}  // namespace cromford::feedback
