#include "table/engine.h"

#include <fmt/format.h>

#include <thread>
#include <utility>

#include "base/limits.h"
#include "base/status.h"
#include "table/duck.h"

namespace cromford::table {
namespace {

constexpr uint64_t kMemoryMin = 64ULL << 20;

struct Config {
  duckdb_config config = nullptr;
  Config() { duckdb_create_config(&config); }
  ~Config() { duckdb_destroy_config(&config); }
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;
  bool set(const char* name, const std::string& value) const {
    return duckdb_set_config(config, name, value.c_str()) == DuckDBSuccess;
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::create(const EngineOptions& options) {
  if (options.memory_limit_bytes < kMemoryMin) {
    return base::invalid(
        fmt::format("a memory limit of {} is too small",
                    base::format_size(options.memory_limit_bytes)),
        fmt::format("give the data engine at least {}", base::format_size(kMemoryMin)));
  }
  TRY(load_duckdb());
  auto state = std::make_unique<State>();
  state->options = options;
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  state->threads = options.threads > 0 ? options.threads : static_cast<int>(cores);
  const Config config;
  const bool spills = !options.temp_directory.empty();
  const bool configured =
      config.set("threads", std::to_string(state->threads)) &&
      config.set("memory_limit", fmt::format("{}B", options.memory_limit_bytes)) &&
      config.set("temp_directory", options.temp_directory.string()) &&
      (!spills ||
       config.set("max_temp_directory_size", fmt::format("{}B", options.temp_limit_bytes))) &&
      config.set("autoinstall_known_extensions", "false") &&
      config.set("autoload_known_extensions", "false") &&
      config.set("allow_community_extensions", "false") &&
      config.set("enable_external_file_cache", "false");
  if (!configured) {
    return base::internal("the data engine does not know a setting that it must have",
                          "install the version of DuckDB that vendor/package.json names");
  }
  char* error = nullptr;
  if (duckdb_open_ext(nullptr, &state->database, config.config, &error) != DuckDBSuccess) {
    const std::string message = error == nullptr ? "unknown error" : error;
    duckdb_free(error);
    return base::internal(fmt::format("the data engine cannot be started: {}", message));
  }
  std::unique_ptr<Engine> engine(new Engine(std::move(state)));
  TRY(auto connection, duck::connect(*engine));
  // Timestamps with a zone are read the same on every machine.
  TRY(connection.run("SET GLOBAL TimeZone = 'UTC'"));
  return engine;
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

const EngineOptions& Engine::options() const {
  return state_->options;
}

int Engine::threads() const {
  return state_->threads;
}

absl::StatusOr<std::string> engine_version() {
  TRY(load_duckdb());
  std::string_view version = duckdb_library_version();
  if (version.starts_with("v")) {
    version.remove_prefix(1);
  }
  return fmt::format("duckdb {}", version);
}

}  // namespace cromford::table
