// XGBoost's trees, from its JSON to ours.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "learn/boosting/booster.h"

namespace cromford::learn {
namespace {

using base::Json;

// One tree as XGBoost writes it: arrays over its nodes, some of which pruning has cut off.
struct Arrays {
  const Json& left;
  const Json& right;
  const Json& feature;
  const Json& condition;  // A leaf's value, or a split's threshold.
  const Json& default_left;
  const Json& cover;
  const Json& gain;
};

// Copies the nodes that can be reached from the root, parents before children.
absl::StatusOr<model::TreeParts> copy_tree(const Arrays& tree, std::vector<double>* gain) {
  model::TreeParts parts;
  std::vector<size_t> source = {0};
  const size_t count = tree.left.size();
  for (size_t at = 0; at < source.size(); ++at) {
    const size_t node = source[at];
    if (node >= count || source.size() > count) {
      return base::internal("XGBoost wrote a tree whose nodes do not hang together");
    }
    model::TreeNode copy;
    copy.cover = std::max(0.0, tree.cover[node].get<double>());
    const int left = tree.left[node].get<int>();
    if (left < 0) {
      copy.values = {tree.condition[node].get<float>()};
      parts.nodes.push_back(std::move(copy));
      continue;
    }
    copy.feature = tree.feature[node].get<int32_t>();
    copy.threshold = tree.condition[node].get<float>();
    copy.left = static_cast<uint32_t>(source.size());
    copy.right = copy.left + 1;
    const Json& to_left = tree.default_left[node];
    copy.default_left = to_left.is_boolean() ? to_left.get<bool>() : to_left.get<int>() != 0;
    if (gain != nullptr && static_cast<size_t>(copy.feature) < gain->size()) {
      (*gain)[static_cast<size_t>(copy.feature)] += tree.gain[node].get<double>();
    }
    source.push_back(static_cast<size_t>(left));
    source.push_back(static_cast<size_t>(tree.right[node].get<int>()));
    parts.nodes.push_back(std::move(copy));
  }
  return parts;
}

absl::StatusOr<model::ForestParts> read_forest(const Json& document, uint32_t output_count,
                                               uint32_t rounds, std::vector<double>* gain) {
  const Json& model = document.at("learner").at("gradient_booster").at("model");
  const Json& trees = model.at("trees");
  model::ForestParts forest;
  forest.output_count = output_count;
  forest.base.assign(output_count, 0.0);
  const size_t kept = std::min<size_t>(trees.size(), size_t{rounds} * output_count);
  for (size_t t = 0; t < kept; ++t) {
    const Json& tree = trees[t];
    const Arrays arrays{.left = tree.at("left_children"),
                        .right = tree.at("right_children"),
                        .feature = tree.at("split_indices"),
                        .condition = tree.at("split_conditions"),
                        .default_left = tree.at("default_left"),
                        .cover = tree.at("sum_hessian"),
                        .gain = tree.at("loss_changes")};
    TRY(model::TreeParts parts, copy_tree(arrays, gain));
    parts.output = model.at("tree_info")[t].get<uint32_t>();
    forest.trees.push_back(std::move(parts));
  }
  return forest;
}

}  // namespace

absl::StatusOr<model::ForestParts> forest_from_json(std::string_view json, uint32_t output_count,
                                                    uint32_t rounds, std::vector<double>* gain) {
  TRY(const Json document, base::parse_json(json));
  try {
    return read_forest(document, output_count, rounds, gain);
  } catch (const Json::exception& error) {
    return base::internal(fmt::format("XGBoost's model has an unknown form: {}", error.what()));
  }
}

}  // namespace cromford::learn
