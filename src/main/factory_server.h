#pragma once

// The factory with its HTTP server, as one thing that is started and stopped: what `cromford
// server` runs, and what a command hosts inside itself when no server runs on the home.
//
//   TRY(auto server, FactoryServer::start(home, config, facts, Stay::kServer));
//   fmt::print("listening http={}\n", server->address());
//   wait_for_a_signal();
//   server->stop();
//
// Thread safety: started and stopped by one thread.

#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>
#include <string>

#include "main/config.h"

namespace cromford::main_program {

struct ProgramFacts {
  std::string version;
  std::string commit;  // That the program was built from; empty where it is not known.
  std::filesystem::path executable;
};

// Whether the factory stays, or ends with the command that hosts it: then it leaves alone what
// earlier processes did not finish.
enum class Stay { kServer, kOneCommand };

class FactoryServer {
 public:
  virtual ~FactoryServer() = default;
  static absl::StatusOr<std::unique_ptr<FactoryServer>> start(const std::filesystem::path& home,
                                                              const Config& config,
                                                              const ProgramFacts& facts, Stay stay);
  // "127.0.0.1:7040"
  virtual std::string address() const = 0;
  virtual std::string owner_token() const = 0;
  // Whether anybody is connected.
  virtual bool in_use() const = 0;
  virtual void stop() = 0;
};

}  // namespace cromford::main_program
