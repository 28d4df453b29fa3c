#pragma once

// Takes the sections of a configuration file apart: each expected key is asked for by its kind,
// every mistake is noted with its line, and what nobody asked for is an unknown key. All mistakes
// of a file are found in one go.
//
//   Problems problems;
//   SectionReader train(problems, *node, {"train", "/train"});
//   base::Json settings;
//   train.text(settings, "target", Need::kRequired);
//   train.duration(settings, "time");
//   train.done();                                // reports what is left
//   TRY(problems.status("the pipeline file"));
//
// Thread safety: belongs to one thread.

#include <absl/status/status.h>

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "flow/yaml.h"

namespace cromford::flow {

// Where a value stands: for people ("train.budget.time") and as a JSON pointer.
struct KeyPath {
  std::string key;
  std::string pointer;

  KeyPath child(std::string_view name) const;
  KeyPath item(size_t index) const;
};

// The mistakes found so far.
class Problems {
 public:
  void add(int line, const KeyPath& path, std::string_view text, std::string_view remedy = {});
  // Takes back what was said of a value, because another problem explains it.
  void retract(const KeyPath& path);
  // INVALID_ARGUMENT: "WHAT, line 7, train.metric: ..." for the first by line, with the number of
  // further ones; all of them (at most 50) as field errors. OK where there are none.
  absl::Status status(std::string_view what) const;

 private:
  struct Problem {
    int line;
    KeyPath path;
    std::string text;
    std::string remedy;
  };
  std::vector<Problem> problems_;
  size_t count_ = 0;
};

enum class Need { kOptional, kRequired };

class SectionReader {
 public:
  // `node` should be a mapping; if not, that is a problem and every key is absent.
  SectionReader(Problems& problems, const YamlNode& node, KeyPath path);

  // The value of a key, or nullptr; asked for is known.
  const YamlNode* take(std::string_view key, Need need = Need::kOptional);
  KeyPath path_of(std::string_view key) const { return path_.child(key); }
  const YamlNode& node() const { return node_; }
  const KeyPath& path() const { return path_; }

  // Each puts the value under the same key into `out` where the key is there and right; gives
  // whether it did.
  bool text(base::Json& out, std::string_view key, Need need = Need::kOptional);
  bool name(base::Json& out, std::string_view key, std::string_view what,
            Need need = Need::kOptional);
  bool word(base::Json& out, std::string_view key, std::span<const std::string> words);
  bool duration(base::Json& out, std::string_view key);
  bool size(base::Json& out, std::string_view key);
  bool integer(base::Json& out, std::string_view key, int64_t min, int64_t max);
  // One text or a list of texts; always a list in `out`.
  bool texts(base::Json& out, std::string_view key, Need need = Need::kOptional);

  // Every key that was not asked for is a problem, with the nearest known key; if that is one that
  // is missing, only the misspelt key is reported.
  void done();

  void problem(std::string_view key, std::string_view text, std::string_view remedy = {});

 private:
  void problem(const YamlNode& node, const KeyPath& path, const absl::Status& status);

  Problems& problems_;
  const YamlNode& node_;
  KeyPath path_;
  std::set<std::string, std::less<>> known_;
};

// A scalar by YAML's rules for plain words: null, true, false, integers, numbers, else text.
base::Json scalar_to_json(const YamlNode& node);
// The whole tree; nullopt where it is nested deeper than a configuration may be.
base::Json yaml_to_json(const YamlNode& node);
// The text of a scalar that is not null.
std::optional<std::string> scalar_text(const YamlNode& node);

}  // namespace cromford::flow
