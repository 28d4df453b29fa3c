#include "cli/completion.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "cli/command_fixture.h"
#include "cli/session.h"

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

TEST_F(CompletionTest, ValuesBehindAnEqualsSign) {
  EXPECT_EQ(candidates({"train", "x", "--task=b"}), "--task=binary\n");
  EXPECT_EQ(candidates({"train", "x", "--nosuch=b"}), "");
}

TEST_F(CompletionTest, VersionsBehindAnAt) {
  run_server_on_home();
  variables_["CROMFORD_HOME"] = (folder_.path() / "home").string();
  on("GET", "/models/tt/versions", {200, R"({"versions":[{"version":1},{"version":12}]})"});
  EXPECT_EQ(candidates({"model", "show", "tt@1"}), "tt@1\ntt@12\n");
}

// bash hands the words over as it splits them; the script must put together what belongs together.
TEST_F(CompletionTest, BashGetsOnlyWhatItHasNotYet) {
  EXPECT_EQ(run_bare({"completion", "bash"}), 0);
  const std::string script = write_file("script", out_);
  const std::string program = write_file("cromford",
                                         "#!/bin/sh\n"
                                         "printf '%s|' \"$@\" >\"$0.seen\"\n"
                                         "case \"$*\" in\n"
                                         "  *=b) echo --task=binary ;;\n"
                                         "  *@) echo tt@1 ;;\n"
                                         "  *) echo titanic ;;\n"
                                         "esac\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  struct Case {
    std::string line;   // Behind the program's name.
    std::string words;  // As bash splits it.
    std::string seen;
    std::string reply;
  };
  const Case cases[] = {
      {"--url http://h:1 dataset show ti", "--url http : //h : 1 dataset show ti",
       "__complete|--|--url|http://h:1|dataset|show|ti|", "titanic"},
      {"train x --task=b", "train x --task = b", "__complete|--|train|x|--task=b|", "binary"},
      {"model show tt@", "model show tt @", "__complete|--|model|show|tt@|", "1"},
      {"dataset  show ", "dataset show ''", "__complete|--|dataset|show||", "titanic"},
  };
  for (const Case& one : cases) {
    const std::string driver = write_file(
        "driver", fmt::format("source {0}\nCOMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:@'\n"
                              "COMP_LINE='{1} {2}'\nCOMP_POINT=${{#COMP_LINE}}\n"
                              "COMP_WORDS=({1} {3})\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
                              "_cromford\nprintf '%s' \"${{COMPREPLY[*]}}\" >{1}.reply\n",
                              script, program, one.line, one.words));
    ASSERT_EQ(std::system(("bash " + driver).c_str()), 0) << one.line;
    EXPECT_EQ(*read_text_file(program + ".seen", 1000), one.seen) << one.line;
    EXPECT_EQ(*read_text_file(program + ".reply", 1000), one.reply) << one.line;
  }
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
