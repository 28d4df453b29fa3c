#pragma once

// The profile of a dataset version: what each column holds, in figures and in words, made in one
// pass over the rows (table/profile_builder.h). A profile carries the compact mergeable state that
// it was computed from, so that appending rows costs what is appended: the profile of the new
// version is the old state merged with the state of the new rows.
//
//   ProfileBuilder builder(schema);
//   TRY(builder.add({columns, row_count}));
//   const Profile profile = builder.finish();
//   manifest["profile"] = to_json(profile);
//   TRY(const Profile same, profile_from_json(manifest["profile"]));
//
// Figures are exact while a column has at most `kExactValuesMax` distinct values; beyond, distinct
// counts come from HyperLogLog (about 1%), quantiles and histograms from a KLL sketch (rank error
// below 1%) and top values from Misra-Gries counters; `exact` says which.
//
// Thread safety: values.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "table/table.h"

namespace cromford::table {

// What a column means, as far as its values tell.
enum class SemanticType {
  kNumber,
  kCategory,
  kBoolean,
  kDatetime,
  kText,
  kIdentifier,
  kConstant,
};

// "number", "category", "boolean", "datetime", "text", "identifier", "constant".
std::string_view semantic_type_name(SemanticType type);

// Something that a person should look at. `code` is stable ("many_missing", "constant", ...; all of
// them stand in docs/profile.md); `text` is a sentence. `column` is empty for the whole table.
struct ProfileWarning {
  std::string code;
  std::string column;
  std::string text;
  bool operator==(const ProfileWarning&) const = default;
};

// The `edges.size() - 1` bins are [edge, next edge), the last one with its upper edge.
struct Histogram {
  std::vector<double> edges;
  std::vector<int64_t> counts;
  bool operator==(const Histogram&) const = default;
};

// The levels of NumberSummary::quantiles.
inline constexpr double kQuantileLevels[] = {0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99};
inline constexpr size_t kQuantileCount = std::size(kQuantileLevels);

// Of booleans (0 and 1), integers, numbers, dates (days since 1970-01-01) and timestamps
// (microseconds since then, UTC).
struct NumberSummary {
  double min = 0;
  double max = 0;
  double mean = 0;
  double sd = 0;                  // The sample's (n - 1); 0 for one value.
  double skewness = 0;            // Third standardised moment.
  std::vector<double> quantiles;  // kQuantileCount of them; values that occur.
  Histogram histogram;            // At most 64 bins.
  int64_t outliers_low = 0;       // Below q1 - 1.5 IQR; 0 where IQR is 0.
  int64_t outliers_high = 0;      // Above q3 + 1.5 IQR.
  int64_t zero = 0;
  int64_t negative = 0;
  bool operator==(const NumberSummary&) const = default;
};

// How often a shape of text occurs: letters as "A" and "a", digits as "9", runs written once with
// "+" ("AA9" -> "A+9"), at most 32 characters are looked at. Shares are of `looked_at` values.
struct TextPattern {
  std::string pattern;
  double share = 0;
  bool operator==(const TextPattern&) const = default;
};

struct TextSummary {
  int64_t length_min = 0;  // In bytes.
  int64_t length_max = 0;
  double length_mean = 0;
  int64_t blank = 0;                  // Empty or nothing but white space.
  int64_t padded = 0;                 // White space before or behind other text.
  int64_t looked_at = 0;              // How many values the shares below rest on.
  double number_share = 0;            // Texts that are numbers.
  double date_share = 0;              // Texts that look like dates or times.
  std::vector<TextPattern> patterns;  // The most frequent, at most 8.
  bool operator==(const TextSummary&) const = default;
};

struct TopValue {
  std::string value;  // As text: numbers in their shortest form, dates as 2001-01-31.
  int64_t count = 0;  // A lower bound where `top_exact` is false.
  bool operator==(const TopValue&) const = default;
};

struct ColumnProfile {
  std::string name;
  ColumnType storage = ColumnType::kText;
  SemanticType semantic = SemanticType::kText;
  int64_t missing = 0;  // Among Profile::row_count rows; what is not finite is missing.
  int64_t distinct = 0;
  bool exact = true;  // Of distinct, quantiles, histogram, outliers and top values.
  std::optional<NumberSummary> number;  // Where there is at least one value.
  std::optional<TextSummary> text;      // Of text columns with at least one value.
  std::vector<TopValue> top;            // At most 20, most frequent first, then by value.
  bool operator==(const ColumnProfile&) const = default;
};

struct Profile {
  int64_t row_count = 0;
  int64_t duplicate_rows = 0;  // Rows that equal an earlier row in all columns.
  bool duplicates_exact = true;
  std::vector<ColumnProfile> columns;
  std::vector<ProfileWarning> warnings;  // Of the table first, then in column order.
  std::string state;  // Bytes for `ProfileBuilder::resume` and `diff`; versioned, with a checksum.
  bool operator==(const Profile&) const = default;
};

inline constexpr int kProfileFormat = 1;
inline constexpr size_t kExactValuesMax = 4096;

enum class ProfileDetail {
  kWithoutState,  // What people and the API see.
  kWithState,     // What is stored.
};

// {"format":1,"row_count":..,"duplicate_rows":..,"duplicates_exact":..,"columns":[{"name",
// "storage","semantic","missing","distinct","exact","number":{..},"text":{..},"top":[..]}],
// "warnings":[{"code","column","text"}],"state":"base64url"}.
base::Json to_json(const Profile& profile, ProfileDetail detail = ProfileDetail::kWithState);

// Strict: an unknown or missing key, a wrong type, a count below zero, a repeated column and a
// newer format are INVALID_ARGUMENT with the JSON pointer. Without "state" the state is empty.
absl::StatusOr<Profile> profile_from_json(const base::Json& document);

}  // namespace cromford::table
