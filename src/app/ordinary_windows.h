#pragma once

// How much single hours, days and weeks of the rows that a model was trained on differ from all of
// them: what the model's drift reports tolerate later (monitor/drift_watch.h). A day has one
// weekday and one weather; without this, every day of a healthy endpoint would seem to have moved.
//
//   TRY(report["ordinary_drift"], ordinary_windows(rows, "date", *package, cancel));
//   const OrdinaryEffects effects = ordinary_for(report["ordinary_drift"], std::chrono::hours(24));
//
// Thread safety: pure functions.

#include <chrono>
#include <string>

#include "base/cancel.h"
#include "base/json.h"
#include "base/status.h"
#include "model/package.h"
#include "monitor/drift_report.h"
#include "table/table.h"

namespace cromford::app {

// {"3600": effects, "86400": effects, "604800": effects}, by the length of windows in seconds; a
// length of which there are too few good windows is left out. An empty object where `time_column`
// is no date or timestamp of the table.
absl::StatusOr<base::Json> ordinary_windows(const table::Table& rows,
                                            const std::string& time_column,
                                            const model::Package& package,
                                            const base::CancelToken& cancel);

// The effects known for the longest windows that are not longer than `length` (longer ones differ
// less), else for the shortest; none where nothing is known.
monitor::OrdinaryEffects ordinary_for(const base::Json& by_length, std::chrono::seconds length);

}  // namespace cromford::app
