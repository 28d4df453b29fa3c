#pragma once

// What training runs and model versions have in common when they are shown: metrics with their
// intervals, the importance of columns, the split, warnings.
//
//   print_metrics(run, output);
//   print_importance(version, output, 10);
//
// Thread safety: functions only.

#include <string>

#include "base/json.h"
#include "cli/output.h"

namespace cromford::cli {

// The document's `metrics`, with 95% intervals where they are given.
void print_metrics(const base::Json& document, Output& output);
// Its `importance`: the `count` largest shares with bars.
void print_importance(const base::Json& document, Output& output, size_t count);
// Its `warnings`, on standard error.
void print_warnings(const base::Json& document, Output& output);
// "time: 406,591 rows to learn, 101,648 to test (from 2001-01-25 09:14)".
std::string split_in_words(const base::Json& split);
// "0.7553 (0.7540 .. 0.7566)" of {value, lower, upper}, or of a bare number.
Cell metric_cell(const base::Json& metric);

}  // namespace cromford::cli
