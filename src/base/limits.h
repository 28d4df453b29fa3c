#pragma once

// Sizes and durations as people write them, and the limits on what comes from outside: over a limit
// there is always a clear error that names the limit and its value. A server has one instance, in
// which the configuration has changed what it may; it is handed down to whoever needs it. What no
// configuration reaches (the sizes of bodies, which belong to the routes, and the shapes of files)
// is taken from the defaults where it is needed. Limits of one part alone, such as the queue of
// jobs, stand in that part's own options.
//
//   TRY(const uint64_t bytes, base::parse_size("4GiB"));
//   base::Limits limits;                          // the defaults
//   if (body.size() > limits.predict_body_bytes) {
//     return base::exhausted(fmt::format("the body is longer than {}",
//                                        base::format_size(limits.predict_body_bytes)));
//   }
//
// Thread safety: values and functions only.

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace cromford::base {

// "512MiB", "4GiB", "10kB", "1.5 GB", "4096" (bytes): KiB, MiB, GiB, TiB are powers of 1024, and
// kB, MB, GB, TB powers of 1000; upper and lower case are alike. INVALID_ARGUMENT otherwise, and
// when it does not fit.
absl::StatusOr<uint64_t> parse_size(std::string_view text);
// "512 B", "1.5 KiB", "4.0 GiB".
std::string format_size(uint64_t bytes);

// "3,000,000".
std::string with_thousands(int64_t count);
// A value for people: "457,414" from a thousand on, "0.7312" with four digits below.
std::string format_value(double value);

// "90s", "5m", "2h", "14d", "1h30m", "1.5h", "250ms", "10us"; a number without a unit is refused.
// INVALID_ARGUMENT otherwise, when it is negative and when it exceeds 200 years.
absl::StatusOr<std::chrono::nanoseconds> parse_duration(std::string_view text);
// "250ms", "1.5s", "90s", "5m", "2h30m", "3d"; read back by `parse_duration`. At most two units.
std::string format_duration(std::chrono::nanoseconds duration);

struct Limits {
  // HTTP.
  uint64_t predict_body_bytes = 8ULL << 20;
  uint64_t json_body_bytes = 1ULL << 20;
  uint64_t upload_bytes = UINT64_MAX;             // The disk is the limit, unless configured.
  uint64_t upload_free_bytes_min = 256ULL << 20;  // Uploads stop before the disk is full.
  uint64_t header_bytes = 32ULL << 10;
  uint64_t uri_bytes = 8ULL << 10;
  uint32_t connections = 1024;
  std::chrono::seconds header_timeout{30};
  std::chrono::seconds body_idle_timeout{60};
  std::chrono::seconds idle_timeout{120};
  uint32_t event_topics = 64;  // of one stream
  uint32_t page_size = 50;
  uint32_t page_size_max = 1000;

  // Prediction.
  uint32_t predict_rows = 100'000;
  uint32_t explain_max = 100;
  uint32_t id_bytes = 128;
  uint32_t text_value_bytes = 1U << 20;

  // Data.
  uint32_t columns = 10'000;
  uint32_t column_name_bytes = 256;
  uint32_t json_depth = 200;  // levels of nesting in a JSON file
  uint32_t query_bytes = 64U << 10;
  uint32_t import_files = 10'000;
  uint32_t preview_rows = 10'000;

  // Jobs.
  int jobs_at_once = 2;
  uint64_t job_memory_bytes = 4ULL << 30;      // Where a job does not name its own limit.
  uint64_t query_memory_bytes = 512ULL << 20;  // For rows, exports and diffs in the server.
  uint64_t temporary_bytes = 64ULL << 30;      // Disk that one job may spill to.

  uint64_t pipeline_file_bytes = 1ULL << 20;
};

}  // namespace cromford::base
