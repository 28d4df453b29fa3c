#include "model/forest/shapley.h"

#include <algorithm>
#include <cmath>

#include "model/math.h"

namespace cromford::model {
namespace {

constexpr uint32_t kAbsent = UINT32_MAX;

// The share of a node's training weight that went to its left child; half where nothing did.
double left_share(const TreeView& tree, const PackedNode& node) {
  const double left = static_cast<double>(tree.nodes[node.next].cover);
  const double both = left + static_cast<double>(tree.nodes[node.next + 1].cover);
  return both > 0.0 ? left / both : 0.5;
}

// Walks all paths of a tree and adds, at each leaf and for each player i on its path,
//   value * (o_i - z_i) * integral over t of product over j != i of (z_j (1 - t) + o_j t),
// where o_j says whether the row takes this path at every split of player j, and z_j is the share
// of the training weight that does.
class TreeWalk {
 public:
  TreeWalk(const TreeView& tree, std::span<const uint32_t> players, std::span<const float> row,
           const Quadrature& rule, ShapleyScratch& scratch, uint32_t path_player_count,
           uint32_t player_count)
      : tree_(tree), players_(players), row_(row), rule_(rule), points_(rule.nodes.size()) {
    const size_t slots = size_t{path_player_count} + 1;
    scratch.doubles.resize(2 * slots + (2 * slots + 1) * points_);
    scratch.integers.assign(slots + player_count, kAbsent);
    z_ = scratch.doubles.data();
    o_ = z_ + slots;
    factors_ = o_ + slots;
    prefix_ = factors_ + slots * points_;
    suffix_ = prefix_ + slots * points_;
    path_ = scratch.integers.data();
    place_ = path_ + slots;
    std::fill_n(prefix_, points_, 1.0);
  }

  void run(size_t value_index, double scale, std::span<double> phi) {
    value_index_ = value_index;
    scale_ = scale;
    phi_ = phi;
    visit(0);
  }

 private:
  void visit(size_t index) {
    const PackedNode& node = tree_.nodes[index];
    if (node.is_leaf()) {
      add_leaf(scale_ *
               static_cast<double>(tree_.values[size_t{node.next} * tree_.width + value_index_]));
      return;
    }
    const float x = row_[node.feature];
    const bool left = std::isnan(x) ? node.default_left() : x < node.threshold;
    const double share = left_share(tree_, node);
    descend(node, node.next, share, left);
    descend(node, size_t{node.next} + 1, 1.0 - share, !left);
  }

  // Adds one edge to the path, visits the child, and takes the edge away again.
  void descend(const PackedNode& node, size_t child, double share, bool taken) {
    const uint32_t player = players_[node.feature];
    const bool known = place_[player] != kAbsent;
    const size_t place = known ? place_[player] : length_;
    const double z_before = known ? z_[place] : 1.0;
    const double o_before = known ? o_[place] : 1.0;
    if (!known) {
      place_[player] = static_cast<uint32_t>(place);
      path_[place] = player;
      ++length_;
    }
    z_[place] = z_before * share;
    o_[place] = taken ? o_before : 0.0;
    refresh(place);
    visit(child);
    z_[place] = z_before;
    o_[place] = o_before;
    if (known) {
      refresh(place);
    } else {
      place_[player] = kAbsent;
      --length_;
    }
  }

  // Recomputes the factor of the player at `place` and the products up to the end of the path.
  void refresh(size_t place) {
    for (size_t k = 0; k < points_; ++k) {
      factors_[place * points_ + k] =
          z_[place] * (1.0 - rule_.nodes[k]) + o_[place] * rule_.nodes[k];
    }
    for (size_t i = place; i < length_; ++i) {
      for (size_t k = 0; k < points_; ++k) {
        prefix_[(i + 1) * points_ + k] = prefix_[i * points_ + k] * factors_[i * points_ + k];
      }
    }
  }

  void add_leaf(double value) {
    for (size_t k = 0; k < points_; ++k) {
      suffix_[k] = value * rule_.weights[k];
    }
    for (size_t i = length_; i-- > 0;) {
      double integral = 0.0;
      for (size_t k = 0; k < points_; ++k) {
        integral += prefix_[i * points_ + k] * suffix_[k];
        suffix_[k] *= factors_[i * points_ + k];
      }
      phi_[path_[i]] += (o_[i] - z_[i]) * integral;
    }
  }

  const TreeView& tree_;
  std::span<const uint32_t> players_;
  std::span<const float> row_;
  const Quadrature& rule_;
  size_t points_;
  size_t value_index_ = 0;
  double scale_ = 1.0;
  std::span<double> phi_;
  size_t length_ = 0;          // players on the path
  double* z_ = nullptr;        // [place]
  double* o_ = nullptr;        // [place]
  double* factors_ = nullptr;  // [place x point]
  double* prefix_ = nullptr;   // [place x point]: product of the factors before the place
  double* suffix_ = nullptr;   // [point]
  uint32_t* path_ = nullptr;   // player at a place
  uint32_t* place_ = nullptr;  // place of a player, or kAbsent
};

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
    path_players_.push_back(most_players(tree, 0, players_, on_path));
    const size_t point_count = (path_players_.back() + 1) / 2;
    while (rules_.size() <= point_count) {
      rules_.push_back(gauss_legendre(std::max<uint32_t>(1, static_cast<uint32_t>(rules_.size()))));
    }
  }
}

void ForestExplainer::add(std::span<const float> row, uint32_t output, double scale,
                          ShapleyScratch& scratch, std::span<double> phi) const {
  const auto trees = forest_->trees();
  for (size_t i = 0; i < trees.size(); ++i) {
    const TreeView& tree = trees[i];
    if (output < tree.output || output >= tree.output + tree.width || path_players_[i] == 0) {
      continue;
    }
    TreeWalk walk(tree, players_, row, rules_[(path_players_[i] + 1) / 2], scratch,
                  path_players_[i], player_count_);
    walk.run(output - tree.output, scale, phi);
  }
}

}  // namespace cromford::model
