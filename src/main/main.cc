// The program `cromford`: the command line, the server it can run, and the worker that the server
// starts for heavy jobs.

#include <fmt/format.h>

#include <csignal>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "app/worker.h"
#include "base/codes.h"
#include "base/log.h"
#include "base/status.h"
#include "cli/cli.h"
#include "cli/environment.h"
#include "main/build_commit.h"
#include "main/config.h"
#include "main/factory_server.h"
#include "main/verify_audit.h"

namespace cromford::main_program {
namespace {

constexpr int kUsageError = 2;

int fail(const absl::Status& status) {
  std::cerr << "error: " << base::message(status) << "\n";
  if (const std::string remedy = base::remedy(status); !remedy.empty()) {
    std::cerr << "remedy: " << remedy << "\n";
  }
  return base::exit_code(status.code());
}

// Blocks the signals that stop a server in this thread and all that it will start.
sigset_t block_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

absl::StatusOr<Config> config_of(const cli::ServerCommand& command) {
  Config config;
  if (!command.config.empty()) {
    TRY(config, read_config(command.config));
  }
  if (command.listen.has_value()) {
    config.listen = *command.listen;
  }
  if (!command.token.empty()) {
    config.token = command.token;
  }
  return config;
}

int run_server(const cli::ServerCommand& command, const ProgramFacts& facts) {
  const sigset_t signals = block_stop_signals();
  const absl::StatusOr<Config> config = config_of(command);
  if (!config.ok()) {
    return fail(config.status());
  }
  auto server = FactoryServer::start(command.home, *config, facts, Stay::kServer);
  if (!server.ok()) {
    return fail(server.status());
  }
  std::cout << fmt::format("listening http={}\n", (*server)->address()) << std::flush;
  int signal = 0;
  sigwait(&signals, &signal);
  base::log_info("stopping", {{"signal", strsignal(signal)}});
  (*server)->stop();
  return 0;
}

class Hosted final : public cli::HostedServer {
 public:
  explicit Hosted(std::unique_ptr<FactoryServer> server) : server_(std::move(server)) {}
  std::string url() const override { return "http://" + server_->address(); }
  std::string token() const override { return server_->owner_token(); }
  bool in_use() const override { return server_->in_use(); }

 private:
  std::unique_ptr<FactoryServer> server_;
};

int run(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && arguments[0] == "worker") {
    return arguments.size() == 2 ? app::worker_main(arguments[1]) : kUsageError;
  }
  cli::Environment environment = cli::process_environment();
  environment.version = CROMFORD_VERSION;
  const ProgramFacts facts{.version = CROMFORD_VERSION,
                           .commit = std::string(build_commit()),
                           .executable = environment.executable};
  environment.host =
      [&facts](
          const std::filesystem::path& home) -> absl::StatusOr<std::unique_ptr<cli::HostedServer>> {
    Config config;
    config.listen = "127.0.0.1:0";
    config.http_threads = 1;
    base::set_log_level(base::LogLevel::kError);
    TRY(std::unique_ptr<FactoryServer> server,
        FactoryServer::start(home, config, facts, Stay::kOneCommand));
    return std::make_unique<Hosted>(std::move(server));
  };
  environment.run_server = [&facts](const cli::ServerCommand& command) {
    return run_server(command, facts);
  };
  environment.verify_audit = verify_audit;
  return cli::run(arguments, environment);
}

}  // namespace
}  // namespace cromford::main_program

int main(int argc, char** argv) {
  try {
    return cromford::main_program::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::cerr << "error: an unexpected fault: " << error.what() << "\n";
    return 1;
  }
}
