#include "flow/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <sstream>
#include <utility>

#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"

namespace cromford::flow {
namespace {

// Builds the tree out of the parser's events. After the first problem, events are only counted off:
// the parser cannot be stopped from here.
class TreeBuilder final : public YAML::EventHandler {
 public:
  const std::string& problem() const { return problem_; }
  YamlNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(YamlNode::Kind::kNull, mark, "", anchor));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    fail(mark, "aliases are not supported; write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = make(YamlNode::Kind::kScalar, mark, tag, anchor);
    node.scalar = value;
    node.is_plain = tag == "?";
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(make(YamlNode::Kind::kSequence, mark, tag, anchor), mark);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(make(YamlNode::Kind::kMapping, mark, tag, anchor), mark);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    YamlNode node;
    std::optional<YamlEntry> entry;  // A mapping's key that waits for its value.
  };

  void fail(const YAML::Mark& mark, std::string_view text) {
    if (problem_.empty()) {
      problem_ = fmt::format("line {}: {}", mark.line + 1, text);
    }
  }

  YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
                YAML::anchor_t anchor) {
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    if (anchor != YAML::NullAnchor) {
      fail(mark, "anchors are not supported; write the value out where it is needed");
    }
    if (!tag.empty() && tag != "?" && tag != "!") {
      fail(mark, fmt::format("tags like '{}' are not supported", base::clip_utf8(tag, 40)));
    }
    if (++node_count_ > kYamlNodesMax) {
      fail(mark, fmt::format("there are more than {} values", kYamlNodesMax));
    }
    return node;
  }

  void open(YamlNode node, const YAML::Mark& mark) {
    if (stack_.size() >= kYamlDepthMax) {
      fail(mark, fmt::format("it is nested deeper than {} levels", kYamlDepthMax));
    }
    if (problem_.empty()) {
      stack_.push_back({std::move(node), std::nullopt});
    }
  }

  void close() {
    if (problem_.empty()) {
      YamlNode node = std::move(stack_.back().node);
      stack_.pop_back();
      add(std::move(node));
    }
  }

  void add(YamlNode node) {
    if (!problem_.empty()) {
      return;
    }
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.kind == YamlNode::Kind::kSequence) {
      frame.node.items.push_back(std::move(node));
    } else if (frame.entry) {
      frame.entry->value = std::move(node);
      frame.node.entries.push_back(*std::exchange(frame.entry, std::nullopt));
    } else {
      begin_entry(frame, std::move(node));
    }
  }

  void begin_entry(Frame& frame, YamlNode key) {
    const YAML::Mark mark = [&] {
      YAML::Mark result;
      result.line = key.line - 1;
      return result;
    }();
    if (key.kind != YamlNode::Kind::kScalar) {
      fail(mark, "a key must be a word");
    } else if (frame.node.find(key.scalar) != nullptr) {
      fail(mark, fmt::format("the key '{}' stands twice", base::clip_utf8(key.scalar, 80)));
    } else {
      frame.entry = YamlEntry{std::move(key.scalar), key.line, {}};
    }
  }

  std::string problem_;
  std::vector<Frame> stack_;
  YamlNode root_;
  size_t node_count_ = 0;
};

absl::Status not_yaml(std::string_view detail) {
  return base::invalid(fmt::format("the file is not YAML that can be read: {}", detail));
}

absl::Status check_bytes(std::string_view text) {
  if (text.size() > kYamlBytesMax) {
    return base::exhausted(
        fmt::format("the file is longer than {}", base::format_size(kYamlBytesMax)));
  }
  const auto line_of = [&](size_t offset) {
    return 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n');
  };
  if (!base::is_utf8(text)) {
    return not_yaml("it is not UTF-8 text");
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < ' ' && c != '\n' && c != '\r' && c != '\t') || c == 0x7f) {
      return not_yaml(fmt::format("line {}: there is a control character", line_of(i)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const YamlEntry& entry : entries) {
    if (entry.key == key) {
      return &entry.value;
    }
  }
  return nullptr;
}

absl::StatusOr<YamlNode> parse_yaml(std::string_view text) {
  TRY(check_bytes(text));
  TreeBuilder builder;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    const bool any = parser.HandleNextDocument(builder);
    TreeBuilder second;
    if (any && builder.problem().empty() && parser.HandleNextDocument(second)) {
      return not_yaml("it holds more than one document");
    }
  } catch (const YAML::Exception& error) {
    if (builder.problem().empty()) {
      return not_yaml(error.mark.is_null()
                          ? error.msg
                          : fmt::format("line {}: {}", error.mark.line + 1, error.msg));
    }
  } catch (const std::exception& error) {
    return not_yaml(error.what());
  }
  if (!builder.problem().empty()) {
    return not_yaml(builder.problem());
  }
  YamlNode root = builder.take_root();
  root.line = std::max(1, root.line);  // There is no mark in an empty document.
  return root;
}

}  // namespace cromford::flow
