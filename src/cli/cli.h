#pragma once

// The command line: a client of the HTTP API. It owns the grammar of all commands (also of
// `server`, whose work is done by a callback), their help, their output and their exit codes, and
// has no other door into the factory than HTTP.
//
//   int main(int argc, char** argv) {
//     cromford::cli::Environment environment = cromford::cli::process_environment();
//     ...                                       // fill in the callbacks
//     const std::vector<std::string> arguments(argv + 1, argv + argc);
//     return cromford::cli::run(arguments, environment);
//   }
//
// Thread safety: one command at a time.

#include <span>
#include <string>

#include "cli/environment.h"

namespace cromford::cli {

// Runs one command; `arguments` are those after the program's name. Gives the exit code: 0 done,
// 1 failed, 2 wrong usage or bad input, 3 refused by a check, gate or policy, 4 not allowed, 5 not
// found, 6 conflict, 7 server not reachable, 130 interrupted.
int run(std::span<const std::string> arguments, Environment& environment);

}  // namespace cromford::cli
