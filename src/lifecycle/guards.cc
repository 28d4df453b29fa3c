#include "lifecycle/guards.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace cromford::lifecycle {
namespace {

// Fewer requests tell nothing of a rate,
constexpr int64_t kRequestsMin = 50;
// or of a 99th percentile: of the first hundred it is the slowest, which found a cold cache.
constexpr int64_t kLatencyRequestsMin = 500;

}  // namespace

base::Json to_json(const Observation& seen) {
  base::Json document = {
      {"candidate_rows", seen.candidate_rows},         {"champion_rows", seen.champion_rows},
      {"candidate_requests", seen.candidate_requests}, {"candidate_errors", seen.candidate_errors},
      {"candidate_p99_us", seen.candidate_p99_us},     {"champion_p99_us", seen.champion_p99_us}};
  document["prediction_psi"] = seen.prediction_psi ? base::Json(*seen.prediction_psi) : nullptr;
  document["disagreement"] = seen.disagreement ? base::Json(*seen.disagreement) : nullptr;
  document["loss"] = nullptr;
  if (seen.loss.has_value()) {
    document["loss"] = {{"candidate_outcomes", seen.loss->candidate_outcomes},
                        {"champion_outcomes", seen.loss->champion_outcomes},
                        {"difference", seen.loss->difference},
                        {"lower", seen.loss->lower},
                        {"upper", seen.loss->upper}};
  }
  return document;
}

std::string broken_guard(const Observation& seen, const Guards& guards) {
  const int64_t asked = seen.candidate_requests + seen.candidate_errors;
  if (asked >= kRequestsMin) {
    const double rate = static_cast<double>(seen.candidate_errors) / static_cast<double>(asked);
    if (rate > guards.error_rate_max) {
      return fmt::format("{:.1f}% of its {} requests failed, {:.1f}% are allowed", 100 * rate,
                         asked, 100 * guards.error_rate_max);
    }
  }
  if (asked >= kLatencyRequestsMin) {
    const auto allowed =
        std::max(static_cast<double>(guards.latency_p99_us_floor),
                 guards.latency_p99_ratio_max * static_cast<double>(seen.champion_p99_us));
    if (seen.champion_p99_us > 0 && static_cast<double>(seen.candidate_p99_us) > allowed) {
      return fmt::format(
          "its 99th percentile takes {} us, the champion's {} us; {:.0f} us are "
          "allowed",
          seen.candidate_p99_us, seen.champion_p99_us, allowed);
    }
  }
  if (seen.prediction_psi.has_value() && *seen.prediction_psi > guards.prediction_psi_max) {
    return fmt::format(
        "its predictions are distributed otherwise than the champion's: PSI {:.3f}, "
        "{:.3f} is allowed",
        *seen.prediction_psi, guards.prediction_psi_max);
  }
  if (seen.loss.has_value() && seen.loss->lower > 0) {
    return fmt::format(
        "it is worse on live traffic: its mean loss is {:+.4f} ({:+.4f} to {:+.4f}) "
        "against the champion's, over {} and {} outcomes",
        seen.loss->difference, seen.loss->lower, seen.loss->upper, seen.loss->candidate_outcomes,
        seen.loss->champion_outcomes);
  }
  return {};
}

}  // namespace cromford::lifecycle
