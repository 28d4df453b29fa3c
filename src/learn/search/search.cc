#include "learn/search/search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include "base/random.h"
#include "base/status.h"
#include "learn/parallel.h"
#include "learn/size.h"

namespace cromford::learn {
namespace {

// Trials whose margins are kept; more than an ensemble considers.
constexpr size_t kRemembered = 16;

// In which order the learners come: linear models are cheap but few are needed.
bool is_linear(size_t number, const SearchOptions& options) {
  if (!options.linear || !options.boosting) {
    return options.linear;
  }
  return number == 1 || number == 5 || number == 9;
}

// How many trials of the same learner came before.
size_t rank_of(size_t number, const SearchOptions& options) {
  size_t rank = 0;
  for (size_t earlier = 1; earlier < number; ++earlier) {
    rank += is_linear(earlier, options) == is_linear(number, options) ? 1 : 0;
  }
  return rank;
}

double log_uniform(base::Random& random, double low, double high) {
  return std::exp(std::log(low) + random.uniform() * (std::log(high) - std::log(low)));
}

// Rounded to three digits, so that what the leaderboard shows is what was run.
double rounded(double value) {
  const double scale = std::pow(10.0, std::floor(std::log10(value)) - 2);
  return std::round(value / scale) * scale;
}

double base_rate(size_t rows, const SearchOptions& options) {
  return std::max(options.rate_least, rows < 2000 ? 0.04 : rows < 20000 ? 0.06 : 0.1);
}

BoostingConfig portfolio(size_t rank, size_t rows, double rate) {
  const bool small = rows < 3000;
  switch (rank) {
    case 0:
      return {.learning_rate = rate,
              .depth = small ? 4U : 6U,
              .least_weight = small ? 1.0 : 3.0,
              .row_share = 0.85,
              .column_share = 0.85};
    case 1:
      return {.learning_rate = rate * 0.8,
              .depth = 0,
              .leaves = small ? 12U : 64U,
              .least_weight = 10,
              .row_share = 0.8,
              .column_share = 0.6,
              .l2 = 3};
    case 2:
      return {.learning_rate = rate * 0.8,
              .depth = 8,
              .least_weight = small ? 5.0 : 15.0,
              .row_share = 0.8,
              .column_share = 0.5,
              .level_share = 0.8,
              .l2 = 5};
    default:
      return {.learning_rate = rate,
              .depth = 3,
              .least_weight = 1,
              .row_share = 0.7,
              .column_share = 0.7};
  }
}

BoostingConfig random_config(base::Random random, size_t rows, double rate) {
  BoostingConfig config;
  config.learning_rate = rounded(rate * log_uniform(random, 0.5, 1.5));
  if (random.uniform() < 0.5) {
    config.depth = 3 + static_cast<uint32_t>(random.below(7));
  } else {
    config.depth = 0;
    config.leaves = static_cast<uint32_t>(
        log_uniform(random, 6, std::min(160.0, 10 + static_cast<double>(rows) / 30)));
  }
  config.least_weight = rounded(log_uniform(random, 0.5, 40));
  config.row_share = rounded(0.6 + 0.4 * random.uniform());
  config.column_share = rounded(0.4 + 0.6 * random.uniform());
  config.level_share = rounded(0.6 + 0.4 * random.uniform());
  config.l2 = rounded(log_uniform(random, 0.1, 20));
  config.l1 = random.uniform() < 0.5 ? 0 : rounded(log_uniform(random, 0.001, 2));
  return config;
}

double linear_penalty(size_t rank, base::Random random) {
  constexpr std::array first = {3.0, 100.0, 0.3};
  return rank < first.size() ? first[rank] : rounded(log_uniform(random, 0.01, 3000));
}

// What a trial costs, from those that are over: seconds are taken to be proportional to the work.
class CostBook {
 public:
  static double work_of(const TrialSpec& spec) {
    if (spec.learner != "boosting") {
      return 1;
    }
    const double leaves = spec.boosting.leaves > 0
                              ? spec.boosting.leaves
                              : std::pow(2.0, std::min<uint32_t>(spec.boosting.depth, 8));
    // A round reads every row once per level; the number of rounds falls with the step size.
    return std::log2(leaves) * std::sqrt(spec.boosting.column_share) / spec.boosting.learning_rate;
  }

  void add(const Trial& trial) {
    auto& [work, seconds] = seen_[trial.spec.learner];
    work += work_of(trial.spec);
    seconds += trial.seconds;
  }

  // 0 where nothing of the kind has been seen.
  double predict(const TrialSpec& spec) const {
    const auto found = seen_.find(spec.learner);
    return found == seen_.end() ? 0 : work_of(spec) * found->second.second / found->second.first;
  }

 private:
  std::map<std::string, std::pair<double, double>> seen_;
};

class Searcher {
 public:
  Searcher(const Workbench& bench, const SearchOptions& options, Pace& pace)
      : bench_(bench), options_(options), pace_(pace) {}

  absl::StatusOr<std::vector<Trial>> run() {
    TRY(const Trial baseline, run_trial(bench_, {}, pace_, options_.seed));
    keep(baseline);
    in_turn(options_.threads, options_.threads, [this](size_t) { work(); });
    TRY(status_);
    std::sort(trials_.begin(), trials_.end(),
              [](const Trial& a, const Trial& b) { return a.spec.number < b.spec.number; });
    return std::move(trials_);
  }

 private:
  // Whether the trial, now the last of trials_, is to be shown as a checkpoint.
  bool keep(Trial trial) {
    costs_.add(trial);
    const bool wanted = options_.done && options_.done(trial) && options_.checkpoint;
    if (trial.complete && trial.loss < best_loss_) {
      best_loss_ = trial.loss;
      refit_seconds_ = trial.fit_seconds * options_.refit_factor;
    }
    trials_.push_back(std::move(trial));
    forget_the_rest();
    return wanted;
  }

