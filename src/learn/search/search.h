#pragma once

// The search: which configurations are tried, in which order, and when it ends. The first ones are
// a short portfolio that does well on most data; the rest is drawn at random, each from its own
// stream of the seed, so that a configuration depends on its number only and trials may run side by
// side.
//
//   TRY(std::vector<Trial> trials, search(bench, {.trials = 20}, pace));
//
// Thread safety: search() runs its own threads; `done` and `checkpoint` are each called one at a
// time, on any of them.

#include <absl/status/statusor.h>

#include <functional>
#include <optional>
#include <vector>

#include "learn/search/trial.h"

namespace cromford::learn {

struct SearchOptions {
  std::optional<size_t> trials;  // Besides the baseline; absent: as many as the time allows.
  uint64_t seed = 0;
  size_t threads = 1;
  bool linear = true;
  bool boosting = true;
  // The least learning rate of boosted trees: a short budget needs longer steps.
  double rate_least = 0;
  // Seconds that fitting a trial again on all rows takes, as a multiple of its longest fold.
  double refit_factor = 1.3;
  // Called after each trial, under a lock; true asks for `checkpoint`.
  std::function<bool(const Trial&)> done = {};
  // Called with a copy of such a trial while others go on, one call at a time; a trial that is no
  // better than the last one shown is left out.
  std::function<void(const Trial&)> checkpoint = {};
};

// The configuration of that number (1, 2, ...); `rows` is how many a fold is fitted on.
TrialSpec spec_of(size_t number, const SearchOptions& options, size_t rows);

// The baseline first, then trials in the order of their numbers. Trials that the clock did not let
// finish are in the list, not complete. CANCELLED by the token; RESOURCE_EXHAUSTED where memory ran
// out on any thread.
absl::StatusOr<std::vector<Trial>> search(const Workbench& bench, const SearchOptions& options,
                                          Pace& pace);

// The best complete trial.
const Trial& best_of(const std::vector<Trial>& trials);

}  // namespace cromford::learn
