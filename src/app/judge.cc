#include "app/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "learn/rows.h"

namespace cromford::app {
namespace {

constexpr size_t kBatchRows = 1024;

}  // namespace

metric::Task metric_task(model::Task task) {
  switch (task) {
    case model::Task::kBinary:
      return metric::Task::kBinary;
    case model::Task::kMulticlass:
      return metric::Task::kMulticlass;
    default:
      return metric::Task::kRegression;
  }
}

absl::StatusOr<std::vector<double>> read_labels(const table::Column& column,
                                                const model::Package& package) {
  std::vector<double> labels(
      static_cast<size_t>(static_cast<int64_t>(
          std::max({column.numbers.size(), column.integers.size(), column.codes.size()}))),
      std::numeric_limits<double>::quiet_NaN());
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    if (!column.valid(row)) {
      continue;
    }
    const std::string text = table::cell_text(column, row);
    if (package.task() == model::Task::kRegression) {
      TRY(const model::Value value, model::parse_value(model::InputType::kNumber, text));
      labels[i] = value.number;
      continue;
    }
    const auto& classes = package.classes();
    const auto found = std::find(classes.begin(), classes.end(), text);
    if (found != classes.end()) {
      labels[i] = static_cast<double>(found - classes.begin());
    }
  }
  return labels;
}

absl::StatusOr<std::vector<double>> predict_rows(const table::Table& rows,
                                                 const model::Package& package,
                                                 const base::CancelToken& cancel,
                                                 const std::function<void(double)>& progress) {
  TRY(const learn::ModelRows inputs, learn::ModelRows::create(rows, package.contract()));
  model::Workspace workspace;
  learn::ModelRows::BatchViews views;
  std::vector<double> predictions;
  for (size_t first = 0; first < inputs.row_count(); first += kBatchRows) {
    TRY(cancel.check());
    const size_t count = std::min(kBatchRows, inputs.row_count() - first);
    const model::Predictions out = package.predict(inputs.batch(first, count, views), workspace);
    for (size_t row = 0; row < count; ++row) {
      if (package.task() == model::Task::kRegression) {
        predictions.push_back(out.values[row]);
      } else if (package.task() == model::Task::kBinary) {
        predictions.push_back(out.probabilities[row * 2 + 1]);
      } else {
        const auto all = out.probabilities.subspan(row * out.class_count, out.class_count);
        predictions.insert(predictions.end(), all.begin(), all.end());
      }
    }
    if (progress) {
      progress(static_cast<double>(first) / static_cast<double>(inputs.row_count()));
    }
  }
  return predictions;
}

Judged judge(const std::vector<double>& labels, const std::vector<double>& predictions,
             size_t width, const std::vector<uint32_t>* selected) {
  Judged judged;
  const size_t count = selected == nullptr ? labels.size() : selected->size();
  for (size_t i = 0; i < count; ++i) {
    const size_t row = selected == nullptr ? i : (*selected)[i];
    if (std::isnan(labels[row]) || std::isnan(predictions[row * width])) {
      ++judged.left_out;
      continue;
    }
    judged.labels.push_back(labels[row]);
    for (size_t k = 0; k < width; ++k) {
      judged.predictions.push_back(predictions[row * width + k]);
    }
  }
  return judged;
}

absl::StatusOr<base::Json> compare_packages(const table::Table& rows,
                                            const std::vector<uint32_t>& selected,
                                            const model::Package& champion,
                                            const model::Package& challenger,
                                            const base::CancelToken& cancel) {
  if (champion.task() != challenger.task() || champion.classes() != challenger.classes()) {
    return base::refused("the champion predicts other classes, so the two cannot be compared",
                         "deploy the new model to an endpoint of its own");
  }
  const table::Column* target = rows.find(challenger.target());
  if (target == nullptr) {
    return base::internal("the rows have lost their target");
  }
  TRY(const std::vector<double> labels, read_labels(*target, challenger));
  const size_t width =
      challenger.task() == model::Task::kMulticlass ? challenger.classes().size() : 1;
  TRY(const std::vector<double> before, predict_rows(rows, champion, cancel, {}));
  TRY(const std::vector<double> after, predict_rows(rows, challenger, cancel, {}));
  const Judged old_rows = judge(labels, before, width, &selected);
  const Judged new_rows = judge(labels, after, width, &selected);
  const metric::Task task = metric_task(challenger.task());
  const metric::Scored scored_before{.task = task,
                                     .labels = old_rows.labels,
                                     .predictions = old_rows.predictions,
                                     .class_count = std::max<size_t>(2, width)};
  metric::Scored scored_after = scored_before;
  scored_after.predictions = new_rows.predictions;
  base::Json metrics = base::Json::object();
  for (const metric::MetricInfo& info : metric::metrics_of(task)) {
    const absl::StatusOr<metric::Comparison> comparison =
        metric::compare(info.name, scored_before, scored_after);
    if (comparison.ok()) {  // Some measures have no paired comparison.
      metrics[std::string(info.name)] = {{"champion", comparison->champion},
                                         {"challenger", comparison->challenger},
                                         {"difference", comparison->difference},
                                         {"standard_error", comparison->standard_error},
                                         {"p_value", comparison->p_value}};
    }
  }
  return base::Json{{"metrics", std::move(metrics)}, {"row_count", old_rows.labels.size()}};
}

}  // namespace cromford::app
