#pragma once

// The body of `POST endpoints/{name}:predict`, answered: JSON bytes in, JSON bytes out. The shapes
// are those of CONTRACT.md ("Predict").
//
//   const Lease endpoint = registry.find("default", "late");
//   const PredictContext context = {.ids = ids, .clock = clock, .limits = limits};
//   std::string answer;
//   TRY(predict_json(context, *endpoint, {.body = body}, scratch, answer));
//
// Thread safety: any number of threads at once, each with its own scratch and answer.

#include <absl/status/status.h>

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "base/limits.h"
#include "serve/endpoint.h"
#include "serve/scratch.h"

namespace cromford::serve {

class PredictionLog;
class ShadowScorer;

// What every request shares.
struct PredictContext {
  base::IdSource& ids;  // Names the rows that the caller did not.
  base::Clock& clock;   // Measures latencies.
  const base::Limits& limits;
  ShadowScorer* shadows = nullptr;  // Without it, shadows are not scored.
  PredictionLog* log = nullptr;     // Without it, predictions are not logged.
};

// About as long as the loop of a server may be held up by one request.
inline constexpr double kQuickWorkNs = 200'000.0;

// The refusal of a request that asks for more than kQuickWorkNs where only quick ones are answered:
// nothing was done or counted, and it can be asked again where it holds nobody up.
absl::Status too_long_here();
bool is_too_long_here(const absl::Status& status);

struct PredictJsonRequest {
  std::string_view body;
  bool ignore_unknown = false;  // `?unknown=ignore`: columns that no version knows are skipped.
  bool quick_only = false;      // Refuses what takes long, see too_long_here().
};

// Appends the answer to `out`, counts the request, and adds its rows to the log of predictions.
// Each row is answered by the version that its id chooses; shadows score all rows. INVALID_ARGUMENT
// where the body is wrong: the message names the row and the column, and base::field_errors() gives
// JSON pointers into the body (the first twenty). After an error `out` is as it was.
absl::Status predict_json(const PredictContext& context, const Endpoint& endpoint,
                          const PredictJsonRequest& request, Scratch& scratch, std::string& out);

}  // namespace cromford::serve
