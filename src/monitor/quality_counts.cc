#include "monitor/quality_counts.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/status.h"
#include "metric/score_counts.h"

namespace cromford::monitor {
namespace {

using metric::Estimate;
using metric::Task;

constexpr double kProbabilityMin = 1e-15;
// Of a normal distribution, from the middle of a 90% interval to its end.
constexpr double kIntervalSigmas = 1.6448536269514722;
constexpr double kKnownMin = 200;
constexpr double kErrorSteps = 8;
constexpr double kTwoSided95 = 1.959963984540054;

double log_loss_of(double probability) {
  return -std::log(std::clamp(probability, kProbabilityMin, 1.0));
}

// A figure of the rows and its variance, as the probabilities have it.
struct Expectation {
  double mean = 0;
  double variance = 0;
};

template <typename LossOfClass>
Expectation expect(std::span<const double> probabilities, const LossOfClass& loss_of) {
  Expectation expectation;
  double squares = 0;
  for (size_t c = 0; c < probabilities.size(); ++c) {
    const double loss = loss_of(c);
    expectation.mean += probabilities[c] * loss;
    squares += probabilities[c] * loss * loss;
  }
  expectation.variance = std::max(0.0, squares - expectation.mean * expectation.mean);
  return expectation;
}

// Of two classes that of the positive one alone, as metric.h has it.
double brier_of(std::span<const double> probabilities, size_t truth) {
  double squares = 0;
  for (size_t c = 0; c < probabilities.size(); ++c) {
    const double gap = probabilities[c] - (c == truth ? 1.0 : 0.0);
    squares += gap * gap;
  }
  return probabilities.size() == 2 ? squares / 2 : squares;
}

struct Expectations {
  Expectation right;
  Expectation first;
  Expectation second;
};

Expectations expectations_of(const QualityCounts& counts, const Answered& row) {
  Expectations all;
  if (counts.task == Task::kRegression) {
    if (row.answer.size() == 3) {
      const double sigma = (row.answer[2] - row.answer[1]) / 2 / kIntervalSigmas;
      const double variance = sigma * sigma;
      all.first = {sigma * std::sqrt(2 / std::numbers::pi), variance * (1 - 2 / std::numbers::pi)};
      all.second = {variance, 2 * variance * variance};
    }
    return all;
  }
  const auto label = static_cast<size_t>(row.label);
  all.right = expect(row.answer, [&](size_t c) { return c == label ? 1.0 : 0.0; });
  all.first = expect(row.answer, [&](size_t c) { return log_loss_of(row.answer[c]); });
  all.second = expect(row.answer, [&](size_t c) { return brier_of(row.answer, c); });
  return all;
}

void add_expected(LossSums& sums, const Expectation& expectation, double sign) {
  sums.expected += sign * expectation.mean;
  sums.expected_variance += sign * expectation.variance;
}

void add_known(LossSums& sums, double loss, const Expectation& expectation, double sign) {
  sums.sum += sign * loss;
  sums.squares += sign * loss * loss;
  sums.expected_of_known += sign * expectation.mean;
}

void add(const LossSums& from, LossSums& to) {
  to.sum += from.sum;
  to.squares += from.squares;
  to.expected += from.expected;
  to.expected_variance += from.expected_variance;
  to.expected_of_known += from.expected_of_known;
}

void add(const std::vector<double>& from, std::vector<double>& to) {
  for (size_t i = 0; i < to.size() && i < from.size(); ++i) {
    to[i] += from[i];
  }
}

int error_step(double error) {
  return static_cast<int>(std::floor(std::log2(std::max(error, 1e-12)) * kErrorSteps));
}

// Whether the row is one of these counts: anything else a damaged log could hold.
bool fits(const QualityCounts& counts, const Answered& row) {
  if (counts.task == Task::kRegression) {
    return !row.answer.empty() && std::isfinite(row.answer[0]);
  }
  return row.answer.size() == counts.classes && row.label >= 0 &&
         static_cast<size_t>(row.label) < counts.classes;
}

std::optional<Estimate> expected_mean(const LossSums& sums, double answered, double scale = 1) {
  if (answered < 1 || sums.expected_variance <= 0) {
    return std::nullopt;
  }
  const double mean = scale * sums.expected / answered;
  const double margin =
      kTwoSided95 * scale * std::sqrt(std::max(0.0, sums.expected_variance)) / answered;
  return Estimate{mean, mean - margin, mean + margin};
}

std::optional<Estimate> root(const std::optional<Estimate>& squared) {
  if (!squared) {
    return std::nullopt;
  }
  return Estimate{std::sqrt(std::max(0.0, squared->value)),
                  std::sqrt(std::max(0.0, squared->lower)),
                  std::sqrt(std::max(0.0, squared->upper))};
}

std::optional<Estimate> expected_auc(const QualityCounts& counts) {
  std::vector<double> positives(counts.scores.size());
  std::vector<double> negatives(counts.scores.size());
  for (size_t b = 0; b < counts.scores.size(); ++b) {
    positives[b] = counts.scores[b] * metric::bucket_score(b);
    negatives[b] = counts.scores[b] - positives[b];
  }
  return metric::auc_of(positives, negatives);
}

std::vector<Measure> class_measures(const QualityCounts& counts) {
  double right = 0;
  for (size_t c = 0; c < counts.classes; ++c) {
    right += counts.confusion[c * counts.classes + c];
  }
  std::vector<Measure> all;
  if (counts.task == Task::kBinary) {
    all.push_back(
        {"auc", metric::auc_of(counts.positives, counts.negatives), expected_auc(counts)});
  }
  all.push_back({"log_loss", metric::mean_of(counts.first.sum, counts.first.squares, counts.known),
                 expected_mean(counts.first, counts.answered)});
  all.push_back({"brier", metric::mean_of(counts.second.sum, counts.second.squares, counts.known),
                 expected_mean(counts.second, counts.answered)});
  all.push_back({"accuracy", metric::share_of(right, counts.known),
                 expected_mean(counts.right, counts.answered)});
  if (counts.task == Task::kBinary) {
    all.push_back({"calibration_error",
                   metric::calibration_error_of(counts.positives, counts.negatives), std::nullopt});
  }
  return all;
}

std::vector<Measure> regression_measures(const QualityCounts& counts, double scale) {
  std::vector<Measure> all;
  all.push_back({"rmse",
                 root(metric::mean_of(counts.second.sum, counts.second.squares, counts.known)),
                 root(expected_mean(counts.second, counts.answered, scale * scale))});
  all.push_back({"mae", metric::mean_of(counts.first.sum, counts.first.squares, counts.known),
                 expected_mean(counts.first, counts.answered, scale)});
  const double spread =
      counts.target_squares - counts.target_sum * counts.target_sum / std::max(1.0, counts.known);
  const auto squared = metric::mean_of(counts.second.sum, counts.second.squares, counts.known);
  if (squared && spread > 0) {
    const double variance = spread / counts.known;
    all.push_back({"r2",
                   Estimate{1 - squared->value / variance, 1 - squared->upper / variance,
                            1 - squared->lower / variance},
                   std::nullopt});
  }
  return all;
}

base::Json sparse(const std::vector<double>& values) {
  base::Json json = base::Json::array();
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) {
      json.push_back({i, values[i]});
    }
  }
  return json;
}

