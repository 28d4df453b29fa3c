#pragma once

// `cromford demo flights`: from three million raw rows to an endpoint that answers. It applies a
// pipeline file that a user could have written, runs it, sends a month that the model has never
// seen to the endpoint as a client would, and lets the server judge the answers.
//
//   cromford demo flights --data flights-3m.parquet
//
// Thread safety: none; the requests are sent by threads of its own.

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "cli/environment.h"

namespace cromford::cli {

// templates/flights/pipeline.yaml, as it was when the program was built.
std::string_view flights_pipeline();

// The same file with another source file and, where `time` is not empty, another training time.
// INTERNAL where the file has no such places any more.
absl::StatusOr<std::string> flights_pipeline_for(const std::filesystem::path& data,
                                                 std::string_view time);

// The raw file: `named` where it is not empty, else where the packages of the repository are,
// below the working directory or the program. NOT_FOUND says how to get it.
absl::StatusOr<std::filesystem::path> find_flights(const std::string& named,
                                                   const Environment& environment);

}  // namespace cromford::cli
