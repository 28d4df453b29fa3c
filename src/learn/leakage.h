#pragma once

// Alarms for columns that know the answer: too good alone, telling by being filled or not, or dated
// after the row itself. A leak makes every figure of a run worthless, so a person must look; the
// column stays in until they say `--ignore`.
//
//   find_leaks(table, split.work, problem);   // adds to problem.warnings
//
// Thread safety: pure functions over the problem given.

#include <cstdint>
#include <vector>

#include "learn/problem.h"
#include "table/table.h"

namespace cromford::learn {

// How well one column alone tells the target on rows it was not fitted on: AUC (multiclass: the
// mean over classes) or R2. 0.5 or 0 is nothing.
struct Telling {
  double by_value = 0;
  double by_missing = 0;  // From whether the value is missing alone.
};
Telling telling_of(const table::Column& column, const std::vector<uint32_t>& positions,
                   const Problem& problem);

// Looks at up to 60,000 of the rows at `positions`.
void find_leaks(const table::Table& table, const std::vector<uint32_t>& positions,
                Problem& problem);

}  // namespace cromford::learn
