#include "cli/cli.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "base/codes.h"
#include "base/status.h"
#include "cli/completion.h"
#include "cli/grammar.h"
#include "cli/help.h"
#include "cli/session.h"

namespace cromford::cli {
namespace {

int fail(const absl::Status& status, Output& output) {
  output.error(status);
  return base::exit_code(status.code());
}

void print_version(Output& output, const Environment& environment) {
  output.document(base::Json::object({{"version", environment.version}}));
  output.line(fmt::format("cromford {}", environment.version));
}

absl::StatusOr<int> run_server(const Invocation& call, Session& session) {
  Environment& environment = session.environment();
  if (call.given("--url")) {
    return base::invalid("--url names a distant server, and `server` starts one here",
                         "name the home with --home DIR");
  }
  if (!environment.run_server) {
    return base::internal("this program cannot run a server");
  }
  ServerCommand command;
  command.home = session.home();
  if (call.given("--listen")) {
    command.listen = call.text("--listen");
  }
  command.config = call.text("--config");
  command.token = session.token();
  command.quiet = call.switched_on("--quiet");
  return environment.run_server(command);
}

// Does what one checked call asks for; the exit code where it is not an error of its own.
absl::StatusOr<int> dispatch(const Invocation& call, Session& session) {
  Environment& environment = session.environment();
  if (call.command == nullptr || call.command->path == "version") {
    print_version(session.output(), environment);
    return 0;
  }
  const std::string_view path = call.command->path;
  if (path == "server") {
    return run_server(call, session);
  }
  if (path == "worker") {
    return environment.run_worker ? environment.run_worker(call.positional(0)) : 1;
  }
  if (path == "completion") {
    session.output().raw(completion_script(call.positional(0)));
    return 0;
  }
  if (path == "__complete") {
    for (const std::string& word :
         complete(call.positionals, session, names_of_running_server).words) {
      session.output().raw(word + "\n");
    }
    return 0;
  }
  TRY(call.command->handler(call, session));
  return 0;
}

}  // namespace

int run(std::span<const std::string> arguments, Environment& environment) {
  Output plain(environment, {.json = asks_for_json(arguments)});
  const absl::StatusOr<Invocation> call = parse(arguments);
  if (!call.ok()) {
    return fail(call.status(), plain);
  }
  if (call->help) {
    plain.raw(help_text(*call->help));
    return 0;
  }
  const absl::StatusOr<std::unique_ptr<Session>> session = Session::create(*call, environment);
  if (!session.ok()) {
    return fail(session.status(), plain);
  }
  const absl::StatusOr<int> code = dispatch(*call, **session);
  (*session)->let_others_finish();
  if (!code.ok()) {
    return fail(code.status(), (*session)->output());
  }
  environment.out->flush();
  if (!environment.out->good()) {
    return fail(base::internal("standard output cannot be written"), plain);
  }
  return *code;
}

}  // namespace cromford::cli
