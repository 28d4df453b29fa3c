#include "base/cancel.h"

#include <gtest/gtest.h>

#include <optional>

#include "testing/simulated_clock.h"
#include "testing/status_matchers.h"

namespace cromford::base {
namespace {

using std::chrono::seconds;
using testing::StatusIs;

TEST(CancelTest, ATokenFollowsItsSourceAlsoWhenThatIsGone) {
  const CancelToken never;
  EXPECT_FALSE(never.cancelled());
  EXPECT_OK(never.check());
  std::optional<CancelSource> source(std::in_place);
  const CancelToken token = source->token();
  const CancelToken copy = token;
  EXPECT_FALSE(token.cancelled());
  source->cancel();
  source->cancel();
  EXPECT_TRUE(source->cancelled());
  source.reset();
  EXPECT_TRUE(copy.cancelled());
  EXPECT_THAT(copy.check(), StatusIs(absl::StatusCode::kCancelled));
}

TEST(CancelTest, TheEarlierDeadlineCounts) {
  testing::SimulatedClock clock;
  const CancelToken ten = CancelToken().with_deadline(clock, seconds(10));
  const CancelToken five = ten.with_deadline(clock, seconds(5));
  const CancelToken still_five = five.with_deadline(clock, seconds(100));
  EXPECT_FALSE(five.cancelled());
  clock.advance(seconds(5));
  EXPECT_TRUE(five.cancelled());
  EXPECT_TRUE(still_five.cancelled());
  EXPECT_FALSE(ten.cancelled());
  EXPECT_THAT(five.check(), StatusIs(absl::StatusCode::kDeadlineExceeded));
  // The time of day has no say in it.
  clock.jump(seconds(100));
  EXPECT_FALSE(ten.cancelled());
}

TEST(CancelTest, CancellingGoesBeforeTheDeadline) {
  testing::SimulatedClock clock;
  CancelSource source;
  const CancelToken token = source.token().with_deadline(clock, seconds(0));
  EXPECT_THAT(token.check(), StatusIs(absl::StatusCode::kDeadlineExceeded));
  source.cancel();
  EXPECT_THAT(token.check(), StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace cromford::base
