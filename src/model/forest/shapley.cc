#include "model/forest/shapley.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "model/math.h"

namespace cromford::model {
namespace {

// Two quadrature points side by side, in a vector register where there is one.
using Pair [[gnu::vector_size(16)]] = double;

// The share of a node's training weight that went to its left child; half where nothing did.
double left_share(const TreeView& tree, const PackedNode& node) {
  const double left = static_cast<double>(tree.nodes[node.next].cover);
  const double both = left + static_cast<double>(tree.nodes[node.next + 1].cover);
  return both > 0.0 ? left / both : 0.5;
}

// Walks a tree with 2 V quadrature points. A path's value is the integral over t of
//   value * product over its players j of f_j,   f_j = z_j (1 - t) + o_j t,   o_j = 1 if taken,
// and player i's contribution that of value * (o_i - z_i) * product over j != i of f_j. With H the
// integrand of a leaf, this is the sum over the points of g_i H, where g_i = (1 - z_i) / f_i where
// o_i is 1 and -1 / (1 - t) where it is 0; f_i is never 0 in the former case. Going down, the
// product of the f_j is carried along; going up, the sum of H over the leaves below. So an edge
// costs the same however long the path is, and an edge of a player whose o is 0 already changes no
// g.
template <int V>
class TreeWalk {
 public:
  TreeWalk(const TreeView& tree, std::span<const double> shares, std::span<const uint32_t> players,
           std::span<const float> row, const Quadrature& rule, std::span<PlayerState> states,
           std::span<double> phi)
      : tree_(tree), shares_(shares), players_(players), row_(row), states_(states), phi_(phi) {
    for (size_t i = 0; i < V; ++i) {
      t_[i] = Pair{rule.nodes[2 * i], rule.nodes[2 * i + 1]};
      weights_[i] = Pair{rule.weights[2 * i], rule.weights[2 * i + 1]};
      rest_[i] = 1.0 - t_[i];
      g_absent_[i] = -1.0 / rest_[i];
    }
  }

  void run(size_t value_index, double scale) {
    value_index_ = value_index;
    scale_ = scale;
    Pair product[V];
    Pair sums[V] = {};
    std::fill_n(product, V, Pair{1.0, 1.0});
    visit(0, product, sums);
  }

 private:
  // Adds H of all leaves below node `index` to `sums`; `product` is the product of the f_j above.
  void visit(size_t index, const Pair* product, Pair* sums) {
    const PackedNode& node = tree_.nodes[index];
    if (node.is_leaf()) {
      const double value =
          scale_ *
          static_cast<double>(tree_.values[size_t{node.next} * tree_.width + value_index_]);
      for (size_t i = 0; i < V; ++i) {
        sums[i] += value * weights_[i] * product[i];
      }
      return;
    }
    const float x = row_[node.feature];
    const bool left = std::isnan(x) ? node.default_left() : x < node.threshold;
    const double share = shares_[node.next / 2];
    descend(node, node.next, share, left, product, sums);
    descend(node, size_t{node.next} + 1, 1.0 - share, !left, product, sums);
  }

  void descend(const PackedNode& node, size_t child, double share, bool taken, const Pair* product,
               Pair* sums) {
    const uint32_t player = players_[node.feature];
    const PlayerState before = states_[player];
    PlayerState& state = states_[player];
    state = {.z = before.z * share, .taken = before.taken && taken, .on_path = true};
    if (!state.taken && state.z == 0.0) {
      state = before;  // nothing below is worth anything to anybody
      return;
    }
    Pair below[V];
    Pair g[V];
    if (!before.taken) {
      for (size_t i = 0; i < V; ++i) {
        below[i] = product[i] * share;
      }
    } else {
      edge_factors(before, state, product, below, g);
    }
    Pair child_sums[V] = {};
    visit(child, below, child_sums);
    if (before.taken) {
      Pair total = {0.0, 0.0};
      for (size_t i = 0; i < V; ++i) {
        total += g[i] * child_sums[i];
      }
      phi_[player] += total[0] + total[1];
    }
    for (size_t i = 0; i < V; ++i) {
      sums[i] += child_sums[i];
    }
    state = before;
  }

  // The product behind an edge of a player that was taken before it, and the change of its g.
  void edge_factors(const PlayerState& before, const PlayerState& after, const Pair* product,
                    Pair* below, Pair* g) const {
    for (size_t i = 0; i < V; ++i) {
      const Pair f = after.taken ? after.z * rest_[i] + t_[i] : after.z * rest_[i];
      g[i] = after.taken ? (1.0 - after.z) / f : g_absent_[i];
      below[i] = product[i] * f;
    }
    if (before.on_path) {
      for (size_t i = 0; i < V; ++i) {
        const Pair f_before = before.z * rest_[i] + t_[i];
        g[i] -= (1.0 - before.z) / f_before;
        below[i] /= f_before;
      }
    }
  }

