#include "flow/section_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/limits.h"
#include "base/name.h"
#include "base/text.h"

namespace cromford::flow {
namespace {

using base::Json;

constexpr size_t kProblemsMax = 50;
constexpr size_t kTextBytesMax = size_t{64} << 10;

std::string_view kind_name(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "a single value";
    case YamlNode::Kind::kSequence:
      return "a list";
    case YamlNode::Kind::kMapping:
      break;
  }
  return "a mapping";
}

std::string escape_pointer(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (c == '~') {
      result += "~0";
    } else if (c == '/') {
      result += "~1";
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace

KeyPath KeyPath::child(std::string_view name) const {
  return {key.empty() ? std::string(name) : fmt::format("{}.{}", key, name),
          fmt::format("{}/{}", pointer, escape_pointer(name))};
}

KeyPath KeyPath::item(size_t index) const {
  return {fmt::format("{}[{}]", key, index), fmt::format("{}/{}", pointer, index)};
}

void Problems::add(int line, const KeyPath& path, std::string_view text, std::string_view remedy) {
  ++count_;
  if (problems_.size() < kProblemsMax) {
    problems_.push_back({line, path, std::string(text), std::string(remedy)});
  }
}

void Problems::retract(const KeyPath& path) {
  count_ -= std::erase_if(
      problems_, [&](const Problem& problem) { return problem.path.pointer == path.pointer; });
}

absl::Status Problems::status(std::string_view what) const {
  if (count_ == 0) {
    return absl::OkStatus();
  }
  std::vector<const Problem*> sorted;  // By line; within a line as they were found.
  sorted.reserve(problems_.size());
  for (const Problem& problem : problems_) {
    sorted.push_back(&problem);
  }
  std::sort(sorted.begin(), sorted.end(), [](const Problem* a, const Problem* b) {
    return a->line != b->line ? a->line < b->line : std::less<>()(a, b);
  });
  const auto describe = [](const Problem& problem) {
    return problem.path.key.empty()
               ? fmt::format("line {}: {}", problem.line, problem.text)
               : fmt::format("line {}, {}: {}", problem.line, problem.path.key, problem.text);
  };
  const Problem& first = *sorted.front();
  absl::Status status = base::invalid(
      count_ == 1 ? fmt::format("{}, {}", what, describe(first))
                  : fmt::format("{}, {} (and {} more)", what, describe(first), count_ - 1),
      first.remedy);
  for (const Problem* const problem : sorted) {
    std::string detail = fmt::format("line {}: {}", problem->line, problem->text);
    if (!problem->remedy.empty()) {
      detail += fmt::format(" ({})", problem->remedy);
    }
    status = base::with_field_error(std::move(status), {problem->path.pointer, std::move(detail)});
  }
  return status;
}

SectionReader::SectionReader(Problems& problems, const YamlNode& node, KeyPath path)
    : problems_(problems), node_(node), path_(std::move(path)) {
  if (node.kind != YamlNode::Kind::kMapping) {
    problems_.add(node.line, path_,
                  fmt::format("here should stand keys with values, not {}", kind_name(node)));
  }
}

const YamlNode* SectionReader::take(std::string_view key, Need need) {
  known_.emplace(key);
  const YamlNode* const found = node_.find(key);
  if (found == nullptr && need == Need::kRequired && node_.kind == YamlNode::Kind::kMapping) {
    problems_.add(node_.line, path_.child(key), "this key is missing");
  }
  return found;
}

void SectionReader::problem(std::string_view key, std::string_view text, std::string_view remedy) {
  const YamlNode* const found = node_.find(key);
  problems_.add(found == nullptr ? node_.line : found->line, path_.child(key), text, remedy);
}

void SectionReader::problem(const YamlNode& node, const KeyPath& path, const absl::Status& status) {
  problems_.add(node.line, path, base::message(status), base::remedy(status));
}

bool SectionReader::text(Json& out, std::string_view key, Need need) {
  const YamlNode* const found = take(key, need);
  if (found == nullptr) {
    return false;
  }
  const std::optional<std::string> value = scalar_text(*found);
  if (!value || value->empty()) {
    problem(key, fmt::format("here should stand a text, not {}",
                             value ? std::string_view("an empty one") : kind_name(*found)));
    return false;
  }
  if (value->size() > kTextBytesMax) {
    problem(key, fmt::format("it is longer than {}", base::format_size(kTextBytesMax)));
    return false;
  }
  out[std::string(key)] = *value;
  return true;
}

bool SectionReader::name(Json& out, std::string_view key, std::string_view what, Need need) {
  if (!text(out, key, need)) {
    return false;
  }
  const std::string value = out[std::string(key)].get<std::string>();
  if (const absl::Status status = base::check_name(what, value); !status.ok()) {
    problem(*node_.find(key), path_.child(key), status);
    return false;
  }
  return true;
}

bool SectionReader::word(Json& out, std::string_view key, std::span<const std::string> words) {
  if (!text(out, key)) {
    return false;
  }
  const std::string value = out[std::string(key)].get<std::string>();
  if (std::find(words.begin(), words.end(), value) == words.end()) {
    problem(key,
            fmt::format("'{}' is not known here{}", base::clip_utf8(value, 80),
                        base::did_you_mean(value, words)),
            fmt::format("write one of {}", base::join(words, ", ")));
    return false;
  }
  return true;
}

bool SectionReader::duration(Json& out, std::string_view key) {
  if (!text(out, key)) {
    return false;
  }
  const auto value = base::parse_duration(out[std::string(key)].get<std::string>());
  if (!value.ok()) {
    problem(*node_.find(key), path_.child(key), value.status());
  } else if (value->count() == 0) {
    problem(key, "it must be longer than nothing");
  } else {
    return true;
  }
  return false;
}

bool SectionReader::size(Json& out, std::string_view key) {
  if (!text(out, key)) {
    return false;
  }
  const auto value = base::parse_size(out[std::string(key)].get<std::string>());
  if (!value.ok()) {
    problem(*node_.find(key), path_.child(key), value.status());
    return false;
  }
  return true;
}

bool SectionReader::integer(Json& out, std::string_view key, int64_t min, int64_t max) {
  const YamlNode* const found = take(key);
  if (found == nullptr) {
    return false;
  }
  const Json value = scalar_to_json(*found);
  if (!value.is_number_integer() || value.get<int64_t>() < min || value.get<int64_t>() > max) {
    problem(key, fmt::format("here should stand a whole number from {} to {}", min, max));
    return false;
  }
  out[std::string(key)] = value;
  return true;
}

bool SectionReader::texts(Json& out, std::string_view key, Need need) {
  const YamlNode* const found = take(key, need);
  if (found == nullptr) {
    return false;
  }
  Json list = Json::array();
  const bool is_list = found->kind == YamlNode::Kind::kSequence;
  const size_t count = is_list ? found->items.size() : 1;
  for (size_t i = 0; i < count; ++i) {
    const YamlNode& item = is_list ? found->items[i] : *found;
    const std::optional<std::string> value = scalar_text(item);
    if (!value || value->empty()) {
      const KeyPath path = path_.child(key);
      problems_.add(item.line, is_list ? path.item(i) : path,
                    fmt::format("here should stand a text, not {}", kind_name(item)));
      return false;
    }
    list.push_back(*value);
  }
  if (list.empty()) {
    problem(key, "the list is empty");
    return false;
  }
  out[std::string(key)] = std::move(list);
  return true;
}

void SectionReader::done() {
  const std::vector<std::string> known(known_.begin(), known_.end());
  for (const YamlEntry& entry : node_.entries) {
    if (!known_.contains(entry.key)) {
      if (const std::string near = base::nearest(entry.key, known);
          !near.empty() && node_.find(near) == nullptr) {
        problems_.retract(path_.child(near));
      }
      problems_.add(entry.line, path_.child(base::clip_utf8(entry.key, 80)),
                    fmt::format("this key is not known{}", base::did_you_mean(entry.key, known)),
                    fmt::format("known here: {}", base::join(known, ", ")));
    }
  }
}

Json scalar_to_json(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::kScalar) {
    return nullptr;
  }
  const std::string& text = node.scalar;
  if (!node.is_plain) {
    return text;
  }
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return nullptr;
  }
  if (text == "true" || text == "True" || text == "TRUE") {
    return true;
  }
  if (text == "false" || text == "False" || text == "FALSE") {
    return false;
  }
  const std::string_view number = text.starts_with('+') ? std::string_view(text).substr(1) : text;
  if (const auto integer = base::to_number<int64_t>(number)) {
    return *integer;
  }
  if (const auto real = base::to_number<double>(number)) {
    return *real;
  }
  return text;
}

// NOLINTNEXTLINE(misc-no-recursion): the depth is limited by parse_yaml.
Json yaml_to_json(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::kSequence) {
    Json list = Json::array();
    for (const YamlNode& item : node.items) {
      list.push_back(yaml_to_json(item));
    }
    return list;
  }
  if (node.kind == YamlNode::Kind::kMapping) {
    Json object = Json::object();
    for (const YamlEntry& entry : node.entries) {
      object[entry.key] = yaml_to_json(entry.value);
    }
    return object;
  }
  return scalar_to_json(node);
}

std::optional<std::string> scalar_text(const YamlNode& node) {
  if (node.kind != YamlNode::Kind::kScalar || scalar_to_json(node).is_null()) {
    return std::nullopt;
  }
  return node.scalar;
}

}  // namespace cromford::flow
