// The worker's half of an evaluation: a model's predictions for the rows of a dataset version (or
// predictions that a column holds already) against what really happened.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/dataset_files.h"
#include "app/judge.h"
#include "app/worker.h"
#include "base/limits.h"
#include "base/name.h"
#include "base/text.h"
#include "learn/rows.h"
#include "metric/metric.h"
#include "metric/tables.h"
#include "model/package.h"
#include "table/engine.h"
#include "table/scan.h"

namespace cromford::app {
namespace {

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

}  // namespace

absl::StatusOr<std::string> evaluate_model(std::string_view text, flow::WorkerContext& context) {
  TRY(const base::Json input, base::parse_json(text));
  TRY(const auto package, model::Package::open(input.value("package", std::string())));
  TRY(const table::StoredTable stored, stored_table_from(input.at("table")));
  const std::string stored_column = input.value("prediction_column", std::string());
  const std::string target = input.value("target_column", package->target());
  TRY(require_column(stored, target));
  const std::string weight = weight_column_of(*package);
  const bool weighted = !weight.empty() && stored.schema.find(weight).has_value();
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
  if (weighted &&
      std::find(options.columns.begin(), options.columns.end(), weight) == options.columns.end()) {
    options.columns.push_back(weight);
  }
  context.progress("reading", 0, "");
  TRY(const auto engine,
      table::Engine::create(
          {.memory_limit_bytes = input.value("memory_bytes", uint64_t{1} << 30) / 2,
           .temp_directory = context.work_dir() / "spill"}));
  TRY(const table::Table rows, table::read_table(*engine, stored, options, context.cancel()));
  context.log(fmt::format("read {} rows of the columns {}", base::with_thousands(rows.row_count()),
                          base::join(options.columns, ", ")));
  TRY(const std::vector<double> labels, read_labels(*rows.find(target), *package));
  std::vector<double> predictions;
  if (stored_column.empty()) {
    TRY(const learn::ModelRows inputs, learn::ModelRows::create(rows, package->contract()));
    TRY(predictions, predict_rows(inputs, *package, context.cancel(), [&context](double share) {
          context.progress("predicting", 0.2 + 0.6 * share, "");
        }));
  } else {
    TRY(predictions, stored_predictions(rows, stored_column, *package));
  }
  const Judged judged =
      judge(labels, predictions, read_weights(rows, *package), prediction_width(*package));
  if (judged.labels.empty()) {
    return base::invalid(fmt::format("no row can be judged: '{}' is missing, or of no class that "
                                     "the model knows, in all {} rows",
                                     target, labels.size()),
                         "check the rows that `where` leaves");
  }
  context.progress("measuring", 0.85, "");
  const metric::Scored scored = scored_of(*package, judged);
  TRY(const std::vector<metric::NamedEstimate> estimates, metric::estimate_all(scored));
  context.log(fmt::format("judged {} rows, {} left out",
                          base::with_thousands(static_cast<int64_t>(judged.labels.size())),
                          base::with_thousands(static_cast<int64_t>(judged.left_out))));
  base::Json result = {{"task", metric::task_name(scored.task)},
                       {"metrics", estimates_json(estimates)},
                       {"row_count", judged.labels.size()},
                       {"left_out", judged.left_out}};
  if (weighted) {
    result["weight_column"] = weight;
  }
  if (scored.task != metric::Task::kRegression) {
    TRY(const std::vector<metric::ReliabilityBin> bins, metric::reliability_table(scored, 10));
    result["reliability"] = reliability_json(bins);
  }
  return base::dump_json(result);
}

}  // namespace cromford::app
