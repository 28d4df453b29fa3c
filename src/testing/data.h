#pragma once

// Real data for tests. The flights file is always there (it comes with the vendored packages); the
// shared folder with further data sets is optional, and a test that wants one says so and skips.
//
//   const auto path = testing::shared_data("adult/adult.csv");
//   if (!path) GTEST_SKIP() << "no adult data here";
//
// Thread safety: functions only.

#include <filesystem>
#include <optional>
#include <string_view>

// The build tells each test where they are.
#ifndef CROMFORD_SHARED_DIR
#define CROMFORD_SHARED_DIR ""
#endif
#ifndef CROMFORD_VENDOR_DIR
#define CROMFORD_VENDOR_DIR ""
#endif

namespace cromford::testing {

// The file or folder `relative` under data/ of the shared folder; nullopt (and one line on standard
// error) when it is absent.
std::optional<std::filesystem::path> find_shared_data(std::string_view shared_directory,
                                                      std::string_view relative);
inline std::optional<std::filesystem::path> shared_data(std::string_view relative) {
  return find_shared_data(CROMFORD_SHARED_DIR, relative);
}

// Three million flights: date, delay, distance, origin, destination.
inline std::filesystem::path flights_file() {
  return std::filesystem::path(CROMFORD_VENDOR_DIR) / "vega-datasets/data/flights-3m.parquet";
}

}  // namespace cromford::testing
