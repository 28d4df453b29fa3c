#include "base/name.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/status.h"
#include "base/text.h"

namespace cromford::base {
namespace {

constexpr size_t kNameLength = 63;
constexpr size_t kWordLength = 128;  // Longer words are not compared: the effort is quadratic.

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

char lower_char(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Optimal string alignment distance in half errors: another case costs one half, all else a whole.
size_t half_errors(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> current(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) {
    last[j] = 2 * j;
  }
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = 2 * i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t substitution = 2;
      if (a[i - 1] == b[j - 1]) {
        substitution = 0;
      } else if (lower_char(a[i - 1]) == lower_char(b[j - 1])) {
        substitution = 1;
      }
      current[j] = std::min({last[j] + 2, current[j - 1] + 2, last[j - 1] + substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before_last[j - 2] + 2);
      }
    }
    std::swap(before_last, last);
    std::swap(last, current);
  }
  return last[b.size()];
}

template <typename Text>
std::string nearest_of(std::string_view word, std::span<const Text> candidates) {
  if (word.empty() || word.size() > kWordLength) {
    return {};
  }
  size_t best = 2 * std::max<size_t>(1, word.size() / 3) + 1;
  std::string_view result;
  for (const Text& candidate : candidates) {
    const std::string_view text(candidate);
    const size_t difference =
        text.size() > word.size() ? text.size() - word.size() : word.size() - text.size();
    if (text.empty() || 2 * difference >= best) {
      continue;
    }
    const size_t errors = half_errors(word, text);
    if (errors < best && errors < 2 * word.size()) {
      best = errors;
      result = text;
    }
  }
  return std::string(result);
}

}  // namespace

absl::Status check_name(std::string_view what, std::string_view name) {
  const bool good = !name.empty() && name.size() <= kNameLength && is_lower_or_digit(name[0]) &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return is_lower_or_digit(c) || c == '_' || c == '-';
                    });
  if (good) {
    return absl::OkStatus();
  }
  const bool begins_with_vowel =
      !what.empty() && std::string_view("aeiou").find(what[0]) != std::string_view::npos;
  return invalid(fmt::format("'{}' cannot be the name of {} {}", clip_utf8(name, 80),
                             begins_with_vowel ? "an" : "a", what),
                 "a name begins with a-z or 0-9 and goes on with these, '_' and '-'; "
                 "it has at most 63 characters");
}

std::string VersionedName::text() const {
  return version ? fmt::format("{}@{}", name, *version) : name;
}

absl::StatusOr<VersionedName> parse_versioned_name(std::string_view what, std::string_view text) {
  VersionedName result;
  const size_t at = text.find('@');
  result.name = text.substr(0, at);
  TRY(check_name(what, result.name));
  if (at == std::string_view::npos) {
    return result;
  }
  const std::string_view version = text.substr(at + 1);
  if (version == "latest") {
    return result;
  }
  const std::optional<int32_t> number = to_number<int32_t>(version);
  if (!number || *number < 1) {
    return invalid(fmt::format("'{}' is not a version of a {}", clip_utf8(version, 40), what),
                   fmt::format("write {0}@1, {0}@2, ..., or {0} for the newest", result.name));
  }
  result.version = number;
  return result;
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  return nearest_of(word, candidates);
}

std::string nearest(std::string_view word, std::span<const std::string_view> candidates) {
  return nearest_of(word, candidates);
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  const std::string near = nearest(word, candidates);
  return near.empty() ? std::string() : fmt::format(" (did you mean '{}'?)", near);
}

}  // namespace cromford::base
