#include "app/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "testing/status_matchers.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

base::Json model_version() {
  return {{"model", "late"},
          {"version", 2},
          {"task", "binary"},
          {"target", "late"},
          {"classes", {"false", "true"}},
          {"metrics",
           {{"auc", {{"value", 0.7312}, {"lower", 0.729}, {"upper", 0.733}}},
            {"rmse", {{"value", 457413.6}, {"lower", 45741}, {"upper", 1e6}}}}},
          {"importance", {{{"column", "<script>alert(1)</script>"}, {"share", 0.6}}}},
          {"warnings", {{{"code", "id"}, {"column", "a|b"}, {"text", "column a|b names rows"}}}},
          {"lineage", {{"dataset", "flights"}, {"dataset_version", 3}}}};
}

TEST(ModelCardTest, MarkdownTellsDataQualityAndWarnings) {
  ASSERT_OK_AND_ASSIGN(const std::string card, render_model_card(model_version(), "md"));
  EXPECT_THAT(card, HasSubstr("# Model card: late@2"));
  EXPECT_THAT(card, HasSubstr("0.7312"));
  EXPECT_THAT(card, HasSubstr("0.729 to 0.733"));
  EXPECT_THAT(card, HasSubstr("457,414"));
  EXPECT_THAT(card, HasSubstr("45,741 to 1,000,000"));
  EXPECT_THAT(card, HasSubstr("flights"));
  EXPECT_THAT(card, HasSubstr("a\\|b"));
}

TEST(ModelCardTest, TheModelOfAStoppedRunDoesNotClaimATest) {
  base::Json stopped = model_version();
  stopped["metrics"] = base::Json::object();
  stopped["complete"] = false;
  stopped["ranked_by"] = "log_loss";
  stopped["trials"] = {{{"rank", 1}, {"learner", "linear"}, {"score", 0.4711}}};
  ASSERT_OK_AND_ASSIGN(const std::string card, render_model_card(stopped, "md"));
  EXPECT_THAT(card, HasSubstr("Not tested: the run was stopped"));
  EXPECT_THAT(card, HasSubstr("| log\\_loss | 0.4711 |"));
  EXPECT_THAT(card, Not(HasSubstr("Measured once")));
  EXPECT_THAT(card, Not(HasSubstr("null")));
  EXPECT_THAT(card, Not(HasSubstr("those of the test part")));
}

TEST(ModelCardTest, HtmlIsSelfContainedAndEscaped) {
  ASSERT_OK_AND_ASSIGN(const std::string card, render_model_card(model_version(), "html"));
  EXPECT_THAT(card, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(card, Not(HasSubstr("<script")));
  EXPECT_THAT(card, Not(HasSubstr("http")));
}

TEST(ModelCardTest, AModelOfWhichLittleIsKnownStillHasACard) {
  EXPECT_OK(render_model_card({{"model", "late"}, {"version", 1}}, "md"));
  EXPECT_OK(render_model_card({{"model", "late"}, {"version", 1}}, "html"));
  EXPECT_OK(render_model_card({{"model", "late"}, {"version", 1}}, "json"));
}

TEST(ModelCardTest, AnUnknownFormatIsRefused) {
  EXPECT_THAT(render_model_card(model_version(), "pdf"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("pdf")));
}

}  // namespace
}  // namespace cromford::app
