#include "table/json_limits.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "base/status.h"

namespace cromford::table {
namespace {

// FNV-1a: the names of a file are few and short, and a collision only lets one name more pass.
constexpr uint64_t kHashStart = 14695981039346656037ULL;
constexpr uint64_t kHashPrime = 1099511628211ULL;

uint64_t hash_byte(uint64_t hash, char c) {
  return (hash ^ static_cast<unsigned char>(c)) * kHashPrime;
}

uint64_t joined(uint64_t path, uint64_t name) {
  return (path ^ (name + 0x9E3779B97F4A7C15ULL + (path << 6U) + (path >> 2U))) * kHashPrime;
}

}  // namespace

absl::Status JsonLimits::push(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (in_text_ && !in_name_ && !after_backslash_) {
      // Most bytes of most files stand in texts.
      const size_t end = bytes.find_first_of("\"\\\n", i);
      if (end == std::string_view::npos) {
        return absl::OkStatus();
      }
      i = end;
    }
    TRY(put(bytes[i]));
  }
  return absl::OkStatus();
}

absl::Status JsonLimits::put(char c) {
  if (c == '\n') {
    ++line_;
    if (layout_ == Layout::kLines) {
      reset();
      return absl::OkStatus();
    }
  }
  if (in_text_) {
    const bool ends = c == '"' && !after_backslash_;
    after_backslash_ = c == '\\' && !after_backslash_;
    if (ends) {
      in_text_ = false;
      return in_name_ ? end_of_name() : absl::OkStatus();
    }
    name_ = in_name_ ? hash_byte(name_, c) : name_;
    return absl::OkStatus();
  }
  switch (c) {
    case '"':
      in_text_ = true;
      in_name_ = awaits_name_;
      name_ = in_name_ ? kHashStart : name_;
      break;
    case '{':
    case '[':
      return open(c == '{');
    case '}':
    case ']':
      if (!levels_.empty()) {
        levels_.pop_back();
      }
      awaits_name_ = false;
      break;
    case ',':
      awaits_name_ = !levels_.empty() && levels_.back().object;
      break;
    default:
      break;
  }
  return absl::OkStatus();
}

absl::Status JsonLimits::open(bool object) {
  const base::Limits limits;
  if (levels_.size() >= limits.json_depth) {
    return base::invalid(
        fmt::format("{}: line {} is nested deeper than {} levels", display_name_, line_,
                    limits.json_depth),
        "store deeply nested values as text, or take them apart before the import");
  }
  // An object in an object goes by the name before it; one in an array by the array's.
  const bool named = !levels_.empty() && levels_.back().object;
  const uint64_t above = levels_.empty() ? 0 : levels_.back().path;
  levels_.push_back({object, named ? joined(above, name_) : above});
  awaits_name_ = object;
  return absl::OkStatus();
}

absl::Status JsonLimits::end_of_name() {
  in_name_ = false;
  awaits_name_ = false;
  const base::Limits limits;
  names_.insert(joined(levels_.back().path, name_));
  if (names_.size() > limits.columns) {
    return base::exhausted(
        fmt::format("{} has values of more than {} different names", display_name_, limits.columns),
        "split it by columns, or store the values as rows with a name each");
  }
  return absl::OkStatus();
}

void JsonLimits::reset() {
  levels_.clear();
  in_text_ = after_backslash_ = awaits_name_ = in_name_ = false;
}

}  // namespace cromford::table
