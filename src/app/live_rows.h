#pragma once

// What versions of an endpoint answered lately and what came of it, read from the log as it is now:
// what the loop's triggers and guards go by.
//
//   TRY(const LiveRows rows, read_live_rows(context, serve::log_key(project, endpoint), from));
//   const VersionRows& champion = rows.versions.at("late@3");
//   champion.losses.mean();
//
// Thread safety: functions and values.

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "app/context.h"
#include "base/clock.h"
#include "metric/metric.h"
#include "metric/sequential.h"
#include "model/package.h"

namespace cromford::app {

struct VersionRows {
  int64_t row_count = 0;
  std::vector<double> scores;  // Probability of the positive class, value, or probability of truth.
  std::vector<double> labels;  // Of the rows with outcomes only, with their predictions.
  std::vector<double> predictions;
  metric::RunningMean losses;  // Log loss, or squared error, of the rows with outcomes.
};

struct LiveRows {
  std::map<std::string, VersionRows> versions;  // "late@3"
  // Only for whom `with_ids` asked: the score of each id, and the truth where it is known.
  struct Row {
    double score = 0;
    std::string value;
    std::string outcome;
  };
  std::unordered_map<std::string, Row> by_id;
};

// Rows with event times from `from` up to before `to`. `package`: of the endpoint's champion, which
// knows the task and its classes. `key` as serve::log_key gives it, or of a shadow.
struct LiveQuery {
  std::string key;
  base::Time from{};
  base::Time to{};
  bool with_ids = false;
};
absl::StatusOr<LiveRows> read_live_rows(const Context& context, const LiveQuery& query,
                                        const model::Package& package);

}  // namespace cromford::app
