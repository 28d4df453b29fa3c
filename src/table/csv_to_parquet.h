#pragma once

// From a CSV file that this program wrote itself, of which it knows the types, to Parquet.
//
//   TRY(csv_to_parquet(engine, work / "predictions.csv", schema, work / "predictions.parquet"));
//
// Thread safety: functions only.

#include <absl/status/status.h>

#include <filesystem>

#include "base/cancel.h"
#include "table/engine.h"
#include "table/table.h"

namespace cromford::table {

// `csv` has a header and the columns of `schema`, in their order; empty cells are missing. The
// output is complete when this returns and absent after an error. Memory does not depend on the
// file's size. RESOURCE_EXHAUSTED, CANCELLED as in table/scan.h.
absl::Status csv_to_parquet(Engine& engine, const std::filesystem::path& csv, const Schema& schema,
                            const std::filesystem::path& output,
                            const base::CancelToken& cancel = {});

}  // namespace cromford::table
