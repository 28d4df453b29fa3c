#pragma once

// The test binary is also the programs that the tests start: a worker with well- and ill-behaved
// functions, and a small server that is killed at every possible moment. Test-only.
//
//   options.worker_command = {base::own_program(), "worker"};
//   ChildProcess::spawn({.argv = {base::own_program(), "server", home}}, ...);
//
// Thread safety: functions only.

#include <string>
#include <string_view>
#include <vector>

namespace cromford::flow {

// The command that starts this binary as a worker, or as a server: one that carries out four jobs
// ("server"), or one that runs a pipeline ("pipeline").
std::vector<std::string> test_worker_command();
std::vector<std::string> test_server_command(std::string_view program, std::string_view home);

// The exit code when the arguments ask for one of the programs; else -1.
int run_test_program(const std::vector<std::string>& arguments);

}  // namespace cromford::flow
