#include "learn/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <unordered_map>

#include "base/name.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::learn {
namespace {

using table::Column;
using table::ColumnType;

constexpr size_t kFewestRows = 20;
constexpr size_t kMostClasses = 200;
constexpr size_t kFewestOfAClass = 4;
// A whole-number target with at most so many distinct values is taken for classes.
constexpr size_t kMostNumericClasses = 10;

absl::Status check_numbers(const Column& target) {
  for (size_t row = 0; row < target.numbers.size(); ++row) {
    if (target.valid(static_cast<int64_t>(row)) && std::isinf(target.numbers[row])) {
      return base::invalid(fmt::format("the target {} is infinite in row {}", target.name, row + 1),
                           "leave such rows out with --where, or make them missing");
    }
  }
  return absl::OkStatus();
}

bool whole(double x) {
  return x == std::floor(x) && std::abs(x) < 1e15;
}

// Distinct values of the target among the usable rows; stops counting beyond `limit`.
struct Distinct {
  std::map<double, size_t> counts;
  bool all_whole = true;
  bool too_many = false;
};

Distinct distinct_values(const Column& target, const std::vector<uint32_t>& rows) {
  Distinct result;
  double last = std::numeric_limits<double>::quiet_NaN();
  size_t* last_count = nullptr;
  for (const uint32_t row : rows) {
    const double value = cell_number(target, row);
    result.all_whole = result.all_whole && whole(value);
    if (value == last && last_count != nullptr) {
      ++*last_count;
      continue;
    }
    if (result.counts.size() > 50000) {
      result.too_many = true;
      break;
    }
    last = value;
    last_count = &result.counts[value];
    ++*last_count;
  }
  return result;
}

absl::StatusOr<metric::Task> find_task(const Column& target, const Distinct& values) {
  const size_t count = values.counts.size();
  if (target.type == ColumnType::kDate || target.type == ColumnType::kTimestamp) {
    return base::invalid(fmt::format("the target {} is a {}, which cannot be learned", target.name,
                                     table::column_type_name(target.type)),
                         "choose a number, boolean or text column, or derive one with --query");
  }
  if (count == 2 || target.type == ColumnType::kBoolean) {
    return metric::Task::kBinary;
  }
  if (target.type == ColumnType::kText) {
    return metric::Task::kMulticlass;
  }
  const bool classes = !values.too_many && values.all_whole && count <= kMostNumericClasses;
  return classes ? metric::Task::kMulticlass : metric::Task::kRegression;
}

// Higher is more likely the positive class.
int positiveness(std::string_view name) {
  const std::string text = base::lower(base::trim(name));
  for (const std::string_view word :
       {"true", "yes", "1", "y", "t", "1.0", "positive", "pos", "bad", "fraud", "spam", "churn"}) {
    if (text == word) {
      return 1;
    }
  }
  for (const std::string_view word :
       {"false", "no", "0", "n", "f", "0.0", "negative", "neg", "good", "ham"}) {
    if (text == word) {
      return -1;
    }
  }
  return 0;
}

struct ClassCount {
  std::string name;
  double value = 0;  // What cell_number() gives for it.
  size_t count = 0;
};

// Orders {negative, positive}.
absl::Status order_binary(const TrainSettings& settings, std::vector<ClassCount>& classes) {
  if (!settings.positive_class.empty()) {
    std::vector<std::string> names = {classes[0].name, classes[1].name};
    const auto found = std::find(names.begin(), names.end(), settings.positive_class);
    if (found == names.end()) {
      return base::invalid(fmt::format("the target has no class '{}'", settings.positive_class),
                           fmt::format("its classes are {} and {}", names[0], names[1]));
    }
    if (found == names.begin()) {
      std::swap(classes[0], classes[1]);
    }
    return absl::OkStatus();
  }
  const int first = positiveness(classes[0].name);
  const int second = positiveness(classes[1].name);
  const bool swap = first != second ? first > second : classes[0].count < classes[1].count;
  if (swap) {
    std::swap(classes[0], classes[1]);
  }
  return absl::OkStatus();
}

absl::Status check_classes(const Problem& problem, const std::vector<ClassCount>& classes) {
  if (classes.size() < 2) {
    return base::invalid(fmt::format("the target {} has one class only ({})", problem.target,
                                     classes.empty() ? "none" : classes[0].name),
                         "choose rows that hold at least two classes");
  }
  if (classes.size() > kMostClasses) {
    return base::invalid(fmt::format("the target {} has {} classes; the limit is {}",
                                     problem.target, classes.size(), kMostClasses),
                         "join rare classes with --query, or use --task regression for a number");
  }
  if (problem.task != metric::Task::kBinary) {
    return absl::OkStatus();
  }
  if (classes.size() > 2) {
    return base::invalid(fmt::format("the target {} has {} classes, which is not binary",
                                     problem.target, classes.size()),
                         "use --task multiclass");
  }
  const ClassCount& rarer = classes[0].count < classes[1].count ? classes[0] : classes[1];
  if (rarer.count < kFewestOfAClass) {
    return base::invalid(fmt::format("the class {} of {} has {} rows; at least {} are needed",
                                     rarer.name, problem.target, rarer.count, kFewestOfAClass),
                         "add rows of this class");
  }
  return absl::OkStatus();
}

absl::Status set_classes(const Column& target, const TrainSettings& settings,
                         const Distinct& values, Problem& problem) {
  if (values.too_many) {
    return base::invalid(
        fmt::format("the target {} has more than {} classes", problem.target, kMostClasses),
        "use --task regression for a number");
  }
  std::vector<ClassCount> classes;
  for (const auto& [value, count] : values.counts) {
    ClassCount each{.name = {}, .value = value, .count = count};
    if (target.type == ColumnType::kText) {
      each.name = target.dictionary[static_cast<size_t>(value)];
    } else if (target.type == ColumnType::kBoolean) {
      each.name = value != 0 ? "true" : "false";
    } else {
      base::append_number(each.name, value);
    }
    classes.push_back(std::move(each));
  }
  if (target.type == ColumnType::kText) {
    std::sort(classes.begin(), classes.end(),
              [](const ClassCount& a, const ClassCount& b) { return a.name < b.name; });
  }
  TRY(check_classes(problem, classes));
  if (problem.task == metric::Task::kBinary) {
    TRY(order_binary(settings, classes));
  }
  std::unordered_map<double, double> index;
  for (const ClassCount& each : classes) {
    index.emplace(each.value, static_cast<double>(problem.classes.size()));
    problem.classes.push_back(each.name);
  }
  for (double& label : problem.labels) {
    label = index[label];
  }
  return absl::OkStatus();
}

absl::Status set_target(const Column& target, const TrainSettings& settings, Problem& problem) {
  TRY(check_numbers(target));
  const auto row_count = static_cast<uint32_t>(
      std::max({target.numbers.size(), target.integers.size(), target.codes.size()}));
  for (uint32_t row = 0; row < row_count; ++row) {
    const double value = cell_number(target, row);
    if (!std::isnan(value)) {
      problem.rows.push_back(row);
      problem.labels.push_back(value);
    }
  }
  if (problem.rows.empty()) {
    return base::invalid(fmt::format("the target {} is missing in every row", target.name),
                         "choose a column that is filled");
  }
  if (problem.rows.size() < kFewestRows) {
    return base::invalid(fmt::format("{} rows with a known {} are too few; at least {} are needed",
                                     problem.rows.size(), target.name, kFewestRows),
                         "add rows");
  }
  if (problem.rows.size() < row_count) {
    problem.warn("target_missing", target.name,
                 fmt::format("{} rows whose {} is missing were left out",
                             row_count - problem.rows.size(), target.name));
  }
  const Distinct values = distinct_values(target, problem.rows);
  problem.task_found = !settings.task.has_value();
  TRY(const metric::Task found, find_task(target, values));
  problem.task = settings.task.value_or(found);
  if (problem.task == metric::Task::kRegression) {
    if (target.type == ColumnType::kText) {
      return base::invalid(
          fmt::format("the target {} is text, which regression cannot learn", target.name),
          "use --task multiclass, or turn it into a number with --query");
    }
    if (values.counts.size() < 2) {
      return base::invalid(fmt::format("the target {} has one value only", target.name),
                           "choose rows in which it differs");
    }
    return absl::OkStatus();
  }
  if (problem.task_found && problem.task == metric::Task::kMulticlass &&
      target.type != ColumnType::kText) {
    problem.warn("task_guessed", target.name,
                 fmt::format("{} has {} whole values and was taken for classes; "
                             "use --task regression to predict a number",
                             target.name, values.counts.size()));
  }
  return set_classes(target, settings, values, problem);
}

absl::Status set_weights(const table::Table& table, const TrainSettings& settings,
                         Problem& problem) {
  if (settings.weight_column.empty()) {
    return absl::OkStatus();
  }
  TRY(const size_t index, column_index(table, settings.weight_column, "weight"));
  const Column& column = table.columns()[index];
  if (column.type == ColumnType::kText) {
    return base::invalid(fmt::format("the weight column {} is text", column.name),
                         "choose a number column");
  }
  double total = 0;
  for (const uint32_t row : problem.rows) {
    const double weight = cell_number(column, row);
    if (!std::isfinite(weight) || weight < 0) {
      return base::invalid(fmt::format("the weight {} in row {} is {}", column.name, row + 1,
                                       std::isnan(weight) ? "missing" : fmt::format("{}", weight)),
                           "weights are finite and not negative; leave such rows out with --where");
    }
    total += weight;
    problem.weights.push_back(weight);
  }
  if (total <= 0) {
    return base::invalid(fmt::format("all weights in {} are zero", column.name),
                         "give at least one row a weight");
  }
  // Weights mean shares, not counts: a mean of 1 keeps regularisation in proportion.
  const double scale = static_cast<double>(problem.rows.size()) / total;
  for (double& weight : problem.weights) {
    weight *= scale;
  }
  return absl::OkStatus();
}

absl::Status check_settings(const table::Table& table, const TrainSettings& settings) {
  for (const std::string& name : settings.ignore) {
    TRY(column_index(table, name, "ignored"));
  }
  for (const std::string& learner : settings.learners) {
    TRY(check_learner(learner));
  }
  if (settings.target.empty()) {
    return base::invalid("no target is named", "name the column to predict with --target");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<size_t> column_index(const table::Table& table, const std::string& name,
                                    const std::string& what) {
  std::vector<std::string> names;
  for (size_t i = 0; i < table.columns().size(); ++i) {
    if (table.columns()[i].name == name) {
      return i;
    }
    names.push_back(table.columns()[i].name);
  }
  const std::string nearest = base::nearest(name, names);
  return base::invalid(fmt::format("the dataset has no column '{}' ({} column)", name, what),
                       nearest.empty() ? "list its columns with `cromford dataset show`"
                                       : fmt::format("did you mean '{}'?", nearest));
}

double cell_number(const Column& column, uint32_t row) {
  if (!column.valid(row)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  switch (column.type) {
    case ColumnType::kNumber:
      return column.numbers[row];
    case ColumnType::kBoolean:
    case ColumnType::kInteger:
      return static_cast<double>(column.integers[row]);
    case ColumnType::kDate:
      return static_cast<double>(column.integers[row]) * 86400.0;
    case ColumnType::kTimestamp:
      return static_cast<double>(column.integers[row]) / 1e6;
    case ColumnType::kText:
      return column.codes[row];
  }
  return std::numeric_limits<double>::quiet_NaN();
}

void keep_rows(const std::vector<uint32_t>& positions, Problem& problem) {
  for (size_t i = 0; i < positions.size(); ++i) {
    problem.rows[i] = problem.rows[positions[i]];
    problem.labels[i] = problem.labels[positions[i]];
    if (!problem.weights.empty()) {
      problem.weights[i] = problem.weights[positions[i]];
    }
  }
  problem.rows.resize(positions.size());
  problem.labels.resize(positions.size());
  if (!problem.weights.empty()) {
    problem.weights.resize(positions.size());
  }
}

absl::StatusOr<Problem> understand(const table::Table& table, const TrainSettings& settings) {
  TRY(check_settings(table, settings));
  TRY(const size_t target, column_index(table, settings.target, "target"));
  Problem problem;
  problem.target = settings.target;
  TRY(set_target(table.columns()[target], settings, problem));
  TRY(set_weights(table, settings, problem));
  if (settings.metric.empty()) {
    problem.metric = metric::metrics_of(problem.task).front();
  } else {
    TRY(problem.metric, metric::find_metric(settings.metric, problem.task));
  }
  TRY(choose_fields(table, settings, problem));
  return problem;
}

}  // namespace cromford::learn
