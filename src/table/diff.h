#pragma once

// What changed from one dataset version to another, from their profiles alone: no row is read.
//
//   TRY(const VersionDiff diff, diff_versions(old_profile, new_profile));
//   for (const std::string& sentence : diff.sentences) { fmt::print("{}\n", sentence); }
//
// Distribution distances are over bins shared by both versions: the deciles of the older version
// for numbers and times, its top values and "others" for categories; missing values are a bin of
// their own. PSI = sum (q - p) ln(q / p) (population stability index, shares floored at 1e-4);
// JS = Jensen-Shannon divergence in bits (0: equal, 1: nothing in common).
//
// Thread safety: functions and values.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "table/profile.h"

namespace cromford::table {

struct TypeChange {
  std::string name;
  ColumnType from = ColumnType::kText;
  ColumnType to = ColumnType::kText;
};

// A removed and an added column that hold nearly the same: perhaps a new name.
struct RenameHint {
  std::string from;
  std::string to;
};

// By PSI, less what chance alone makes of few rows: from 0.02, 0.1 and 0.25.
enum class ChangeLevel { kNone, kSmall, kMedium, kLarge };

struct NumberChange {
  double mean_from = 0;
  double mean_to = 0;
  double sd_from = 0;
  double sd_to = 0;
  double median_from = 0;
  double median_to = 0;
  double min_from = 0;
  double min_to = 0;
  double max_from = 0;
  double max_to = 0;
};

struct ColumnDiff {
  std::string name;
  double missing_share_from = 0;
  double missing_share_to = 0;
  int64_t distinct_from = 0;
  int64_t distinct_to = 0;
  double psi = 0;
  double js = 0;
  ChangeLevel level = ChangeLevel::kNone;
  std::optional<NumberChange> number;
  // Of text and boolean columns: frequent values of one version that the other does not have. Only
  // filled where both versions' values are counted exactly; at most 20 each.
  std::vector<std::string> new_values;
  std::vector<std::string> vanished_values;
  std::vector<std::string> sentences;  // Empty where nothing worth a word changed.
};

struct VersionDiff {
  std::vector<ColumnSchema> added;
  std::vector<ColumnSchema> removed;
  std::vector<TypeChange> changed;
  std::vector<RenameHint> renamed;
  bool reordered = false;  // The common columns stand in another order.
  int64_t row_count_from = 0;
  int64_t row_count_to = 0;
  std::vector<ColumnDiff> columns;     // Columns of both, in the newer version's order.
  std::vector<std::string> sentences;  // The whole in words, most important first.
};

// DATA_LOSS where a state is damaged; profiles without state give no distances (psi and js 0).
absl::StatusOr<VersionDiff> diff_versions(const Profile& from, const Profile& to);

// {"schema":{"added":[{name,type}],"removed":[..],"changed":[{name,from,to}],"renamed":[{from,to}],
// "reordered":false},"row_count":{"from":n,"to":n},"columns":[{"name","level","psi","js",
// "missing_share":{from,to},"distinct":{from,to},"mean":{from,to},...}],"sentences":[..]}.
base::Json to_json(const VersionDiff& diff);

}  // namespace cromford::table
