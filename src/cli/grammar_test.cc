#include "cli/grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/status.h"
#include "base/text.h"
#include "cli/help.h"
#include "testing/status_matchers.h"

namespace cromford::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<Invocation> parse_words(std::vector<std::string> words) {
  return parse(words);
}

// What the parser says is wrong, and its remedy.
void expect_refused(std::vector<std::string> words, const std::string& error,
                    const std::string& remedy) {
  const absl::Status status = parse_words(words).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << error;
  EXPECT_THAT(std::string(base::message(status)), HasSubstr(error));
  EXPECT_THAT(base::remedy(status), HasSubstr(remedy));
}

TEST(GrammarTest, FlagsMayStandAnywhereAndBeWrittenInTwoWays) {
  ASSERT_OK_AND_ASSIGN(const Invocation call,
                       parse_words({"--json", "--home", "/tmp/x", "dataset", "--limit=5", "rows",
                                    "flights@2", "--where", "-1 < delay", "-q"}));
  EXPECT_EQ(call.command->path, "dataset rows");
  EXPECT_THAT(call.positionals, ElementsAre("flights@2"));
  EXPECT_EQ(call.integer("--limit", 0), 5);
  EXPECT_EQ(call.text("--where"), "-1 < delay");
  EXPECT_EQ(call.text("--home"), "/tmp/x");
  EXPECT_TRUE(call.switched_on("--json"));
  EXPECT_TRUE(call.switched_on("--quiet"));
  EXPECT_FALSE(call.switched_on("--yes"));
}

TEST(GrammarTest, ALoneDashIsAWordAndTwoDashesEndTheFlags) {
  ASSERT_OK_AND_ASSIGN(const Invocation call,
                       parse_words({"dataset", "add", "log", "-", "--", "--odd-name.csv"}));
  EXPECT_THAT(call.positionals, ElementsAre("log", "-", "--odd-name.csv"));
}

TEST(GrammarTest, RepeatedFlagsKeepAllTheirValues) {
  ASSERT_OK_AND_ASSIGN(const Invocation call, parse_words({"train", "d", "--target", "y",
                                                           "--ignore", "a,b", "--ignore", "c"}));
  EXPECT_THAT(call.all("--ignore"), ElementsAre("a,b", "c"));
}

TEST(GrammarTest, UnknownWordsAreRefusedWithTheNearestOne) {
  expect_refused({"datset", "list"}, "there is no command 'datset'", "did you mean 'dataset'?");
  expect_refused({"dataset", "shwo", "x"}, "there is no command 'dataset shwo'",
                 "did you mean 'dataset show'?");
  expect_refused({"evaluate", "m", "d"}, "there is no command 'evaluate'",
                 "did you mean 'model evaluate'?");
  expect_refused({"train", "d", "--tarket", "y"}, "there is no flag '--tarket' for 'train'",
                 "did you mean '--target'?");
  expect_refused({"--jsn", "status"}, "there is no flag '--jsn'", "did you mean '--json'?");
  expect_refused({"train", "d", "--target", "y", "--task", "binry"}, "--task cannot be 'binry'",
                 "did you mean 'binary'?");
}

TEST(GrammarTest, CommandsThatDoNotExistAreNotThere) {
  for (const std::string word : {"monitor", "label"}) {
    EXPECT_FALSE(parse_words({word, "list"}).ok()) << word;
  }
  expect_refused({"endpoint", "thaw", "late"}, "there is no command 'endpoint thaw'",
                 "`endpoint` has");
}

TEST(GrammarTest, MissingAndSuperfluousWordsAreRefused) {
  expect_refused({"dataset"}, "which 'dataset' command is meant?", "add, list, show");
  expect_refused({"dataset", "show"}, "'dataset show' needs NAME[@V]", "--help");
  expect_refused({"dataset", "show", "a", "b"}, "takes only 1 word and cannot use 'b'", "--help");
  expect_refused({"status", "now"}, "'status' takes no words and cannot use 'now'", "--help");
  expect_refused({"train", "d"}, "'train' needs --target COLUMN", "--help");
  expect_refused({"train", "d", "--target"}, "--target needs a value: COLUMN", "what to predict");
  expect_refused({"train", "d", "--target", "a", "--target", "b"}, "--target is given twice", "");
  expect_refused({"status", "--json=yes"}, "--json is a switch and takes no value", "");
}

