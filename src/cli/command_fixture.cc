#include "cli/command_fixture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <fstream>

namespace cromford::cli {

int CommandTest::run(std::vector<std::string> arguments) {
  if (on_home_) {
    arguments.insert(arguments.begin(), {"--home", (folder_.path() / "home").string()});
  } else {
    arguments.insert(arguments.begin(), {"--url", server_.url()});
  }
  return run_bare(std::move(arguments));
}

int CommandTest::run_bare(std::vector<std::string> arguments) {
  std::istringstream in(in_);
  std::ostringstream out;
  std::ostringstream err;
  environment_.in = &in;
  environment_.out = &out;
  environment_.err = &err;
  environment_.in_is_terminal = terminal_;
  environment_.out_is_terminal = terminal_;
  environment_.err_is_terminal = terminal_;
  environment_.terminal_width = 100;
  environment_.version = "1.2.3";
  environment_.variable = [this](std::string_view name) -> std::optional<std::string> {
    const auto found = variables_.find(std::string(name));
    return found == variables_.end() ? std::nullopt : std::optional(found->second);
  };
  environment_.interrupts = &interrupts_;
  environment_.sleep = [this](std::chrono::milliseconds) {
    if (on_sleep_) {
      on_sleep_();
    }
  };
  const int code = cli::run(arguments, environment_);
  out_ = out.str();
  err_ = err.str();
  return code;
}

void CommandTest::run_server_on_home() {
  on_home_ = true;
  std::filesystem::create_directories(folder_.path() / "home" / "run");
  write_file("home/run/server.json",
             fmt::format(R"({{"http":"{}","token":"owner-token","pid":1}})", server_.address()));
  write_file("home/run/lock", "1\n");
  lock_.emplace(::open((folder_.path() / "home/run/lock").c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_EQ(flock(lock_->get(), LOCK_EX | LOCK_NB), 0);
}

std::string CommandTest::write_file(const std::string& name, const std::string& text) {
  const auto path = folder_.path() / name;
  std::ofstream(path, std::ios::binary) << text;
  return path.string();
}

std::string CommandTest::in_project(const std::string& method, const std::string& path) {
  return method + " /api/v1/projects/default" + path;
}

void CommandTest::on(const std::string& method, const std::string& path, ScriptedAnswer answer) {
  server_.on(in_project(method, path), std::move(answer));
}

void CommandTest::on(const std::string& method, const std::string& path,
                     ScriptedServer::Handler handler) {
  server_.on(in_project(method, path), std::move(handler));
}

void CommandTest::on_job(const std::string& post_path, const std::string& result_json) {
  on("POST", post_path, {202, R"({"id":"j1","state":"queued","progress":0})"});
  on("GET", "/jobs/j1",
     {200, R"({"id":"j1","state":"running","stage":"working","progress":0.5,"detail":{}})"});
  on("GET", "/jobs/j1",
     {200,
      fmt::format(R"({{"id":"j1","state":"succeeded","progress":1,"result":{}}})", result_json)});
}

}  // namespace cromford::cli
