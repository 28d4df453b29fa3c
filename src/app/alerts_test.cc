#include <fmt/format.h>
#include <gmock/gmock.h>

#include <functional>
#include <future>

#include "app/alert_sender.h"
#include "app/alerts_stage.h"
#include "app/factory_fixture.h"

namespace cromford::app {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::HasSubstr;

// Notes what it is given, and fails when it is told to.
class FakeTransport final : public AlertTransport {
 public:
  std::vector<std::string> posted;
  std::vector<std::string> mailed;
  absl::Status failure;
  std::function<void()> during_post;

  absl::Status post(const std::string& url, const std::string& json) override {
    posted.push_back(url + " " + json);
    if (during_post) {
      during_post();
    }
    return failure;
  }
  absl::Status mail(const std::vector<std::string>& to, const std::string& subject,
                    const std::string& text) override {
    mailed.push_back(to.front() + " " + subject + " " + text);
    return failure;
  }
};

class AlertsTest : public FactoryFixture {
 protected:
  void SetUp() override {
    FactoryFixture::SetUp();
    add_model("late", serve::late_parts());
    ASSERT_OK(factory().deploy("default", "late", {{"model", "late"}}, {}));
    auto transport = std::make_unique<FakeTransport>();
    transport_ = transport.get();
    sender_ = std::make_unique<AlertSender>(context(), std::move(transport));
  }
  void TearDown() override { sender_.reset(); }
  void set_policy(const base::Json& alerts) {
    ASSERT_OK(factory().put_endpoint_policy("default", "late", {{"alerts", alerts}}, IfMatch("*")));
  }
  // An hour in which so many of a hundred requests fail, and the round after it.
  void pass_hour(int failed) {
    std::string out;
    for (int i = 0; i < 100 - failed; ++i) {
      const std::string at = fmt::format("1970-01-01T{:02}:00:00Z", hour_);
      ASSERT_OK(factory().predict_json("default", "late",
                                       R"({"rows":[{"distance":600}],"at":[")" + at + "\"]}", false,
                                       false, out));
    }
    ASSERT_OK(factory().check_endpoint("default", "late"));
    for (int i = 0; i < failed; ++i) {
      ASSERT_FALSE(factory().predict_json("default", "late", "{", false, false, out).ok());
    }
    ASSERT_OK(factory().check_endpoint("default", "late"));
    ++hour_;
  }
  base::Json alerts(const std::string& filter = "") {
    const auto page = factory().list_alerts("default", {.filter = filter});
    EXPECT_OK(page);
    return page.ok() ? page->at("alerts") : base::Json::array();
  }

  FakeTransport* transport_ = nullptr;
  std::unique_ptr<AlertSender> sender_;
  int hour_ = 0;
};

TEST_F(AlertsTest, ErrorsFireAndAreResolved) {
  pass_hour(0);
  pass_hour(50);
  EXPECT_TRUE(alerts().empty()) << "the hour is not over yet";
  pass_hour(0);
  ASSERT_EQ(alerts("state = firing").size(), 1U);
  const base::Json alert = alerts()[0];
  EXPECT_EQ(alert["rule"], "errors");
  EXPECT_EQ(alert["since"], "1970-01-01T01:00:00Z");
  EXPECT_THAT(alert["what"].get<std::string>(), HasSubstr("50.0%"));
  EXPECT_THAT(alert["remedy"].get<std::string>(), HasSubstr("rollback"));
  EXPECT_EQ(factory().status()["alerts"]["firing"], 1);
  pass_hour(0);
  pass_hour(0);
  EXPECT_EQ(alerts("state = resolved").size(), 1U);
  EXPECT_TRUE(alerts("open = true").empty());
  restart();
  ASSERT_OK(factory().check_endpoint("default", "late"));
  EXPECT_EQ(alerts().size(), 1U) << "a window rings once";
}

TEST_F(AlertsTest, WhatIsTakenIsSentOnceAndWhatIsNotAgain) {
  set_policy({{"webhook", "https://hooks.example.org/secret"}, {"email", {"ops@example.org"}}});
  pass_hour(50);
  pass_hour(0);
  transport_->failure = base::unavailable("hooks.example.org answered 500");
  ASSERT_OK_AND_ASSIGN(const int taken, sender_->send_due());
  EXPECT_EQ(taken, 0);
  EXPECT_EQ(transport_->posted.size(), 1U);
  EXPECT_EQ(sender_->send_due().value(), 0);
  EXPECT_EQ(transport_->posted.size(), 1U) << "not before ten seconds";
  transport_->failure = absl::OkStatus();
  clock_.advance(std::chrono::seconds(11));
  EXPECT_EQ(sender_->send_due().value(), 2);
  EXPECT_EQ(sender_->send_due().value(), 0);
  EXPECT_THAT(transport_->posted.back(), HasSubstr(R"("rule":"errors")"));
  EXPECT_THAT(transport_->mailed.back(), HasSubstr("what to do"));
}

