#pragma once

// A small ensemble: margins of a few trials averaged with weights that a greedy search finds on the
// validation rows (Caruana et al. 2004: selection with replacement, best prefix). It is taken only
// where it beats the best trial by more than chance moves the score, because every member costs
// time at each prediction.
//
//   Ensemble ensemble = choose_ensemble(bench, trials, {.members_max = 4});
//   ensemble.members[0].trial, .weight; ensemble.margins
//
// Thread safety: pure functions.

#include <cstddef>
#include <vector>

#include "learn/search/trial.h"

namespace cromford::learn {

struct Member {
  size_t trial = 0;  // Index into the trials given.
  double weight = 1;
};

struct Ensemble {
  std::vector<Member> members;  // Weights sum to 1; best trial first.
  std::vector<double> margins;  // [scored rows x outputs]
  double score = 0;
};

struct EnsembleOptions {
  size_t members_max = 4;
  size_t candidates_max = 10;
  size_t steps = 25;
  // Validation rows above which the search for weights goes by a sample.
  size_t rows_max = 20000;
};

Ensemble choose_ensemble(const Workbench& bench, const std::vector<Trial>& trials,
                         const EnsembleOptions& options = {});

}  // namespace cromford::learn
