#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/grammar.h"

namespace cromford::cli {
namespace {

constexpr size_t kTextWidth = 78;

std::string wrapped(std::string_view text, size_t indent) {
  std::string out;
  size_t column = 0;
  for (const std::string_view word : base::split(text, ' ')) {
    if (column > 0 && indent + column + 1 + word.size() > kTextWidth) {
      out += "\n" + std::string(indent, ' ');
      column = 0;
    } else if (column > 0) {
      out += " ";
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

std::string rows(const std::vector<std::pair<std::string, std::string>>& entries) {
  size_t widest = 0;
  for (const auto& [name, what] : entries) {
    widest = std::max(widest, std::min<size_t>(name.size(), 26));
  }
  std::string out;
  for (const auto& [name, what] : entries) {
    if (name.size() > widest) {
      out += fmt::format("  {}\n  {:{}}  {}\n", name, "", widest, wrapped(what, widest + 4));
    } else {
      out += fmt::format("  {:{}}  {}\n", name, widest, wrapped(what, widest + 4));
    }
  }
  return out;
}

std::string flag_rows(std::span<const Flag> flags) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (const Flag& flag : flags) {
    std::string what(flag.help);
    if (!flag.choices.empty() && what.find(flag.choices[0]) == std::string::npos) {
      const std::vector<std::string> names(flag.choices.begin(), flag.choices.end());
      what += fmt::format(" ({})", base::join(names, ", "));
    }
    if (flag.required) {
      what += " (needed)";
    }
    entries.emplace_back(
        flag.value.empty() ? std::string(flag.name) : fmt::format("{} {}", flag.name, flag.value),
        what);
  }
  return rows(entries);
}

// Lines such as `zcat x | cromford ...` name the program themselves.
std::string example_rows(const Command& command) {
  std::string out;
  for (const Example& example : command.examples) {
    const bool whole = example.line.find("cromford ") != std::string_view::npos &&
                       example.line.find('|') != std::string_view::npos;
    out += fmt::format("  # {}\n  {}{}\n", example.what, whole ? "" : "cromford ", example.line);
  }
  return out;
}

std::string usage(const Command& command) {
  std::string out = fmt::format("cromford {}", command.path);
  for (const Positional& word : command.positionals) {
    std::string name(word.name);
    if (!word.choices.empty()) {
      name = base::join(std::vector<std::string>(word.choices.begin(), word.choices.end()), "|");
    }
    name += word.repeated ? "..." : "";
    out += word.required ? " " + name : fmt::format(" [{}]", name);
  }
  for (const Flag& flag : command.flags) {
    if (flag.required) {
      out += fmt::format(" {} {}", flag.name, flag.value);
    }
  }
  const bool optional = std::any_of(command.flags.begin(), command.flags.end(),
                                    [](const Flag& flag) { return !flag.required; });
  return out + (optional ? " [FLAGS]" : "");
}

std::string command_help(const Command& command) {
  std::string out = fmt::format("cromford {}: {}\n\nUsage:\n  {}\n\nExamples:\n{}", command.path,
                                command.summary, usage(command), example_rows(command));
  if (!command.flags.empty()) {
    out += "\nFlags:\n" + flag_rows(command.flags);
  }
  if (!command.notes.empty()) {
    out += "\n" + wrapped(command.notes, 0) + "\n";
  }
  return out + "\nFlags of all commands (--home, --url, --json, ...): cromford --help\n";
}

std::string group_help(std::string_view group) {
  std::string out = fmt::format("cromford {}: {}\n\nCommands:\n", group, group_summary(group));
  std::vector<std::pair<std::string, std::string>> entries;
  std::string examples;
  for (const Command& command : commands()) {
    if (base::split(command.path, ' ')[0] == group && !command.hidden) {
      entries.emplace_back(command.path, command.summary);
      examples += fmt::format("  cromford {}\n", command.examples[0].line);
    }
  }
  return out + rows(entries) + "\nExamples:\n" + examples +
         fmt::format("\nMore on one of them: cromford {} VERB --help\n", group);
}

std::string program_help() {
  std::string out =
      "cromford: an AI factory in one program, from raw data to served predictions\n\n"
      "Five minutes:\n"
      "  cromford dataset add orders orders.csv\n"
      "  cromford train orders --target returned --model returns\n"
      "  cromford deploy returns\n"
      "  cromford server\n\n"
      "Commands:\n";
  std::vector<std::pair<std::string, std::string>> entries;
  for (const Command& command : commands()) {
    const std::string first(base::split(command.path, ' ')[0]);
    if (command.hidden || (!entries.empty() && entries.back().first == first)) {
      continue;
    }
    const std::string_view group = group_summary(first);
    entries.emplace_back(first, group.empty() ? command.summary : group);
  }
  return out + rows(entries) + "\nFlags of all commands:\n" + flag_rows(global_flags()) +
         "\nOutput: on a terminal tables are drawn and figures rounded, for people; in a pipe or a "
         "file\n"
         "a table is one line per row with tabs between its columns and a line of titles first,\n"
         "figures in full (0.7523648234, bytes, seconds). --json gives the API's own document.\n"
         "\nMore on one of them: cromford COMMAND --help\n"
         "Exit codes: 0 done, 1 failed, 2 bad input, 3 refused by a check or gate, 4 not allowed,\n"
         "5 not found, 6 conflict, 7 server not reachable, 130 interrupted\n";
}

}  // namespace

std::string help_text(std::string_view path) {
  if (path.empty()) {
    return program_help();
  }
  const Command* command = find_command(path);
  return command == nullptr ? group_help(path) : command_help(*command);
}

}  // namespace cromford::cli
