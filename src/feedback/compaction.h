#pragma once

// Closed segments as rows: the predictions of one endpoint with what is joined to them so far. The
// app makes parts of the endpoint's dataset of them; a part of segments whose outcomes still come
// is simply made again later.
//
//   TRY(log.seal());
//   TRY(auto part, feedback::compact(log, engine, {.endpoint = "default/late",
//                                                  .segments = {4, 5}, .output = work /
//                                                  "p.parquet"}));
//
//   TRY(auto late, late_outcomes(log, "default/late", part_made_after));   // which to make again
//
// Columns, in this order: id, at, model_version, variant, value, probability (of the positive one
// of two classes), latency_us, outcome, outcome_at; the raw columns by their names; `lower` and
// `upper` of a regression or `probability_CLASS` of more than two classes; arrived_at, model,
// endpoint, key. A raw column whose name one of these has is called `input_NAME`. Each id stands
// there once, the first that was logged.
//
// Thread safety: functions only; any thread.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "feedback/log.h"
#include "table/engine.h"
#include "table/table.h"

namespace cromford::feedback {

struct CompactOptions {
  std::string endpoint;
  std::vector<uint32_t> segments;  // from Log::segments
  std::filesystem::path output;
  base::CancelToken cancel = {};
};

struct CompactedPart {
  int64_t row_count = 0;
  int64_t joined_count = 0;
  uint64_t damaged_bytes = 0;  // of the segments, left out
  table::Schema schema;
};

// As CSV (table/csv_to_parquet.h), row by row and so in little memory. NOT_FOUND for a segment that
// is gone, INVALID_ARGUMENT where the segments hold columns of one name and several types; what was
// written by then stays.
absl::StatusOr<CompactedPart> compact_to_csv(Log& log, const CompactOptions& options);

// As Parquet; the output is whole or absent. Errors as of compact_to_csv, and those of the engine.
absl::StatusOr<CompactedPart> compact(Log& log, table::Engine& engine,
                                      const CompactOptions& options);

// How many outcomes came for the predictions of a segment.
struct LateOutcomes {
  uint32_t through = 0;                        // All of the outcomes' segments up to this one.
  std::map<uint32_t, uint64_t> by_prediction;  // By the segment of the prediction.
};
// Of all closed segments of outcomes behind segment `after`. An outcome whose prediction is not
// there yet is left out: the prediction is compacted later, and then with it.
absl::StatusOr<LateOutcomes> late_outcomes(Log& log, const std::string& endpoint, uint32_t after);

// Name, bytes and content hash of a closed segment, for lineage.
struct SegmentFacts {
  std::string name;
  uint64_t size_bytes = 0;
  std::string hash;
};
absl::StatusOr<SegmentFacts> segment_facts(Log& log, uint32_t segment);

}  // namespace cromford::feedback
