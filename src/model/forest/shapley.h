#pragma once

// Exact path-dependent Shapley values of a forest's margin over raw columns (the players), not over
// features: all features of one column enter and leave a coalition together. The value function is
// TreeSHAP's (Lundberg et al., 2020): where a split's column is absent, both children are weighed
// by their cover. Instead of TreeSHAP's recursion over subset sizes the sum over coalitions is an
// integral over [0, 1] of a polynomial, which Gauss-Legendre quadrature with ceil(d / 2) points or
// more gives exactly for paths of at most d distinct players, stably and without divisions by zero.
//
//   ForestExplainer explainer(forest, players, player_count);
//   std::vector<double> phi(player_count, 0.0);
//   ShapleyScratch scratch;
//   explainer.add(row, output, 1.0, scratch, phi);     // sum(phi) == margin - expected(output)
//
// Thread safety: an explainer may be used by several threads, each with its own ShapleyScratch.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/forest/forest.h"

namespace cromford::model {

// Nodes and weights of the Gauss-Legendre rule with `point_count` >= 1 points on [0, 1].
struct Quadrature {
  std::vector<double> nodes;
  std::vector<double> weights;
};
Quadrature gauss_legendre(uint32_t point_count);

// What a player stands for on the path from the root: the share z of the training weight that goes
// this way at its splits, and whether the row does.
struct PlayerState {
  double z = 1.0;
  bool taken = true;
  bool on_path = false;
};

// Reusable memory of ForestExplainer.
struct ShapleyScratch {
  std::vector<PlayerState> states;  // per player
};

class ForestExplainer {
 public:
  // `players[f]` < player_count is the player of the forest's feature f. `forest` must outlive it.
  ForestExplainer(const Forest& forest, std::span<const uint32_t> players, uint32_t player_count);

  // The margin of output `output` with no player present: the cover-weighted mean of the leaves
  // plus the base.
  double expected(uint32_t output) const { return expected_[output]; }

  // Adds `scale` times the Shapley values of `row` (one value per feature of the forest) for
  // output `output` to phi[player].
  void add(std::span<const float> row, uint32_t output, double scale, ShapleyScratch& scratch,
           std::span<double> phi) const;

 private:
  template <int V>
  void explain_tree(size_t tree, std::span<const float> row, size_t value_index, double scale,
                    ShapleyScratch& scratch, std::span<double> phi) const;

  const Forest* forest_;
  std::vector<uint32_t> players_;
  uint32_t player_count_;
  std::vector<double> expected_;
  std::vector<double> shares_;       // per inner node of all trees: the weight that goes left
  std::vector<size_t> first_share_;  // per tree
  std::vector<uint32_t> rule_of_;    // per tree: which quadrature
};

}  // namespace cromford::model
