#include "monitor/group_counts.h"

#include <gmock/gmock.h>

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <random>

#include "testing/status_matchers.h"

namespace cromford::monitor {
namespace {

using metric::FairnessVerdict;

// Rows of two columns; those with origin "ORD" are wrong more often by `gap`.
GroupCounts rows(int count, uint64_t seed, double gap) {
  std::mt19937_64 random(seed);
  GroupCounts counts;
  for (int i = 0; i < count; ++i) {
    const std::string origin = random() % 5 == 0 ? "ORD" : fmt::format("X{}", random() % 9);
    const std::string carrier = fmt::format("C{}", random() % 10);
    const double chance = 0.2 + (origin == "ORD" ? gap : 0);
    const bool wrong = std::bernoulli_distribution(chance)(random);
    for (const auto& [column, value] :
         {std::pair{"origin", origin}, std::pair{"carrier", carrier}}) {
      counts.add_answer(column, value, {.selected = wrong});
      counts.add_truth(column, value,
                       {.selected = wrong, .positive = false, .loss = wrong ? 0.6 : 0.1});
    }
  }
  return counts;
}

TEST(GroupCountsTest, TheWorseSegmentIsFoundAndNamed) {
  const auto found = worse_segments(rows(10'000, 1, 0.2), rows(2000, 2, 0.2));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].column, "origin");
  EXPECT_EQ(found[0].value, "ORD");
  EXPECT_NEAR(found[0].loss - found[0].loss_of_others, 0.1, 0.02);
  EXPECT_TRUE(found[0].confirmed);
  EXPECT_FALSE(worse_segments(rows(10'000, 1, 0.2), rows(2000, 2, 0))[0].confirmed);
}

TEST(GroupCountsTest, WhereNoneIsWorseNoneIsFound) {
  int found = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    found += worse_segments(rows(4000, seed, 0), {}).empty() ? 0 : 1;
  }
  EXPECT_LE(found, 2);
}

TEST(GroupCountsTest, GroupsAreComparedWithTheLargest) {
  GroupCounts counts;
  const auto add = [&](const std::string& value, int count, int selected) {
    for (int i = 0; i < count; ++i) {
      counts.add_answer("group", value, {.selected = i < selected});
      counts.add_truth("group", value, {.selected = i < selected, .positive = i % 2 == 0});
    }
  };
  add("most", 10'000, 5000);
  add("few", 4000, 1200);
  add("tiny", 20, 9);
  add("same", 5000, 2450);
  const auto bias = bias_of(counts, {"group", "nowhere"});
  ASSERT_EQ(bias.size(), 1U);
  EXPECT_EQ(bias[0].reference, "most");
  std::map<std::string, FairnessVerdict> verdicts;
  for (const GroupBias& group : bias[0].groups) {
    verdicts[group.value] = group.verdict;
  }
  EXPECT_EQ(verdicts["few"], FairnessVerdict::kRed);
  EXPECT_EQ(verdicts["same"], FairnessVerdict::kGreen);
  EXPECT_EQ(verdicts["tiny"], FairnessVerdict::kNotEnoughData);
  EXPECT_NEAR(bias[0].groups[0].selection_ratio->value, 0.6, 1e-9);
  EXPECT_LT(bias[0].groups[0].true_positive_gap->upper, 0);
  EXPECT_EQ(to_json(bias[0])["groups"][0]["verdict"], "red");
}

TEST(GroupCountsTest, ManyValuesShareARest) {
  GroupCounts counts;
  for (int i = 0; i < 1000; ++i) {
    counts.add_answer("id", fmt::format("{}", i), {});
  }
  const auto& values = counts.columns().at("id");
  EXPECT_EQ(values.size(), GroupCounts::kValuesMax + 1);
  EXPECT_EQ(values.at(GroupCounts::kOther).rows, 1000 - GroupCounts::kValuesMax);
}

TEST(GroupCountsTest, AddUpAndAreStored) {
  GroupCounts sum = rows(1000, 3, 0.1);
  sum.merge(rows(1000, 4, 0.1));
  EXPECT_NEAR(sum.columns().at("origin").at("ORD").rows,
              rows(1000, 3, 0.1).columns().at("origin").at("ORD").rows +
                  rows(1000, 4, 0.1).columns().at("origin").at("ORD").rows,
              1e-9);
  ASSERT_OK_AND_ASSIGN(const GroupCounts again, GroupCounts::from_json(sum.to_json()));
  EXPECT_EQ(again.to_json(), sum.to_json());
  EXPECT_FALSE(GroupCounts::from_json({{"a", {{"b", "c"}}}}).ok());
}

}  // namespace
}  // namespace cromford::monitor
