#pragma once

// The grammar of the command line as one table: every command with its words, flags and examples.
// The parser, the help, the completion and the hints in errors all read this table, so that they
// cannot disagree.
//
//   for (const Command& command : commands()) { ... }
//   TRY(const Invocation call, parse(arguments));
//   if (call.switched_on("--append")) { ... }
//   const std::string target = call.text("--target");
//
// Thread safety: the table is constant; an invocation is a value.

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cromford::cli {

class Session;

// What a word is, for checking its form and for completing it.
enum class WordKind {
  kText,
  kInteger,  // Not negative.
  kNumber,
  kDuration,  // 90s, 5m, 2h
  kSize,      // 512MiB, 4GiB
  kFile,
  kDataset,  // NAME or NAME@V, and so on below
  kModel,
  kEndpoint,
  kPipeline,
  kRun,
  kJob,
  kProject,
};

struct Flag {
  std::string_view name;   // "--target"
  std::string_view value;  // What to call its value in the help; empty: a switch.
  std::string_view help;
  WordKind kind = WordKind::kText;
  bool repeated = false;
  bool required = false;
  std::vector<std::string_view> choices = {};  // Empty: anything of its kind.
};

struct Positional {
  std::string_view name;  // "NAME[@V]"
  WordKind kind = WordKind::kText;
  bool required = true;
  bool repeated = false;                       // Only the last one.
  std::vector<std::string_view> choices = {};  // Empty: anything of its kind.
};

struct Example {
  std::string_view line;  // Without the program's name.
  std::string_view what;
};

class Invocation;
using Handler = absl::Status (*)(const Invocation& call, Session& session);

struct Command {
  std::string_view path;     // "dataset add"
  std::string_view summary;  // One line, small letter first, no full stop.
  std::vector<Positional> positionals;
  std::vector<Flag> flags;
  std::vector<Example> examples;
  std::string_view notes = {};  // A paragraph for the help.
  Handler handler = nullptr;    // Null: `run` deals with it itself.
  bool hidden = false;
};

// All commands in the order of the help.
std::span<const Command> commands();
// Flags that every command takes.
std::span<const Flag> global_flags();
// What a group of commands is for: "dataset" -> "versions of rows: ...".
std::string_view group_summary(std::string_view group);
// The command of that path, or null.
const Command* find_command(std::string_view path);

// One call of the program, checked against the table.
class Invocation {
 public:
  // Null where no command was named (help, version).
  const Command* command = nullptr;
  // For which command, group or (empty) program help was asked; nullopt: no help.
  std::optional<std::string> help;
  std::vector<std::string> positionals;

  bool given(std::string_view flag) const { return values_.contains(flag); }
  bool switched_on(std::string_view flag) const { return given(flag); }
  // The last value given; empty when there is none.
  std::string text(std::string_view flag) const;
  const std::vector<std::string>& all(std::string_view flag) const;
  // Only for flags whose kind is kInteger, kNumber.
  int64_t integer(std::string_view flag, int64_t otherwise) const;
  double number(std::string_view flag, double otherwise) const;
  // The positional at `index`, or "".
  std::string positional(size_t index) const;

  void add(std::string_view flag, std::string value);

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

// Reads the arguments behind the program's name. INVALID_ARGUMENT, with the nearest known word as
// its remedy, for a command, flag or value that does not exist or does not fit.
absl::StatusOr<Invocation> parse(std::span<const std::string> arguments);

// Whether --json stands among the arguments, also where the rest cannot be parsed: an error must
// be written in the form that was asked for.
bool asks_for_json(std::span<const std::string> arguments);

}  // namespace cromford::cli
