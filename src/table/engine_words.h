#pragma once

// What the data engine says about users' SQL and files, in our words: its messages quote SQL that
// is ours, list overloads by the dozen and advise settings that nobody here can make.
//
//   return words_of_query("Referenced column \"dist\" not found in FROM clause! ...");
//   // there is no column "dist"; remedy: did you mean "distance"?
//
// Thread safety: functions only.

#include <absl/status/status.h>

#include <string>
#include <string_view>

namespace cromford::table {

// INVALID_ARGUMENT with a remedy, for a query or condition that a user wrote. `message` is the
// engine's.
absl::Status words_of_query(std::string_view message);

struct KnownFile {
  std::string path;          // as the engine names it
  std::string display_name;  // as people do
};

// The same for a status about a file; without a remedy where only the caller knows one.
absl::Status words_of_file(const absl::Status& status, const KnownFile& file);

}  // namespace cromford::table
