#include "cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_fixture.h"

namespace cromford::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CompletionTest : public CommandTest {
 protected:
  // The candidates for the last of the words, one per line.
  std::string candidates(std::vector<std::string> words) {
    words.insert(words.begin(), {"__complete", "--"});
    EXPECT_EQ(run_bare(words), 0);
    return out_;
  }
};

TEST_F(CompletionTest, CommandsThenVerbsThenFlags) {
  EXPECT_EQ(candidates({"da"}), "dataset\n");
  EXPECT_THAT(candidates({""}), HasSubstr("train\n"));
  EXPECT_THAT(candidates({""}), Not(HasSubstr("worker")));
  EXPECT_EQ(candidates({"dataset", "d"}), "delete\ndiff\n");
  EXPECT_EQ(candidates({"train", "flights", "--ta"}), "--target\n--task\n");
  EXPECT_EQ(candidates({"train", "x", "--task", ""}), "binary\nmulticlass\nregression\n");
  EXPECT_EQ(candidates({"completion", "z"}), "zsh\n");
  EXPECT_EQ(candidates({"nonsense", "x"}), "");
}

TEST_F(CompletionTest, FilesWhereFilesAreWanted) {
  EXPECT_EQ(candidates({"dataset", "add", "name", ""}), ":files\n");
  EXPECT_EQ(candidates({"server", "--config", ""}), ":files\n");
}

TEST_F(CompletionTest, LiveNamesComeFromTheRunningServer) {
  run_server_on_home();
  variables_["CROMFORD_HOME"] = (folder_.path() / "home").string();
  on("GET", "/datasets", {200, R"({"datasets":[{"name":"flights"},{"name":"orders"}]})"});
  on("GET", "/jobs", {200, R"({"jobs":[{"id":"01abc"}]})"});
  EXPECT_EQ(candidates({"dataset", "show", "f"}), "flights\n");
  EXPECT_EQ(candidates({"job", "show", ""}), "01abc\n");
}

TEST_F(CompletionTest, WithoutAServerNothingIsStarted) {
  environment_.host =
      [&](const std::filesystem::path&) -> absl::StatusOr<std::unique_ptr<HostedServer>> {
    ADD_FAILURE() << "hosted";
    return nullptr;
  };
  variables_["CROMFORD_HOME"] = (folder_.path() / "none").string();
  EXPECT_EQ(candidates({"dataset", "show", ""}), "");
}

TEST_F(CompletionTest, ThereIsAScriptForEachShell) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    EXPECT_EQ(run_bare({"completion", shell}), 0);
    EXPECT_THAT(out_, HasSubstr("__complete --"));
    EXPECT_THAT(out_, HasSubstr(shell));
  }
}

}  // namespace
}  // namespace cromford::cli
