#pragma once

// Shell completion: a short script per shell calls the hidden command `__complete` with the words
// of the line so far, which prints one candidate per line, with names from the running server.
//
//   output.raw(completion_script("bash"));
//   for (const std::string& word : complete(words, session)) { ... }
//
// Thread safety: functions only; a session belongs to one thread.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/grammar.h"

namespace cromford::cli {

class Session;

// `shell`: "bash", "zsh" or "fish".
std::string_view completion_script(std::string_view shell);

// Names that exist now, of a kind that has names ("flights"); empty where none can be had quickly.
using LiveNames = std::vector<std::string> (*)(WordKind kind, std::string_view typed,
                                               Session& session);

struct Candidates {
  std::vector<std::string> words;
  bool files = false;  // The shell may add file names.
};

// `words`: those behind the program's name, the last one being typed (perhaps empty).
Candidates complete(std::span<const std::string> words, Session& session, LiveNames live_names);

// Asks a server that runs already; never hosts one, and gives up after 300 ms.
std::vector<std::string> names_of_running_server(WordKind kind, std::string_view typed,
                                                 Session& session);

}  // namespace cromford::cli
