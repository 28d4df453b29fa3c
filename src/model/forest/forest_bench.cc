// Prediction and explanation of forests of the two sizes that docs/benchmarks.md compares.

#include <benchmark/benchmark.h>

#include <numeric>
#include <random>

#include "model/forest/forest.h"
#include "model/forest/kernel.h"
#include "model/forest/random_forest.h"
#include "model/forest/shapley.h"

namespace cromford::model {
namespace {

struct Setup {
  Setup(uint32_t tree_count, uint32_t depth, uint32_t feature_count, double leaf_chance)
      : forest(make(tree_count, depth, feature_count, leaf_chance)),
        features(feature_count),
        matrix(kRowCount * feature_count),
        doubled(2 * matrix.size()) {
    std::iota(features.begin(), features.end(), 0U);
    std::mt19937_64 random(2);
    std::normal_distribution<float> normal(0.0F, 1.0F);
    for (float& x : matrix) {
      x = normal(random);
    }
    ForestKernel::lay_out(matrix, doubled);
  }

  static Forest make(uint32_t tree_count, uint32_t depth, uint32_t feature_count,
                     double leaf_chance) {
    std::mt19937_64 random(1);
    const RandomForestOptions options{.tree_count = tree_count,
                                      .feature_count = feature_count,
                                      .depth_max = depth,
                                      .leaf_chance = leaf_chance,
                                      .threshold_count = 255};
    return Forest::create(random_forest(random, options), feature_count).value();
  }

  std::span<const float> row(size_t i) const {
    return std::span(matrix).subspan(i * features.size(), features.size());
  }

  static constexpr size_t kRowCount = 1024;
  Forest forest;
  std::vector<uint32_t> features;
  std::vector<float> matrix;
  std::vector<float> doubled;
};

Setup setup_of(const benchmark::State& state) {
  return {static_cast<uint32_t>(state.range(0)), static_cast<uint32_t>(state.range(1)),
          static_cast<uint32_t>(state.range(2)), static_cast<double>(state.range(3)) / 100.0};
}

void BM_ReferenceWalk(benchmark::State& state) {
  const Setup setup = setup_of(state);
  size_t i = 0;
  double margin = 0.0;
  for (auto _ : state) {
    setup.forest.predict(setup.row(i++ % Setup::kRowCount), {&margin, 1});
    benchmark::DoNotOptimize(margin);
  }
}

void BM_KernelOneRow(benchmark::State& state) {
  const Setup setup = setup_of(state);
  const ForestKernel kernel(setup.forest, setup.features);
  const size_t stride = 2 * setup.features.size();
  size_t i = 0;
  double margin = 0.0;
  for (auto _ : state) {
    kernel.predict(setup.doubled.data() + (i++ % Setup::kRowCount) * stride, stride, 1,
                   {&margin, 1});
    benchmark::DoNotOptimize(margin);
  }
}

constexpr size_t kBlock = 64;

// Time per row, in blocks.
void BM_KernelBatch(benchmark::State& state) {
  const Setup setup = setup_of(state);
  const ForestKernel kernel(setup.forest, setup.features);
  const size_t stride = 2 * setup.features.size();
  std::vector<double> margins(kBlock);
  size_t block = 0;
  while (state.KeepRunningBatch(kBlock)) {
    kernel.predict(setup.doubled.data() + (block++ % (Setup::kRowCount / kBlock)) * kBlock * stride,
                   stride, kBlock, margins);
    benchmark::DoNotOptimize(margins.data());
  }
}

void BM_Explain(benchmark::State& state) {
  const Setup setup = setup_of(state);
  const auto player_count = static_cast<uint32_t>(setup.features.size());
  const ForestExplainer explainer(setup.forest, setup.features, player_count);
  ShapleyScratch scratch;
  std::vector<double> phi(player_count, 0.0);
  size_t i = 0;
  for (auto _ : state) {
    explainer.add(setup.row(i++ % Setup::kRowCount), 0, 1.0, scratch, phi);
    benchmark::DoNotOptimize(phi.data());
  }
}

// Trees, depth, features, percent of early leaves.
void shapes(benchmark::internal::Benchmark* b) {
  b->Args({200, 6, 20, 0})->Args({200, 6, 20, 10})->Args({500, 8, 50, 0})->Args({200, 14, 20, 35});
}

BENCHMARK(BM_ReferenceWalk)->Apply(shapes);
BENCHMARK(BM_KernelOneRow)->Apply(shapes);
BENCHMARK(BM_KernelBatch)->Apply(shapes);
BENCHMARK(BM_Explain)->Apply(shapes);

}  // namespace
}  // namespace cromford::model
