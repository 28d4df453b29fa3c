#pragma once

// The guards of a rollout: what is measured of a candidate on live traffic, and which measure ends
// it. Missing figures break no guard, and let no step end either (see machine.h).
//
//   if (const std::string reason = broken_guard(seen, guards); !reason.empty()) { ... roll back }
//
// Thread safety: pure functions.

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"

namespace cromford::lifecycle {

struct Guards {
  double error_rate_max = 0.01;
  double latency_p99_ratio_max = 2.0;   // Against the champion's.
  int64_t latency_p99_us_floor = 2000;  // Below that no ratio counts.
  double prediction_psi_max = 0.5;
  int64_t rows_min = 100;  // Of the candidate, before a step may end.
};

// What is seen of candidate and champion since the stage began.
struct Observation {
  int64_t candidate_rows = 0;
  int64_t champion_rows = 0;
  int64_t candidate_requests = 0;
  int64_t candidate_errors = 0;
  int64_t candidate_p99_us = 0;
  int64_t champion_p99_us = 0;
  // Debiased; absent with too few rows.
  std::optional<double> prediction_psi = std::nullopt;
  // Of a shadow: the share of rows on which the two decide differently.
  std::optional<double> disagreement = std::nullopt;
  // Candidate's mean loss minus champion's, in an interval that holds at every look.
  struct Loss {
    int64_t candidate_outcomes = 0;
    int64_t champion_outcomes = 0;
    double difference = 0;
    double lower = 0;
    double upper = 0;
  };
  std::optional<Loss> loss = std::nullopt;
};

base::Json to_json(const Observation& seen);
// Why the candidate must give the traffic back, or "".
std::string broken_guard(const Observation& seen, const Guards& guards);

}  // namespace cromford::lifecycle
