#pragma once

// The jobs that use a model without serving it: evaluation on a dataset version, and batch scoring.
//
// Thread safety: as flow::JobKind.

#include <memory>

#include "app/context.h"
#include "flow/runner.h"

namespace cromford::app {

std::unique_ptr<flow::JobKind> make_evaluate_kind(Context& context);
std::unique_ptr<flow::JobKind> make_score_kind(Context& context);

}  // namespace cromford::app
