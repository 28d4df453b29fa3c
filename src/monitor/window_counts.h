#pragma once

// What one served version saw and said in one window of event time, as counts on the bins of its
// package (model/bin_layout.h). Counts of windows add up: threads to an hour, hours to a day.
//
//   WindowCounts hour = {.model = "late", .version = 3, .start = start, .rows = 812,
//                        .counts = counts};
//   const std::string bytes = encode(hour);
//   TRY(WindowCounts again, decode_window_counts(bytes));
//   TRY(std::vector<WindowCounts> days, regroup(hours, std::chrono::hours(24)));
//
// Thread safety: values.

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace cromford::monitor {

struct WindowCounts {
  std::string model = {};
  int32_t version = 0;
  base::Time start{};  // Event times from here on, in whole seconds,
  std::chrono::seconds length = std::chrono::hours(1);  // and before start + length.
  uint64_t rows = 0;
  std::vector<uint64_t> counts = {};  // BinLayout::bin_count() of the version's package.

  base::Time end() const { return start + length; }
  friend bool operator==(const WindowCounts&, const WindowCounts&) = default;
};

// The start of the window of `length` that holds `time`; windows are counted from 1970 on.
base::Time window_start(base::Time time, std::chrono::seconds length);

// Adds `other`, which stretches the window where it lies outside. INVALID_ARGUMENT, and no change,
// unless it is of the same version and the same bins.
absl::Status merge(const WindowCounts& other, WindowCounts& into);

// The windows in longer ones of `length`, in order of version and time. Windows without rows are
// not made up. INVALID_ARGUMENT where a window does not lie wholly within one of them, or as
// merge().
absl::StatusOr<std::vector<WindowCounts>> regroup(std::span<const WindowCounts> windows,
                                                  std::chrono::seconds length);

// The stored form, docs/formats/window_counts.md. decode: DATA_LOSS for what is damaged,
// FAILED_PRECONDITION for a version from the future.
std::string encode(const WindowCounts& window);
absl::StatusOr<WindowCounts> decode_window_counts(std::string_view bytes);

}  // namespace cromford::monitor
