#pragma once

// What became known of an endpoint since the last time: each prediction once, and each time an
// outcome met a prediction, or another took its place. Who counts from it, and stores the cursor in
// the same transaction as the counts, counts everything exactly once, whatever is killed when.
//
//   JoinCursor cursor = stored;
//   TRY(const bool more, read_joins(log, "default/late", 1'000'000, cursor, visitor));
//   ... commit what the visitor counted together with `cursor` ...
//
// An id that is predicted twice is given once. (Where two of one id are read in one breath from
// different threads' files, the one that is given may be the one that arrived second.)
//
// Thread safety: functions; a visitor is called on the calling thread.

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "feedback/codec.h"
#include "feedback/log.h"

namespace cromford::feedback {

// How far was read.
struct JoinCursor {
  uint32_t outcome_segment = 0;  // Outcomes before this place are read.
  uint64_t outcome_offset = 0;
  uint32_t predictions_before = 0;                // Segments before this one are read wholly,
  std::map<uint32_t, uint64_t> predictions = {};  // and of these what stands before the offset.
  bool operator==(const JoinCursor&) const = default;
};
base::Json to_json(const JoinCursor& cursor);
// DATA_LOSS for what is none.
absl::StatusOr<JoinCursor> join_cursor_from(const base::Json& json);

// A logged prediction in place; valid during a call of the visitor.
struct LoggedRow {
  const Layout* layout = nullptr;
  PredictionView prediction;
  const PredictionValues* values = nullptr;
};

class JoinVisitor {
 public:
  virtual ~JoinVisitor() = default;
  virtual absl::Status predicted(const LoggedRow& row) = 0;
  // `before`: the outcome that counted until now; nullptr: none. `after` is never equal to it.
  virtual absl::Status joined(const LoggedRow& row, const OutcomeView* before,
                              const OutcomeView& after) = 0;
};

// Reads at most `records_max` outcomes and as many predictions, moves the cursor behind them and
// says whether there are more. After an error of the visitor the cursor is not to be used.
absl::StatusOr<bool> read_joins(Log& log, const std::string& endpoint, uint64_t records_max,
                                JoinCursor& cursor, JoinVisitor& visitor);

}  // namespace cromford::feedback
