#include "app/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "learn/problem.h"
#include "learn/test_part.h"

namespace cromford::app {
namespace {

constexpr size_t kBatchRows = 1024;

base::Json figures_json(const metric::Comparison& comparison) {
  return {{"champion", comparison.champion},
          {"challenger", comparison.challenger},
          {"difference", comparison.difference},
          {"standard_error", comparison.standard_error},
          {"p_value", comparison.p_value}};
}

std::vector<double> at_rows(const std::vector<double>& values, const std::vector<uint32_t>& rows) {
  std::vector<double> chosen;
  for (size_t i = 0; i < rows.size() && !values.empty(); ++i) {
    chosen.push_back(values[rows[i]]);
  }
  return chosen;
}

// The predictions of one model for the rows at hand, judged.
absl::StatusOr<Judged> judge_package(const table::Table& table, const std::vector<uint32_t>& rows,
                                     const std::vector<double>& labels,
                                     const std::vector<double>& weights,
                                     const model::Package& package,
                                     const base::CancelToken& cancel) {
  TRY(const learn::ModelRows inputs, learn::ModelRows::create(table, package.contract(), rows));
  TRY(const std::vector<double> predictions, predict_rows(inputs, package, cancel, {}));
  return judge(labels, predictions, weights, prediction_width(package));
}

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

std::string weight_column_of(const model::Package& package) {
  const base::Json& manifest = package.manifest();
  const auto found = manifest.find("weight_column");
  return found != manifest.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<double> read_weights(const table::Table& rows, const model::Package& package) {
  const std::string name = weight_column_of(package);
  const table::Column* column = name.empty() ? nullptr : rows.find(name);
  if (column == nullptr || column->type == table::ColumnType::kText) {
    return {};
  }
  std::vector<double> weights(static_cast<size_t>(rows.row_count()));
  for (size_t i = 0; i < weights.size(); ++i) {
    const double weight = learn::cell_number(*column, static_cast<uint32_t>(i));
    weights[i] =
        std::isfinite(weight) && weight >= 0 ? weight : std::numeric_limits<double>::quiet_NaN();
  }
  return weights;
}

size_t prediction_width(const model::Package& package) {
  return package.task() == model::Task::kMulticlass ? package.classes().size() : 1;
}

absl::StatusOr<std::vector<double>> predict_rows(const learn::ModelRows& rows,
                                                 const model::Package& package,
                                                 const base::CancelToken& cancel,
                                                 const std::function<void(double)>& progress) {
  model::Workspace workspace;
  learn::ModelRows::BatchViews views;
  std::vector<double> predictions;
  for (size_t first = 0; first < rows.row_count(); first += kBatchRows) {
    TRY(cancel.check());
    const size_t count = std::min(kBatchRows, rows.row_count() - first);
    const model::Predictions out = package.predict(rows.batch(first, count, views), workspace);
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
      progress(static_cast<double>(first) / static_cast<double>(rows.row_count()));
    }
  }
  return predictions;
}

Judged judge(const std::vector<double>& labels, const std::vector<double>& predictions,
             const std::vector<double>& weights, size_t width) {
  Judged judged;
  for (size_t row = 0; row < labels.size(); ++row) {
    if (std::isnan(labels[row]) || std::isnan(predictions[row * width]) ||
        (!weights.empty() && std::isnan(weights[row]))) {
      ++judged.left_out;
      continue;
    }
    judged.labels.push_back(labels[row]);
    if (!weights.empty()) {
      judged.weights.push_back(weights[row]);
    }
    for (size_t k = 0; k < width; ++k) {
      judged.predictions.push_back(predictions[row * width + k]);
    }
  }
  return judged;
}

metric::Scored scored_of(const model::Package& package, const Judged& judged) {
  return {.task = metric_task(package.task()),
          .labels = judged.labels,
          .predictions = judged.predictions,
          .class_count = std::max<size_t>(2, package.classes().size()),
          .weights = judged.weights,
          .threshold = package.threshold()};
}

absl::StatusOr<base::Json> compare_packages(const table::Table& rows,
                                            const std::vector<uint32_t>& tested,
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
  TRY(const learn::TestPart part, learn::test_part_of(champion.manifest()));
  TRY(const std::vector<bool> unseen, learn::never_taught(rows, part, 1));
  std::vector<uint32_t> fair;
  std::copy_if(tested.begin(), tested.end(), std::back_inserter(fair),
               [&unseen](uint32_t row) { return unseen[row]; });
  if (fair.empty()) {
    return base::refused("the champion learned from every row that the new model was tested on",
                         "compare on rows that came later, with `cromford evaluate`");
  }
  TRY(const std::vector<double> all_labels, read_labels(*target, challenger));
  const std::vector<double> labels = at_rows(all_labels, fair);
  const std::vector<double> weights = at_rows(read_weights(rows, challenger), fair);
  TRY(const Judged before, judge_package(rows, fair, labels, weights, champion, cancel));
  TRY(const Judged after, judge_package(rows, fair, labels, weights, challenger, cancel));
  TRY(base::Json comparison, compare_judged(champion, before, challenger, after));
  comparison["test_rows"] = tested.size();
  return comparison;
}

base::Json estimates_json(const std::vector<metric::NamedEstimate>& estimates) {
  base::Json metrics = base::Json::object();
  for (const metric::NamedEstimate& named : estimates) {
    metrics[named.name] = {{"value", named.estimate.value},
                           {"lower", named.estimate.lower},
                           {"upper", named.estimate.upper}};
  }
  return metrics;
}

absl::StatusOr<base::Json> compare_judged(const model::Package& champion, const Judged& before,
                                          const model::Package& challenger, const Judged& after) {
  if (before.labels.empty() || before.labels.size() != after.labels.size()) {
    return base::refused("the two models cannot be judged on the same rows",
                         "look at the rows: is the truth known, and the same to both?");
  }
  base::Json metrics = base::Json::object();
  base::Json unknown = base::Json::object();
  for (const metric::MetricInfo& info : metric::metrics_of(metric_task(challenger.task()))) {
    const absl::StatusOr<metric::Comparison> comparison =
        metric::compare(info.name, scored_of(champion, before), scored_of(challenger, after));
    if (comparison.ok()) {
      metrics[std::string(info.name)] = figures_json(*comparison);
    } else {
      unknown[std::string(info.name)] = base::message(comparison.status());
    }
  }
  return base::Json{{"metrics", std::move(metrics)},
                    {"unknown", std::move(unknown)},
                    {"row_count", after.labels.size()}};
}

}  // namespace cromford::app
