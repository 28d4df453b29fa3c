// Makes the model of the serving benchmark, 200 trees of depth 6 over 20 numbers, twice: as a
// package of ours, and as plain JSON from which the peer's ONNX model is made. So both serve the
// same trees, and serving.py can hold their answers against each other.
//
//   forest_model PACKAGE_FILE TREES_JSON_FILE

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/forest/random_forest.h"
#include "model/package_writer.h"

namespace cromford::bench {
namespace {

constexpr uint32_t kColumns = 20;

model::ForestParts make_forest() {
  std::mt19937_64 random(7);
  model::ForestParts forest = model::random_forest(random, {.tree_count = 200,
                                                            .feature_count = kColumns,
                                                            .depth_max = 6,
                                                            .leaf_chance = 0.0,
                                                            .threshold_count = 255});
  for (model::TreeParts& tree : forest.trees) {
    for (model::TreeNode& node : tree.nodes) {
      for (float& value : node.values) {
        value *= 0.05F;  // Margins that a classifier would have, not ones that saturate.
      }
    }
  }
  return forest;
}

model::PackageParts make_package(const model::ForestParts& forest) {
  model::PackageParts parts;
  parts.task = model::Task::kBinary;
  parts.target = "y";
  std::vector<uint32_t> features;
  for (uint32_t column = 0; column < kColumns; ++column) {
    parts.contract.push_back({fmt::format("x{}", column), model::InputType::kNumber});
    parts.pipeline.transforms.emplace_back(model::NumberTransform{.column = column});
    features.push_back(column);
  }
  parts.predictors.push_back({.name = "trees", .features = features, .body = forest});
  parts.classes = {"false", "true"};
  parts.link = model::Link::kLogistic;
  return parts;
}

nlohmann::json as_json(const model::ForestParts& forest) {
  nlohmann::json document = {{"columns", kColumns}, {"base", forest.base[0]}};
  for (const model::TreeParts& tree : forest.trees) {
    nlohmann::json nodes = nlohmann::json::array();
    for (const model::TreeNode& node : tree.nodes) {
      if (node.feature == model::kLeaf) {
        nodes.push_back({{"value", node.values[0]}});
      } else {
        nodes.push_back({{"feature", node.feature},
                         {"threshold", node.threshold},
                         {"left", node.left},
                         {"right", node.right},
                         {"missing_left", node.default_left}});
      }
    }
    document["trees"].push_back(std::move(nodes));
  }
  return document;
}

int run(const char* package_file, const char* trees_file) {
  const model::ForestParts forest = make_forest();
  const auto bytes = model::write_package(make_package(forest));
  if (!bytes.ok()) {
    fmt::print(stderr, "forest_model: {}\n", base::describe(bytes.status()));
    return 1;
  }
  std::ofstream package(package_file, std::ios::binary);
  package.write(reinterpret_cast<const char*>(bytes->data()),
                static_cast<std::streamsize>(bytes->size()));
  std::ofstream trees(trees_file);
  trees << as_json(forest).dump();
  return package.flush() && trees.flush() ? 0 : 1;
}

}  // namespace
}  // namespace cromford::bench

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: forest_model PACKAGE_FILE TREES_JSON_FILE\n");
    return 2;
  }
  return cromford::bench::run(argv[1], argv[2]);
}
