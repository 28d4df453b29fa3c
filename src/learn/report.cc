#include "learn/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/clock.h"

namespace cromford::learn {
namespace {

using base::Json;

Json estimates_json(const std::vector<metric::NamedEstimate>& estimates) {
  Json result = Json::object();
  for (const metric::NamedEstimate& each : estimates) {
    result[each.name] = {{"value", each.estimate.value},
                         {"lower", each.estimate.lower},
                         {"upper", each.estimate.upper}};
  }
  return result;
}

Json split_json(const Workbench& bench) {
  const Split& split = bench.split();
  const Problem& problem = bench.problem();
  Json result = {{"method", split.method},
                 {"validation", split.validation},
                 {"folds", split.folds.size()},
                 {"train_rows", split.work.size()},
                 {"development_rows", split.work.size()},
                 {"test_rows", split.test.size()}};
  if (problem.time_column.has_value()) {
    const table::Column& column = bench.table().columns()[*problem.time_column];
    result["time_column"] = column.name;
    result["time_column_found"] = problem.time_found;
    const bool dated =
        column.type == table::ColumnType::kDate || column.type == table::ColumnType::kTimestamp;
    if (dated) {
      const auto micros = static_cast<int64_t>(split.test_from * 1e6);
      result["test_from"] = base::format_time(base::Time(std::chrono::microseconds(micros)));
    } else {
      result["test_from"] = split.test_from;
    }
  }
  if (problem.group_column.has_value()) {
    result["group_column"] = bench.table().columns()[*problem.group_column].name;
  }
  return result;
}

// The leaderboard: complete trials by score, then those that were cut off.
Json trials_json(const ReportInput& input) {
  std::vector<const Trial*> order;
  for (const Trial& trial : *input.trials) {
    order.push_back(&trial);
  }
  std::stable_sort(order.begin(), order.end(), [](const Trial* a, const Trial* b) {
    return a->complete != b->complete ? a->complete : a->complete && a->loss < b->loss;
  });
  Json result = Json::array();
  for (const Trial* trial : order) {
    Json each = {{"rank", result.size() + 1},
                 {"trial", trial->spec.number},
                 {"learner", trial->spec.learner},
                 {"settings", trial->spec.describe()},
                 {"complete", trial->complete}};
    if (trial->complete) {
      each["score"] = trial->score;
      each["spread"] = trial->spread;
    }
    if (trial->spec.learner == "boosting") {
      each["rounds"] = trial->rounds;
    }
    if (trial->cut) {
      each["cut_by_clock"] = true;
    }
    if (input.with_timing) {
      each["seconds"] = std::round(trial->seconds * 1000) / 1000;
    }
    result.push_back(std::move(each));
  }
  return result;
}

Json members_json(const ReportInput& input) {
  Json result = Json::array();
  for (size_t m = 0; m < input.members.size(); ++m) {
    result.push_back({{"trial", input.member_trials[m]},
                      {"learner", input.members[m].name},
                      {"weight", input.members[m].weight}});
  }
  return result;
}

Json calibration_json(const Answer& answer) {
  switch (answer.calibration.kind) {
    case model::CalibrationKind::kNone:
      break;
    case model::CalibrationKind::kQuadratic:
      return {{"kind", answer.calibration.square == 0 ? "affine" : "quadratic"},
              {"scale", answer.calibration.scale[0]},
              {"offset", answer.calibration.offset[0]},
              {"square", answer.calibration.square}};
    case model::CalibrationKind::kVector:
      return {{"kind", "vector"},
              {"scale", answer.calibration.scale},
              {"offset", answer.calibration.offset}};
  }
  return {{"kind", "none"}};
}

Json columns_json(const Problem& problem) {
  Json result = Json::array();
  for (const model::InputColumn& column : problem.contract) {
    result.push_back({{"name", column.name}, {"type", model::input_type_name(column.type)}});
  }
  return result;
}

void add_problem(const Problem& problem, Json& report) {
  report["task"] = metric::task_name(problem.task);
  report["task_found"] = problem.task_found;
  report["target"] = problem.target;
  report["metric"] = problem.metric.name;
  report["columns"] = columns_json(problem);
  if (problem.task != metric::Task::kRegression) {
    report["classes"] = problem.classes;
  }
  if (problem.task == metric::Task::kBinary) {
    report["positive_class"] = problem.classes[1];
  }
  report["warnings"] = Json::array();
  for (const Warning& warning : problem.warnings) {
    report["warnings"].push_back(
        {{"code", warning.code}, {"column", warning.column}, {"text", warning.text}});
  }
  report["ignored"] = Json::array();
  for (const Ignored& ignored : problem.ignored) {
    report["ignored"].push_back({{"column", ignored.column}, {"reason", ignored.reason}});
  }
}

Json importance_json(const std::vector<ColumnShare>& shares) {
  Json result = Json::array();
  for (const ColumnShare& share : shares) {
    result.push_back({{"column", share.column}, {"share", share.share}});
  }
  return result;
}

}  // namespace

Json make_report(const ReportInput& input) {
  const Workbench& bench = *input.bench;
  Json report = Json::object();
  add_problem(bench.problem(), report);
  report["split"] = split_json(bench);
  report["test_part"] = test_part_json(bench.split().test_part);
  report["ranked_by"] = bench.ranked_by().name;
  report["trials"] = trials_json(input);
  report["ensemble"] = members_json(input);
  report["calibration"] = calibration_json(input.answer);
  report["metrics"] = estimates_json(input.metrics);
  report["baseline_metrics"] = estimates_json(input.baseline_metrics);
  report["importance"] = importance_json(input.importance);
  report["cap_struck"] = input.cap_struck;
  report["complete"] = input.complete;
  report["seed"] = input.settings->seed;
  if (!input.settings->weight_column.empty()) {
    report["weight_column"] = input.settings->weight_column;
  }
  const Json lineage = Json::parse(input.settings->lineage, nullptr, false);
  report["lineage"] = lineage.is_object() ? lineage : Json::object();
  if (bench.problem().task == metric::Task::kBinary) {
    report["threshold"] = input.answer.threshold;
  }
  if (bench.link() == model::Link::kLog1p) {
    report["target_scale"] = "log1p";
  }
  if (input.answer.interval.kind != model::IntervalKind::kNone) {
    report["interval"] = {{"coverage", input.answer.interval.coverage}};
    if (input.interval_coverage >= 0) {
      report["interval"]["coverage_on_test"] = input.interval_coverage;
    }
  }
  if (input.with_timing) {
    report["timing"] = {{"total_s", input.timing.total_s},
                        {"prepare_s", input.timing.prepare_s},
                        {"search_s", input.timing.search_s},
                        {"refit_s", input.timing.refit_s}};
  }
  return report;
}

}  // namespace cromford::learn
