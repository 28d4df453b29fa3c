#pragma once

// Rows sent to an endpoint as its clients would: over several kept connections, in batches or one
// by one, with the time of every request noted; and what became of them, later.
//
//   TRY(const LoadResult result, send_rows(session, path, rows, {.rows_per_request = 500,
//                                                                .connections = 4}));
//   fmt::print("{} us\n", result.latency_us(0.99));
//   TRY(send_outcomes(session, path, rows));
//
// Thread safety: functions start and join their own threads.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cli/session.h"

namespace cromford::cli {

struct LoadOptions {
  size_t rows_per_request = 1;
  size_t connections = 1;
};

struct LoadResult {
  size_t requests = 0;
  size_t rows = 0;
  double seconds = 0;
  std::vector<double> latencies_us;   // Sorted, one for each request, as the client sees it.
  std::vector<double> probabilities;  // In the order of the rows.

  // The quantile `level` (0 to 1) of the latencies; 0 without any.
  double latency_us(double level) const;
};

// One row of the export of a dataset (a JSON object on one line), taken apart into what a client
// would know and what happened.
struct FlightRow {
  std::string id;
  std::string inputs;  // The object without its label and the columns that the model does not take.
  bool late = false;
  base::Time departed{};  // When it was asked about,
  base::Time landed{};    // and when it was known whether it was late.
};

// Takes a field with a plain value (no object, no array) out of a JSON object on one line, and
// gives the text of its value. nullopt, and an unchanged object, where it has no such field.
std::optional<std::string> take_field(std::string& object, std::string_view name);

// The "probability" of each prediction in the answer of `:predict`, in order; fewer than there are
// predictions where one has none.
std::vector<double> probabilities_of(std::string_view answer);

// The body of a predict request for these rows, and that of the request that tells their outcomes.
std::string predict_body(std::span<const FlightRow> rows);
std::string outcomes_body(std::span<const FlightRow> rows);

// Sends all rows; `path` is that of the endpoint, from the root. The first error of any request
// ends the load.
absl::StatusOr<LoadResult> send_rows(Session& session, const std::string& path,
                                     std::span<const FlightRow> rows, const LoadOptions& options);

// Tells what happened to all rows. DATA_LOSS where one of them was refused.
absl::Status send_outcomes(Session& session, const std::string& path,
                           std::span<const FlightRow> rows);

}  // namespace cromford::cli
