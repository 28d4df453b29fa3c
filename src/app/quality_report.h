#pragma once

// What is known of the quality of an endpoint's answers, for people and for what decides: measured
// where outcomes are known, estimated where they are not, and whether groups are treated alike.
//
//   TRY(base::Json sections, quality_sections(context, name, {.period = period}, served));
//   sections["quality"], sections["estimate"], sections["bias"], sections["segments"]
//
// docs/feedback.md says what the members mean.
//
// Thread safety: free functions.

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "app/quality_store.h"
#include "base/json.h"
#include "monitor/window_store.h"
#include "serve/endpoint.h"

namespace cromford::app {

struct QualityRequest {
  monitor::Period period = {};  // Its begin is taken to a whole window.
  std::optional<std::chrono::seconds> length = std::nullopt;  // Of windows; absent: the policy's.
};

// The rows of one answerer in one window.
struct QualityWindow {
  Answerer answerer;
  base::Time start{};
  base::Time end{};
  monitor::QualityCounts counts;
  // Whether the outcomes are taken to be there: the endpoint's clock has passed the end of the
  // window by the outcome delay.
  bool mature = false;
};
// By answerer and time.
absl::StatusOr<std::vector<QualityWindow>> quality_windows(const Context& context,
                                                           const EndpointName& name,
                                                           const QualityRequest& request = {});

// How long outcomes take: as the policy says, else the 95% quantile of the delays seen; nothing
// where none was seen.
absl::StatusOr<std::optional<std::chrono::microseconds>> outcome_delay(const Context& context,
                                                                       const EndpointName& name);

// `served` may be null; with it, an estimate says whether the rows are such as training saw.
absl::StatusOr<base::Json> quality_sections(const Context& context, const EndpointName& name,
                                            const QualityRequest& request,
                                            const serve::Endpoint* served);

}  // namespace cromford::app
