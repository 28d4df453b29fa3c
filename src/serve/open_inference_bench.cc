// One core answers V2 REST JSON bodies: 20 columns, 200 trees of depth 6.

#include "serve/open_inference.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <random>
#include <string>

#include "serve/known_packages.h"
#include "serve/registry.h"

namespace cromford::serve {
namespace {

std::string values(std::mt19937_64& random, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += fmt::format("{}{:.6f}", i > 0 ? "," : "",
                        static_cast<double>(random() % 2000000) / 1e6 - 1.0);
  }
  return text;
}

// One tensor [n,20].
std::string matrix_body(size_t row_count) {
  std::mt19937_64 random(5);
  return fmt::format(
      R"({{"inputs":[{{"name":"x","shape":[{},20],"datatype":"FP64","data":[{}]}}]}})", row_count,
      values(random, row_count * 20));
}

// Twenty tensors [n].
std::string columns_body(size_t row_count) {
  std::mt19937_64 random(5);
  std::string body = R"({"inputs":[)";
  for (int column = 0; column < 20; ++column) {
    body += fmt::format(R"({}{{"name":"x{}","shape":[{}],"datatype":"FP64","data":[{}]}})",
                        column > 0 ? "," : "", column, row_count, values(random, row_count));
  }
  return body + "]}";
}

void answer(benchmark::State& state, const std::string& body) {
  const auto tree_count = static_cast<uint32_t>(state.range(1));
  Registry registry;
  const absl::Status set = registry.set({.project = "default",
                                         .name = "late",
                                         .variants = {{.model = "late",
                                                       .version = 3,
                                                       .package = forest_package(20, tree_count),
                                                       .weight = 1}}});
  base::IdSource ids(base::system_clock(), base::system_entropy());
  const base::Limits limits;
  const PredictContext context = {.ids = ids, .clock = base::system_clock(), .limits = limits};
  Scratch scratch;
  std::string out;
  for (auto _ : state) {
    out.clear();
    const Lease endpoint = registry.find_model("late");
    const InferRequest request = {.model_name = "late", .body = body};
    if (!open_inference_infer(context, *endpoint, request, scratch, out).ok()) {
      state.SkipWithError("refused");
      break;
    }
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void BM_InferMatrix(benchmark::State& state) {
  answer(state, matrix_body(static_cast<size_t>(state.range(0))));
}
void BM_InferColumns(benchmark::State& state) {
  answer(state, columns_body(static_cast<size_t>(state.range(0))));
}
// {rows, trees}; one tree shows what the body costs.
BENCHMARK(BM_InferMatrix)->Args({1, 1})->Args({1, 200})->Args({100, 200})->Args({1000, 200});
BENCHMARK(BM_InferColumns)->Args({1, 1})->Args({1, 200})->Args({100, 200})->Args({1000, 200});

}  // namespace
}  // namespace cromford::serve