absl::Status read_sparse(const base::Json& json, std::vector<double>& values) {
  for (const base::Json& entry : json) {
    const auto place = entry.at(0).get<size_t>();
    if (place >= values.size()) {
      return base::damaged("counts of quality are damaged: a place is beyond the last one");
    }
    values[place] = entry.at(1).get<double>();
  }
  return absl::OkStatus();
}

base::Json to_json(const LossSums& sums) {
  return {sums.sum, sums.squares, sums.expected, sums.expected_variance, sums.expected_of_known};
}

LossSums loss_sums_from(const base::Json& json) {
  return {json.at(0).get<double>(), json.at(1).get<double>(), json.at(2).get<double>(),
          json.at(3).get<double>(), json.at(4).get<double>()};
}

}  // namespace

QualityCounts quality_counts(Task task, size_t classes) {
  QualityCounts counts{.task = task, .classes = task == Task::kRegression ? 0 : classes};
  counts.confusion.resize(counts.classes * counts.classes);
  if (task == Task::kBinary) {
    counts.scores.resize(metric::kScoreBuckets);
    counts.positives.resize(metric::kScoreBuckets);
    counts.negatives.resize(metric::kScoreBuckets);
  }
  return counts;
}

void QualityCounts::add_answer(const Answered& row, double sign) {
  if (!fits(*this, row)) {
    return;
  }
  answered += sign;
  const Expectations all = expectations_of(*this, row);
  add_expected(right, all.right, sign);
  add_expected(first, all.first, sign);
  add_expected(second, all.second, sign);
  if (task == Task::kBinary) {
    scores[metric::score_bucket(row.answer[1])] += sign;
  }
}

