// What an entry costs the commit that it stands beside, and what it costs to sequence.

#include <benchmark/benchmark.h>

#include <filesystem>
#include <string>

#include "base/assert.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/random.h"
#include "govern/audit.h"
#include "govern/audit_log.h"
#include "testing/temp_dir.h"

namespace cromford::govern {
namespace {

struct Stage {
  testing::TempDir directory;
  std::unique_ptr<store::Metadata> metadata =
      store::open_sqlite(directory / "m.db", base::system_clock()).value();
  base::IdSource ids{base::system_clock(), base::system_entropy()};
  Auditor auditor{base::system_clock(), ids, base::system_entropy()};

  std::vector<store::Write> change(int64_t i) {
    return {store::Write::put({"default", "endpoint", "e" + std::to_string(i % 100)},
                              R"({"variants":[{"model":"late","model_version":1}]})")};
  }
  std::vector<store::Write> with_entry(int64_t i) {
    return auditor
        .with_entry(change(i), {.project = "default",
                                .action = "endpoint.deployed",
                                .object = "endpoint/late",
                                .actor = "owner",
                                .evidence = R"({"package":"0123456789abcdef"})"})
        .value();
  }
  std::unique_ptr<AuditLog> open(bool watches) {
    return AuditLog::open({.metadata = *metadata,
                           .files = base::system_files(),
                           .entropy = base::system_entropy(),
                           .key_file = directory / "audit.key",
                           .watches = watches})
        .value();
  }
};

void commit_alone(benchmark::State& state) {
  Stage stage;
  int64_t i = 0;
  for (auto _ : state) {
    CROMFORD_ASSERT(stage.metadata->commit(stage.change(++i)).ok(), "commits");
  }
}

void commit_with_entry(benchmark::State& state) {
  Stage stage;
  const auto log = stage.open(true);
  int64_t i = 0;
  for (auto _ : state) {
    CROMFORD_ASSERT(stage.metadata->commit(stage.with_entry(++i)).ok(), "commits");
  }
}

void sequence_500(benchmark::State& state) {
  Stage stage;
  const auto log = stage.open(false);
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<store::Write> writes;
    for (int i = 0; i < 500; ++i) {
      const auto entry = stage.auditor.with_entry({}, {.action = "a", .object = "b/c"}).value();
      writes.insert(writes.end(), entry.begin(), entry.end());
    }
    CROMFORD_ASSERT(stage.metadata->commit(writes).ok(), "commits");
    state.ResumeTiming();
    CROMFORD_ASSERT(log->sequence().ok(), "sequences");
  }
  state.SetItemsProcessed(state.iterations() * 500);
}

BENCHMARK(commit_alone)->UseRealTime()->Iterations(2000);
BENCHMARK(commit_with_entry)->UseRealTime()->Iterations(2000);
BENCHMARK(sequence_500)->UseRealTime()->Iterations(20);

}  // namespace
}  // namespace cromford::govern
