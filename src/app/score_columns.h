#pragma once

// Whether rows to be scored are rows for this model: an absent column is a missing value, an
// unknown one is refused, as with predictions over HTTP. A file that has nothing in common with the
// model would else get a confident answer for each of its rows.
//
//   TRY(const std::vector<std::string> warnings,
//       check_score_columns(names, {.contract = contract, .other = {"late", "order_id"}}));
//
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <span>
#include <string>
#include <vector>

#include "model/contract.h"

namespace cromford::app {

struct ScoreColumns {
  const model::Contract& contract;
  // What training knew and the model does not take: the target, and what was left out.
  std::vector<std::string> other = {};
  bool ignore_unknown = false;
};

// What the user should know, in sentences. INVALID_ARGUMENT where none of the model's columns is
// among `names`, or one of them is unknown.
absl::StatusOr<std::vector<std::string>> check_score_columns(std::span<const std::string> names,
                                                             const ScoreColumns& columns);

}  // namespace cromford::app
