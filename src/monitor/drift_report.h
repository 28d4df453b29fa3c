#pragma once

// What moved between the reference of a version (its training, or a window that the user trusts)
// and a window of its traffic: the prediction first, then each column, in figures and in words.
//
//   TRY(const DriftReport report, drift_report(package, {}, window));
//   report.summary;       // "the distribution of `distance` moved: PSI 0.18, ..."
//   report.columns[0];    // the one that matters most
//
// Thread safety: pure functions.

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "metric/drift.h"
#include "model/package.h"
#include "monitor/window_counts.h"

namespace cromford::monitor {

// How far single windows ordinarily are from the reference, by the name of the distribution: as
// effects (metric/drift.h), which the test then tolerates. See drift_watch.h.
struct OrdinaryEffects {
  std::map<std::string, double> prediction = {};
  std::map<std::string, double> columns = {};
};

struct DriftOptions {
  uint64_t rows_min = 1000;  // Below, nothing is said.
  double q = 0.05;           // The expected share of false alarms among the alarms, at most.
  metric::DriftSettings test = {};
  OrdinaryEffects ordinary = {};
};

// The distribution of a column, or of one series of the prediction.
struct DistributionDrift {
  std::string name;           // Of the column; of the class; the target for a single series.
  metric::Drift drift;        // All 0 where there is no reference to compare with.
  double importance = 0;      // The column's share of what the model leans on, 0 to 1.
  double q_value = 1;         // drift.p_value, corrected for the number of distributions.
  bool judged = false;        // Dates are not, nor what has no reference.
  bool moved = false;         // judged, and q_value is at most the q of the options.
  double missing = 0;         // Shares of the rows: in the window,
  double missing_before = 0;  // and in the reference.
  double unseen = 0;          // Categories that training never saw.
  double below = 0;           // Numbers below all that training saw.
  double ordinary = 0;        // The effect that the test tolerated.
  double wasserstein = 0;     // Of columns of numbers, in their unit; see metric/drift.h.
  std::string change;         // "500 to 1000: 12% before, now 31%": where it moved most.
};

enum class DriftVerdict : uint8_t { kTooFewRows, kNoReference, kSteady, kMoved };
// "too_few_rows", "no_reference", "steady", "moved".
std::string_view verdict_name(DriftVerdict verdict);

struct DriftReport {
  DriftVerdict verdict = DriftVerdict::kTooFewRows;
  uint64_t rows = 0;
  uint64_t rows_min = 0;
  std::string summary;
  std::vector<DistributionDrift> prediction;  // Per series.
  // What moved first, by importance times effect; then the others, in the order of the contract.
  std::vector<DistributionDrift> columns;
};

// The counts that training left in the package, on its bin_layout(); zeros where it left none.
std::vector<uint64_t> baseline_counts(const model::Package& package);

// `reference`: counts on package.bin_layout(), or empty for the package's own baseline. Columns are
// weighted by the importance in the package's manifest, and corrected for their number; so are the
// series of the prediction among themselves. INVALID_ARGUMENT where counts do not fit the package.
absl::StatusOr<DriftReport> drift_report(const model::Package& package,
                                         std::span<const uint64_t> reference,
                                         const WindowCounts& window,
                                         const DriftOptions& options = {});

base::Json to_json(const DriftReport& report);

}  // namespace cromford::monitor
