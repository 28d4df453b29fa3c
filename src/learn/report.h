#pragma once

// The report of a run, a JSON object that is the package's manifest too, so that a package found
// alone can tell its story. README.md lists the fields.
//
//   ReportInput input{.bench = bench, .trials = trials, ...};
//   std::string text = base::dump_json(make_report(input));
//
// Thread safety: pure functions.

#include <string>
#include <vector>

#include "base/json.h"
#include "learn/assemble.h"
#include "learn/ensemble.h"
#include "learn/search/trial.h"
#include "metric/metric.h"

namespace cromford::learn {

struct Timing {
  double total_s = 0;
  double prepare_s = 0;
  double search_s = 0;
  double refit_s = 0;
};

struct ReportInput {
  const Workbench* bench = nullptr;
  const std::vector<Trial>* trials = nullptr;
  const TrainSettings* settings = nullptr;
  std::vector<WeightedFit> members;
  std::vector<size_t> member_trials;  // Numbers of the trials that the members are of.
  Answer answer;
  std::vector<metric::NamedEstimate> metrics;           // On the test part.
  std::vector<metric::NamedEstimate> baseline_metrics;  // Of the constant model, on the same.
  double interval_coverage = -1;                        // On the test part; -1: none.
  std::vector<ColumnShare> importance;
  Timing timing;
  bool with_timing = false;  // Left out where the package must not depend on the clock.
  bool cap_struck = false;
  bool complete = true;  // False for a checkpoint of a run that goes on.
};

base::Json make_report(const ReportInput& input);

}  // namespace cromford::learn
