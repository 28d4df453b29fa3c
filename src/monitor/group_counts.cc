#include "monitor/group_counts.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "metric/drift.h"
#include "metric/normal.h"

namespace cromford::monitor {
namespace {

constexpr double kSegmentRowsMin = 200;
constexpr double kSegmentShareMin = 0.01;
constexpr double kEffectMin = 0.2;
constexpr double kFalseDiscoveries = 0.05;
constexpr double kConfidence = 0.95;
// Enough to see that it goes on.
constexpr double kConfirmingRowsMin = 50;

GroupSums total_of(const GroupCounts::Values& values) {
  GroupSums total;
  for (const auto& [value, sums] : values) {
    total.add(sums);
  }
  return total;
}

// The loss of some rows against that of others.
struct Gap {
  double loss = 0;
  double loss_of_others = 0;
  double effect = 0;
  double p_value = 1;  // One-sided: worse.
};

double variance_of(double sum, double squares, double n) {
  return std::max(0.0, (squares - sum * sum / n) / std::max(1.0, n - 1));
}

std::optional<Gap> gap_of(const GroupSums& segment, const GroupSums& total) {
  const double others = total.known - segment.known;
  if (segment.known < 2 || others < 2) {
    return std::nullopt;
  }
  Gap gap;
  gap.loss = segment.loss / segment.known;
  gap.loss_of_others = (total.loss - segment.loss) / others;
  const double error = std::sqrt(
      variance_of(segment.loss, segment.loss_squares, segment.known) / segment.known +
      variance_of(total.loss - segment.loss, total.loss_squares - segment.loss_squares, others) /
          others);
  const double spread = std::sqrt(variance_of(total.loss, total.loss_squares, total.known));
  if (error <= 0 || spread <= 0) {
    return std::nullopt;
  }
  gap.effect = (gap.loss - gap.loss_of_others) / spread;
  gap.p_value = 1 - metric::normal_cdf((gap.loss - gap.loss_of_others) / error);
  return gap;
}

bool is_confirmed(const GroupCounts& latest, const std::string& column, const std::string& value) {
  const auto values = latest.columns().find(column);
  if (values == latest.columns().end()) {
    return false;
  }
  const auto sums = values->second.find(value);
  if (sums == values->second.end() || sums->second.known < kConfirmingRowsMin) {
    return false;
  }
  const auto gap = gap_of(sums->second, total_of(values->second));
  return gap && gap->p_value < kFalseDiscoveries;
}

GroupBias bias_against(const std::string& value, const GroupSums& sums, const GroupSums& reference,
                       double confidence) {
  const metric::Selected group{sums.selected, sums.rows};
  const metric::Selected others{reference.selected, reference.rows};
  return {.value = value,
          .sums = sums,
          .selection_rate = metric::share_of(sums.selected, sums.rows, confidence),
          .selection_ratio = metric::selection_ratio(group, others, confidence),
          .true_positive_gap =
              metric::share_gap(sums.true_positives, sums.positives, reference.true_positives,
                                reference.positives, confidence),
          .false_positive_gap =
              metric::share_gap(sums.false_positives, sums.negatives, reference.false_positives,
                                reference.negatives, confidence),
          .verdict = metric::four_fifths(group, others, confidence)};
}

base::Json estimate_json(const std::optional<metric::Estimate>& estimate) {
  return estimate ? base::Json{{"value", estimate->value},
                               {"lower", estimate->lower},
                               {"upper", estimate->upper}}
                  : base::Json();
}

}  // namespace

void GroupSums::add(const GroupSums& other) {
  rows += other.rows;
  selected += other.selected;
  known += other.known;
  positives += other.positives;
  true_positives += other.true_positives;
  negatives += other.negatives;
  false_positives += other.false_positives;
  loss += other.loss;
  loss_squares += other.loss_squares;
}

GroupSums& GroupCounts::sums_of(const std::string& column, const std::string& value) {
  Values& values = columns_[column];
  const auto known = values.find(value);
  if (known != values.end()) {
    return known->second;
  }
  return values[values.size() < kValuesMax ? value : std::string(kOther)];
}

void GroupCounts::add_answer(const std::string& column, const std::string& value,
                             const GroupAnswer& row, double sign) {
  GroupSums& sums = sums_of(column, value);
  sums.rows += sign;
  sums.selected += row.selected ? sign : 0;
}

void GroupCounts::add_truth(const std::string& column, const std::string& value,
                            const GroupTruth& row, double sign) {
  GroupSums& sums = sums_of(column, value);
  sums.known += sign;
  (row.positive ? sums.positives : sums.negatives) += sign;
  if (row.selected) {
    (row.positive ? sums.true_positives : sums.false_positives) += sign;
  }
  sums.loss += sign * row.loss;
  sums.loss_squares += sign * row.loss * row.loss;
}

void GroupCounts::merge(const GroupCounts& other) {
  for (const auto& [column, values] : other.columns_) {
    for (const auto& [value, sums] : values) {
      sums_of(column, value).add(sums);
    }
  }
}

base::Json GroupCounts::to_json() const {
  base::Json json = base::Json::object();
  for (const auto& [column, values] : columns_) {
    base::Json& all = json[column] = base::Json::object();
    for (const auto& [value, s] : values) {
      all[value] = {s.rows,      s.selected,        s.known, s.positives,   s.true_positives,
                    s.negatives, s.false_positives, s.loss,  s.loss_squares};
    }
  }
  return json;
}

absl::StatusOr<GroupCounts> GroupCounts::from_json(const base::Json& json) {
  try {
    GroupCounts counts;
    for (const auto& [column, values] : json.items()) {
      for (const auto& [value, s] : values.items()) {
        const auto at = [&row = s](size_t i) { return row.at(i).get<double>(); };
        counts.columns_[column][value] = {at(0), at(1), at(2), at(3), at(4),
                                          at(5), at(6), at(7), at(8)};
      }
    }
    return counts;
  } catch (const base::Json::exception& error) {
    return base::damaged(std::string("counts of groups are damaged: ") + error.what());
  }
}

std::vector<ColumnBias> bias_of(const GroupCounts& counts,
                                const std::vector<std::string>& columns) {
  std::vector<ColumnBias> all;
  for (const std::string& column : columns) {
    const auto values = counts.columns().find(column);
    if (values == counts.columns().end() || values->second.size() < 2) {
      continue;
    }
    const auto largest = std::max_element(
        values->second.begin(), values->second.end(),
        [](const auto& a, const auto& b) { return a.second.rows < b.second.rows; });
    const double confidence =
        1 - (1 - kConfidence) / static_cast<double>(values->second.size() - 1);
    ColumnBias bias{.column = column, .reference = largest->first, .groups = {}};
    for (const auto& [value, sums] : values->second) {
      if (value != largest->first) {
        bias.groups.push_back(bias_against(value, sums, largest->second, confidence));
      }
    }
    all.push_back(std::move(bias));
  }
  return all;
}

std::vector<WorseSegment> worse_segments(const GroupCounts& earlier, const GroupCounts& latest) {
  std::vector<WorseSegment> found;
  std::vector<double> p_values;
  for (const auto& [column, values] : earlier.columns()) {
    const GroupSums total = total_of(values);
    const double rows_min = std::max(kSegmentRowsMin, kSegmentShareMin * total.known);
    for (const auto& [value, sums] : values) {
      if (sums.known < rows_min) {
        continue;
      }
      if (const auto gap = gap_of(sums, total)) {
        p_values.push_back(gap->p_value);
        found.push_back({.column = column,
                         .value = value,
                         .rows = sums.known,
                         .loss = gap->loss,
                         .loss_of_others = gap->loss_of_others,
                         .effect = gap->effect});
      }
    }
  }
  const std::vector<double> q_values = metric::adjusted_p_values(p_values);
  for (size_t i = 0; i < found.size(); ++i) {
    found[i].q_value = q_values[i];
    found[i].confirmed = is_confirmed(latest, found[i].column, found[i].value);
  }
  std::erase_if(found, [](const WorseSegment& segment) {
    return segment.q_value > kFalseDiscoveries || segment.effect < kEffectMin;
  });
  std::sort(found.begin(), found.end(), [](const WorseSegment& a, const WorseSegment& b) {
    return a.effect * a.rows > b.effect * b.rows;
  });
  return found;
}

base::Json to_json(const ColumnBias& bias) {
  base::Json groups = base::Json::array();
  for (const GroupBias& group : bias.groups) {
    groups.push_back({{"value", group.value},
                      {"rows", group.sums.rows},
                      {"known", group.sums.known},
                      {"selection_rate", estimate_json(group.selection_rate)},
                      {"selection_ratio", estimate_json(group.selection_ratio)},
                      {"true_positive_gap", estimate_json(group.true_positive_gap)},
                      {"false_positive_gap", estimate_json(group.false_positive_gap)},
                      {"verdict", metric::verdict_name(group.verdict)}});
  }
  return {{"column", bias.column}, {"reference", bias.reference}, {"groups", std::move(groups)}};
}

base::Json to_json(const WorseSegment& segment) {
  return {{"column", segment.column},
          {"value", segment.value},
          {"rows", segment.rows},
          {"loss", segment.loss},
          {"loss_of_others", segment.loss_of_others},
          {"effect", segment.effect},
          {"q_value", segment.q_value},
          {"confirmed", segment.confirmed}};
}

}  // namespace cromford::monitor
