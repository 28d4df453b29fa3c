#pragma once

// The contract between a model and whoever sends it rows: the raw input columns, their types and
// their order, and the one way in which raw text becomes a value. Training, serving, batch scoring
// and the edge share it, so that "1,5", " 3 " or "yes" mean the same everywhere.
//
//   const Contract contract = {{"origin", InputType::kText}, {"distance", InputType::kNumber}};
//   TRY(const Value distance, parse_value(InputType::kNumber, " 612 "));  // distance.number == 612
//   const std::optional<size_t> column = find_column(contract, "origin");
//
// Thread safety: values and pure functions.

#include <absl/status/statusor.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cromford::model {

// What a model predicts. The numbers stand in package files and never change.
enum class Task : uint8_t { kBinary = 1, kMulticlass = 2, kRegression = 3 };

// The type of a raw input column. The numbers stand in package files and never change.
enum class InputType : uint8_t { kNumber = 1, kBoolean = 2, kText = 3, kDate = 4, kTimestamp = 5 };

struct InputColumn {
  std::string name;
  InputType type = InputType::kNumber;
  friend bool operator==(const InputColumn&, const InputColumn&) = default;
};

// Raw input columns in the order in which a RowBatch holds them.
using Contract = std::vector<InputColumn>;

// One raw value. `number` is used by all types but text: booleans are 0 or 1, dates and timestamps
// are seconds since 1970-01-01T00:00:00Z, missing is NaN. `text` is used by text columns: missing
// is empty; it is a view of the text that was parsed.
struct Value {
  double number = std::numeric_limits<double>::quiet_NaN();
  std::string_view text = {};
};

// "binary", "multiclass", "regression"; "number", "boolean", "text", "date", "timestamp".
std::string_view task_name(Task task);
std::string_view input_type_name(InputType type);
std::optional<Task> task_by_name(std::string_view name);
std::optional<InputType> input_type_by_name(std::string_view name);

// The position of the column called `name`; names are compared byte by byte.
std::optional<size_t> find_column(const Contract& contract, std::string_view name);

// The value that `raw` (a cell of a CSV file, a JSON string) has in a column of type `type`.
// Blanks around it are ignored; nothing but blanks is missing. Numbers are finite decimal numbers
// with a point ("1e-3", "+4"; no hexadecimal, no thousands separators) or "nan" (missing);
// booleans true/false/yes/no/t/f/y/n/1/0 in any case; dates YYYY-MM-DD (a time behind it is cut
// off); timestamps YYYY-MM-DD[T| ]HH:MM[:SS[.fraction]][Z|+HH[:MM]], UTC where no zone is given, a
// bare date is midnight. Text keeps its blanks. INVALID_ARGUMENT says what was expected.
absl::StatusOr<Value> parse_value(InputType type, std::string_view raw);

// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Hinnant, "chrono-Compatible
// Low-Level Date Algorithms"); the reverse for a whole number of days.
int64_t days_from_civil(int64_t year, unsigned month, unsigned day);
struct CivilDate {
  int64_t year = 1970;
  unsigned month = 1;  // 1..12
  unsigned day = 1;    // 1..31
};
CivilDate civil_from_days(int64_t days);

}  // namespace cromford::model
