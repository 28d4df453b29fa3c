#include "learn/ensemble.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

#include "metric/metric.h"

namespace cromford::learn {
namespace {

// The validation rows that the weights are sought on, and the losses of margins there.
class Judge {
 public:
  Judge(const Workbench& bench, size_t rows_max) : bench_(bench) {
    std::vector<uint32_t> all(bench.scored().size());
    std::iota(all.begin(), all.end(), 0U);
    rows_ = sample_rows(all, rows_max, 17);
    for (const uint32_t row : rows_) {
      labels_.push_back(bench.scored_labels()[row]);
      if (!bench.scored_weights().empty()) {
        weights_.push_back(bench.scored_weights()[row]);
      }
    }
  }

  std::vector<double> pick(const std::vector<double>& margins) const {
    const size_t k = bench_.outputs();
    std::vector<double> result;
    result.reserve(rows_.size() * k);
    for (const uint32_t row : rows_) {
      const auto first = margins.begin() + static_cast<ptrdiff_t>(row * k);
      result.insert(result.end(), first, first + static_cast<ptrdiff_t>(k));
    }
    return result;
  }

  // Lower is better.
  double loss(const std::vector<double>& margins) const {
    const std::vector<double> predicted = bench_.predictions(margins);
    const auto value =
        metric::evaluate(bench_.ranked_by().name, {.task = bench_.problem().task,
                                                   .labels = labels_,
                                                   .predictions = predicted,
                                                   .class_count = bench_.problem().classes.size(),
                                                   .weights = weights_});
    if (!value.ok()) {
      return std::numeric_limits<double>::infinity();
    }
    return bench_.ranked_by().greater_is_better ? -*value : *value;
  }

 private:
  const Workbench& bench_;
  std::vector<uint32_t> rows_;
  std::vector<double> labels_;
  std::vector<double> weights_;
};

std::vector<size_t> candidates_of(const std::vector<Trial>& trials, size_t most) {
  std::vector<size_t> order;
  for (size_t t = 0; t < trials.size(); ++t) {
    if (trials[t].complete && trials[t].spec.learner != "baseline" && !trials[t].margins.empty()) {
      order.push_back(t);
    }
  }
  std::stable_sort(order.begin(), order.end(),
                   [&trials](size_t a, size_t b) { return trials[a].loss < trials[b].loss; });
  // The best linear model is kept whatever its rank: it differs most from the others.
  const auto linear = std::find_if(order.begin(), order.end(), [&trials](size_t t) {
    return trials[t].spec.learner == "linear";
  });
  const size_t at = static_cast<size_t>(linear - order.begin());
  if (linear != order.end() && at >= most && most > 0) {
    std::swap(order[most - 1], order[at]);
  }
  order.resize(std::min(order.size(), most));
  return order;
}

// How often each candidate is chosen in the best prefix of the greedy search.
std::map<size_t, double> greedy(const Judge& judge, const std::vector<Trial>& trials,
                                const std::vector<size_t>& candidates,
                                const EnsembleOptions& options) {
  std::vector<std::vector<double>> margins;
  for (const size_t candidate : candidates) {
    margins.push_back(judge.pick(trials[candidate].margins));
  }
  std::vector<double> sum(margins.front().size(), 0.0);
  std::vector<double> mean(sum.size());
  std::map<size_t, double> counts;
  std::map<size_t, double> best_counts;
  double best = std::numeric_limits<double>::infinity();
  for (size_t step = 1; step <= options.steps; ++step) {
    size_t chosen = 0;
    double chosen_loss = std::numeric_limits<double>::infinity();
    for (size_t c = 0; c < candidates.size(); ++c) {
      if (counts.size() == options.members_max && !counts.contains(c)) {
        continue;
      }
      for (size_t i = 0; i < sum.size(); ++i) {
        mean[i] = (sum[i] + margins[c][i]) / static_cast<double>(step);
      }
      const double loss = judge.loss(mean);
      if (loss < chosen_loss) {
        chosen_loss = loss;
        chosen = c;
      }
    }
    for (size_t i = 0; i < sum.size(); ++i) {
      sum[i] += margins[chosen][i];
    }
    counts[chosen] += 1;
    if (chosen_loss < best - 1e-12) {
      best = chosen_loss;
      best_counts = counts;
    }
  }
  return best_counts;
}

std::vector<double> mix(const std::vector<Trial>& trials, const std::vector<Member>& members) {
  std::vector<double> margins(trials[members.front().trial].margins.size(), 0.0);
  for (const Member& member : members) {
    for (size_t i = 0; i < margins.size(); ++i) {
      margins[i] += member.weight * trials[member.trial].margins[i];
    }
  }
  return margins;
}

// Members below a twentieth cost more than they give.
std::vector<Member> members_of(const std::map<size_t, double>& counts,
                               const std::vector<size_t>& candidates) {
  double total = 0;
  for (const auto& [c, count] : counts) {
    total += count;
  }
  std::vector<Member> members;
  double kept = 0;
  for (const auto& [c, count] : counts) {
    if (count >= 0.05 * total) {
      members.push_back({.trial = candidates[c], .weight = count});
      kept += count;
    }
  }
  for (Member& member : members) {
    member.weight /= kept;
  }
  return members;
}

}  // namespace

Ensemble choose_ensemble(const Workbench& bench, const std::vector<Trial>& trials,
                         const EnsembleOptions& options) {
  Ensemble best;
  const std::vector<size_t> candidates = candidates_of(trials, options.candidates_max);
  if (candidates.empty()) {
    best.members = {{.trial = 0, .weight = 1}};
    best.margins = trials.front().margins;
    best.score = trials.front().score;
    return best;
  }
  const Trial& leader = trials[candidates.front()];
  best.members = {{.trial = candidates.front(), .weight = 1}};
  best.margins = leader.margins;
  best.score = leader.score;
  if (candidates.size() < 2 || options.members_max < 2) {
    return best;
  }
  const Judge judge(bench, options.rows_max);
  Ensemble mixed;
  mixed.members = members_of(greedy(judge, trials, candidates, options), candidates);
  mixed.margins = mix(trials, mixed.members);
  const auto estimate = bench.estimate(mixed.margins);
  if (mixed.members.size() < 2 || !estimate.ok()) {
    return best;
  }
  mixed.score = estimate->value;
  const double gain =
      bench.ranked_by().greater_is_better ? mixed.score - best.score : best.score - mixed.score;
  return gain > 0.02 * leader.spread ? mixed : best;
}

}  // namespace cromford::learn
