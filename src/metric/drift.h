#pragma once

// Has a distribution moved? Two arrays of counts on the same bins are compared: what training saw
// (the reference) and what a window of traffic saw. The answer is an effect size with the amount
// that chance alone gives taken off, and the probability of such an effect where the true one is
// tolerable: so the same limits hold for small and large windows, few and many bins.
//
//   TRY(const Drift moved, drift({.reference = trained, .current = window, .own_bins = 2}));
//   if (moved.p_value < 0.01) { ... moved.effect ... }
//   std::vector<double> q = adjusted_p_values(p_values, importances);   // one per column
//
// Thread safety: pure functions.

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cromford::metric {

// Two arrays of the same length, bin by bin. The last `own_bins` (missing, unseen) are never merged
// with others; those before are in an order in which neighbours may be merged.
struct BinPair {
  std::span<const uint64_t> reference;
  std::span<const uint64_t> current;
  size_t own_bins = 0;
};

struct DriftSettings {
  // The population stability index up to which a move is no matter. Below 0.1 nobody acts on one
  // (Siddiqi, "Credit Risk Scorecards", 2006), and no two weeks of real traffic are quite equal.
  double tolerated = 0.02;
  // How much more the index varies than for independent rows (see drift_inflation), at least 1.
  double inflation = 1.0;
  // More bins cost power and find nothing that matters.
  size_t bins_max = 16;
};

struct Drift {
  double psi = 0;          // Population stability index: sum of (p - q) ln(p / q) over merged bins.
  double chance = 0;       // What it is on average where nothing moved.
  double effect = 0;       // psi - chance, at least 0: an estimate of the true index.
  double p_value = 1;      // Of `psi` or more where the true index is the tolerated one.
  double js_distance = 0;  // Square root of the Jensen-Shannon divergence in bits: 0 to 1.
  size_t bin_count = 0;    // After merging.
};

// The test. Bins are merged to groups of nearly equal reference mass, and both sides are smoothed
// by half a row per bin of the smaller side (the same share on both, so that rare bins pull neither
// way). Where nothing moved, the index is c times chi-square with k = bins - 1 degrees of freedom,
// c = 1/n + 1/m (Yurdakul and Naranjo, "Statistical properties of the population stability index",
// 2020); where the true index is d it is about c times noncentral chi-square with noncentrality
// d / c, whose mean is kc + d and whose variance is 2kc^2 + 4dc. `p_value` is that of the normal
// distribution of these moments at d = tolerated. Fixed limits instead of it raise false alarms in
// small windows (Potgieter et al., "The population resemblance statistic", 2023).
// INVALID_ARGUMENT where the arrays do not fit or one of them counts no row.
absl::StatusOr<Drift> drift(const BinPair& bins, const DriftSettings& settings = {});

// The mean of psi / chance over windows that are known to be good: rows that come in bunches make
// it more than 1. 1 below 20 windows, which are too few to tell.
double drift_inflation(std::span<const Drift> good_windows);

// The integral of the difference between the two distribution functions from the first edge to the
// last, in the unit of the values (Wasserstein-1 distance of what lies between them, taken as
// straight from edge to edge). Bin i holds edges[i-1] <= x < edges[i]; both arrays have
// edges.size() + 1 counts at least, further ones are ignored. 0 where one of them counts no row. A
// description for people: it depends on the unit, so no limit of general use exists.
double wasserstein(const BinPair& bins, std::span<const double> edges);

// Benjamini and Hochberg's procedure with weights (Genovese, Roeder and Wasserman, "False discovery
// control with p-value weighting", 2006), as adjusted p-values: rejecting those that are at most q
// keeps the expected share of false alarms among the alarms at q or below. A weight says how much a
// hypothesis matters, in any unit; weights are scaled to a mean of 1 after none is left below a
// tenth of the mean. Empty or all zero: equal weights.
std::vector<double> adjusted_p_values(std::span<const double> p_values,
                                      std::span<const double> weights = {});

}  // namespace cromford::metric
