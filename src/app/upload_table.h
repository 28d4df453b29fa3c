#pragma once

// The worker's way to rows that were uploaded for a job: whatever the format, they become a stored
// table first, so that every format is read in the same way.
//
//   TRY(const table::StoredTable rows, read_upload(input, context));
//
// Thread safety: one call per work directory.

#include "base/json.h"
#include "base/status.h"
#include "flow/worker.h"
#include "table/scan.h"

namespace cromford::app {

// `input` names spooled_file, source_name, input_format and memory_bytes. INVALID_ARGUMENT where
// rows cannot be read: what is answered row by row could not be told apart by their order.
absl::StatusOr<table::StoredTable> read_upload(const base::Json& input,
                                               flow::WorkerContext& context);

}  // namespace cromford::app
