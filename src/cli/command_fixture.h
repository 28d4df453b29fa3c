#pragma once

// Runs the command line against a scripted server, on string streams, for the tests of this folder.
//
//   class DatasetTest : public CommandTest {};
//   TEST_F(DatasetTest, List) {
//     server_.on("GET /api/v1/projects/default/datasets", {200, R"({"datasets":[]})"});
//     EXPECT_EQ(run({"dataset", "list"}), 0);
//   }
//
// Thread safety: none.

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "cli/cli.h"
#include "cli/scripted_server.h"
#include "testing/temp_dir.h"

namespace cromford::cli {

class CommandTest : public ::testing::Test {
 protected:
  // Of the scripted server, as a distant one; `local` makes it the one that runs on the home.
  int run(std::vector<std::string> arguments);
  int run_bare(std::vector<std::string> arguments);

  // Writes home/run/server.json and holds the home's lock, so that commands without --url find the
  // scripted server.
  void run_server_on_home();
  std::string write_file(const std::string& name, const std::string& text);

  // "/api/v1/projects/default" + path.
  static std::string in_project(const std::string& method, const std::string& path);
  void on(const std::string& method, const std::string& path, ScriptedAnswer answer);
  void on(const std::string& method, const std::string& path, ScriptedServer::Handler handler);
  // Answers a POST with a job, and questions after it with that job in its final state.
  void on_job(const std::string& post_path, const std::string& result_json);

  ScriptedServer server_;
  testing::TempDir folder_;
  std::optional<base::Descriptor> lock_;
  std::map<std::string, std::string> variables_;
  bool terminal_ = false;
  bool on_home_ = false;
  std::atomic<int> interrupts_{0};
  std::function<void()> on_sleep_;
  std::string in_;
  std::string out_;
  std::string err_;
  Environment environment_;
};

}  // namespace cromford::cli
