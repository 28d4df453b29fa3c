#pragma once

// Names of projects, datasets, models, endpoints, pipelines, and their versions as users write
// them ("flights@3"); and the guess at what a mistyped word was meant to be.
//
//   TRY(base::check_name("dataset", name));
//   TRY(const base::VersionedName model, base::parse_versioned_name("model", "late@3"));
//   const std::string near = base::nearest("distnace", column_names);   // "distance"
//
// Thread safety: functions only.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cromford::base {

// OK when `name` matches [a-z0-9][a-z0-9_-]{0,62}; else INVALID_ARGUMENT, which calls it by `what`
// ("dataset", "model").
absl::Status check_name(std::string_view what, std::string_view name);

struct VersionedName {
  std::string name;
  std::optional<int32_t> version;  // from 1; absent: the newest

  // "late@3", or "late".
  std::string text() const;
  bool operator==(const VersionedName&) const = default;
};

// Reads "late", "late@3" and "late@latest".
absl::StatusOr<VersionedName> parse_versioned_name(std::string_view what, std::string_view text);

// The candidate with the fewest typing errors (insertions, deletions, substitutions, exchanged
// neighbours; case counts half), or "" when none is near: more than a third of the word wrong.
std::string nearest(std::string_view word, std::span<const std::string> candidates);
std::string nearest(std::string_view word, std::span<const std::string_view> candidates);

// " (did you mean 'distance'?)", or "" when nothing is near; for the end of an error message.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace cromford::base
