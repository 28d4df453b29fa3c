#include "serve/endpoint.h"

#include <fmt/format.h>

#include "serve/serve_fixture_test.h"

namespace cromford::serve {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EndpointTest : public ServeFixture {
 protected:
  VariantSpec variant(int32_t version, uint32_t weight, Role role = Role::kChampion) const {
    return {.model = "late", .version = version, .package = late_, .weight = weight, .role = role};
  }
  static absl::Status refused(std::vector<VariantSpec> variants) {
    return Endpoint::create({.project = "p", .name = "e", .variants = std::move(variants)})
        .status();
  }

  std::shared_ptr<const model::Package> late_ = late_package();
};

TEST_F(EndpointTest, RefusesWhatCannotBeServed) {
  const auto invalid = [](const std::string& why) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why));
  };
  EXPECT_THAT(refused({}), invalid("endpoint 'e' of project 'p' has no loaded model version"));
  EXPECT_THAT(refused({variant(1, 0)}), invalid("no version with a weight above 0"));
  EXPECT_THAT(refused({variant(1, 1), variant(2, 1)}), invalid("has 2 champions"));
  EXPECT_THAT(refused({variant(1, 1, Role::kChallenger)}), invalid("has 0 champions"));
  EXPECT_THAT(refused({variant(1, 1), variant(1, 1, Role::kChallenger)}),
              invalid("late@1 stands twice"));
  EXPECT_THAT(refused({variant(1, 1), variant(2, 1, Role::kShadow)}),
              invalid("late@2: a shadow answers no rows, but its weight is 1"));
  VariantSpec unloaded = variant(2, 1, Role::kChallenger);
  unloaded.package = nullptr;
  EXPECT_THAT(refused({variant(1, 1), unloaded}), invalid("late@2: its package is not loaded"));
  VariantSpec other = variant(2, 1, Role::kChallenger);
  other.package = sum_package();
  EXPECT_THAT(refused({variant(1, 1), other}), invalid("task or its classes"));
}

TEST_F(EndpointTest, SharesByWeight) {
  const auto split = endpoint({variant(1, 70), variant(2, 20, Role::kChallenger),
                               variant(3, 10, Role::kChallenger), variant(4, 0, Role::kShadow)});
  std::array<int, 4> counts{};
  for (int i = 0; i < 20'000; ++i) {
    ++counts[split->choose(fmt::format("id-{}", i))];
  }
  // Within four standard deviations of the binomial.
  EXPECT_NEAR(counts[0], 14'000, 4 * 65);
  EXPECT_NEAR(counts[1], 4'000, 4 * 57);
  EXPECT_NEAR(counts[2], 2'000, 4 * 43);
  EXPECT_EQ(counts[3], 0);
}

TEST_F(EndpointTest, TheSplitIsPromised) {
  const auto split = endpoint({variant(1, 1), variant(2, 1, Role::kChallenger)});
  std::string chosen;
  for (int i = 0; i < 32; ++i) {
    chosen += std::to_string(split->choose(std::to_string(i)));
  }
  EXPECT_EQ(chosen, "11010011011110101101010111111010");
}

TEST_F(EndpointTest, VersionsOfOneNumberOfTwoModelsShareTheTraffic) {
  VariantSpec other = variant(1, 1, Role::kChallenger);
  other.model = "later";
  const auto split = endpoint({variant(1, 1), other});
  std::array<int, 2> counts{};
  for (int i = 0; i < 10'000; ++i) {
    ++counts[split->choose(fmt::format("id-{}", i))];
  }
  EXPECT_NEAR(counts[0], 5'000, 4 * 50);
  EXPECT_EQ(split->find_version(1), 0U);  // The champion's.
}

TEST_F(EndpointTest, AGrowingWeightOnlyTakes) {
  const auto before = endpoint(
      {variant(1, 60), variant(2, 30, Role::kChallenger), variant(3, 10, Role::kChallenger)});
  const auto after = endpoint(
      {variant(3, 20, Role::kChallenger), variant(1, 60), variant(2, 30, Role::kChallenger)});
  int moved = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string id = fmt::format("id-{}", i);
    const int32_t was = before->variants()[before->choose(id)].spec.version;
    const int32_t is = after->variants()[after->choose(id)].spec.version;
    EXPECT_TRUE(was == is || is == 3) << was << " -> " << is;
    moved += was == is ? 0 : 1;
  }
  EXPECT_GT(moved, 0);
}

TEST_F(EndpointTest, KnowsTheColumnsOfAllVersions) {
  model::PackageParts parts = late_parts();
  parts.contract.push_back({"airline", model::InputType::kText});
  VariantSpec wider = variant(1, 1, Role::kChallenger);
  wider.package = load_known(parts);
  const auto both = endpoint({wider, variant(2, 1)});
  EXPECT_THAT(both->keys(),
              ElementsAre("origin", "distance", "weekend", "booked", "departs", "airline"));
  for (size_t guess = 0; guess < 8; ++guess) {
    EXPECT_EQ(both->find_key("distance", guess), 1);
    EXPECT_EQ(both->find_key("airline", guess), 5);
    EXPECT_EQ(both->find_key("airlin", guess), -1);
    EXPECT_EQ(both->find_key("", guess), -1);
  }
  EXPECT_EQ(both->variants()[0].column_of_key[5], 5);
  EXPECT_EQ(both->variants()[1].column_of_key[5], -1);
  EXPECT_EQ(both->champion().spec.version, 2);
  EXPECT_EQ(both->find_version(1), 0U);
  EXPECT_EQ(both->find_version(7), std::nullopt);
}

TEST_F(EndpointTest, NamesRoles) {
  EXPECT_EQ(role_name(Role::kChampion), "champion");
  EXPECT_EQ(role_name(Role::kChallenger), "challenger");
  EXPECT_EQ(role_name(Role::kShadow), "shadow");
}

}  // namespace
}  // namespace cromford::serve
