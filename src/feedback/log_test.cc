#include "feedback/log.h"

#include "feedback/log_fixture_test.h"

namespace cromford::feedback {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::StatusIs;
using namespace std::chrono_literals;

class LogTest : public LogFixture {};

TEST_F(LogTest, PredictionIsFoundWithItsRowAndItsOutcome) {
  open();
  ASSERT_OK(predict("order-17"));
  clock.advance(3h);
  ASSERT_OK_AND_ASSIGN(const OutcomeReceipt receipt, outcome("order-17", "true"));
  EXPECT_EQ(receipt.accepted, 1U);
  EXPECT_EQ(receipt.joined, 1U);
  for (int round = 0; round < 3; ++round) {
    ASSERT_OK_AND_ASSIGN(const FoundPrediction found, log->find(kLate, "order-17"));
    EXPECT_EQ(found.prediction.layout, late_layout());
    EXPECT_THAT(found.prediction.numbers, ::testing::ElementsAre(8.0, 1.0));
    EXPECT_EQ(found.prediction.texts[0], "ORD");
    EXPECT_EQ(found.prediction.key, "user-7");
    EXPECT_EQ(found.prediction.request_id, "req-1");
    EXPECT_EQ(found.prediction.latency_us, 250U);
    ASSERT_THAT(found.outcomes, SizeIs(1));
    EXPECT_EQ(found.outcomes[0].text, "true");
    EXPECT_EQ(statistics().joined, 1U);
    // Written now; then closed; then by another process.
    round == 0 ? (void)log->seal() : open();
  }
  EXPECT_THAT(log->find(kLate, "order-18"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(log->find("default/other", "order-17"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(LogTest, DiscardedTurnIsNotLogged) {
  open();
  ASSERT_OK(add("a"));
  EXPECT_GT(log->writer(0).pending_bytes(), 0U);
  log->writer(0).discard();
  ASSERT_OK(predict("b"));
  EXPECT_THAT(log->find(kLate, "a"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(log->find(kLate, "b"));
}

TEST_F(LogTest, UndeclaredLayoutIsRefused) {
  open();
  layout = 99;
  EXPECT_THAT(add("a"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("99")));
}

TEST_F(LogTest, EqualLayoutsAreOne) {
  open();
  EXPECT_EQ(log->declare(late_layout()), layout);
  EXPECT_NE(log->declare(late_layout("default/other")), layout);
}

TEST_F(LogTest, SameIdAtTwoEndpointsIsTwoPredictions) {
  open();
  ASSERT_OK(predict("a"));
  layout = log->declare(late_layout("default/other"));
  ASSERT_OK(predict("a"));
  ASSERT_OK(outcome("a", "true"));
  EXPECT_EQ(statistics().joined, 1U);
  EXPECT_EQ(log->statistics("default/other").joined, 0U);
  EXPECT_THAT(log->find("default/other", "a")->outcomes, IsEmpty());
}

TEST_F(LogTest, OutcomesComeEarlyLateTwiceAndContradict) {
  open();
  EXPECT_EQ(outcome("a", "true", clock.now())->waiting, 1U);
  EXPECT_EQ(statistics().waiting, 1U);
  clock.advance(1h);
  ASSERT_OK(predict("a"));
  EXPECT_EQ(statistics().waiting, 0U);
  EXPECT_EQ(statistics().joined, 1U);
  const base::Time happened = clock.now() - 1h;
  EXPECT_EQ(outcome("a", "true", happened)->duplicates, 1U);
  EXPECT_EQ(outcome("a", "false", happened + 1s)->corrections, 1U);
  // What happened earlier does not take the place of what happened later.
  EXPECT_EQ(outcome("a", "true", happened - 1s)->corrections, 1U);
  ASSERT_OK_AND_ASSIGN(const FoundPrediction found, log->find(kLate, "a"));
  ASSERT_THAT(found.outcomes, SizeIs(3));
  EXPECT_EQ(found.outcomes[0].text, "false");
  const EndpointStatistics counts = statistics();
  EXPECT_EQ(counts.joined, 1U);
  EXPECT_EQ(counts.duplicates, 1U);
  EXPECT_EQ(counts.corrections, 2U);
}

TEST_F(LogTest, DuplicateInOneRequestAndWithoutATimeCountsOnce) {
  open();
  ASSERT_OK(predict("a"));
  const OutcomeRecord records[] = {{"a", {.text = "true"}, std::nullopt},
                                   {"a", {.text = "true"}, std::nullopt}};
  ASSERT_OK_AND_ASSIGN(const OutcomeReceipt receipt, log->add_outcomes(kLate, rule, records));
  EXPECT_EQ(receipt.joined, 1U);
  EXPECT_EQ(receipt.duplicates, 1U);
  clock.advance(1min);
  EXPECT_EQ(outcome("a", "true")->duplicates, 1U);
  EXPECT_THAT(log->find(kLate, "a")->outcomes, SizeIs(1));
}

TEST_F(LogTest, BadOutcomesAreRejectedOneByOne) {
  open();
  ASSERT_OK(predict("a"));
  const std::string long_id(129, 'x');
  const OutcomeRecord records[] = {{"a", {.text = "maybe"}, std::nullopt},
                                   {"a", {.text = "true"}, clock.now() + 25h},
                                   {"", {.text = "true"}, std::nullopt},
                                   {long_id, {.text = "true"}, std::nullopt},
                                   {"a", {.text = "true"}, clock.now() + 23h}};
  ASSERT_OK_AND_ASSIGN(const OutcomeReceipt receipt, log->add_outcomes(kLate, rule, records));
  EXPECT_EQ(receipt.accepted, 1U);
  ASSERT_THAT(receipt.rejected, SizeIs(4));
  EXPECT_THAT(receipt.rejected[0].reason,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("maybe")));
  EXPECT_EQ(receipt.rejected[1].index, 1U);
  EXPECT_THAT(receipt.rejected[1].reason,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("future")));
  EXPECT_EQ(statistics().rejected_value, 3U);
  EXPECT_EQ(statistics().rejected_future, 1U);
  const OutcomeRecord not_finite[] = {{"a", {.number = std::nan("")}, std::nullopt}};
  EXPECT_THAT(log->add_outcomes(kLate, {}, not_finite)->rejected, SizeIs(1));
}

TEST_F(LogTest, OutcomeThatWaitsInVainIsRejectedInTheEnd) {
  open();
  ASSERT_OK(outcome("a", "true"));
  ASSERT_OK(outcome("b", "true"));
  ASSERT_OK(predict("b"));
  ASSERT_OK(log->seal());
  clock.advance(options.waiting_max - 1s);
  ASSERT_OK(log->maintain());
  EXPECT_EQ(statistics().waiting, 1U);
  clock.advance(2s);
  ASSERT_OK(log->maintain());
  EXPECT_EQ(statistics().waiting, 0U);
  EXPECT_EQ(statistics().rejected_unknown, 1U);
  EXPECT_EQ(statistics().joined, 1U);
  ASSERT_OK(predict("a"));
  EXPECT_EQ(statistics().joined, 1U);
  open();
  EXPECT_EQ(statistics().rejected_unknown, 1U);
}

TEST_F(LogTest, LagsAreMeasured) {
  open();
  for (int i = 0; i < 100; ++i) {
    ASSERT_OK(predict(std::to_string(i)));
  }
  const base::Time asked = clock.now();
  for (int i = 0; i < 100; ++i) {
    clock.advance(1min);
    ASSERT_OK(outcome(std::to_string(i), "true", asked + 10s * i));
  }
  const EndpointStatistics counts = statistics();
  EXPECT_NEAR(static_cast<double>(counts.arrival_lag.quantile(0.95)->count()), 95 * 60e6, 4.2e8);
  EXPECT_NEAR(static_cast<double>(counts.event_lag.quantile(0.5)->count()), 490e6, 35e6);
}

TEST_F(LogTest, CountsAreTheSameAfterKillsAndRestarts) {
  options.segment_records = 10;
  options.writers = 2;
  open();
  for (int i = 0; i < 35; ++i) {
    ASSERT_OK(predict(std::to_string(i), static_cast<size_t>(i % 2)));
    ASSERT_OK(outcome(std::to_string(i + 5), "true"));
    ASSERT_OK(outcome(std::to_string(i / 3), "false", clock.now() - 1h));
    if (i % 7 == 3) {
      ASSERT_OK(log->maintain());
    }
    const EndpointStatistics before = statistics();
    if (i % 5 == 4) {
      crash();
      open();
      const EndpointStatistics after = statistics();
      EXPECT_EQ(after.predictions, before.predictions) << i;
      EXPECT_EQ(after.joined, before.joined) << i;
      EXPECT_EQ(after.waiting, before.waiting) << i;
      EXPECT_EQ(after.duplicates, before.duplicates) << i;
      EXPECT_EQ(after.corrections, before.corrections) << i;
      EXPECT_EQ(after.event_lag.buckets(), before.event_lag.buckets()) << i;
    }
  }
  EXPECT_EQ(statistics().predictions, 35U);
}

TEST_F(LogTest, LostCheckpointAndIndexesAreMadeAgain) {
  options.segment_records = 8;
  open();
  for (int i = 0; i < 60; ++i) {
    ASSERT_OK(predict(std::to_string(i)));
    ASSERT_OK(outcome(std::to_string(i * 2), "true"));
    ASSERT_OK(log->maintain());
  }
  const EndpointStatistics before = statistics();
  log.reset();
  files.remove(options.directory / "checkpoint").IgnoreError();
  for (const std::string& name : {names("predictions").front(), names(".index").back()}) {
    if (name.ends_with(".index")) {
      ASSERT_OK(files.remove(options.directory / name));
    }
  }
  open();
  EXPECT_EQ(statistics().predictions, before.predictions);
  EXPECT_EQ(statistics().joined, before.joined);
  EXPECT_EQ(statistics().waiting, before.waiting);
  EXPECT_OK(log->find(kLate, "7"));
}

TEST_F(LogTest, IndexesAreMerged) {
  options.segment_records = 4;
  open();
  for (int i = 0; i < 200; ++i) {
    ASSERT_OK(predict(std::to_string(i)));
    ASSERT_OK(log->maintain());
  }
  // 50 closed segments: three files of each level at most.
  EXPECT_LE(names(".index").size(), 9U);
  EXPECT_THAT(names(".segment"), SizeIs(50));
  for (int i = 0; i < 200; ++i) {
    EXPECT_OK(log->find(kLate, std::to_string(i)));
  }
  open();
  for (int i = 0; i < 200; ++i) {
    EXPECT_OK(log->find(kLate, std::to_string(i)));
  }
}

TEST_F(LogTest, RetentionRemovesWholeSegmentsByAgeAndSize) {
  options.segment_records = 10;
  open();
  for (int i = 0; i < 100; ++i) {
    ASSERT_OK(predict(std::to_string(i)));
    ASSERT_OK(outcome(std::to_string(i), "true"));
    clock.advance(1h);
    ASSERT_OK(log->maintain());
  }
  ASSERT_OK(log->seal());
  EXPECT_EQ(*log->retain({}), 0U);
  ASSERT_OK_AND_ASSIGN(const uint64_t freed, log->retain({.age = 55h}));
  EXPECT_GT(freed, 0U);
  EXPECT_THAT(log->find(kLate, "0"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(log->find(kLate, "99"));
  EXPECT_EQ(statistics().joined, 100U);
  // What was joined to predictions that are gone does not seem to wait.
  clock.advance(options.waiting_max + 200h);
  ASSERT_OK(log->maintain());
  EXPECT_EQ(statistics().rejected_unknown, 0U);
  EXPECT_EQ(statistics().joined, 100U);
  const uint64_t size = log->size_bytes();
  ASSERT_OK(log->retain({.bytes = 2000}));
  EXPECT_LT(log->size_bytes(), size);
  open();
  EXPECT_EQ(statistics().joined, 100U);
}

TEST_F(LogTest, OldSegmentIsClosedWithoutItsWriter) {
  open();
  ASSERT_OK(predict("a"));
  ASSERT_OK(log->maintain());
  EXPECT_THAT(log->segments(kLate), IsEmpty());
  clock.advance(options.segment_age);
  ASSERT_OK(log->maintain());
  ASSERT_THAT(log->segments(kLate), SizeIs(1));
  EXPECT_EQ(log->segments(kLate)[0].predictions, 1U);
  EXPECT_THAT(log->segments("default/other"), IsEmpty());
}

TEST_F(LogTest, ThousandsOfEndpointsAreOneFile) {
  open();
  for (int i = 0; i < 3000; ++i) {
    layout = log->declare(late_layout(fmt::format("default/e{}", i)));
    ASSERT_OK(add("a"));
  }
  ASSERT_OK(log->writer(0).flush());
  EXPECT_THAT(names(".open"), SizeIs(1));
  ASSERT_OK(log->seal());
  EXPECT_EQ(log->segments("default/e2999")[0].predictions, 1U);
  EXPECT_EQ(log->find("default/e1234", "a")->prediction.layout.endpoint, "default/e1234");
}

TEST_F(LogTest, SyncedTurnsCallBack) {
  options.durability = Durability::kDisk;
  options.segment_records = 10;
  open();
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(predict(std::to_string(i)));
    EXPECT_OK(log->find(kLate, std::to_string(i)));
  }
  EXPECT_GE(files.count(testing::FaultyFileSystem::Operation::kSync), 50);
  ASSERT_OK(log->seal());
  open();
  EXPECT_EQ(statistics().predictions, 50U);
}

}  // namespace
}  // namespace cromford::feedback
