#pragma once

// The gate between training and deployment: declared rules, judged against the evidence that the
// training run left on its test rows.
//
//   TRY(const base::Json evidence, judge_gate_rules(rules, model_version, "late@2"));
//
// Rules (docs/pipeline.md): {"metric": "auc", "comparison": ">=", "value": 0.65}, or
// {"better_than_champion": {"metric": "log_loss", "confidence": 0.95}}: the paired difference on
// the same test rows must be in the challenger's favour with that (two-sided) confidence; or
// {"not_worse_than_champion": {"metric": "log_loss", "margin": 0.005, "confidence": 0.95}}: the
// interval must exclude a loss of more than that share of the champion's figure. Where
// there is no champion, such a rule holds and says so. Where there is one, missing evidence is a
// refusal: a comparison that failed, was never made, or was made with another champion.
//
// Thread safety: pure functions.

#include <string>

#include "app/request_reader.h"
#include "base/json.h"
#include "base/status.h"

namespace cromford::app {

// Reports what is wrong with rules as a policy declares them (under "/gate").
void check_gate_rules(const base::Json& rules, RequestReader& document);

// `champion` is what serves now ("late@2"), or "". Gives {"rules": [{"rule", "passed", "found",
// "reason"}]}; FAILED_PRECONDITION names every rule that failed.
absl::StatusOr<base::Json> judge_gate_rules(const base::Json& rules,
                                            const base::Json& model_version,
                                            const std::string& champion);

}  // namespace cromford::app
