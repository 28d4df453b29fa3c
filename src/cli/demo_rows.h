#pragma once

// The flights of the demo as the server has them, taken apart into what a client would send and
// what happened.
//
//   TRY(const FlightSource source, flight_source(session, model_document));
//   TRY(const std::vector<FlightRow> flights,
//       flights_between(session, source, "2001-03-01", "2001-04-01", 500'000));
//
// Thread safety: none, as the session.

#include <absl/status/statusor.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "cli/demo_traffic.h"
#include "cli/session.h"

namespace cromford::cli {

// The dataset that a model was trained on, and what of it no client sends.
struct FlightSource {
  std::string dataset;                    // "flights@1"
  std::string path;                       // Of the dataset version, within the project.
  std::vector<std::string> not_an_input;  // Columns that the model does not take.
};

// `model`: the document of a model version.
absl::StatusOr<FlightSource> flight_source(Session& session, const base::Json& model);

// The flights that left on days from `first_day` on and before `end_day`, in that order; at most
// `rows_max`. DATA_LOSS where there are none, or they are not those of this demo.
absl::StatusOr<std::vector<FlightRow>> flights_between(Session& session, const FlightSource& source,
                                                       const std::string& first_day,
                                                       const std::string& end_day, size_t rows_max);

// One line of the export, or nullopt where it is no flight with a label. The file does not tell
// when a flight landed: its way is taken as half an hour on the ground and seven miles a minute,
// and three quarters of an hour more where it was late.
std::optional<FlightRow> flight_of(std::string line, const FlightSource& source);

}  // namespace cromford::cli
