// The worker's half of an evaluation: a model's predictions for the rows of a dataset version (or
// predictions that a column holds already) against what really happened.

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "app/dataset_files.h"
#include "app/worker.h"
#include "base/name.h"
#include "learn/rows.h"
#include "metric/metric.h"
#include "metric/tables.h"
#include "model/package.h"
#include "table/engine.h"
#include "table/scan.h"

namespace cromford::app {
namespace {

constexpr size_t kBatchRows = 1024;

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

// Truth and prediction of the rows that have both.
struct Judged {
  std::vector<double> labels;
  std::vector<double> predictions;
  size_t left_out = 0;  // Rows whose truth is missing or a class that the model does not know.
};

// The label as the metrics want it; NaN where the row cannot be judged.
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

absl::StatusOr<std::vector<double>> predict_all(const table::Table& rows,
                                                const model::Package& package,
                                                flow::WorkerContext& context) {
  TRY(const learn::ModelRows inputs, learn::ModelRows::create(rows, package.contract()));
  model::Workspace workspace;
  learn::ModelRows::BatchViews views;
  std::vector<double> predictions;
  for (size_t first = 0; first < inputs.row_count(); first += kBatchRows) {
    TRY(context.cancel().check());
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
    context.progress(
        "predicting",
        0.2 + 0.6 * static_cast<double>(first) / static_cast<double>(inputs.row_count()), "");
  }
  return predictions;
}

absl::StatusOr<std::vector<double>> stored_predictions(const table::Table& rows,
                                                       const std::string& name,
                                                       const model::Package& package) {
  if (package.task() == model::Task::kMulticlass) {
    return base::invalid("stored predictions of more than two classes cannot be evaluated",
                         "leave prediction_column out: the model predicts the rows itself");
  }
  TRY(const learn::ModelRows column,
      learn::ModelRows::create(rows, {{name, model::InputType::kNumber}}));
  learn::ModelRows::BatchViews views;
  const model::RowBatch batch = column.batch(0, column.row_count(), views);
  const auto numbers = batch.columns[0].numbers;
  return std::vector<double>(numbers.begin(), numbers.end());
}

Judged judge(const std::vector<double>& labels, const std::vector<double>& predictions,
             size_t width) {
  Judged judged;
  for (size_t row = 0; row < labels.size(); ++row) {
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

base::Json estimates_json(const std::vector<metric::NamedEstimate>& estimates) {
  base::Json metrics = base::Json::object();
  for (const metric::NamedEstimate& named : estimates) {
    metrics[named.name] = {{"value", named.estimate.value},
                           {"lower", named.estimate.lower},
                           {"upper", named.estimate.upper}};
  }
  return metrics;
}

base::Json reliability_json(const std::vector<metric::ReliabilityBin>& bins) {
  base::Json rows = base::Json::array();
  for (const metric::ReliabilityBin& bin : bins) {
    rows.push_back({{"mean_prediction", bin.mean_prediction},
                    {"observed", bin.observed},
                    {"observed_lower", bin.observed_lower},
                    {"observed_upper", bin.observed_upper},
                    {"row_count", bin.row_count}});
  }
  return rows;
}

absl::Status require_column(const table::StoredTable& stored, const std::string& name) {
  if (stored.schema.find(name).has_value()) {
    return absl::OkStatus();
  }
  return base::invalid(fmt::format("the dataset has no column '{}'", name),
                       base::did_you_mean(name, stored.schema.names()));
}

// The champion's and the challenger's losses on the same rows, for a gate.
absl::StatusOr<base::Json> comparison_json(const base::Json& input, const table::Table& rows,
                                           const std::vector<double>& labels,
                                           const metric::Scored& challenger, size_t width,
                                           flow::WorkerContext& context) {
  TRY(const auto champion, model::Package::open(input.value("champion", std::string())));
  TRY(const std::vector<double> predictions, predict_all(rows, *champion, context));
  const Judged judged = judge(labels, predictions, width);
  metric::Scored scored = challenger;
  scored.predictions = judged.predictions;
  const std::string name = input.value("compare_metric", std::string("log_loss"));
  TRY(const metric::Comparison comparison,
      metric::compare(name, scored, challenger, input.value("confidence", 0.95)));
  return base::Json{{"metric", name},
                    {"champion", comparison.champion},
                    {"challenger", comparison.challenger},
                    {"difference", comparison.difference},
                    {"lower", comparison.lower},
                    {"upper", comparison.upper},
                    {"p_value", comparison.p_value}};
}

}  // namespace

absl::StatusOr<std::string> evaluate_model(std::string_view text, flow::WorkerContext& context) {
  TRY(const base::Json input, base::parse_json(text));
  TRY(const auto package, model::Package::open(input.value("package", std::string())));
  TRY(const table::StoredTable stored, stored_table_from(input.at("table")));
  const std::string stored_column = input.value("prediction_column", std::string());
  const std::string target = input.value("target_column", package->target());
  TRY(require_column(stored, target));
  table::ReadOptions options{.columns = {target}, .where = input.value("where", std::string())};
  if (stored_column.empty()) {
    for (const model::InputColumn& column : package->contract()) {
      if (stored.schema.find(column.name).has_value() && column.name != target) {
        options.columns.push_back(column.name);
      }
    }
  } else {
    TRY(require_column(stored, stored_column));
    options.columns.push_back(stored_column);
  }
  context.progress("reading", 0, "");
  TRY(const auto engine,
      table::Engine::create(
          {.memory_limit_bytes = input.value("memory_bytes", uint64_t{1} << 30) / 2,
           .temp_directory = context.work_dir() / "spill"}));
  TRY(const table::Table rows, table::read_table(*engine, stored, options, context.cancel()));
  TRY(const std::vector<double> labels, read_labels(*rows.find(target), *package));
  std::vector<double> predictions;
  if (stored_column.empty()) {
    TRY(predictions, predict_all(rows, *package, context));
  } else {
    TRY(predictions, stored_predictions(rows, stored_column, *package));
  }
  const size_t width = package->task() == model::Task::kMulticlass ? package->classes().size() : 1;
  const Judged judged = judge(labels, predictions, width);
  if (judged.labels.empty()) {
    return base::invalid(fmt::format("no row can be judged: '{}' is missing, or of no class that "
                                     "the model knows, in all {} rows",
                                     target, labels.size()),
                         "check the rows that `where` leaves");
  }
  context.progress("measuring", 0.85, "");
  const metric::Scored scored{.task = metric_task(package->task()),
                              .labels = judged.labels,
                              .predictions = judged.predictions,
                              .class_count = std::max<size_t>(2, package->classes().size()),
                              .threshold = package->threshold()};
  TRY(const std::vector<metric::NamedEstimate> estimates, metric::estimate_all(scored));
  base::Json result = {{"task", metric::task_name(scored.task)},
                       {"metrics", estimates_json(estimates)},
                       {"row_count", judged.labels.size()},
                       {"left_out", judged.left_out}};
  if (scored.task != metric::Task::kRegression) {
    TRY(const std::vector<metric::ReliabilityBin> bins, metric::reliability_table(scored, 10));
    result["reliability"] = reliability_json(bins);
  }
  if (input.contains("champion")) {
    TRY(result["comparison"], comparison_json(input, rows, labels, scored, width, context));
  }
  return base::dump_json(result);
}

}  // namespace cromford::app