  // Shows the trial, or leaves it to the thread that is showing one: nobody waits.
  void show(Trial trial) {
    std::unique_lock lock(checkpoint_mutex_);
    if (trial.loss >= shown_loss_) {
      return;
    }
    shown_loss_ = trial.loss;
    to_show_ = std::move(trial);
    if (showing_) {
      return;
    }
    showing_ = true;
    while (to_show_.has_value()) {
      const Trial next = *std::exchange(to_show_, std::nullopt);
      lock.unlock();
      options_.checkpoint(next);
      lock.lock();
    }
    showing_ = false;
  }

  // Margins and models of trials that can no longer enter an ensemble are dropped: the best few of
  // all trials are among the best few of those that are over. The best linear one always stays.
  void forget_the_rest() {
    std::vector<Trial*> order;
    for (Trial& trial : trials_) {
      if (trial.complete && trial.spec.number > 0) {
        order.push_back(&trial);
      }
    }
    if (order.size() <= kRemembered) {
      return;
    }
    std::sort(order.begin(), order.end(), [](const Trial* a, const Trial* b) {
      return a->loss != b->loss ? a->loss < b->loss : a->spec.number < b->spec.number;
    });
    bool linear_kept = false;
    for (size_t i = 0; i < order.size(); ++i) {
      const bool best_linear = !linear_kept && order[i]->spec.learner == "linear";
      linear_kept = linear_kept || best_linear;
      if (i >= kRemembered && !best_linear) {
        order[i]->margins = {};
        order[i]->first = {};
      }
    }
  }

  // The next configuration, or nothing when the search is over.
  std::optional<TrialSpec> take() {
    const std::lock_guard lock(mutex_);
    const size_t rows = bench_.folds().front().train.size();
    if (!status_.ok() || pace_.cancelled() || next_ > options_.trials.value_or(enough(rows))) {
      return std::nullopt;
    }
    TrialSpec spec = spec_of(next_, options_, rows);
    if (pace_.timed() && next_ > 1) {
      const double left = pace_.left_until(pace_.fit_end_s());
      const double cost = costs_.predict(spec);
      if (left <= 0 || cost + std::max(refit_seconds_, cost_of_refit(cost)) > left) {
        if (options_.trials) {
          pace_.strike();
        }
        return std::nullopt;
      }
    }
    ++next_;
    return spec;
  }

  // With few rows, more trials than these choose by luck.
  size_t enough(size_t rows) const {
    return options_.boosting ? std::min<size_t>(200, 16 + rows / 25) : 16;
  }

  double cost_of_refit(double trial_seconds) const {
    return trial_seconds / static_cast<double>(bench_.folds().size()) * options_.refit_factor;
  }

  // On whichever thread memory runs out, the search says so and ends; it ends as well for whatever
  // else a library throws, which in_turn() takes to the calling thread.
  void work() {
    try {
      while (const std::optional<TrialSpec> spec = take()) {
        if (absl::Status status = work_on(*spec); !status.ok()) {
          end(std::move(status));
        }
      }
    } catch (const std::bad_alloc&) {
      end(memory_ran_out());
    } catch (...) {
      end(base::internal("a trial failed"));
      throw;
    }
  }

  absl::Status work_on(const TrialSpec& spec) {
    TRY(Trial trial, run_trial(bench_, spec, pace_, options_.seed * 1000003 + spec.number * 101));
    if (trial.cut) {
      pace_.strike();
    }
    std::optional<Trial> shown;
    {
      const std::lock_guard lock(mutex_);
      if (keep(std::move(trial))) {
        shown = trials_.back();
      }
    }
    if (shown.has_value()) {
      show(*std::move(shown));
    }
    return absl::OkStatus();
  }

  void end(absl::Status why) {
    const std::lock_guard lock(mutex_);
    status_.Update(std::move(why));
  }

  const Workbench& bench_;
  const SearchOptions& options_;
  Pace& pace_;
  std::mutex mutex_;
  std::mutex checkpoint_mutex_;
  bool showing_ = false;
  std::optional<Trial> to_show_;
  double shown_loss_ = std::numeric_limits<double>::infinity();
  std::vector<Trial> trials_;
  CostBook costs_;
  absl::Status status_;
  double best_loss_ = std::numeric_limits<double>::infinity();
  double refit_seconds_ = 0;
  size_t next_ = 1;
};

}  // namespace

TrialSpec spec_of(size_t number, const SearchOptions& options, size_t rows) {
  TrialSpec spec;
  spec.number = number;
  const size_t rank = rank_of(number, options);
  const base::Random random = base::Random(options.seed).split(1000 + number);
  if (is_linear(number, options)) {
    spec.learner = "linear";
    spec.l2 = linear_penalty(rank, random);
    return spec;
  }
  spec.learner = "boosting";
  const double rate = base_rate(rows, options);
  spec.boosting = rank < 4 ? portfolio(rank, rows, rate) : random_config(random, rows, rate);
  return spec;
}

absl::StatusOr<std::vector<Trial>> search(const Workbench& bench, const SearchOptions& options,
                                          Pace& pace) {
  return Searcher(bench, options, pace).run();
}

const Trial& best_of(const std::vector<Trial>& trials) {
  const Trial* best = &trials.front();
  for (const Trial& trial : trials) {
    if (trial.complete && (!best->complete || trial.loss < best->loss)) {
      best = &trial;
    }
  }
  return *best;
}

}  // namespace cromford::learn
