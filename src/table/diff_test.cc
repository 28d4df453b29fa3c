#include "table/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "table/profile_builder.h"
#include "testing/status_matchers.h"

namespace cromford::table {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr size_t kRows = 20'000;

Column normal(std::string name, double mean, uint64_t seed, double missing_share = 0) {
  base::Random random(seed);
  Column column;
  column.name = std::move(name);
  column.type = ColumnType::kNumber;
  for (size_t i = 0; i < kRows; ++i) {
    const double value = mean + random.normal();
    column.numbers.push_back(
        random.uniform() < missing_share ? std::numeric_limits<double>::quiet_NaN() : value);
  }
  return column;
}

Column words(std::string name, std::vector<std::string> values, uint64_t seed) {
  base::Random random(seed);
  Column column;
  column.name = std::move(name);
  column.dictionary = std::move(values);
  for (size_t i = 0; i < kRows; ++i) {
    column.codes.push_back(static_cast<uint32_t>(random.below(column.dictionary.size())));
  }
  return column;
}

Profile profile_of(std::vector<Column> columns) {
  const Table table(std::move(columns), static_cast<int64_t>(kRows));
  return *profile_table(table);
}

TEST(DiffTest, EqualVersionsDiffInNothing) {
  const Profile profile = profile_of({normal("x", 0, 1), words("w", {"a", "b"}, 2)});
  ASSERT_OK_AND_ASSIGN(const VersionDiff diff, diff_versions(profile, profile));
  EXPECT_THAT(diff.sentences, IsEmpty());
  ASSERT_EQ(diff.columns.size(), 2u);
  for (const ColumnDiff& column : diff.columns) {
    EXPECT_EQ(column.psi, 0);
    EXPECT_EQ(column.js, 0);
    EXPECT_EQ(column.level, ChangeLevel::kNone);
  }
}

TEST(DiffTest, ChanceAloneIsNoChange) {
  const Profile from = profile_of({normal("x", 0, 1), words("w", {"a", "b", "c"}, 2)});
  const Profile to = profile_of({normal("x", 0, 3), words("w", {"a", "b", "c"}, 4)});
  ASSERT_OK_AND_ASSIGN(const VersionDiff diff, diff_versions(from, to));
  EXPECT_THAT(diff.sentences, IsEmpty());
  EXPECT_LT(diff.columns[0].psi, 0.01);
  EXPECT_LT(diff.columns[1].psi, 0.01);
}

TEST(DiffTest, ShiftedNumbersAreMeasured) {
  const Profile from = profile_of({normal("x", 0, 1)});
  const Profile to = profile_of({normal("x", 1, 2, 0.1)});
  ASSERT_OK_AND_ASSIGN(const VersionDiff diff, diff_versions(from, to));
  const ColumnDiff& x = diff.columns[0];
  EXPECT_EQ(x.level, ChangeLevel::kLarge);
  // A shift by one standard deviation: PSI near 1 for each, with the missing ones on top.
  EXPECT_NEAR(x.psi, 1.4, 0.4);
  EXPECT_GT(x.js, 0.1);
  EXPECT_NEAR(x.missing_share_to, 0.1, 0.01);
  ASSERT_TRUE(x.number);
  EXPECT_NEAR(x.number->mean_to - x.number->mean_from, 1, 0.05);
  EXPECT_THAT(diff.sentences, Contains(HasSubstr("x: missing values went from 0.0% to")));
  EXPECT_THAT(diff.sentences, Contains(HasSubstr("x: the distribution changed a lot")));
}

TEST(DiffTest, SpikesAreComparedWithThemselves) {
  Column from = normal("x", 5, 1);
  Column to = normal("x", 5, 2);
  for (size_t i = 0; i < kRows; ++i) {
    from.numbers[i] = i % 2 == 0 ? 0 : from.numbers[i];
    to.numbers[i] = i % 2 == 0 ? 0.001 : to.numbers[i];
  }
  ASSERT_OK_AND_ASSIGN(const VersionDiff diff, diff_versions(profile_of({from}), profile_of({to})));
  EXPECT_EQ(diff.columns[0].level, ChangeLevel::kLarge);
}

TEST(DiffTest, NewAndVanishedCategoriesAreNamed) {
  const Profile from = profile_of({words("w", {"ORD", "ATL", "TWA"}, 1)});
  const Profile to = profile_of({words("w", {"ORD", "ATL", "JFK", "LAX"}, 2)});
  ASSERT_OK_AND_ASSIGN(const VersionDiff diff, diff_versions(from, to));
  EXPECT_THAT(diff.columns[0].new_values, ::testing::UnorderedElementsAre("JFK", "LAX"));
  EXPECT_THAT(diff.columns[0].vanished_values, ElementsAre("TWA"));
  EXPECT_EQ(diff.columns[0].level, ChangeLevel::kLarge);
  EXPECT_THAT(diff.sentences, Contains("w: values gone: \"TWA\""));
}

TEST(DiffTest, SchemaChangesAndRenamesAreFound) {
  const Profile from = profile_of({normal("height", 3, 1), words("w", {"a", "b"}, 2),
                                   words("old", {"p", "q"}, 3), normal("changes", 0, 4)});
  const Profile to = profile_of({words("w", {"a", "b"}, 2), normal("height_m", 3, 5),
                                 words("changes", {"x", "y"}, 6), words("other", {"z", "y"}, 7)});
  ASSERT_OK_AND_ASSIGN(const VersionDiff diff, diff_versions(from, to));
  EXPECT_THAT(diff.added, ElementsAre(ColumnSchema{"height_m", ColumnType::kNumber},
                                      ColumnSchema{"other", ColumnType::kText}));
  EXPECT_THAT(diff.removed, ElementsAre(ColumnSchema{"height", ColumnType::kNumber},
                                        ColumnSchema{"old", ColumnType::kText}));
  ASSERT_EQ(diff.renamed.size(), 1u);
  EXPECT_EQ(diff.renamed[0].from, "height");
  EXPECT_EQ(diff.renamed[0].to, "height_m");
  ASSERT_EQ(diff.changed.size(), 1u);
  EXPECT_EQ(diff.changed[0].name, "changes");
  EXPECT_THAT(diff.sentences, Contains("the column changes was number and is now text"));
  EXPECT_THAT(diff.sentences, Contains(HasSubstr("may be the new name of height")));
  EXPECT_FALSE(diff.reordered);
}

TEST(DiffTest, OrderAndRowCountAreSeen) {
  const Profile from = profile_of({normal("a", 0, 1), normal("b", 9, 2)});
  Profile to = profile_of({normal("b", 9, 2), normal("a", 0, 1)});
  ASSERT_OK_AND_ASSIGN(const VersionDiff diff, diff_versions(from, to));
  EXPECT_TRUE(diff.reordered);
  EXPECT_THAT(diff.sentences, ElementsAre("the columns stand in another order"));
  const base::Json document = to_json(diff);
  EXPECT_EQ(document["schema"]["reordered"], true);
  EXPECT_EQ(document["row_count"]["from"], 20'000);
  EXPECT_EQ(document["columns"][0]["name"], "b");
  EXPECT_EQ(document["columns"][0]["level"], "none");
}

TEST(DiffTest, WithoutStatesThereAreNoDistancesAndDamageIsAnError) {
  const Profile from = profile_of({normal("x", 0, 1)});
  Profile to = profile_of({normal("x", 3, 2)});
  to.state.clear();
  ASSERT_OK_AND_ASSIGN(const VersionDiff diff, diff_versions(from, to));
  EXPECT_EQ(diff.columns[0].psi, 0);
  EXPECT_NEAR(diff.columns[0].number->mean_to, 3, 0.1);
  to.state = "nonsense";
  EXPECT_THAT(diff_versions(from, to), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(DiffTest, EmptyVersionsAreFine) {
  const Profile empty = *profile_table(Table({Column{}, normal("x", 0, 1)}, 0));
  const Profile full = profile_of({normal("x", 0, 1)});
  ASSERT_OK_AND_ASSIGN(const VersionDiff diff, diff_versions(empty, full));
  EXPECT_THAT(diff.sentences, Contains("the number of rows went from 0 to 20000"));
}

}  // namespace
}  // namespace cromford::table
