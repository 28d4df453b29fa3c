#pragma once

// Checks that several parts of a package share when it is loaded.
//
//   TRY(check_parameters("a weight of the linear predictor", weights));
//
// Thread safety: pure functions.

#include <absl/status/status.h>

#include <span>
#include <string_view>

namespace cromford::model {

// The largest absolute value of a fitted parameter: products and sums of a few of them and of
// float32 features stay finite in double.
constexpr double kParameterMax = 1e100;

// DATA_LOSS ("WHAT is not finite or too large") unless all are finite and at most kParameterMax.
absl::Status check_parameters(std::string_view what, std::span<const double> values);

// The same error as INVALID_ARGUMENT: what damage is in a file is bad input where parts are given.
absl::Status as_invalid(const absl::Status& status);

}  // namespace cromford::model