TEST_F(AlertsTest, WhatNobodyTakesIsGivenUpAfterADay) {
  set_policy({{"webhook", "https://hooks.example.org/secret"}});
  pass_hour(50);
  pass_hour(0);
  transport_->failure = base::unavailable("no");
  for (int i = 0; i < 40; ++i) {
    ASSERT_OK(sender_->send_due());
    clock_.advance(std::chrono::hours(1));
  }
  EXPECT_LE(transport_->posted.size(), 40U);
  transport_->posted.clear();
  ASSERT_OK(sender_->send_due());
  EXPECT_TRUE(transport_->posted.empty());
}

TEST_F(AlertsTest, AReceiverThatHangsHoldsUpNoRound) {
  std::promise<void> asked;
  std::promise<void> answer;
  transport_->during_post = [&] {
    asked.set_value();
    answer.get_future().wait();
  };
  set_policy({{"webhook", "https://hooks.example.org/secret"}});
  pass_hour(50);
  pass_hour(0);
  sender_->start();
  asked.get_future().wait();
  pass_hour(0);
  EXPECT_EQ(alerts("state = firing").size(), 1U);
  answer.set_value();
  sender_->stop();
}

TEST_F(AlertsTest, ASilencedAlertSendsNothing) {
  set_policy({{"webhook", "https://hooks.example.org/secret"}});
  pass_hour(50);
  pass_hour(0);
  EXPECT_EQ(sender_->send_due().value(), 1);
  const std::string id = alerts()[0]["id"];
  ASSERT_OK_AND_ASSIGN(const base::Json seen, factory().acknowledge_alert("default", id));
  EXPECT_EQ(seen["state"], "acknowledged");
  EXPECT_THAT(factory().silence_alert("default", id, {{"until", "soon"}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_OK(factory().silence_alert("default", id, {{"until", "2100-01-01T00:00:00Z"}}));
  pass_hour(0);
  pass_hour(0);
  EXPECT_EQ(alerts("state = resolved").size(), 1U);
  EXPECT_EQ(sender_->send_due().value(), 0);
  EXPECT_THAT(factory().acknowledge_alert("default", id),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(factory().alert("default", "none"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(AlertsTest, AlertsOfWhatServesNoMoreAreOver) {
  add_model("other", serve::late_parts(0.02));
  pass_hour(50);
  pass_hour(0);
  ASSERT_EQ(alerts("state = firing").size(), 1U);
  ASSERT_OK(factory().deploy("default", "late", {{"model", "other"}}, {}));
  pass_hour(0);
  EXPECT_EQ(alerts("state = resolved").size(), 1U);
}

TEST_F(AlertsTest, ACommitThatFailsRingsInTheNextRound) {
  pass_hour(50);
  std::string out;
  ASSERT_OK(factory().predict_json("default", "late",
                                   R"({"rows":[{"distance":600}],"at":["1970-01-01T01:00:00Z"]})",
                                   false, false, out));
  metadata().fail_commit(2);  // The first stores the counts.
  ASSERT_OK(factory().check_endpoint("default", "late"));
  EXPECT_TRUE(alerts().empty());
  ASSERT_OK(factory().check_endpoint("default", "late"));
  EXPECT_EQ(alerts("state = firing").size(), 1U);
}

TEST_F(AlertsTest, SettingsAreChecked) {
  const auto put = [&](const base::Json& alerts) {
    return factory()
        .put_endpoint_policy("default", "late", {{"alerts", alerts}}, IfMatch("*"))
        .status();
  };
  EXPECT_THAT(put({{"webhook", "ftp://x"}}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(put({{"email", {"a b@c"}}}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(put({{"emial", {"a@c"}}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("emial")));
  EXPECT_THAT(put({{"error_rate", -1}}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_OK(put({{"error_rate", 0.1}, {"drift", false}}));
}

TEST_F(AlertsTest, AWebhookLeadsToNoPrivateAddress) {
  Options options;
  const auto transport = make_alert_transport(options, {});
  EXPECT_THAT(transport->post("http://127.0.0.1:9/x", "{}"),
              StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(transport->mail({"a@example.org"}, "s", "t"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("mail server")));
}

}  // namespace
}  // namespace cromford::app
