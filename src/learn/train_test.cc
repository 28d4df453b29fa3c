#include "learn/train.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "learn/sample_tables.h"
#include "model/package.h"
#include "testing/status_matchers.h"

namespace cromford::learn {
namespace {

using base::Json;
using cromford::testing::StatusIs;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

Json report_of(const TrainResult& result) {
  return Json::parse(result.report);
}

std::shared_ptr<const model::Package> load(const std::string& package) {
  const auto bytes = std::as_bytes(std::span(package));
  auto loaded = model::Package::load(std::vector<std::byte>(bytes.begin(), bytes.end()));
  EXPECT_OK(loaded);
  return loaded.ok() ? *loaded : nullptr;
}

std::vector<std::string> warning_codes(const Json& report) {
  std::vector<std::string> codes;
  for (const Json& warning : report["warnings"]) {
    codes.push_back(warning["code"]);
  }
  return codes;
}

TEST(TrainTest, BinaryLearnsWhatIsThere) {
  const table::Table table = binary_table(1500, 3);
  ASSERT_OK_AND_ASSIGN(const TrainResult result,
                       train(table, {.target = "late", .trials = 3, .threads = 2}));
  const Json report = report_of(result);
  EXPECT_EQ(report["task"], "binary");
  EXPECT_EQ(report["metric"], "auc");
  EXPECT_EQ(report["positive_class"], "true");
  EXPECT_EQ(report["split"]["method"], "stratified");
  EXPECT_GT(report["metrics"]["auc"]["value"].get<double>(), 0.82);
  EXPECT_LT(report["metrics"]["log_loss"]["value"].get<double>(),
            report["baseline_metrics"]["log_loss"]["value"].get<double>() - 0.1);
  EXPECT_LT(report["metrics"]["calibration_error"]["value"].get<double>(), 0.15);
  EXPECT_EQ(report["trials"].size(), 4U);
  double shares = 0;
  for (const Json& each : report["importance"]) {
    shares += each["share"].get<double>();
  }
  EXPECT_NEAR(shares, 1, 1e-9);
  EXPECT_EQ(report["importance"].size(), 3U);

  const auto package = load(result.package);
  ASSERT_NE(package, nullptr);
  EXPECT_EQ(package->target(), "late");
  EXPECT_EQ(package->classes(), (std::vector<std::string>{"false", "true"}));
  EXPECT_EQ(package->manifest()["metrics"], report["metrics"]);
  EXPECT_EQ(package->baseline().columns.size(), 3U);
  model::Workspace workspace;
  model::RowBuffer rows(package->contract());
  rows.reset(2);
  rows.set_number(0, 0, 3.0);
  rows.set_text(0, 2, "black");
  rows.set_number(1, 0, -3.0);
  rows.set_text(1, 2, "never seen");
  const model::Predictions out = package->predict(rows.batch(), workspace);
  EXPECT_GT(out.probabilities[1], 0.8);
  EXPECT_LT(out.probabilities[3], 0.2);
}

TEST(TrainTest, MulticlassLearnsWhatIsThere) {
  const table::Table table = multiclass_table(800, 4);
  ASSERT_OK_AND_ASSIGN(const TrainResult result, train(table, {.target = "grade", .trials = 2}));
  const Json report = report_of(result);
  EXPECT_EQ(report["task"], "multiclass");
  EXPECT_EQ(report["classes"], (std::vector<std::string>{"fair", "good", "poor"}));
  // The test part has 160 rows: two standard errors of its accuracy are 0.07.
  EXPECT_GT(report["metrics"]["accuracy"]["value"].get<double>(), 0.6);
  EXPECT_LT(report["metrics"]["log_loss"]["value"].get<double>(),
            0.8 * report["baseline_metrics"]["log_loss"]["value"].get<double>());
}

TEST(TrainTest, RegressionHasHonestIntervals) {
  const table::Table table = regression_table(2000, 5);
  ASSERT_OK_AND_ASSIGN(const TrainResult result, train(table, {.target = "price", .trials = 2}));
  const Json report = report_of(result);
  EXPECT_EQ(report["task"], "regression");
  EXPECT_GT(report["metrics"]["r2"]["value"].get<double>(), 0.9);
  EXPECT_NEAR(report["interval"]["coverage_on_test"].get<double>(), 0.9, 0.06);
}

TEST(TrainTest, TrialsAreDeterministicWhateverTheThreads) {
  for (const char* target : {"late", "grade", "price"}) {
    SCOPED_TRACE(target);
    const std::string name = target;
    const table::Table table = name == "late"    ? binary_table(250, 6)
                               : name == "grade" ? multiclass_table(150, 6)
                                                 : regression_table(250, 6);
    TrainSettings settings{.target = name, .trials = 3, .seed = 11, .threads = 1};
    ASSERT_OK_AND_ASSIGN(const TrainResult first, train(table, settings));
    ASSERT_OK_AND_ASSIGN(const TrainResult again, train(table, settings));
    settings.threads = 4;
    ASSERT_OK_AND_ASSIGN(const TrainResult wide, train(table, settings));
    EXPECT_TRUE(first.package == again.package);
    EXPECT_TRUE(first.package == wide.package);
    settings.seed = 12;
    ASSERT_OK_AND_ASSIGN(const TrainResult other, train(table, settings));
    EXPECT_FALSE(first.package == other.package) << "the seed matters";
  }
}

TEST(TrainTest, TimeBudgetIsKept) {
  const table::Table table = binary_table(4000, 7);
  for (const double budget_s : {0.5, 2.0}) {
    const auto started = std::chrono::steady_clock::now();
    TrainSettings settings{.target = "late"};
    settings.time_budget = std::chrono::milliseconds(static_cast<int>(1000 * budget_s));
    ASSERT_OK_AND_ASSIGN(const TrainResult result, train(table, settings));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
#ifndef CROMFORD_SANITIZED
    // A second of grace: tests run beside others on a busy machine.
    EXPECT_LT(took.count(), budget_s * 1.02 + 1.0);
#endif
    EXPECT_NE(load(result.package), nullptr);
  }
}

TEST(TrainTest, CheckpointsLoad) {
  const table::Table table = binary_table(800, 8);
  std::vector<std::string> packages;
  TrainContext context;
  context.checkpoint = [&packages](const std::string& package) { packages.push_back(package); };
  ASSERT_OK(train(table, {.target = "late", .trials = 3}, context));
  ASSERT_FALSE(packages.empty());
  const auto package = load(packages.front());
  ASSERT_NE(package, nullptr);
  EXPECT_EQ(package->manifest()["complete"], false);
}

TEST(TrainTest, ProgressTellsStagesInOrder) {
  const table::Table table = binary_table(400, 8);
  std::vector<std::string> stages;
  TrainContext context;
  context.progress = [&stages](const Progress& progress) {
    if (stages.empty() || stages.back() != progress.stage) {
      stages.emplace_back(progress.stage);
    }
  };
  ASSERT_OK(train(table, {.target = "late", .trials = 2}, context));
  EXPECT_EQ(stages, (std::vector<std::string>{"reading", "features", "searching", "ensembling",
                                              "calibrating", "refitting", "testing", "done"}));
}

TEST(TrainTest, CancellingEndsTheRun) {
  const table::Table table = binary_table(2000, 8);
  base::CancelSource source;
  TrainContext context{.cancel = source.token()};
  context.progress = [&source](const Progress& progress) {
    if (progress.trials_done > 0) {
      source.cancel();
    }
  };
  EXPECT_THAT(train(table, {.target = "late", .trials = 50}, context),
              StatusIs(absl::StatusCode::kCancelled, ::testing::_));
}

TEST(TrainTest, TwentyRowsAreEnough) {
  ASSERT_OK_AND_ASSIGN(const TrainResult result,
                       train(regression_table(20, 9), {.target = "price", .trials = 2}));
  EXPECT_THAT(warning_codes(report_of(result)), Contains("few_test_rows"));
  ASSERT_OK(train(binary_table(40, 9), {.target = "late", .trials = 2}));
}

TEST(TrainTest, EachLearnerAlone) {
  for (const char* learner : {"linear", "boosting"}) {
    SCOPED_TRACE(learner);
    ASSERT_OK_AND_ASSIGN(
        const TrainResult result,
        train(binary_table(500, 10), {.target = "late", .trials = 2, .learners = {learner}}));
    const Json report = report_of(result);
    for (const Json& trial : report["trials"]) {
      EXPECT_THAT((std::vector<std::string>{"baseline", learner}), Contains(trial["learner"]));
    }
  }
}

TEST(TrainTest, WeightsAndMetricsAreHeard) {
  table::Table table = binary_table(800, 12);
  std::vector<double> weights;
  for (int i = 0; i < 800; ++i) {
    weights.push_back(i % 3);
  }
  table.mutable_columns().push_back(number_column("weight", weights));
  for (const char* metric : {"log_loss", "f1", "calibration_error", "average_precision"}) {
    SCOPED_TRACE(metric);
    ASSERT_OK_AND_ASSIGN(
        const TrainResult result,
        train(table, {.target = "late", .metric = metric, .trials = 2, .weight_column = "weight"}));
    const Json report = report_of(result);
    EXPECT_EQ(report["metric"], metric);
    EXPECT_EQ(report["columns"].size(), 3U) << "the weight is no input";
  }
}

TEST(TrainTest, MemoryLimitSamplesWithAWarning) {
  const table::Table table = binary_table(60000, 13);
  ASSERT_OK_AND_ASSIGN(
      const TrainResult result,
      train(table, {.target = "late", .trials = 1, .memory_limit = uint64_t{94} << 20U}));
  EXPECT_THAT(warning_codes(report_of(result)), Contains("sampled"));
  EXPECT_THAT(train(table, {.target = "late", .trials = 1, .memory_limit = uint64_t{10} << 20U}),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("memory")));
}

TEST(TrainTest, LineageIsStored) {
  ASSERT_OK_AND_ASSIGN(
      const TrainResult result,
      train(binary_table(100, 1),
            {.target = "late", .trials = 1, .seed = 5, .lineage = R"({"dataset": "flights"})"}));
  const Json report = report_of(result);
  EXPECT_EQ(report["lineage"]["dataset"], "flights");
  EXPECT_EQ(report["seed"], 5);
}

}  // namespace
}  // namespace cromford::learn
