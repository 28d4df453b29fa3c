#pragma once

// What surrounds a command: streams, terminal, environment variables, Ctrl-C, and the ways into the
// rest of the program that only `main` knows. A test gives string streams and a scripted server.
//
//   cli::Environment environment = cli::process_environment();
//   environment.version = "0.1.0";
//   environment.host = [](const std::filesystem::path& home) { return app_main::host(home); };
//   environment.run_server = [](const cli::ServerCommand& command) { return serve(command); };
//   return cli::run(arguments, environment);
//
// Thread safety: one command runs at a time; only `interrupts` is touched from elsewhere (a signal
// handler).

#include <absl/status/statusor.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace cromford::cli {

// A factory that runs inside this process for as long as this object lives; the destructor stops it
// and gives the home back.
class HostedServer {
 public:
  HostedServer() = default;
  HostedServer(const HostedServer&) = delete;
  HostedServer& operator=(const HostedServer&) = delete;
  virtual ~HostedServer() = default;

  // Where it listens, e.g. "http://127.0.0.1:41873"; no slash at the end.
  virtual std::string url() const = 0;
  // The owner's token, as in home/run/server.json.
  virtual std::string token() const = 0;
  // Whether anybody is connected.
  virtual bool in_use() const = 0;
};

// `cromford server`, parsed. What is not given is left to the configuration file and the defaults.
struct ServerCommand {
  std::filesystem::path home;
  std::optional<std::string> listen;  // "HOST:PORT"; port 0 picks one.
  std::filesystem::path config;       // Empty: none was named.
  std::string token;                  // From --token or CROMFORD_TOKEN; empty: none.
  bool quiet = false;
};

// `cromford audit verify`, parsed.
struct AuditVerification {
  std::filesystem::path file;        // An export.
  std::filesystem::path checkpoint;  // An older one; empty: none.
  std::string key;                   // That the log must have; empty: its own.
};

struct Environment {
  std::istream* in = nullptr;
  std::ostream* out = nullptr;
  std::ostream* err = nullptr;
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  int terminal_width = 80;  // Columns of the terminal on `err`/`out`.

  // The environment variable of that name; nullopt when it is not set.
  std::function<std::optional<std::string>(std::string_view name)> variable;
  // How often Ctrl-C was pressed since `count_interrupts`. Until that is called Ctrl-C ends the
  // process as usual.
  std::function<void()> count_interrupts;
  const std::atomic<int>* interrupts = nullptr;
  // Waits between two looks at a running job.
  std::function<void(std::chrono::milliseconds)> sleep;

  std::string version;               // Of the program.
  std::filesystem::path executable;  // Of the program, for what is installed beside it.

  // Starts the factory on `home` inside this process, on a free port of 127.0.0.1.
  std::function<absl::StatusOr<std::unique_ptr<HostedServer>>(const std::filesystem::path& home)>
      host;
  // Runs until it is told to stop, and gives the exit code.
  std::function<int(const ServerCommand& command)> run_server;
  // Holds an export of the audit log against itself, and gives the report as JSON text.
  std::function<absl::StatusOr<std::string>(const AuditVerification& asked)> verify_audit;
  // The child process of a job of that kind (`cromford worker KIND`, started by a server).
  std::function<int(const std::string& kind)> run_worker;
};

// The environment of this process; `version`, `host`, `run_server` and `run_worker` are left for
// the caller to fill in.
Environment process_environment();

}  // namespace cromford::cli
