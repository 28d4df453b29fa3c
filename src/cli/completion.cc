#include "cli/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/client.h"
#include "cli/json_fields.h"
#include "cli/session.h"

namespace cromford::cli {
namespace {

// Where file names may stand, `__complete` says so by this line.
constexpr std::string_view kFilesMark = ":files";

constexpr std::string_view kBash = R"(# cromford completion for bash
_cromford() {
  local i c piece line prefix="" rest="${COMP_LINE:0:COMP_POINT}"
  local -a words=()
  COMPREPLY=()
  # bash splits words at ':', '=' and '@' as well (COMP_WORDBREAKS): join what no blank parts.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    if [[ $i -eq 0 || $rest == [[:blank:]]* ]]; then
      rest="${rest#"${rest%%[![:blank:]]*}"}"
      words+=("")
    fi
    piece="${COMP_WORDS[i]}"
    [[ $i -eq $COMP_CWORD ]] && piece="$rest"
    words[${#words[@]}-1]+="$piece"
    rest="${rest#"$piece"}"
  done
  local cur="${words[${#words[@]}-1]}"
  # bash replaces only what stands behind the last of them.
  for c in : = @; do
    piece="${cur%"${cur##*"$c"}"}"
    if [[ $COMP_WORDBREAKS == *"$c"* && ${#piece} -gt ${#prefix} ]]; then
      prefix="$piece"
    fi
  done
  while IFS= read -r line; do
    if [ "$line" = ":files" ]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("${line#"$prefix"}"); done < <(compgen -f -- "$cur")
    elif [ -n "$line" ]; then
      COMPREPLY+=("${line#"$prefix"}")
    fi
  done < <("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _cromford cromford
)";

constexpr std::string_view kZsh = R"(#compdef cromford
# cromford completion for zsh
_cromford() {
  local line files=0
  local -a candidates
  while IFS= read -r line; do
    if [[ $line == ":files" ]]; then files=1; elif [[ -n $line ]]; then candidates+=("$line"); fi
  done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  (( ${#candidates} )) && compadd -- "${candidates[@]}"
  (( files )) && _files
}
if [ "$funcstack[1]" = "_cromford" ]; then _cromford "$@"; else compdef _cromford cromford; fi
)";

constexpr std::string_view kFish = R"(# cromford completion for fish
function __cromford_complete
  set -l words (commandline -opc)[2..-1] (commandline -ct)
  for line in (cromford __complete -- $words 2>/dev/null)
    if test "$line" = ":files"
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c cromford -f -a '(__cromford_complete)'
)";

std::string_view collection_of(WordKind kind) {
  switch (kind) {
    case WordKind::kDataset:
      return "datasets";
    case WordKind::kModel:
      return "models";
    case WordKind::kEndpoint:
      return "endpoints";
    case WordKind::kPipeline:
      return "pipelines";
    case WordKind::kRun:
      return "runs";
    case WordKind::kJob:
      return "jobs";
    default:
      return {};
  }
}

const Flag* flag_of(const Command* command, std::string_view name) {
  const auto has_name = [&](const Flag& flag) { return flag.name == name; };
  if (command != nullptr) {
    const auto found = std::find_if(command->flags.begin(), command->flags.end(), has_name);
    if (found != command->flags.end()) {
      return &*found;
    }
  }
  const auto global = global_flags();
  const auto found = std::find_if(global.begin(), global.end(), has_name);
  return found == global.end() ? nullptr : &*found;
}

// The words so far, read without complaint: half-typed lines are the rule here.
struct Line {
  const Command* command = nullptr;
  std::string group;
  size_t positionals = 0;
  const Flag* awaiting = nullptr;  // The flag whose value is being typed.
};

Line read_line(std::span<const std::string> words) {
  Line line;
  for (const std::string& word : words) {
    if (line.awaiting != nullptr) {
      line.awaiting = nullptr;
    } else if (word.starts_with("-") && word.size() > 1) {
      const Flag* flag = flag_of(line.command, word);
      line.awaiting = flag != nullptr && !flag->value.empty() ? flag : nullptr;
    } else if (line.command != nullptr) {
      ++line.positionals;
    } else if (line.group.empty()) {
      line.command = find_command(word);
      line.group = line.command == nullptr ? word : "";
    } else {
      line.command = find_command(line.group + " " + word);
    }
  }
  return line;
}

void add_value(WordKind kind, std::span<const std::string_view> choices, std::string_view typed,
               Session& session, LiveNames live_names, Candidates& candidates) {
  if (!choices.empty()) {
    candidates.words.assign(choices.begin(), choices.end());
  } else if (kind == WordKind::kFile) {
    candidates.files = true;
  } else if (!collection_of(kind).empty()) {
    candidates.words = live_names(kind, typed, session);
  }
}

// "--task=b": the flag's values, each behind the flag.
bool add_value_behind_equals(const Line& line, std::string_view typed, Session& session,
                             LiveNames live_names, Candidates& candidates) {
  const size_t equals = typed.find('=');
  const Flag* const flag =
      equals == std::string_view::npos ? nullptr : flag_of(line.command, typed.substr(0, equals));
  if (flag == nullptr) {
    return false;
  }
  add_value(flag->kind, flag->choices, typed.substr(equals + 1), session, live_names, candidates);
  for (std::string& word : candidates.words) {
    word.insert(0, typed.substr(0, equals + 1));
  }
  return true;
}

void add_command_words(const std::string& group, Candidates& candidates) {
  for (const Command& command : commands()) {
    const auto parts = base::split(command.path, ' ');
    if (command.hidden) {
      continue;
    }
    if (group.empty()) {
      candidates.words.emplace_back(parts[0]);
    } else if (parts[0] == group && parts.size() > 1) {
      candidates.words.emplace_back(parts[1]);
    }
  }
}

void add_flags(const Command* command, Candidates& candidates) {
  if (command != nullptr) {
    for (const Flag& flag : command->flags) {
      candidates.words.emplace_back(flag.name);
    }
  }
  for (const Flag& flag : global_flags()) {
    candidates.words.emplace_back(flag.name);
  }
}

}  // namespace

std::string_view completion_script(std::string_view shell) {
  if (shell == "bash") {
    return kBash;
  }
  return shell == "zsh" ? kZsh : kFish;
}

Candidates complete(std::span<const std::string> words, Session& session, LiveNames live_names) {
  Candidates candidates;
  const std::string typed = words.empty() ? "" : words.back();
  const Line line = read_line(words.empty() ? words : words.first(words.size() - 1));
  if (line.awaiting != nullptr) {
    add_value(line.awaiting->kind, line.awaiting->choices, typed, session, live_names, candidates);
  } else if (typed.starts_with("-")) {
    if (!add_value_behind_equals(line, typed, session, live_names, candidates)) {
      add_flags(line.command, candidates);
    }
  } else if (line.command == nullptr) {
    add_command_words(line.group, candidates);
  } else if (const auto& wanted = line.command->positionals; !wanted.empty()) {
    const Positional& word = wanted[std::min(line.positionals, wanted.size() - 1)];
    if (line.positionals < wanted.size() || word.repeated) {
      add_value(word.kind, word.choices, typed, session, live_names, candidates);
    }
  }
  std::erase_if(candidates.words,
                [&](const std::string& word) { return !word.starts_with(typed); });
  std::sort(candidates.words.begin(), candidates.words.end());
  candidates.words.erase(std::unique(candidates.words.begin(), candidates.words.end()),
                         candidates.words.end());
  if (candidates.files) {
    candidates.words.emplace_back(kFilesMark);
  }
  return candidates;
}

std::vector<std::string> names_of_running_server(WordKind kind, std::string_view typed,
                                                 Session& session) {
  const size_t at = typed.find('@');
  const bool has_versions = kind == WordKind::kDataset || kind == WordKind::kModel;
  const bool wants_versions = has_versions && at != std::string_view::npos;
  const std::string path = wants_versions ? fmt::format("/{}/{}/versions", collection_of(kind),
                                                        encoded(typed.substr(0, at)))
                                          : fmt::format("/{}", collection_of(kind));
  std::vector<std::string> names;
  const auto client = session.running_server(std::chrono::milliseconds(300));
  if (client == nullptr) {
    return names;
  }
  const absl::StatusOr<base::Json> answer =
      client->get(session.in_project(path), {{"page_size", "200"}});
  if (!answer.ok()) {
    return names;
  }
  const bool by_id = kind == WordKind::kRun || kind == WordKind::kJob;
  for (const base::Json& item :
       array_field(*answer, wants_versions ? std::string_view("versions") : collection_of(kind))) {
    names.push_back(wants_versions
                        ? fmt::format("{}@{}", typed.substr(0, at), text_field(item, "version"))
                        : text_field(item, by_id ? "id" : "name"));
  }
  return names;
}

}  // namespace cromford::cli
