#include "model/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/status.h"

namespace cromford::model {

absl::Status check_parameters(std::string_view what, std::span<const double> values) {
  const bool good =
      std::ranges::all_of(values, [](double value) { return std::abs(value) <= kParameterMax; });
  return good ? absl::OkStatus()
              : base::damaged(fmt::format("{} is not finite or too large", what));
}

absl::Status as_invalid(const absl::Status& status) {
  return status.ok() ? status : base::invalid(base::message(status), base::remedy(status));
}

}  // namespace cromford::model
