// What counting costs a request of one row: 20 columns of 22 bins, with the log and without.

#include <benchmark/benchmark.h>

#include <random>

#include "serve/bin_counters.h"
#include "serve/known_packages.h"

namespace cromford::serve {
namespace {

void BM_CountRows(benchmark::State& state) {
  const auto package = forest_package(20, 10);
  const auto row_count = static_cast<size_t>(state.range(0));
  model::RowBuffer rows(package->contract());
  rows.reset(1024 * row_count);
  std::mt19937_64 random(5);
  for (size_t row = 0; row < rows.row_count(); ++row) {
    for (size_t column = 0; column < 20; ++column) {
      rows.set_number(row, column, static_cast<double>(random() % 2000000) / 1e6 - 1.0);
    }
  }
  // Different rows each time, so that the processor does not learn them.
  std::vector<model::RowBuffer> batches;
  model::Workspace workspace;
  for (size_t i = 0; i < 1024; ++i) {
    model::RowBuffer& batch = batches.emplace_back(package->contract());
    batch.reset(row_count);
    for (size_t row = 0; row < row_count; ++row) {
      for (size_t column = 0; column < 20; ++column) {
        batch.set_number(row, column, rows.batch().columns[column].numbers[i * row_count + row]);
      }
    }
  }
  const model::Predictions predictions = package->predict(batches[0].batch(), workspace);
  BinCounters counters(package);
  size_t next = 0;
  for (auto _ : state) {
    counters.count(batches[next++ % 1024].batch(), predictions, {}, base::Time());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_CountRows)->Arg(1)->Arg(100);

}  // namespace
}  // namespace cromford::serve
