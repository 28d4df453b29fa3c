#pragma once

// Puts a package together: the features that its members read, the members with their weights,
// calibration, intervals, and the picture of the training data that serving compares with.
//
//   model::PackageParts parts = assemble(bench, members, tables, answer);
//   parts.baseline = make_baseline(bench, parts, margins);
//
// Thread safety: pure functions.

#include <absl/status/statusor.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "learn/search/trial.h"
#include "model/package.h"
#include "model/package_writer.h"

namespace cromford::learn {

struct WeightedFit {
  const Fitted* fitted = nullptr;
  double weight = 1;
  std::string name;  // "boosting", "linear", "baseline"
};

// What stands between margins and answers.
struct Answer {
  model::Calibration calibration;
  model::Interval interval;
  double threshold = 0.5;
  double shift = 0;  // Added to every margin before calibration.
};

// Transforms that no member reads are left out. The manifest is empty.
model::PackageParts assemble(const Workbench& bench, const std::vector<WeightedFit>& members,
                             const StatisticTables& tables, const Answer& answer);

// Histograms of the raw columns over the rows that are not test rows (at most 200,000 of them), and
// of the predictions on validation rows, whose calibrated margins are given.
absl::StatusOr<model::Baseline> make_baseline(const Workbench& bench,
                                              const model::PackageParts& parts,
                                              std::span<const double> margins);

// The share of each input column in what the members learned; sums to 1, largest first.
struct ColumnShare {
  std::string column;
  double share = 0;
};
absl::StatusOr<std::vector<ColumnShare>> importance(const Workbench& bench,
                                                    const std::vector<WeightedFit>& members);

// Writes the parts and loads the package again, as a server will.
struct Written {
  std::string bytes;
  std::shared_ptr<const model::Package> package;
};
absl::StatusOr<Written> write_and_load(const model::PackageParts& parts);

// Predictions of a package for rows of the problem as metric::Scored wants them, on `threads`
// threads; `lower` and `upper` are filled where the package has intervals.
struct Answers {
  std::vector<double> predictions;
  std::vector<double> lower;
  std::vector<double> upper;
};
Answers answer_rows(const model::Package& package, const table::Table& table,
                    const Problem& problem, std::span<const uint32_t> positions, size_t threads);

}  // namespace cromford::learn