void QualityCounts::add_truth(const Answered& row, const Truth& truth, double sign) {
  if (!fits(*this, row)) {
    return;
  }
  const Expectations all = expectations_of(*this, row);
  if (task == Task::kRegression) {
    const double error = std::abs(row.answer[0] - truth.number);
    add_known(first, error, all.first, sign);
    add_known(second, error * error, all.second, sign);
    target_sum += sign * truth.number;
    target_squares += sign * truth.number * truth.number;
    errors[error_step(error)] += sign;
    known += sign;
    return;
  }
  const auto label = static_cast<size_t>(truth.label);
  if (truth.label < 0 || label >= classes) {
    return;  // A class that this version does not know.
  }
  known += sign;
  add_known(right, truth.label == row.label ? 1.0 : 0.0, all.right, sign);
  add_known(first, log_loss_of(row.answer[label]), all.first, sign);
  add_known(second, brier_of(row.answer, label), all.second, sign);
  confusion[label * classes + static_cast<size_t>(row.label)] += sign;
  if (task == Task::kBinary) {
    (label == 1 ? positives : negatives)[metric::score_bucket(row.answer[1])] += sign;
  }
}

absl::Status QualityCounts::merge(const QualityCounts& other) {
  if (other.task != task || other.classes != classes) {
    return base::invalid("counts of quality of different tasks cannot be added");
  }
  answered += other.answered;
  known += other.known;
  add(other.scores, scores);
  add(other.positives, positives);
  add(other.negatives, negatives);
  add(other.confusion, confusion);
  add(other.right, right);
  add(other.first, first);
  add(other.second, second);
  target_sum += other.target_sum;
  target_squares += other.target_squares;
  for (const auto& [step, count] : other.errors) {
    errors[step] += count;
  }
  return absl::OkStatus();
}

base::Json to_json(const QualityCounts& counts) {
  base::Json errors = base::Json::array();
  for (const auto& [step, count] : counts.errors) {
    errors.push_back({step, count});
  }
  return {{"task", metric::task_name(counts.task)},
          {"classes", counts.classes},
          {"answered", counts.answered},
          {"known", counts.known},
          {"scores", sparse(counts.scores)},
          {"positives", sparse(counts.positives)},
          {"negatives", sparse(counts.negatives)},
          {"confusion", sparse(counts.confusion)},
          {"right", to_json(counts.right)},
          {"first", to_json(counts.first)},
          {"second", to_json(counts.second)},
          {"target", {counts.target_sum, counts.target_squares}},
          {"errors", std::move(errors)}};
}

absl::StatusOr<QualityCounts> quality_counts_from(const base::Json& json) {
  try {
    TRY(const Task task, metric::parse_task(json.at("task").get<std::string>()));
    QualityCounts counts = quality_counts(task, json.at("classes").get<size_t>());
    counts.answered = json.at("answered").get<double>();
    counts.known = json.at("known").get<double>();
    TRY(read_sparse(json.at("scores"), counts.scores));
    TRY(read_sparse(json.at("positives"), counts.positives));
    TRY(read_sparse(json.at("negatives"), counts.negatives));
    TRY(read_sparse(json.at("confusion"), counts.confusion));
    counts.right = loss_sums_from(json.at("right"));
    counts.first = loss_sums_from(json.at("first"));
    counts.second = loss_sums_from(json.at("second"));
    counts.target_sum = json.at("target").at(0).get<double>();
    counts.target_squares = json.at("target").at(1).get<double>();
    for (const base::Json& entry : json.at("errors")) {
      counts.errors[entry.at(0).get<int>()] = entry.at(1).get<double>();
    }
    return counts;
  } catch (const base::Json::exception& error) {
    return base::damaged(std::string("counts of quality are damaged: ") + error.what());
  }
}

double bounded_loss(const Answered& row, const Truth& truth, Task task, double scale) {
  if (task == Task::kRegression) {
    return std::min(1.0, std::abs(row.answer[0] - truth.number) / (4 * std::max(scale, 1e-12)));
  }
  const double brier = brier_of(row.answer, static_cast<size_t>(truth.label));
  return std::min(1.0, row.answer.size() == 2 ? brier : brier / 2);
}

std::vector<Measure> measures(const QualityCounts& counts, double error_scale) {
  return counts.task == Task::kRegression ? regression_measures(counts, error_scale)
                                          : class_measures(counts);
}

double error_scale_of(const QualityCounts& counts) {
  return counts.task == Task::kRegression && counts.known >= kKnownMin &&
                 counts.first.expected_of_known > 0
             ? counts.first.sum / counts.first.expected_of_known
             : 1.0;
}

std::optional<double> error_quantile(const QualityCounts& counts, double q) {
  double left = q * counts.known;
  for (const auto& [step, count] : counts.errors) {
    left -= count;
    if (left <= 0 && count > 0) {
      return std::exp2((step + 0.5) / kErrorSteps);
    }
  }
  return std::nullopt;
}

}  // namespace cromford::monitor
