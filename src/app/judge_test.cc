#include "app/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "learn/sample_tables.h"
#include "learn/train.h"
#include "testing/status_matchers.h"

namespace cromford::app {
namespace {

using cromford::testing::StatusIs;
using ::testing::HasSubstr;

std::shared_ptr<const model::Package> load(const std::string& package) {
  const auto bytes = std::as_bytes(std::span(package));
  auto loaded = model::Package::load(std::vector<std::byte>(bytes.begin(), bytes.end()));
  EXPECT_OK(loaded);
  return loaded.ok() ? *loaded : nullptr;
}

TEST(JudgeTest, AModelIsJudgedByItsOwnThresholdAndWeights) {
  const table::Table table = learn::binary_table(600, 3);
  ASSERT_OK_AND_ASSIGN(const learn::TrainResult result,
                       learn::train(table, {.target = "late", .metric = "f1", .trials = 1}));
  const auto package = load(result.package);
  ASSERT_NE(package, nullptr);
  ASSERT_NE(package->threshold(), 0.5);
  const Judged judged = judge({0, 1, 1}, {0.1, 0.2, std::nan("")}, {1, 2, 1}, 1);
  EXPECT_EQ(judged.left_out, 1U);
  const metric::Scored scored = scored_of(*package, judged);
  EXPECT_EQ(scored.threshold, package->threshold());
  EXPECT_EQ(scored.weights.size(), 2U);
  // A weight of 2 is the row twice.
  const Judged twice = judge({0, 1, 1}, {0.1, 0.2, 0.2}, {}, 1);
  for (const char* name : {"log_loss", "brier", "accuracy", "auc"}) {
    ASSERT_OK_AND_ASSIGN(const double weighted, metric::evaluate(name, scored));
    ASSERT_OK_AND_ASSIGN(const double copied, metric::evaluate(name, scored_of(*package, twice)));
    EXPECT_DOUBLE_EQ(weighted, copied) << name;
  }
}

TEST(CompareTest, RowsThatTheChampionLearnedFromAreLeftOut) {
  const table::Table table = learn::binary_table(800, 3);
  ASSERT_OK_AND_ASSIGN(const learn::TrainResult first,
                       learn::train(table, {.target = "late", .trials = 1, .seed = 1}));
  ASSERT_OK_AND_ASSIGN(
      const learn::TrainResult second,
      learn::train(table, {.target = "late", .metric = "f1", .trials = 1, .seed = 2}));
  const auto champion = load(first.package);
  const auto challenger = load(second.package);
  std::vector<uint32_t> all;
  for (uint32_t row = 0; row < 800; ++row) {
    all.push_back(row);
  }
  // Asked about every row, only those of the champion's own test part count.
  ASSERT_OK_AND_ASSIGN(const base::Json comparison,
                       compare_packages(table, all, *champion, *challenger, {}));
  EXPECT_EQ(comparison["row_count"], first.test_rows.size());
  EXPECT_EQ(comparison["test_rows"], 800);
  EXPECT_EQ(first.test_rows, second.test_rows);

  // Each by its own threshold: the figures are those of the packages' own reports.
  const base::Json& f1 = comparison["metrics"]["f1"];
  EXPECT_DOUBLE_EQ(f1["champion"].get<double>(),
                   champion->manifest()["metrics"]["f1"]["value"].get<double>());
  EXPECT_DOUBLE_EQ(f1["challenger"].get<double>(),
                   challenger->manifest()["metrics"]["f1"]["value"].get<double>());
  EXPECT_TRUE(comparison["unknown"].contains("calibration_error"));

  std::vector<uint32_t> taught;
  for (uint32_t row = 0; row < 800; ++row) {
    if (!std::binary_search(first.test_rows.begin(), first.test_rows.end(), row)) {
      taught.push_back(row);
    }
  }
  EXPECT_THAT(compare_packages(table, taught, *champion, *challenger, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("learned from every row")));
}

TEST(CompareTest, RefusesOtherClasses) {
  const table::Table table = learn::binary_table(200, 3);
  ASSERT_OK_AND_ASSIGN(const learn::TrainResult first,
                       learn::train(table, {.target = "late", .trials = 1}));
  ASSERT_OK_AND_ASSIGN(const learn::TrainResult second,
                       learn::train(table, {.target = "x", .trials = 1}));
  EXPECT_THAT(compare_packages(table, {0}, *load(first.package), *load(second.package), {}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("other classes")));
}

}  // namespace
}  // namespace cromford::app
