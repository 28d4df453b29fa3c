#include "serve/shadow_scorer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "serve/scoring.h"
#include "serve/serve_fixture_test.h"

namespace cromford::serve {
namespace {

class ShadowScorerTest : public ServeFixture {
 protected:
  ShadowScorerTest() {
    late_ = endpoint(
        {{.model = "late", .version = 3, .package = late_package(), .weight = 1},
         {.model = "late", .version = 4, .package = late_package(0.02), .role = Role::kShadow}});
  }
  const Variant& shadow() const { return late_->variants()[1]; }
  void add(ShadowScorer& scorer, const RowColumns& rows) const {
    const std::vector<std::string_view> ids(rows.row_count(), "id");
    scorer.add(shadow(), rows, ids, {}, base::Time());
  }
  Traffic counted() const { return shadow().counters->read(); }

  std::shared_ptr<const Endpoint> late_;
};

TEST_F(ShadowScorerTest, ScoresACopyOfTheRows) {
  ShadowScorer scorer(clock_);
  const model::Contract& contract = shadow().spec.package->contract();
  {
    std::string nowhere = "an origin that training never saw";
    RowColumns rows;
    rows.reset(contract, 3);
    rows.set(1, 0, {.text = nowhere});
    add(scorer, rows);
    nowhere.assign(nowhere.size(), 'x');  // What the request's memory becomes.
    rows.reset(contract, 1);
  }
  scorer.wait_until_idle();
  EXPECT_EQ(counted().rows, 3U);
  EXPECT_EQ(counted().requests, 1U);
  EXPECT_EQ(counted().unseen, 1U);
}

TEST_F(ShadowScorerTest, CountsWhatItLeavesOut) {
  const model::Contract& contract = shadow().spec.package->contract();
  RowColumns rows;
  rows.reset(contract, ShadowScorer::kRowsWaitingMax);
  uint64_t added = 0;
  ShadowScorer scorer(clock_);
  // Each fills the queue alone, so one that comes while another waits is left out.
  while (counted().left_out == 0 && added < 1000 * rows.row_count()) {
    add(scorer, rows);
    added += rows.row_count();
  }
  scorer.wait_until_idle();
  EXPECT_GT(counted().left_out, 0U);
  EXPECT_EQ(counted().rows + counted().left_out, added);
}

TEST_F(ShadowScorerTest, EndsWithWorkWaiting) {
  RowColumns rows;
  rows.reset(shadow().spec.package->contract(), 10'000);
  {
    ShadowScorer scorer(clock_);
    for (int i = 0; i < 5; ++i) {
      add(scorer, rows);
    }
  }
  EXPECT_LE(counted().rows, 50'000U);
}

}  // namespace
}  // namespace cromford::serve
