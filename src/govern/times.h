#pragma once

// Times in audit entries, always with six digits of fraction, so that they are ordered as texts.
//
//   entry["at"] = fixed_width_time(clock.now());     // "2026-02-01T10:00:00.000000Z"
//
// Thread safety: functions only.

#include <string>

#include "base/clock.h"

namespace cromford::govern {

std::string fixed_width_time(base::Time time);

}  // namespace cromford::govern
