#include "app/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "testing/status_matchers.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

TEST(RequestReaderTest, ReadsWhatIsThereAndTakesTheOthersDefaults) {
  const base::Json request = {{"target", "late"}, {"seed", 7}, {"ignore", {"id"}}, {"deep", true}};
  RequestReader reader(request, "the request");
  EXPECT_EQ(reader.text("target"), "late");
  EXPECT_EQ(reader.integer_or("seed", 0, 0, 10), 7);
  EXPECT_EQ(reader.texts_or_empty("ignore"), std::vector<std::string>{"id"});
  EXPECT_TRUE(reader.boolean_or("deep", false));
  EXPECT_EQ(reader.number_or("share", 0.5, 0, 1), 0.5);
  EXPECT_EQ(reader.text_or("where", "all"), "all");
  EXPECT_OK(reader.finish());
}

TEST(RequestReaderTest, AllFaultsComeInOneAnswer) {
  const base::Json request = {{"seed", "seven"}, {"ignore", {1}}, {"tarjet", "late"}};
  RequestReader reader(request, "the request");
  (void)reader.text("target");
  (void)reader.integer_or("seed", 0, 0, 10);
  (void)reader.texts_or_empty("ignore");
  const absl::Status status = reader.finish();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("and 3 more")));
  const std::vector<base::FieldError> errors = base::field_errors(status);
  ASSERT_EQ(errors.size(), 4U);
  EXPECT_EQ(errors[0].pointer, "/target");
  EXPECT_EQ(errors[1].pointer, "/seed");
  EXPECT_EQ(errors[3].pointer, "/tarjet");
  EXPECT_THAT(errors[3].detail, HasSubstr("target"));
}

TEST(RequestReaderTest, NumbersOutOfRangeAndTooLargeForAnIntegerAreFaults) {
  const base::Json request = {{"a", 11}, {"b", 18446744073709551615U}, {"c", 2.5}};
  RequestReader reader(request, "the request");
  (void)reader.integer_or("a", 0, 0, 10);
  (void)reader.integer_or("b", 0, 0, INT64_MAX);
  (void)reader.number_or("c", 0, 0, 1);
  EXPECT_EQ(base::field_errors(reader.finish()).size(), 3U);
}

TEST(RequestReaderTest, WhatIsNoObjectIsRefused) {
  const base::Json request = base::Json::array();
  RequestReader reader(request, "the request");
  EXPECT_THAT(reader.finish(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("must be a JSON object")));
}

TEST(RequestReaderTest, TheFaultsOfAPartBelongToTheWhole) {
  const base::Json request = {{"budget", {{"time", 60}}}};
  RequestReader reader(request, "the request");
  RequestReader budget(reader.object_or_empty("budget"), "the budget", "/budget");
  (void)budget.text_or("time", "");
  budget.finish(reader);
  const std::vector<base::FieldError> errors = base::field_errors(reader.finish());
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].pointer, "/budget/time");
}

}  // namespace
}  // namespace cromford::app
