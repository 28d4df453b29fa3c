#pragma once

// The job that takes outcomes from a file with the columns id, value and optionally at: a child
// process reads it, the server adds what it found to the log of the endpoint, batch by batch.
//
//   runner.add(make_outcomes_kind(context, registry));
//   runner.submit({.kind = "outcomes", .payload = ..., ...});
//
// The job's result: {"endpoint","accepted","joined","waiting","duplicates","corrections",
// "rejected_count","rejected":[{row,id,detail}, ...]}; at most a hundred of the rejected are
// listed. Doing it twice changes nothing: an outcome without a time happened when the job was made.
//
// Thread safety: as flow::JobKind.

#include <memory>

#include "app/context.h"
#include "flow/runner.h"
#include "serve/registry.h"

namespace cromford::app {

std::unique_ptr<flow::JobKind> make_outcomes_kind(Context& context, serve::Registry& registry);

}  // namespace cromford::app
