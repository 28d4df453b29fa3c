#pragma once

// What must hold before any measure is computed, said once. Of use inside this folder only.
//
//   TRY(check_rows(rows));
//
// Thread safety: pure functions.

#include <absl/status/status.h>

#include <cstddef>

#include "metric/metric.h"

namespace cromford::metric {

// INVALID_ARGUMENT names the first thing that is wrong; see metric.h, evaluate().
absl::Status check_rows(const Scored& rows);

// The weight of a row; 1 when no weights are given.
inline double weight_of(const Scored& rows, size_t i) {
  return rows.weights.empty() ? 1.0 : rows.weights[i];
}

}  // namespace cromford::metric
