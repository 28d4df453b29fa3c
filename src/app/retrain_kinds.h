#pragma once

// The two jobs of the loop that are not known elsewhere, the server's half and the payloads:
//
//   choose  how far back training should reach, found by short trainings that are tried on the
//           latest rows before those that are kept for the gate
//   judge   champion and candidate on the rows kept for the gate, which neither learnt from, and
//           the policy's rules on what was found; the evidence is stored as an object
//
// Thread safety: as flow::JobKind.

#include <memory>
#include <string>

#include "app/context.h"
#include "base/json.h"
#include "flow/runner.h"

namespace cromford::app {

// Of the log's dataset (feedback/compaction.h).
inline constexpr const char* kEventColumn = "at";
inline constexpr const char* kOutcomeColumn = "outcome";

// Payload of "choose": {"dataset", "model" (the champion), "window" ("auto" or a duration),
// "rows_min", "mature" (which rows count at all), "settings": {"target", "ignore"}}; result
// {"where", "gate_where", "tried": [{"window", "rows", "loss"}], "reason"}.
std::unique_ptr<flow::JobKind> make_choose_kind(Context& context);
// Payload of "judge": {"dataset", "where", "champion", "candidate", "rules", "columns"}; result
// {"passed", "evidence", "reason", "quality"}.
std::unique_ptr<flow::JobKind> make_judge_kind(Context& context);

}  // namespace cromford::app
