#pragma once

// Closed segments as Parquet: the predictions of one endpoint with what is joined to them so far.
// The app stores the part and registers it in a version of the dataset `endpoint_log`; a part of
// segments whose outcomes still come is simply made again later.
//
//   TRY(log.seal());
//   TRY(auto part, feedback::compact(log, engine, {.endpoint = "default/late",
//                                                  .segments = {4, 5}, .output = work /
//                                                  "p.parquet"}));
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

// The output is whole or absent. NOT_FOUND for a segment that is gone, INVALID_ARGUMENT where the
// segments hold columns of one name and several types.
absl::StatusOr<CompactedPart> compact(Log& log, table::Engine& engine,
                                      const CompactOptions& options);

}  // namespace cromford::feedback
