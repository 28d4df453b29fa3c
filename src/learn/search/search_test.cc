#include "learn/search/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "learn/calibrate.h"
#include "learn/ensemble.h"
#include "learn/parallel.h"
#include "learn/sample_tables.h"
#include "testing/status_matchers.h"

namespace cromford::learn {
namespace {

// What the stages after the workbench need, made of a sample table.
struct Bed {
  table::Table table;
  Problem problem;
  Split split;
  Pace pace{base::system_clock(), std::nullopt, {}};
  std::unique_ptr<Workbench> bench;

  Bed(table::Table rows, const char* target, const char* time = "") : table(std::move(rows)) {
    problem = *understand(table, {.target = target, .time_column = time});
    split = *split_rows(table, problem, {});
    bench = *Workbench::create(table, problem, split, {}, pace);
  }
};

// 200 shops over 300 days. Either each has its own share of bad sales for good; or one in two is
// tampered with for 30 days, and it passes.
table::Table shop_table(bool passes) {
  base::Random random(3);
  constexpr int64_t days = 300;
  std::vector<double> share;
  std::vector<int64_t> from;
  for (int shop = 0; shop < 200; ++shop) {
    share.push_back(random.uniform());
    from.push_back(static_cast<int64_t>(random.below(days)));
  }
  std::vector<std::string> shops;
  std::vector<int64_t> day;
  std::vector<int64_t> bad;
  for (int64_t row = 0; row < 12000; ++row) {
    const size_t shop = random.below(200);
    const int64_t today = row * days / 12000;
    const bool tampered = shop % 2 == 0 && today >= from[shop] && today < from[shop] + 30;
    shops.push_back("s" + std::to_string(shop));
    day.push_back(today);
    bad.push_back(random.uniform() < (passes ? (tampered ? 0.9 : 0.02) : share[shop]) ? 1 : 0);
  }
  return table_of({text_column("shop", shops), integer_column("day", table::ColumnType::kDate, day),
                   integer_column("bad", table::ColumnType::kBoolean, bad)});
}

TEST(WorkbenchTest, OnlyThePastTeachesWhereWhatCategoriesMeanPasses) {
  EXPECT_FALSE(Bed(shop_table(false), "bad", "day").bench->only_past_teaches());
  EXPECT_TRUE(Bed(shop_table(true), "bad", "day").bench->only_past_teaches());
}

TEST(SpecTest, DependsOnItsNumberAndSeedOnly) {
  const SearchOptions options{.seed = 4};
  for (size_t number = 1; number < 30; ++number) {
    const TrialSpec spec = spec_of(number, options, 5000);
    EXPECT_EQ(spec.describe(), spec_of(number, options, 5000).describe());
    EXPECT_EQ(spec.number, number);
  }
  EXPECT_EQ(spec_of(1, options, 5000).learner, "linear");
  EXPECT_EQ(spec_of(2, options, 5000).learner, "boosting");
  EXPECT_NE(spec_of(20, options, 5000).describe(), spec_of(20, {.seed = 5}, 5000).describe());
  EXPECT_EQ(spec_of(1, {.linear = false}, 5000).learner, "boosting");
  EXPECT_THAT(spec_of(2, options, 5000).describe(),
              ::testing::AllOf(::testing::HasSubstr("min_child_weight 3"),
                               ::testing::HasSubstr("subsample 0.85"),
                               ::testing::HasSubstr("colsample_bytree 0.85")));
  EXPECT_EQ(spec_of(4, {.boosting = false}, 5000).learner, "linear");
}

// Memory may run out on any thread; the process must outlive it.
TEST(SearchTest, MemoryThatRunsOutOnAHelperIsSaid) {
  EXPECT_THROW(in_turn(64, 4,
                       [](size_t job) {
                         if (job >= 8) {
                           throw std::bad_alloc();
                         }
                       }),
               std::bad_alloc);
  const Bed bed(binary_table(200, 2), "late");
  Pace pace(base::system_clock(), std::nullopt, {});
  const std::thread::id caller = std::this_thread::get_id();
  SearchOptions options{.trials = 40, .threads = 3};
  options.done = [caller](const Trial&) {
    if (std::this_thread::get_id() != caller) {
      throw std::bad_alloc();
    }
    return false;
  };
  EXPECT_THAT(search(*bed.bench, options, pace),
              cromford::testing::StatusIs(absl::StatusCode::kResourceExhausted,
                                          ::testing::HasSubstr("memory")));
}

// What else is thrown on a helper reaches the caller, once all threads are done.
TEST(SearchTest, ExceptionsOfHelpersReachTheCaller) {
  const Bed bed(binary_table(200, 2), "late");
  Pace pace(base::system_clock(), std::nullopt, {});
  const std::thread::id caller = std::this_thread::get_id();
  SearchOptions options{.trials = 40, .threads = 3};
  size_t done = 0;
  options.done = [&](const Trial&) {
    ++done;
    if (std::this_thread::get_id() != caller) {
      throw std::length_error("too long");
    }
    return false;
  };
  EXPECT_THROW((void)search(*bed.bench, options, pace), std::length_error);
  EXPECT_LT(done, 30U) << "the others end too";
}

// While one thread writes a checkpoint, the others go on: the checkpoint waits until further trials
// are done, which it would for ever if it held the search up.
TEST(SearchTest, ACheckpointHoldsNobodyUp) {
  const Bed bed(binary_table(200, 2), "late");
  Pace pace(base::system_clock(), std::nullopt, {});
  std::atomic<size_t> done{0};
  std::atomic<size_t> shown{0};
  SearchOptions options{.trials = 8, .threads = 2};
  options.done = [&](const Trial& trial) {
    ++done;
    done.notify_all();
    return trial.spec.number > 0;
  };
  options.checkpoint = [&](const Trial& trial) {
    EXPECT_FALSE(trial.margins.empty());
    if (++shown == 1) {
      for (size_t seen = done; seen < 4; seen = done) {
        done.wait(seen);
      }
    }
  };
  ASSERT_OK_AND_ASSIGN(const std::vector<Trial> trials, search(*bed.bench, options, pace));
  EXPECT_EQ(trials.size(), 9U);
  EXPECT_GE(shown, 1U);
}

TEST(SearchTest, BaselineFirstThenTheTrialsAskedFor) {
  const Bed bed(binary_table(300, 2), "late");
  Pace pace(base::system_clock(), std::nullopt, {});
  ASSERT_OK_AND_ASSIGN(const std::vector<Trial> trials,
                       search(*bed.bench, {.trials = 3, .threads = 2}, pace));
  ASSERT_EQ(trials.size(), 4U);
  EXPECT_EQ(trials[0].spec.learner, "baseline");
  for (size_t t = 0; t < trials.size(); ++t) {
    EXPECT_EQ(trials[t].spec.number, t);
    EXPECT_TRUE(trials[t].complete);
    EXPECT_EQ(trials[t].margins.size(), bed.bench->scored().size());
  }
  EXPECT_GT(best_of(trials).score, 0.72);
  EXPECT_FALSE(pace.struck());
}

TEST(EnsembleTest, MixesTrialsThatErrDifferently) {
  const Bed bed(regression_table(400, 2), "price");
  // Two trials with independent errors, and one that repeats the first.
  base::Random random(5);
  std::vector<Trial> trials(4);
  for (size_t t = 0; t < trials.size(); ++t) {
    Trial& trial = trials[t];
    trial.spec = {.number = t, .learner = t == 0 ? "baseline" : "boosting"};
    trial.complete = true;
    for (const double label : bed.bench->scored_labels()) {
      trial.margins.push_back(t == 0 ? 100 : label + 5 * random.normal());
    }
    if (t == 3) {
      trial.margins = trials[1].margins;
    }
    trial.score = bed.bench->estimate(trial.margins)->value;
    trial.loss = trial.score;
    trial.spread = 0.2;
  }
  const Ensemble ensemble = choose_ensemble(*bed.bench, trials);
  EXPECT_LT(ensemble.score, 4);
  double weight = 0;
  for (const Member& member : ensemble.members) {
    EXPECT_NE(member.trial, 0U);
    weight += member.weight;
  }
  EXPECT_NEAR(weight, 1, 1e-12);
  EXPECT_EQ(choose_ensemble(*bed.bench, trials, {.members_max = 1}).members.size(), 1U);
  trials.resize(1);
  EXPECT_EQ(choose_ensemble(*bed.bench, trials).members[0].trial, 0U);
}

std::vector<double> margins_of(const Workbench& bench, double scale, double shift) {
  base::Random random(6);
  std::vector<double> margins;
  for (const double label : bench.scored_labels()) {
    // Given the label, normal scores of unit distance: the log odds are exactly the score.
    const double score = (label - 0.5) + random.normal();
    margins.push_back(scale * score + shift);
  }
  return margins;
}

TEST(CalibrateTest, MendsOverconfidenceAndLeavesTheRestAlone) {
  const Bed bed(binary_table(3000, 2), "late");
  const std::vector<double> good = margins_of(*bed.bench, 1, 0);
  const std::vector<double> bad = margins_of(*bed.bench, 3, 1);
  const model::Calibration calibration = fit_calibration(*bed.bench, bad);
  EXPECT_EQ(calibration.kind, model::CalibrationKind::kQuadratic);
  EXPECT_NEAR(calibration.scale[0], 1.0 / 3, 0.08);
  const std::vector<double> mended = calibrated(calibration, bad, 1);
  EXPECT_LT(bed.bench->loss(bed.bench->scored(), mended),
            bed.bench->loss(bed.bench->scored(), bad) - 0.2);
  const model::Calibration kept = fit_calibration(*bed.bench, mended);
  EXPECT_EQ(kept.kind, model::CalibrationKind::kNone);
  EXPECT_NEAR(
      bed.bench->loss(bed.bench->scored(), calibrated(fit_calibration(*bed.bench, good), good, 1)),
      bed.bench->loss(bed.bench->scored(), good), 0.01);
}

TEST(CalibrateTest, MulticlassTemperature) {
  const Bed bed(multiclass_table(900, 2), "grade");
  base::Random random(7);
  std::vector<double> margins;
  for (const double label : bed.bench->scored_labels()) {
    for (size_t c = 0; c < 3; ++c) {
      margins.push_back(6 * ((static_cast<double>(c) == label ? 1 : 0) + random.normal()));
    }
  }
  const model::Calibration calibration = fit_calibration(*bed.bench, margins);
  EXPECT_EQ(calibration.kind, model::CalibrationKind::kVector);
  EXPECT_LT(bed.bench->loss(bed.bench->scored(), calibrated(calibration, margins, 3)),
            0.7 * bed.bench->loss(bed.bench->scored(), margins));
}

TEST(CalibrateTest, IntervalsHoldTheirShareOfResiduals) {
  const Bed bed(regression_table(600, 2), "price");
  base::Random random(8);
  std::vector<double> margins;
  for (const double label : bed.bench->scored_labels()) {
    margins.push_back(label + 2 + random.normal());
  }
  const model::Interval interval = fit_interval(*bed.bench, margins, 0.9);
  size_t inside = 0;
  for (size_t i = 0; i < margins.size(); ++i) {
    const double gap = bed.bench->scored_labels()[i] - margins[i];
    inside += -interval.below <= gap && gap <= interval.above ? 1 : 0;
  }
  // The lower side leaves out a twentieth; the upper one, at 0, next to nothing.
  EXPECT_NEAR(static_cast<double>(inside) / static_cast<double>(margins.size()), 0.94, 0.03);
  EXPECT_EQ(interval.above, 0) << "all residuals are on one side";
}

// Rows without weight have no say: not in the interval, nor in the choice of the link.
TEST(IntervalTest, GoesByWeight) {
  table::Table table = regression_table(600, 3);
  std::vector<double> weights;
  for (size_t i = 0; i < 600; ++i) {
    weights.push_back(i % 2 == 0 ? 1 : 0);
  }
  table.mutable_columns().push_back(number_column("weight", weights));
  const Problem problem = *understand(table, {.target = "price", .weight_column = "weight"});
  const Split split = *split_rows(table, problem, {});
  const Pace pace(base::system_clock(), std::nullopt, {});
  const auto bench = *Workbench::create(table, problem, split, {.with_boosting = false}, pace);
  std::vector<double> margins;
  for (const uint32_t position : bench->scored()) {
    // Off by up to 1 where a row counts, wildly where it does not.
    const double off = static_cast<double>(position % 100) / 50 - 1;
    margins.push_back(bench->target(position) - (position % 2 == 0 ? off : 1000 * off));
  }
  const model::Interval interval = fit_interval(*bench, margins, 0.9);
  EXPECT_NEAR(interval.below, 0.9, 0.11);
  EXPECT_NEAR(interval.above, 0.9, 0.11);
}

}  // namespace
}  // namespace cromford::learn
