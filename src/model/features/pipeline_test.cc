#include "model/features/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "base/hash.h"
#include "model/features/tokens.h"
#include "model/sample_packages.h"
#include "testing/status_matchers.h"

namespace cromford::model {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const Contract kContract = {{"origin", InputType::kText},
                            {"distance", InputType::kNumber},
                            {"booked", InputType::kDate},
                            {"departs", InputType::kTimestamp}};

// The features of one row with the given values.
std::vector<float> apply(const PipelineParts& parts, std::string_view origin, double distance,
                         double booked = kNan, double departs = kNan) {
  absl::StatusOr<FeaturePipeline> pipeline = FeaturePipeline::create(kContract, parts);
  EXPECT_OK(pipeline.status());
  if (!pipeline.ok()) {
    return {};
  }
  RowBuffer rows(kContract);
  rows.reset(1);
  rows.set_text(0, 0, origin);
  rows.set_number(0, 1, distance);
  rows.set_number(0, 2, booked);
  rows.set_number(0, 3, departs);
  std::vector<float> out(pipeline->feature_count());
  FeatureScratch scratch;
  pipeline->apply(rows.batch(), 0, 1, scratch, out);
  EXPECT_EQ(pipeline->feature_names().size(), out.size());
  EXPECT_EQ(pipeline->feature_origins().size(), out.size());
  return out;
}

PipelineParts with(const Transform& transform) {
  PipelineParts parts;
  parts.dictionaries.push_back({.column = 0, .entries = {"ATL", "ORD", "rare"}, .kept_count = 2});
  parts.transforms.push_back(transform);
  return parts;
}

TEST(Pipeline, Numbers) {
  EXPECT_THAT(apply(with(NumberTransform{.column = 1}), "", 612.5), ElementsAre(612.5F));
  EXPECT_TRUE(std::isnan(apply(with(NumberTransform{.column = 1}), "", kNan)[0]));
  const PipelineParts clipped = with(NumberTransform{.column = 1, .low = 0.0, .high = 10.0});
  EXPECT_THAT(apply(clipped, "", 612.0), ElementsAre(10.0F));
  EXPECT_THAT(apply(clipped, "", -1.0), ElementsAre(0.0F));
  EXPECT_TRUE(std::isnan(apply(clipped, "", kNan)[0]));
  const PipelineParts log = with(NumberTransform{.column = 1, .scale = NumberScale::kSignedLog});
  EXPECT_FLOAT_EQ(apply(log, "", 99.0)[0], std::log(100.0F));
  EXPECT_FLOAT_EQ(apply(log, "", -99.0)[0], -std::log(100.0F));
  // What a float32 cannot hold is the largest it can.
  EXPECT_THAT(apply(with(NumberTransform{.column = 1}), "", 1e300),
              ElementsAre(std::numeric_limits<float>::max()));
  EXPECT_THAT(apply(with(NumberTransform{.column = 1}), "", -INFINITY),
              ElementsAre(std::numeric_limits<float>::lowest()));
}

TEST(Pipeline, MissingFlags) {
  EXPECT_THAT(apply(with(MissingFlag{.column = 1}), "", kNan), ElementsAre(1.0F));
  EXPECT_THAT(apply(with(MissingFlag{.column = 1}), "", 0.0), ElementsAre(0.0F));
  EXPECT_THAT(apply(with(MissingFlag{.column = 0}), "", 0.0), ElementsAre(1.0F));
  EXPECT_THAT(apply(with(MissingFlag{.column = 0}), "x", 0.0), ElementsAre(0.0F));
}

TEST(Pipeline, Categories) {
  const PipelineParts table = with(CategoryTable{
      .column = 0, .width = 2, .values = {0.0F, 1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F, 7.0F}});
  EXPECT_THAT(apply(table, "ATL", 0.0), ElementsAre(0.0F, 1.0F));
  EXPECT_THAT(apply(table, "ORD", 0.0), ElementsAre(2.0F, 3.0F));
  EXPECT_THAT(apply(table, "rare", 0.0), ElementsAre(4.0F, 5.0F));
  EXPECT_THAT(apply(table, "never seen", 0.0), ElementsAre(4.0F, 5.0F));
  EXPECT_THAT(apply(table, "", 0.0), ElementsAre(6.0F, 7.0F));
  const PipelineParts one_hot = with(OneHot{.column = 0, .width = 3});
  EXPECT_THAT(apply(one_hot, "ORD", 0.0), ElementsAre(0.0F, 1.0F, 0.0F));
  EXPECT_THAT(apply(one_hot, "rare", 0.0), ElementsAre(0.0F, 0.0F, 1.0F));
  EXPECT_THAT(apply(one_hot, "", 0.0), ElementsAre(0.0F, 0.0F, 0.0F));
}

TEST(Pipeline, UnseenCategoriesAreCounted) {
  ASSERT_OK_AND_ASSIGN(const FeaturePipeline pipeline,
                       FeaturePipeline::create(kContract, with(OneHot{.column = 0, .width = 1})));
  RowBuffer rows(kContract);
  rows.reset(5);
  const std::vector<std::string> texts = {"ATL", "new", "", "rare", "newer"};
  for (size_t i = 0; i < texts.size(); ++i) {
    rows.set_text(i, 0, texts[i]);
  }
  std::vector<float> out(5);
  FeatureScratch scratch;
  pipeline.apply(rows.batch(), 0, 5, scratch, out);
  EXPECT_THAT(scratch.unseen, ElementsAre(2U));
  EXPECT_EQ(pipeline.dictionary_of(0), 0);
  EXPECT_EQ(pipeline.dictionary_of(1), -1);
  EXPECT_EQ(pipeline.dictionary_count(), 1U);
  EXPECT_EQ(pipeline.kept_count(0), 2U);
  EXPECT_EQ(pipeline.entry_count(0), 3U);
  EXPECT_EQ(pipeline.entry(0, 2), "rare");
  EXPECT_TRUE(pipeline.code_of(0, "new").unseen);
  EXPECT_EQ(pipeline.code_of(0, "").code, 3U);
}

TEST(Pipeline, DateParts) {
  const PipelineParts parts = with(
      DateParts{.column = 3,
                .parts = {DatePart::kYear, DatePart::kMonth, DatePart::kDay, DatePart::kWeekday,
                          DatePart::kHour, DatePart::kMinute, DatePart::kDayOfYear}});
  // Wednesday, 2001-02-28T17:05:30Z.
  EXPECT_THAT(apply(parts, "", 0.0, kNan, 983379930.0),
              ElementsAre(2001.0F, 2.0F, 28.0F, 2.0F, 17.0F, 5.0F, 58.0F));
  // Before the epoch: Wednesday, 1969-12-31T23:59:59Z.
  EXPECT_THAT(apply(parts, "", 0.0, kNan, -1.0),
              ElementsAre(1969.0F, 12.0F, 31.0F, 2.0F, 23.0F, 59.0F, 364.0F));
  for (const float part : apply(parts, "", 0.0, kNan, kNan)) {
    EXPECT_TRUE(std::isnan(part));
  }
  for (const double absurd : {1e13, -1e13, 1e300}) {
    EXPECT_TRUE(std::isnan(apply(parts, "", 0.0, kNan, absurd)[0]));
  }
  const PipelineParts cyclic = with(DateParts{
      .column = 3,
      .parts = {DatePart::kEpochDays, DatePart::kDaySine, DatePart::kDayCosine, DatePart::kWeekSine,
                DatePart::kYearCosine, DatePart::kYearSine, DatePart::kWeekCosine}});
  const std::vector<float> noon = apply(cyclic, "", 0.0, kNan, 43200.0);  // Thursday
  EXPECT_EQ(noon[0], 0.5F);
  EXPECT_NEAR(noon[1], 0.0F, 1e-7);
  EXPECT_EQ(noon[2], -1.0F);
  EXPECT_NEAR(noon[3], 0.0F, 1e-7);
  EXPECT_FLOAT_EQ(noon[4], std::cos(0.5F / 366.0F * 6.2831853F));
}

TEST(Pipeline, Pairs) {
  EXPECT_THAT(apply(with(PairTransform{.left = 3, .right = 2}), "", 0.0, 0.0, 129600.0),
              ElementsAre(1.5F));  // dates: in days
  const auto operate = [](PairOperation operation, double left, double right) {
    return apply(with(PairTransform{.left = 1, .right = 2, .operation = operation}), "", left,
                 right)[0];
  };
  EXPECT_EQ(operate(PairOperation::kDifference, 7.0, 2.0), 5.0F);
  EXPECT_EQ(operate(PairOperation::kSum, 7.0, 2.0), 9.0F);
  EXPECT_EQ(operate(PairOperation::kProduct, 7.0, 2.0), 14.0F);
  EXPECT_EQ(operate(PairOperation::kRatio, 7.0, 2.0), 3.5F);
  EXPECT_TRUE(std::isnan(operate(PairOperation::kRatio, 7.0, 0.0)));
  EXPECT_TRUE(std::isnan(operate(PairOperation::kSum, 7.0, kNan)));
  EXPECT_TRUE(std::isnan(operate(PairOperation::kDifference, INFINITY, INFINITY)));
}

std::vector<std::string> tokens(TokenKind kind, std::string_view text) {
  std::vector<std::string> result;
  std::string scratch;
  for_each_token(kind, text, scratch, [&](std::string_view token) { result.emplace_back(token); });
  return result;
}

TEST(Tokens, WordsAndGrams) {
  EXPECT_THAT(tokens(TokenKind::kWords, "Late, late-ARRIVAL 7!  \xc3\x84rger"),
              ElementsAre("late", "late", "arrival", "7", "\xc3\x84rger"));
  EXPECT_THAT(tokens(TokenKind::kCharacterGrams3, "Ab c"), ElementsAre(" ab", "ab ", " c "));
  EXPECT_THAT(tokens(TokenKind::kCharacterGrams4, "abc"), ElementsAre(" abc", "abc "));
  EXPECT_TRUE(tokens(TokenKind::kWords, " ,.").empty());
}

TEST(Pipeline, TextTokens) {
  const PipelineParts raw = with(TextTokens{
      .column = 0, .width = 2, .normalize = false, .vocabulary = {"snow", "late"}, .idf = {3, 4}});
  EXPECT_THAT(apply(raw, "Snow, late; snow and fog", 0.0), ElementsAre(6.0F, 4.0F));
  EXPECT_THAT(apply(raw, "fog", 0.0), ElementsAre(0.0F, 0.0F));
  EXPECT_TRUE(std::isnan(apply(raw, "", 0.0)[1]));
  const PipelineParts unit = with(
      TextTokens{.column = 0, .width = 2, .vocabulary = {"snow", "late"}, .idf = {3.0F, 4.0F}});
  EXPECT_THAT(apply(unit, "snow late", 0.0), ElementsAre(0.6F, 0.8F));
  EXPECT_THAT(apply(unit, "fog", 0.0), ElementsAre(0.0F, 0.0F));
  const PipelineParts hashed =
      with(TextTokens{.column = 0, .width = 5, .normalize = false, .idf = {1, 1, 1, 1, 1}});
  std::vector<float> expected(5, 0.0F);
  expected[base::hash64("snow") % 5] += 1.0F;
  expected[base::hash64("late") % 5] += 1.0F;
  EXPECT_EQ(apply(hashed, "snow late", 0.0), expected);
  EXPECT_THAT(apply(with(TextLength{.column = 0}), "Snow, late", 0.0), ElementsAre(10.0F, 2.0F));
  EXPECT_TRUE(std::isnan(apply(with(TextLength{.column = 0}), "", 0.0)[0]));
}

TEST(Pipeline, NamesAndOrigins) {
  ASSERT_OK_AND_ASSIGN(const FeaturePipeline pipeline,
                       FeaturePipeline::create(sample_contract(), sample_pipeline()));
  EXPECT_EQ(pipeline.feature_count(), kSampleFeatureCount);
  const auto names = pipeline.feature_names();
  EXPECT_EQ(names[0], "distance");
  EXPECT_EQ(names[1], "distance: log");
  EXPECT_EQ(names[3], "distance: is missing");
  EXPECT_EQ(names[5], "origin: mean of target 0");
  EXPECT_EQ(names[8], "origin: = ATL");
  EXPECT_EQ(names[11], "origin: = (other)");
  EXPECT_EQ(names[12], "origin: = (missing)");
  EXPECT_EQ(names[18], "departs: hour");
  EXPECT_EQ(names[27], "departs - booked");
  EXPECT_EQ(names[29], "remark: has 'late'");
  EXPECT_EQ(names[35], "remark: words");
  EXPECT_EQ(pipeline.feature_origins()[27], (FeatureOrigin{4, 3}));
  EXPECT_EQ(pipeline.feature_origins()[0], (FeatureOrigin{1, 1}));
}

TEST(Pipeline, ABlockOfManyRowsIsManyBlocksOfOne) {
  ASSERT_OK_AND_ASSIGN(const FeaturePipeline pipeline,
                       FeaturePipeline::create(sample_contract(), sample_pipeline()));
  std::mt19937_64 random(5);
  RowBuffer rows(sample_contract());
  std::vector<std::string> texts;
  fill_sample_rows(random, 50, rows, texts);
  FeatureScratch scratch;
  std::vector<float> all(50 * pipeline.feature_count());
  pipeline.apply(rows.batch(), 0, 50, scratch, all);
  std::vector<float> one(pipeline.feature_count());
  for (size_t i = 0; i < 50; ++i) {
    pipeline.apply(rows.batch(), i, 1, scratch, one);
    EXPECT_EQ(std::memcmp(one.data(), all.data() + i * one.size(), one.size() * sizeof(float)), 0);
  }
}

TEST(Pipeline, RefusesWhatDoesNotFit) {
  struct Case {
    PipelineParts parts;
    const char* message;
  };
  const auto dictionary = [](const Dictionary& d) {
    PipelineParts parts;
    parts.dictionaries.push_back(d);
    return parts;
  };
  PipelineParts twice = with(MissingFlag{});
  twice.dictionaries.push_back(twice.dictionaries[0]);
  PipelineParts none = with(OneHot{.column = 0, .width = 1});
  none.dictionaries.clear();
  const float infinite = std::numeric_limits<float>::infinity();
  const std::vector<Case> cases = {
      {with(NumberTransform{.column = 0}), "column 'origin' is text"},
      {with(NumberTransform{.column = 9}), "column 9 of 4"},
      {with(NumberTransform{.column = 1, .low = 1.0, .high = 0.0}), "no range"},
      {with(NumberTransform{.column = 1, .low = kNan}), "no range"},
      {with(NumberTransform{.column = 1, .scale = static_cast<NumberScale>(7)}), "malformed"},
      {with(CategoryTable{.column = 0, .values = {1.0F}}), "1 values for 2 categories"},
      {with(CategoryTable{.column = 0, .values = {1, 2, 3, infinite}}), "infinite"},
      {with(CategoryTable{.column = 1, .values = {1, 2, 3, 4}}), "wants text"},
      {with(CategoryTable{
           .column = 0, .kind = static_cast<CategoryTableKind>(3), .values = {1, 2, 3, 4}}),
       "malformed"},
      {with(OneHot{.column = 0, .width = 5}), "5 features for 2 categories"},
      {with(OneHot{.column = 0, .width = 0}), "0 features"},
      {none, "has no dictionary"},
      {with(DateParts{.column = 1, .parts = {DatePart::kYear}}), "wants dates"},
      {with(DateParts{.column = 2, .parts = {static_cast<DatePart>(14)}}), "do not exist"},
      {with(PairTransform{.left = 1, .right = 1}), "malformed"},
      {with(PairTransform{.left = 1, .right = 0}), "is text"},
      {with(PairTransform{.left = 1, .right = 4}), "malformed"},
      {with(TextTokens{.column = 0, .width = 2, .idf = {1.0F}}), "width 2 with 1 weights"},
      {with(TextTokens{.column = 0, .width = 1, .idf = {-1.0F}}), "weight of a token"},
      {with(TextTokens{.column = 0, .width = 1, .vocabulary = {"a", "b"}, .idf = {1.0F}}),
       "2 tokens for 1 features"},
      {with(TextTokens{.column = 1, .width = 1, .idf = {1.0F}}), "wants text"},
      {with(TextLength{.column = 2}), "wants text"},
      {twice, "two dictionaries"},
      {dictionary({.column = 1, .entries = {"a"}}), "is no text"},
      {dictionary({.column = 0, .entries = {"a", "a"}}), "'a' stands twice"},
      {dictionary({.column = 0, .entries = {"a", ""}}), "text 1 of a dictionary is empty"},
      {dictionary({.column = 0, .entries = {"a"}, .kept_count = 2}), "keeps 2 of 1"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(FeaturePipeline::create(kContract, c.parts).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
  }
}

TEST(Pipeline, LimitsTheNumberOfFeatures) {
  PipelineParts parts;
  const TextTokens wide{.column = 0, .width = 60000, .idf = std::vector<float>(60000, 1.0F)};
  parts.transforms = {wide};
  EXPECT_OK(FeaturePipeline::create(kContract, parts).status());
  parts.transforms = {wide, wide};
  EXPECT_THAT(FeaturePipeline::create(kContract, parts).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the limit is 100000")));
}

}  // namespace
}  // namespace cromford::model
