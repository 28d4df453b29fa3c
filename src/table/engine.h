#pragma once

// The data engine: one instance of DuckDB in memory with its limits. It reads and writes what the
// program itself names; SQL of users never runs in it but in a locked one (table/sandbox.h).
//
//   TRY(auto engine, table::Engine::create({.memory_limit_bytes = 1ULL << 30,
//                                           .temp_directory = work / "spill"}));
//   TRY(const table::Table rows, table::read_table(*engine, snapshot, {.limit = 10}));
//
// Thread safety: may be shared by threads; each query runs on a connection of its own.

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace cromford::table {

struct EngineOptions {
  // What the engine may hold in memory before it writes to `temp_directory`. The process needs
  // about 60 MiB beside it. At least 64 MiB.
  uint64_t memory_limit_bytes = 1ULL << 30;
  // Where it spills; made when needed, its files are removed with the engine. Empty: it does not
  // spill, and what does not fit fails with RESOURCE_EXHAUSTED.
  std::filesystem::path temp_directory;
  uint64_t temp_limit_bytes = 64ULL << 30;
  // 0: all cores.
  int threads = 0;
};

class Engine {
 public:
  // INVALID_ARGUMENT for limits that are too small, INTERNAL when the library cannot be started.
  static absl::StatusOr<std::unique_ptr<Engine>> create(const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const EngineOptions& options() const;
  // The number of threads that it works with.
  int threads() const;

  // The library behind it, for the sources of this folder (table/duck.h).
  struct State;
  State& state() { return *state_; }

 private:
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The version of the data engine, for manifests: "duckdb 1.5.5". INTERNAL when it is not installed.
absl::StatusOr<std::string> engine_version();

}  // namespace cromford::table
