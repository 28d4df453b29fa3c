#include "cli/grammar.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/name.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::cli {
namespace {

constexpr std::string_view kSeeAll = "`cromford --help` lists all commands";

std::string hint(std::string_view near, std::string_view otherwise) {
  return near.empty() ? std::string(otherwise)
                      : fmt::format("did you mean '{}'? {}", near, otherwise);
}

// The first words of all commands, or the second words within a group.
std::vector<std::string> words_of(std::string_view group) {
  std::vector<std::string> words;
  for (const Command& command : commands()) {
    if (command.hidden) {
      continue;
    }
    const auto parts = base::split(command.path, ' ');
    if (group.empty()) {
      words.emplace_back(parts[0]);
    } else if (parts[0] == group && parts.size() > 1) {
      words.emplace_back(parts[1]);
    }
  }
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

bool is_group(std::string_view word) {
  return !words_of(word).empty();
}

absl::Status unknown_command(std::string_view word) {
  std::vector<std::string> candidates = words_of("");
  std::string near = base::nearest(word, candidates);
  if (near.empty()) {
    // "cromford list" says nothing, but "cromford evaluate" is near to `model evaluate`.
    for (const Command& command : commands()) {
      const auto parts = base::split(command.path, ' ');
      if (!command.hidden && parts.size() == 2 && parts[1] == word && word != "list" &&
          word != "show" && word != "delete") {
        near = command.path;
        break;
      }
    }
  }
  return base::invalid(fmt::format("there is no command '{}'", word), hint(near, kSeeAll));
}

absl::Status unknown_verb(std::string_view group, std::string_view word) {
  const std::vector<std::string> verbs = words_of(group);
  const std::string near = base::nearest(word, verbs);
  return base::invalid(fmt::format("there is no command '{} {}'", group, word),
                       hint(near.empty() ? near : fmt::format("{} {}", group, near),
                            fmt::format("`{}` has {}", group, base::join(verbs, ", "))));
}

absl::Status verb_missing(std::string_view group) {
  const std::vector<std::string> verbs = words_of(group);
  return base::invalid(fmt::format("which '{}' command is meant?", group),
                       fmt::format("add one of: {}; `cromford {} --help` explains them",
                                   base::join(verbs, ", "), group));
}

const Flag* find_flag(std::span<const Flag> flags, std::string_view name) {
  const auto found =
      std::find_if(flags.begin(), flags.end(), [&](const Flag& flag) { return flag.name == name; });
  return found == flags.end() ? nullptr : &*found;
}

std::string_view long_name(std::string_view flag) {
  if (flag == "-h") {
    return "--help";
  }
  if (flag == "-q") {
    return "--quiet";
  }
  return flag == "-y" ? "--yes" : flag;
}

absl::Status unknown_flag(std::string_view flag, const Command* command) {
  std::vector<std::string> names;
  if (command != nullptr) {
    for (const Flag& known : command->flags) {
      names.emplace_back(known.name);
    }
  }
  for (const Flag& known : global_flags()) {
    names.emplace_back(known.name);
  }
  const std::string where =
      command == nullptr ? std::string() : fmt::format(" for '{}'", command->path);
  const std::string help = command == nullptr
                               ? std::string(kSeeAll)
                               : fmt::format("see `cromford {} --help`", command->path);
  return base::invalid(fmt::format("there is no flag '{}'{}", flag, where),
                       hint(base::nearest(flag, names), help));
}

absl::Status check_kind(WordKind kind, std::string_view what, const std::string& value) {
  switch (kind) {
    case WordKind::kInteger:
      if (const auto number = base::to_number<int64_t>(value); !number || *number < 0) {
        return base::invalid(fmt::format("{} needs a whole number, not '{}'", what, value));
      }
      return absl::OkStatus();
    case WordKind::kNumber:
      if (!base::to_number<double>(value)) {
        return base::invalid(fmt::format("{} needs a number, not '{}'", what, value));
      }
      return absl::OkStatus();
    case WordKind::kDuration:
      return base::annotate(base::parse_duration(value).status(), what);
    case WordKind::kSize:
      return base::annotate(base::parse_size(value).status(), what);
    case WordKind::kDataset:
      return base::parse_versioned_name("dataset", value).status();
    case WordKind::kModel:
      return base::parse_versioned_name("model", value).status();
    case WordKind::kEndpoint:
      return base::check_name("endpoint", value);
    case WordKind::kPipeline:
      return base::check_name("pipeline", value);
    case WordKind::kProject:
      return base::check_name("project", value);
    case WordKind::kRun:
    case WordKind::kJob:
      if (value.empty() || value.find_first_of("/?#% ") != std::string::npos) {
        return base::invalid(fmt::format("{} needs an id, not '{}'", what, value));
      }
      return absl::OkStatus();
    case WordKind::kText:
    case WordKind::kFile:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status check_choice(std::span<const std::string_view> choices, std::string_view what,
                          const std::string& value) {
  if (choices.empty() || std::find(choices.begin(), choices.end(), value) != choices.end()) {
    return absl::OkStatus();
  }
  const std::vector<std::string> names(choices.begin(), choices.end());
  return base::invalid(
      fmt::format("{} cannot be '{}'", what, value),
      hint(base::nearest(value, names), fmt::format("it is one of: {}", base::join(names, ", "))));
}

// Takes the arguments one by one.
class Parser {
 public:
  explicit Parser(std::span<const std::string> arguments) : arguments_(arguments) {}

  absl::StatusOr<Invocation> run() {
    // The command's words come first, so that its flags are known wherever they stand.
    TRY(find_words());
    for (index_ = 0; index_ < arguments_.size(); ++index_) {
      if (index_ == first_word_ || index_ == second_word_) {
        continue;
      }
      TRY(take(arguments_[index_]));
    }
    if (wants_help_ || (call_.command == nullptr && !call_.given("--version"))) {
      call_.help = call_.command != nullptr ? std::string(call_.command->path) : group_;
      return std::move(call_);
    }
    TRY(check_complete());
    return std::move(call_);
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;

  // The index of the next argument at or after `from` that is a word and not a flag or its value.
  size_t next_word(size_t from) const {
    for (size_t i = from; i < arguments_.size(); ++i) {
      const std::string& argument = arguments_[i];
      if (argument == "--") {
        return kNone;
      }
      if (argument.size() < 2 || argument[0] != '-') {
        return i;
      }
      const Flag* flag = find_flag(global_flags(), long_name(argument));
      if (flag != nullptr && !flag->value.empty()) {
        ++i;
      }
    }
    return kNone;
  }

  absl::Status find_words() {
    first_word_ = next_word(0);
    if (first_word_ != kNone && arguments_[first_word_] == "help") {
      wants_help_ = true;
      help_word_ = first_word_;
      first_word_ = next_word(first_word_ + 1);
    }
    if (first_word_ == kNone) {
      return absl::OkStatus();
    }
    const std::string& first = arguments_[first_word_];
    call_.command = find_command(first);
    if (call_.command != nullptr) {
      return absl::OkStatus();
    }
    if (!is_group(first)) {
      return unknown_command(first);
    }
    group_ = first;
    second_word_ = next_word(first_word_ + 1);
    if (second_word_ == kNone) {
      return help_asked() ? absl::OkStatus() : verb_missing(first);
    }
    call_.command = find_command(fmt::format("{} {}", first, arguments_[second_word_]));
    return call_.command == nullptr ? unknown_verb(first, arguments_[second_word_])
                                    : absl::OkStatus();
  }

  bool help_asked() const {
    return wants_help_ ||
           std::any_of(arguments_.begin(), arguments_.end(),
                       [](const std::string& word) { return long_name(word) == "--help"; });
  }

  absl::Status take(const std::string& argument) {
    if (index_ == help_word_) {
      return absl::OkStatus();
    }
    if (only_words_ || argument.size() < 2 || argument[0] != '-') {
      return take_positional(argument);
    }
    if (argument == "--") {
      only_words_ = true;
      return absl::OkStatus();
    }
    return take_flag(argument);
  }

  absl::Status take_positional(const std::string& value) {
    if (call_.command == nullptr) {
      return unknown_command(value);
    }
    const auto& wanted = call_.command->positionals;
    const size_t at = std::min(call_.positionals.size(), wanted.empty() ? 0 : wanted.size() - 1);
    if (wanted.empty() || (call_.positionals.size() >= wanted.size() && !wanted[at].repeated)) {
      return base::invalid(fmt::format("'{}' takes {} and cannot use '{}'", call_.command->path,
                                       wanted.empty() ? "no words"
                                                      : fmt::format("only {} word{}", wanted.size(),
                                                                    wanted.size() == 1 ? "" : "s"),
                                       value),
                           fmt::format("see `cromford {} --help`", call_.command->path));
    }
    TRY(check_kind(wanted[at].kind, wanted[at].name, value));
    TRY(check_choice(wanted[at].choices, wanted[at].name, value));
    call_.positionals.push_back(value);
    return absl::OkStatus();
  }

  absl::Status take_flag(const std::string& argument) {
    const size_t equals = argument.find('=');
    const std::string_view name = long_name(std::string_view(argument).substr(0, equals));
    const Flag* flag = call_.command == nullptr ? nullptr : find_flag(call_.command->flags, name);
    flag = flag == nullptr ? find_flag(global_flags(), name) : flag;
    if (flag == nullptr) {
      return unknown_flag(name, call_.command);
    }
    if (flag->name == "--help") {
      wants_help_ = true;
      return absl::OkStatus();
    }
    if (flag->value.empty()) {
      if (equals != std::string::npos) {
        return base::invalid(fmt::format("{} is a switch and takes no value", name));
      }
      call_.add(flag->name, "");
      return absl::OkStatus();
    }
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (index_ + 1 < arguments_.size()) {
      value = arguments_[++index_];
    } else {
      return base::invalid(fmt::format("{} needs a value: {}", name, flag->value),
                           std::string(flag->help));
    }
    if (call_.given(flag->name) && !flag->repeated) {
      return base::invalid(fmt::format("{} is given twice", name));
    }
    TRY(check_kind(flag->kind, flag->name, value));
    TRY(check_choice(flag->choices, flag->name, value));
    call_.add(flag->name, std::move(value));
    return absl::OkStatus();
  }

  absl::Status check_complete() const {
    if (call_.command == nullptr) {
      return absl::OkStatus();
    }
    const auto& wanted = call_.command->positionals;
    const std::string remedy = fmt::format("see `cromford {} --help`", call_.command->path);
    for (size_t i = call_.positionals.size(); i < wanted.size(); ++i) {
      if (wanted[i].required) {
        return base::invalid(fmt::format("'{}' needs {}", call_.command->path, wanted[i].name),
                             remedy);
      }
    }
    for (const Flag& flag : call_.command->flags) {
      if (flag.required && !call_.given(flag.name)) {
        return base::invalid(
            fmt::format("'{}' needs {} {}", call_.command->path, flag.name, flag.value), remedy);
      }
    }
    return absl::OkStatus();
  }

  std::span<const std::string> arguments_;
  Invocation call_;
  std::string group_;
  size_t index_ = 0;
  size_t first_word_ = kNone;
  size_t second_word_ = kNone;
  size_t help_word_ = kNone;
  bool only_words_ = false;
  bool wants_help_ = false;
};

}  // namespace

const Command* find_command(std::string_view path) {
  const auto all = commands();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Command& command) { return command.path == path; });
  return found == all.end() ? nullptr : &*found;
}

std::string Invocation::text(std::string_view flag) const {
  const auto found = values_.find(flag);
  return found == values_.end() ? std::string() : found->second.back();
}

const std::vector<std::string>& Invocation::all(std::string_view flag) const {
  static const std::vector<std::string> kNone;
  const auto found = values_.find(flag);
  return found == values_.end() ? kNone : found->second;
}

int64_t Invocation::integer(std::string_view flag, int64_t otherwise) const {
  return base::to_number<int64_t>(text(flag)).value_or(otherwise);
}

double Invocation::number(std::string_view flag, double otherwise) const {
  return base::to_number<double>(text(flag)).value_or(otherwise);
}

std::string Invocation::positional(size_t index) const {
  return index < positionals.size() ? positionals[index] : std::string();
}

void Invocation::add(std::string_view flag, std::string value) {
  values_[std::string(flag)].push_back(std::move(value));
}

absl::StatusOr<Invocation> parse(std::span<const std::string> arguments) {
  return Parser(arguments).run();
}

bool asks_for_json(std::span<const std::string> arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  return std::find(arguments.begin(), end, "--json") != end;
}

}  // namespace cromford::cli
