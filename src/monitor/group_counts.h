#pragma once

// The same counts for each value of some columns: whether groups of people are treated alike, and
// for whom a version does worse than for the rest.
//
//   GroupCounts day;
//   day.add_answer("gender", "female", {.selected = true});
//   day.add_truth("gender", "female", {.selected = true, .positive = false, .loss = 0.4});
//   for (const ColumnBias& column : bias_of(day, {"gender"})) { ... }
//   for (const WorseSegment& s : worse_segments(earlier, latest)) { s.column; s.value; s.effect; }
//
// Thread safety: values and pure functions.

#include <absl/status/statusor.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "metric/metric.h"
#include "metric/score_counts.h"

namespace cromford::monitor {

// Of the rows with one value.
struct GroupSums {
  double rows = 0;
  double selected = 0;  // Got the positive answer.
  double known = 0;     // Have an outcome.
  double positives = 0, true_positives = 0;
  double negatives = 0, false_positives = 0;
  double loss = 0, loss_squares = 0;

  void add(const GroupSums& other);
};

// What a row adds to each of its values.
struct GroupAnswer {
  bool selected = false;
};
struct GroupTruth {
  bool selected = false;
  bool positive = false;  // What really happened.
  double loss = 0;        // bounded_loss of quality_counts.h
};

class GroupCounts {
 public:
  // Of a column with more values than this, those that came later are counted together.
  static constexpr size_t kValuesMax = 64;
  static constexpr const char* kOther = "(other)";
  static constexpr const char* kMissing = "(missing)";

  void add_answer(const std::string& column, const std::string& value, const GroupAnswer& row,
                  double sign = 1);
  void add_truth(const std::string& column, const std::string& value, const GroupTruth& row,
                 double sign = 1);
  void merge(const GroupCounts& other);

  using Values = std::map<std::string, GroupSums>;
  const std::map<std::string, Values>& columns() const { return columns_; }

  base::Json to_json() const;
  static absl::StatusOr<GroupCounts> from_json(const base::Json& json);

 private:
  GroupSums& sums_of(const std::string& column, const std::string& value);

  std::map<std::string, Values> columns_;
};

// A group against the largest one of its column.
struct GroupBias {
  std::string value;
  GroupSums sums;
  std::optional<metric::Estimate> selection_rate;
  std::optional<metric::Estimate> selection_ratio;
  std::optional<metric::Estimate>
      true_positive_gap;  // Of the rates, this group's less the other's.
  std::optional<metric::Estimate> false_positive_gap;
  metric::FairnessVerdict verdict = metric::FairnessVerdict::kNotEnoughData;
};
struct ColumnBias {
  std::string column;
  std::string reference;  // The value that the others are compared with.
  std::vector<GroupBias> groups;
};
// Of those of the columns that were counted. Intervals of each group at 95%, divided among the
// groups of a column (Bonferroni), so that a column with many groups does not cry wolf.
std::vector<ColumnBias> bias_of(const GroupCounts& counts, const std::vector<std::string>& columns);

// Rows of one value that do worse than all others.
struct WorseSegment {
  std::string column;
  std::string value;
  double rows = 0;
  double loss = 0;
  double loss_of_others = 0;
  double effect = 0;       // The gap in standard deviations of the loss.
  double q_value = 1;      // Corrected for the number of values that were looked at.
  bool confirmed = false;  // In the latest counts too, by themselves.
};
// The worst first. Looked for among values with at least 200 rows with outcomes and one row in a
// hundred, by Welch's test on the mean loss, corrected by Benjamini and Hochberg at 0.05; a gap
// below 0.2 standard deviations is none (Chung et al., "Slice Finder", 2019). `latest` is no part
// of `earlier`.
std::vector<WorseSegment> worse_segments(const GroupCounts& earlier, const GroupCounts& latest);

base::Json to_json(const ColumnBias& bias);
base::Json to_json(const WorseSegment& segment);

}  // namespace cromford::monitor
