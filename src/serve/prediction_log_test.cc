#include "serve/prediction_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "serve/open_inference.h"
#include "serve/serve_fixture_test.h"
#include "testing/temp_dir.h"

namespace cromford::serve {
namespace {

using ::testing::HasSubstr;

class PredictionLogTest : public ServeFixture {
 protected:
  static constexpr size_t kWriters = 3;

  PredictionLogTest() {
    auto log = feedback::Log::open({.directory = directory_.path(),
                                    .writers = kWriters,
                                    .background = false,
                                    .clock = &clock_});
    EXPECT_OK(log);
    log_ = *std::move(log);
    predictions_ = std::make_unique<PredictionLog>(*log_, kWriters);
    logged_shadows_ = std::make_unique<ShadowScorer>(clock_, predictions_.get());
  }

  std::shared_ptr<const Endpoint> logged(std::vector<VariantSpec> variants) {
    auto made = Endpoint::create({.project = "default",
                                  .name = "late",
                                  .variants = std::move(variants),
                                  .log = predictions_.get()});
    EXPECT_OK(made);
    return *std::move(made);
  }
  PredictContext with_log() {
    return {.ids = ids_,
            .clock = clock_,
            .limits = limits_,
            .shadows = logged_shadows_.get(),
            .log = predictions_.get()};
  }
  absl::Status predict(const Endpoint& endpoint, std::string_view body) {
    std::string out;
    return predict_json(with_log(), endpoint, {.body = body}, scratch_, out);
  }
  void commit() {
    absl::Status status = absl::UnknownError("never called");
    predictions_->commit([&](absl::Status how) { status = std::move(how); });
    EXPECT_OK(status);
  }
  feedback::Prediction found(std::string_view key, std::string_view id) {
    auto prediction = log_->find(key, id);
    EXPECT_OK(prediction) << key << " " << id;
    return prediction.ok() ? prediction->prediction : feedback::Prediction();
  }

  testing::TempDir directory_;
  std::unique_ptr<feedback::Log> log_;
  std::unique_ptr<PredictionLog> predictions_;
  std::unique_ptr<ShadowScorer> logged_shadows_;
};

TEST_F(PredictionLogTest, KeepsRowAnswerAndTimes) {
  const auto late =
      logged({{.model = "late", .version = 3, .package = late_package(), .weight = 1}});
  EXPECT_FALSE(predictions_->has_uncommitted());
  ASSERT_OK(predict(*late, R"({"rows":[{"origin":"ORD","distance":612,"weekend":true},{}],)"
                           R"("ids":["a","b"],)"
                           R"("at":["2001-02-01T10:00:00Z","2001-02-01T11:00:00Z"]})"));
  EXPECT_TRUE(predictions_->has_uncommitted());
  commit();
  EXPECT_FALSE(predictions_->has_uncommitted());

  const feedback::Prediction a = found("default/late", "a");
  EXPECT_EQ(a.layout.model, "late");
  EXPECT_EQ(a.layout.model_version, 3);
  EXPECT_EQ(a.layout.variant, "champion");
  EXPECT_EQ(a.layout.columns.front().name, "origin");
  EXPECT_EQ(a.event_time, base::parse_time("2001-02-01T10:00:00Z").value());
  EXPECT_EQ(a.arrival_time, clock_.now());
  EXPECT_EQ(a.texts.front(), "ORD");
  EXPECT_EQ(a.numbers.front(), 612.0);
  EXPECT_NEAR(a.answer.at(1), late_probability(612, "ORD"), 1e-12);
  const feedback::Prediction b = found("default/late", "b");
  EXPECT_EQ(b.texts.front(), std::nullopt);
  EXPECT_TRUE(std::isnan(b.numbers.front()));
}

TEST_F(PredictionLogTest, KeepsOpenInferenceToo) {
  const auto late =
      logged({{.model = "late", .version = 3, .package = late_package(), .weight = 1}});
  std::string out;
  ASSERT_OK(open_inference_infer(
      with_log(), *late,
      {.model_name = "late",
       .body = R"({"parameters":{"id":"v2"},"inputs":[)"
               R"({"name":"distance","shape":[1],"datatype":"FP64","data":[600]}]})"},
      scratch_, out));
  commit();
  EXPECT_EQ(found("default/late", "v2").numbers.front(), 600.0);
}

TEST_F(PredictionLogTest, ShadowsHaveAKeyOfTheirOwn) {
  const auto late = logged(
      {{.model = "late", .version = 3, .package = late_package(), .weight = 1},
       {.model = "late", .version = 4, .package = late_package(0.02), .role = Role::kShadow}});
  ASSERT_OK(predict(*late, R"({"rows":[{"distance":612},{"distance":100}],"ids":["a","b"]})"));
  commit();
  logged_shadows_->wait_until_idle();
  EXPECT_EQ(found("default/late", "b").layout.model_version, 3);
  const feedback::Prediction shadow = found("default/late/shadow/late@4", "b");
  EXPECT_EQ(shadow.layout.variant, "shadow");
  EXPECT_EQ(shadow.numbers.front(), 100.0);
  EXPECT_NEAR(shadow.answer.at(1), late_probability(100, "", 0.02), 1e-12);
}

TEST_F(PredictionLogTest, ARefusedRequestLeavesNothing) {
  const auto late =
      logged({{.model = "late", .version = 3, .package = late_package(), .weight = 1}});
  EXPECT_FALSE(predict(*late, R"({"rows":[{"distance":"far"}]})").ok());
  EXPECT_FALSE(predictions_->has_uncommitted());
}

TEST_F(PredictionLogTest, AThreadTooManyIsRefused) {
  const auto late =
      logged({{.model = "late", .version = 3, .package = late_package(), .weight = 1}});
  std::vector<std::thread> threads;
  std::vector<absl::Status> statuses(kWriters + 1);
  for (absl::Status& status : statuses) {
    threads.emplace_back([&status, this] { status = predictions_->writer().status(); });
    threads.back().join();
  }
  EXPECT_OK(statuses.front());
  EXPECT_THAT(statuses.back(),
              testing::StatusIs(absl::StatusCode::kInternal, HasSubstr("threads")));
}

}  // namespace
}  // namespace cromford::serve