  const TreeView& tree_;
  std::span<const double> shares_;
  std::span<const uint32_t> players_;
  std::span<const float> row_;
  std::span<PlayerState> states_;
  std::span<double> phi_;
  size_t value_index_ = 0;
  double scale_ = 1.0;
  Pair t_[V];
  Pair rest_[V];      // 1 - t
  Pair g_absent_[V];  // -1 / (1 - t)
  Pair weights_[V];
};

// How many pairs of points suffice for paths of `player_count` players: 2 V points are exact for
// polynomials of degree 4 V - 1, one player fewer than 4 V.
constexpr uint32_t kPairCounts[] = {1, 2, 3, 4, 8, 16, 32, 48};
static_assert(4 * kPairCounts[std::size(kPairCounts) - 1] >= kTreeDepthMax);

size_t rule_index(uint32_t player_count) {
  size_t index = 0;
  while (4 * kPairCounts[index] < player_count) {
    ++index;
  }
  return index;
}

// The rules of kPairCounts, computed once.
const std::vector<Quadrature>& quadrature_rules() {
  static const std::vector<Quadrature> rules = [] {
    std::vector<Quadrature> made;
    for (const uint32_t pair_count : kPairCounts) {
      made.push_back(gauss_legendre(2 * pair_count));
    }
    return made;
  }();
  return rules;
}

constexpr uint32_t kNoRule = UINT32_MAX;  // a tree without splits

// Adds the leaves weighed by their share of the training rows to expected[output].
void add_expected(const TreeView& tree, size_t index, double share, std::span<double> expected) {
  const PackedNode& node = tree.nodes[index];
  if (node.is_leaf()) {
    for (size_t j = 0; j < tree.width; ++j) {
      expected[tree.output + j] +=
          share * static_cast<double>(tree.values[size_t{node.next} * tree.width + j]);
    }
    return;
  }
  const double left = left_share(tree, node);
  add_expected(tree, node.next, share * left, expected);
  add_expected(tree, size_t{node.next} + 1, share * (1.0 - left), expected);
}

// The most distinct players on one path below `index`; `on_path[player]` counts the splits above.
uint32_t most_players(const TreeView& tree, size_t index, std::span<const uint32_t> players,
                      std::vector<uint32_t>& on_path) {
  const PackedNode& node = tree.nodes[index];
  if (node.is_leaf()) {
    return 0;
  }
  uint32_t& count = on_path[players[node.feature]];
  const uint32_t fresh = count++ == 0 ? 1 : 0;
  const uint32_t left = most_players(tree, node.next, players, on_path);
  const uint32_t right = most_players(tree, size_t{node.next} + 1, players, on_path);
  --count;
  return fresh + std::max(left, right);
}

}  // namespace

Quadrature gauss_legendre(uint32_t point_count) {
  // Newton's method on the Legendre polynomial (Press et al., Numerical Recipes, section 4.6).
  Quadrature rule;
  rule.nodes.resize(point_count);
  rule.weights.resize(point_count);
  const double n = point_count;
  for (uint32_t i = 0; i < (point_count + 1) / 2; ++i) {
    double z = cosine_of_turn((i + 0.75) / (n + 0.5) / 2.0);
    double derivative = 1.0;
    for (int step = 0; step < 100; ++step) {
      double p1 = 1.0;
      double p2 = 0.0;
      for (uint32_t j = 0; j < point_count; ++j) {
        const double p3 = p2;
        p2 = p1;
        p1 = ((2.0 * j + 1.0) * z * p2 - j * p3) / (j + 1.0);
      }
      derivative = n * (z * p1 - p2) / (z * z - 1.0);
      const double change = p1 / derivative;
      z -= change;
      if (std::abs(change) < 1e-16) {
        break;
      }
    }
    const uint32_t mirror = point_count - 1 - i;
    rule.nodes[i] = 0.5 * (1.0 - z);
    rule.nodes[mirror] = 0.5 * (1.0 + z);
    rule.weights[i] = rule.weights[mirror] = 1.0 / ((1.0 - z * z) * derivative * derivative);
  }
  return rule;
}

ForestExplainer::ForestExplainer(const Forest& forest, std::span<const uint32_t> players,
                                 uint32_t player_count)
    : forest_(&forest),
      players_(players.begin(), players.end()),
      player_count_(player_count),
      expected_(forest.base().begin(), forest.base().end()) {
  std::vector<uint32_t> on_path(player_count, 0);
  for (const TreeView& tree : forest.trees()) {
    add_expected(tree, 0, 1.0, expected_);
    const uint32_t path_players = most_players(tree, 0, players_, on_path);
    rule_of_.push_back(
        static_cast<uint32_t>(path_players == 0 ? kNoRule : rule_index(path_players)));
    first_share_.push_back(shares_.size());
    for (const PackedNode& node : tree.nodes) {
      if (!node.is_leaf()) {
        shares_.push_back(left_share(tree, node));
      }
    }
  }
}

template <int V>
void ForestExplainer::explain_tree(size_t tree, std::span<const float> row, size_t value_index,
                                   double scale, ShapleyScratch& scratch,
                                   std::span<double> phi) const {
  TreeWalk<V> walk(forest_->trees()[tree], std::span(shares_).subspan(first_share_[tree]), players_,
                   row, quadrature_rules()[rule_of_[tree]], scratch.states, phi);
  walk.run(value_index, scale);
}

void ForestExplainer::add(std::span<const float> row, uint32_t output, double scale,
                          ShapleyScratch& scratch, std::span<double> phi) const {
  using Explain = void (ForestExplainer::*)(size_t, std::span<const float>, size_t, double,
                                            ShapleyScratch&, std::span<double>) const;
  static constexpr Explain by_rule[] = {
      &ForestExplainer::explain_tree<1>,  &ForestExplainer::explain_tree<2>,
      &ForestExplainer::explain_tree<3>,  &ForestExplainer::explain_tree<4>,
      &ForestExplainer::explain_tree<8>,  &ForestExplainer::explain_tree<16>,
      &ForestExplainer::explain_tree<32>, &ForestExplainer::explain_tree<48>};
  static_assert(std::size(by_rule) == std::size(kPairCounts));
  scratch.states.assign(player_count_, PlayerState{});
  const auto trees = forest_->trees();
  for (size_t i = 0; i < trees.size(); ++i) {
    const TreeView& tree = trees[i];
    if (output >= tree.output && output < tree.output + tree.width && rule_of_[i] != kNoRule) {
      (this->*by_rule[rule_of_[i]])(i, row, output - tree.output, scale, scratch, phi);
    }
  }
}

}  // namespace cromford::model
