#pragma once

// YAML as people write configuration in it, read strictly: one document, mappings with text keys
// that do not repeat, no anchors, aliases and tags, limited in length and depth. Every node knows
// its line, so that an error about its content can name it. This is the only place that sees
// yaml-cpp.
//
//   TRY(const flow::YamlNode document, flow::parse_yaml(text));
//   if (const flow::YamlNode* name = document.find("pipeline")) { ... name->line ... }
//
// Thread safety: functions and values.

#include <absl/status/statusor.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cromford::flow {

struct YamlEntry;

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMapping };

  Kind kind = Kind::kNull;
  std::string scalar;     // kScalar
  bool is_plain = false;  // kScalar: without quotes, so it may mean a number or a truth value.
  int line = 0;           // From 1.
  std::vector<YamlNode> items;     // kSequence
  std::vector<YamlEntry> entries;  // kMapping, in the order of the file

  // The value of a mapping's key, or nullptr.
  const YamlNode* find(std::string_view key) const;
};

struct YamlEntry {
  std::string key;
  int line = 0;
  YamlNode value;
};

inline constexpr size_t kYamlBytesMax = size_t{1} << 20;
inline constexpr size_t kYamlDepthMax = 32;
inline constexpr size_t kYamlNodesMax = 50'000;

// INVALID_ARGUMENT names the line. An empty document is a null node.
absl::StatusOr<YamlNode> parse_yaml(std::string_view text);

}  // namespace cromford::flow
