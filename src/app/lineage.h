#pragma once

// What a thing rests on, down to the sources, and what rests on it.
//
//   TRY(const base::Json lineage, lineage_of(context, "default", "dataset/flights@3"));
//   // {"object", "rests_on": [{"object", "of", "how", ...}], "used_by": [...], "truncated"}
//
// Thread safety: free functions.

#include <string>

#include "app/context.h"
#include "base/json.h"
#include "base/status.h"

namespace cromford::app {

// `object` is endpoint/NAME, model/NAME[@V], run/ID or dataset/NAME[@V]. NOT_FOUND where there is
// none; INVALID_ARGUMENT where it names none of these.
absl::StatusOr<base::Json> lineage_of(const Context& context, const std::string& project,
                                      const std::string& object);

}  // namespace cromford::app