TEST(GrammarTest, ValuesOfTheWrongFormAreRefused) {
  expect_refused({"dataset", "rows", "d", "--limit", "many"},
                 "--limit needs a whole number, not 'many'", "");
  expect_refused({"dataset", "rows", "d", "--limit", "-1"},
                 "--limit needs a whole number, not '-1'", "");
  expect_refused({"deploy", "m", "--percent", "ten"}, "--percent needs a number, not 'ten'", "");
  expect_refused({"train", "d", "--target", "y", "--time", "60"}, "--time", "");
  expect_refused({"train", "d", "--target", "y", "--memory", "big"}, "--memory", "");
  expect_refused({"dataset", "show", "No Such"}, "No Such", "");
  expect_refused({"dataset", "show", "d@x"}, "'x' is not a version", "");
  expect_refused({"job", "show", "../x"}, "ID needs an id, not '../x'", "");
  expect_refused({"--project", "Big!", "status"}, "Big!", "");
  expect_refused({"completion", "tcsh"}, "SHELL cannot be 'tcsh'", "bash, zsh, fish");
}

TEST(GrammarTest, HelpIsAskedForInManyWays) {
  EXPECT_EQ(parse_words({})->help, "");
  EXPECT_EQ(parse_words({"--help"})->help, "");
  EXPECT_EQ(parse_words({"help"})->help, "");
  EXPECT_EQ(parse_words({"dataset", "-h"})->help, "dataset");
  EXPECT_EQ(parse_words({"help", "dataset", "add"})->help, "dataset add");
  EXPECT_EQ(parse_words({"train", "--help"})->help, "train");
  EXPECT_EQ(parse_words({"--help", "train"})->help, "train");
  EXPECT_FALSE(parse_words({"help", "trian"}).ok());
}

TEST(GrammarTest, TheHelpOfEveryCommandTeachesByTwoToFourExamples) {
  std::set<std::string_view> paths;
  for (const Command& command : commands()) {
    if (command.hidden) {
      continue;
    }
    EXPECT_TRUE(paths.insert(command.path).second) << command.path;
    EXPECT_FALSE(command.summary.empty()) << command.path;
    EXPECT_GE(command.examples.size(), 1U) << command.path;
    EXPECT_LE(command.examples.size(), 4U) << command.path;
    const std::string help = help_text(command.path);
    for (const std::string_view line : base::split(help, '\n')) {
      EXPECT_LE(line.size(), 100U) << line;
    }
    for (const Flag& flag : command.flags) {
      EXPECT_THAT(help, HasSubstr(std::string(flag.name)));
    }
  }
}

// The examples are the first thing that people type: each must parse as what it explains.
TEST(GrammarTest, EveryExampleParses) {
  for (const Command& command : commands()) {
    for (const Example& example : command.examples) {
      std::string line(example.line);
      if (const size_t pipe = line.find("| cromford "); pipe != std::string::npos) {
        line = line.substr(pipe + 11);
      }
      std::vector<std::string> words;
      std::string word;
      bool quoted = false;
      for (const char c : line + " ") {
        if (c == '"') {
          quoted = !quoted;
        } else if (c == ' ' && !quoted) {
          words.push_back(word);
          word.clear();
        } else {
          word += c;
        }
      }
      if (const auto end = std::find(words.begin(), words.end(), ">"); end != words.end()) {
        words.erase(end, words.end());
      }
      const absl::StatusOr<Invocation> call = parse(words);
      ASSERT_OK(call) << line;
      EXPECT_EQ(call->command->path, command.path) << line;
    }
  }
}

TEST(GrammarTest, TheHelpOfTheProgramTellsWhatComesOutOfAPipe) {
  EXPECT_THAT(help_text(""),
              HasSubstr("in a pipe or a file\na table is one line per row with tabs"));
}

TEST(GrammarTest, TheHelpOfTheProgramNamesAllGroups) {
  const std::string help = help_text("");
  for (const std::string word :
       {"server", "dataset", "train", "run", "model", "predict", "deploy", "endpoint", "pipeline",
        "job", "demo", "completion", "--home", "--url", "Exit codes"}) {
    EXPECT_THAT(help, HasSubstr(word));
  }
  EXPECT_THAT(help, ::testing::Not(HasSubstr("worker")));
  EXPECT_THAT(help_text("dataset"), HasSubstr("dataset rows"));
}

TEST(GrammarTest, JsonIsSeenEvenInALineThatCannotBeParsed) {
  EXPECT_TRUE(asks_for_json(std::vector<std::string>{"nonsense", "--json"}));
  EXPECT_FALSE(asks_for_json(std::vector<std::string>{"dataset", "add", "--", "--json"}));
}

}  // namespace
}  // namespace cromford::cli
