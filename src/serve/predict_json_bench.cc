// One core answers `:predict` bodies: 20 columns, 200 trees of depth 6.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <random>
#include <string>

#include "serve/known_packages.h"
#include "serve/predict_json.h"

namespace cromford::serve {
namespace {

std::string body_of(size_t row_count) {
  std::mt19937_64 random(5);
  std::string body = R"({"rows":[)";
  for (size_t row = 0; row < row_count; ++row) {
    body += row > 0 ? ",{" : "{";
    for (int column = 0; column < 20; ++column) {
      body += fmt::format(R"({}"x{}":{:.6f})", column > 0 ? "," : "", column,
                          static_cast<double>(random() % 2000000) / 1e6 - 1.0);
    }
    body += '}';
  }
  return body + "]}";
}

void BM_PredictJson(benchmark::State& state) {
  const auto tree_count = static_cast<uint32_t>(state.range(1));
  const auto endpoint = *Endpoint::create({.project = "default",
                                           .name = "late",
                                           .variants = {{.model = "late",
                                                         .version = 3,
                                                         .package = forest_package(20, tree_count),
                                                         .weight = 1}}});
  base::IdSource ids(base::system_clock(), base::system_entropy());
  const base::Limits limits;
  const PredictContext context = {.ids = ids, .clock = base::system_clock(), .limits = limits};
  const std::string body = body_of(static_cast<size_t>(state.range(0)));
  Scratch scratch;
  std::string out;
  for (auto _ : state) {
    out.clear();
    if (!predict_json(context, *endpoint, {.body = body}, scratch, out).ok()) {
      state.SkipWithError("refused");
      break;
    }
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
// {rows, trees}; one tree shows what the body costs.
BENCHMARK(BM_PredictJson)->Args({1, 1})->Args({1, 200})->Args({100, 200})->Args({1000, 200});

}  // namespace
}  // namespace cromford::serve
