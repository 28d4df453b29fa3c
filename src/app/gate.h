#pragma once

// The gate between training and deployment: declared rules, judged against the evidence that the
// training run left on its test rows.
//
//   TRY(const base::Json evidence, judge(rules, model_version));   // FAILED_PRECONDITION: refused
//
// Rules (docs/pipeline.md): {"metric": "auc", "comparison": ">=", "value": 0.65}, or
// {"better_than_champion": {"metric": "log_loss", "confidence": 0.95}}: the paired difference on
// the same test rows must be in the challenger's favour with that (two-sided) confidence. Where
// there is no champion, such a rule holds and says so.
//
// Thread safety: pure functions.

#include "base/json.h"
#include "base/status.h"

namespace cromford::app {

// Gives {"rules": [{"rule", "passed", "found", "reason"}]}; a refusal names every rule that failed.
absl::StatusOr<base::Json> judge_gate_rules(const base::Json& rules,
                                            const base::Json& model_version);

}  // namespace cromford::app
