#include "feedback/join_feed.h"

#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "feedback/log_fixture_test.h"

namespace cromford::feedback {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

// What was seen so far, as who counts sees it.
class Seen final : public JoinVisitor {
 public:
  absl::Status predicted(const LoggedRow& row) override {
    EXPECT_EQ(row.layout->endpoint, kLate);
    ++predictions[std::string(row.prediction.id)];
    return absl::OkStatus();
  }
  absl::Status joined(const LoggedRow& row, const OutcomeView* before,
                      const OutcomeView& after) override {
    const std::string id(row.prediction.id);
    EXPECT_EQ(predictions[id], 1) << id;
    EXPECT_EQ(outcomes.contains(id) ? outcomes[id] : "", before ? before->text : "") << id;
    outcomes[id] = after.text;
    return absl::OkStatus();
  }

  std::map<std::string, int> predictions;
  std::map<std::string, std::string> outcomes;
};

class JoinFeedTest : public LogFixture {
 protected:
  void SetUp() override { open(); }
  bool read(uint64_t records_max = 1000) {
    // The cursor goes the way of a stored one.
    auto cursor_again = join_cursor_from(to_json(cursor));
    EXPECT_OK(cursor_again);
    cursor = *cursor_again;
    const auto more = read_joins(*log, std::string(kLate), records_max, cursor, seen);
    EXPECT_OK(more);
    return more.ok() && *more;
  }

  JoinCursor cursor;
  Seen seen;
};

TEST_F(JoinFeedTest, EachIsGivenOnce) {
  ASSERT_OK(predict("a"));
  ASSERT_OK(predict("b"));
  ASSERT_OK(outcome("a", "true"));
  ASSERT_OK(outcome("c", "true"));
  EXPECT_FALSE(read());
  EXPECT_THAT(seen.predictions, UnorderedElementsAre(Pair("a", 1), Pair("b", 1)));
  EXPECT_THAT(seen.outcomes, ElementsAre(Pair("a", "true")));
  EXPECT_FALSE(read());
  ASSERT_OK(predict("c"));  // After its outcome.
  ASSERT_OK(predict("a"));  // Once more.
  ASSERT_OK(outcome("b", "false"));
  EXPECT_FALSE(read());
  EXPECT_THAT(seen.predictions, UnorderedElementsAre(Pair("a", 1), Pair("b", 1), Pair("c", 1)));
  EXPECT_THAT(seen.outcomes, ElementsAre(Pair("a", "true"), Pair("b", "false"), Pair("c", "true")));
}

TEST_F(JoinFeedTest, ACorrectionTakesThePlaceOfWhatWasGiven) {
  ASSERT_OK(predict("a"));
  ASSERT_OK(outcome("a", "true", clock.now()));
  read();
  ASSERT_OK(outcome("a", "true", clock.now()));        // The same again.
  ASSERT_OK(outcome("a", "false", clock.now() - 1h));  // An earlier one changes nothing.
  read();
  EXPECT_THAT(seen.outcomes, ElementsAre(Pair("a", "true")));
  ASSERT_OK(outcome("a", "false", clock.now() + 1h));
  read();
  EXPECT_THAT(seen.outcomes, ElementsAre(Pair("a", "false")));
}

// In any order, in pieces of any size, over restarts: in the end what is known is what a look at
// each id says.
TEST_F(JoinFeedTest, WhatWasGivenIsWhatTheLogKnows) {
  options.segment_records = 7;
  options.writers = 2;
  open();
  std::mt19937 random(3);
  const auto id = [&] { return fmt::format("id-{}", random() % 60); };
  for (int step = 0; step < 1500; ++step) {
    clock.advance(1s);
    switch (random() % 12) {
      case 0:
        ASSERT_OK(log->maintain());
        break;
      case 1:
        read(1 + random() % 5);
        break;
      case 2:
        if (step % 10 == 0) {
          crash();
          open();
        }
        break;
      case 3:
      case 4:
      case 5:
        ASSERT_OK(outcome(id(), random() % 2 == 0 ? "true" : "false",
                          random() % 3 == 0 ? std::optional(clock.now() - 30s) : std::nullopt));
        break;
      default:
        ASSERT_OK(predict(id(), random() % 2));
    }
  }
  while (read(5)) {
  }
  for (int i = 0; i < 60; ++i) {
    const std::string name = fmt::format("id-{}", i);
    const auto found = log->find(kLate, name);
    EXPECT_EQ(found.ok(), seen.predictions.contains(name)) << name;
    if (found.ok() && !found->outcomes.empty()) {
      EXPECT_EQ(seen.outcomes[name], found->outcomes.front().text) << name;
    } else {
      EXPECT_FALSE(seen.outcomes.contains(name)) << name;
    }
  }
  EXPECT_GT(seen.outcomes.size(), 40U);
}

TEST_F(JoinFeedTest, OfOtherEndpointsNothingIsGiven) {
  const uint32_t other = log->declare(late_layout("default/other"));
  const double numbers[] = {1.0, 1.0};
  const std::string_view texts[] = {"ORD"};
  const double answer[] = {0.69, 0.31};
  ASSERT_OK(log->writer(0).add({.layout = other,
                                .id = "x",
                                .event_time = clock.now(),
                                .arrival_time = clock.now(),
                                .numbers = numbers,
                                .texts = texts,
                                .answer = answer,
                                .label = 0}));
  ASSERT_OK(predict("a"));
  read();
  EXPECT_THAT(seen.predictions, ElementsAre(Pair("a", 1)));
}

}  // namespace
}  // namespace cromford::feedback
