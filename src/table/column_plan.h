#pragma once

// What the columns of a text file are to become. A guess counts, over a sample, what the cells of a
// column could be; the plan that follows from it is held against every cell when the file is read,
// and what does not fit is counted by kind, so that the plan can be mended or the row refused.
//
//   ColumnGuess guess;
//   for (std::string_view cell : sample) guess.add(cell);
//   const ColumnPlan plan = guess.plan(',');
//
// A column is of a type when at least 99.5% of its cells that are not missing are, and when the
// rest does not look like codes (letters and digits mixed, leading zeros): those make it text.
// Thread safety: values.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "table/cell.h"
#include "table/table.h"

namespace cromford::table {

// The share of cells that may fail to be of a column's type.
inline constexpr double kMisfitShareMax = 0.005;

struct ColumnPlan {
  ColumnType type = ColumnType::kText;
  NumberStyle style = NumberStyle::kPlain;             // kNumber
  DateFormat date_format = DateFormat::kYearMonthDay;  // kDate, kTimestamp
  MissingMarks marks = kMarksOfText;
  // Formats that fitted all cells of the sample beside `date_format`: the file must decide.
  DateFormats rivals = 0;
  bool undetermined = false;  // no cell in the sample told anything
  // The type is wanted so: nothing but an integer column may still widen, to numbers.
  bool fixed = false;
  bool operator==(const ColumnPlan&) const = default;
};

class ColumnGuess {
 public:
  void add(std::string_view cell);
  void merge(const ColumnGuess& other);
  // The plan for a file of this separator (it decides what a comma inside a number is).
  ColumnPlan plan(char delimiter) const;
  bool empty() const { return filled_ == 0; }

 private:
  bool nearly_all(int64_t count, int64_t of) const;
  std::optional<ColumnPlan> plan_number(int64_t filled, char delimiter) const;
  std::optional<ColumnPlan> plan_date(int64_t filled) const;
  MissingMarks text_marks() const;

  int64_t filled_ = 0;  // neither blank nor any mark
  std::array<int64_t, 9> marks_{};
  int64_t integers_ = 0;
  int64_t numbers_ = 0;
  int64_t decimal_commas_ = 0;
  int64_t thousands_ = 0;
  int64_t sure_commas_ = 0;     // can only be a decimal comma
  int64_t sure_thousands_ = 0;  // can only be a separator of thousands
  int64_t booleans_ = 0;
  int64_t codes_ = 0;          // look like codes
  int64_t capital_pairs_ = 0;  // two capital letters, as country codes are
  std::array<int64_t, kDateFormatCount> dates_{};
  int64_t with_time_ = 0;
};

// The cells that a column's plan could not read, by what they could have been.
struct Misfits {
  int64_t count = 0;   // all
  int64_t filled = 0;  // cells that were not missing, the misfits among them
  int64_t codes = 0;
  int64_t numbers = 0;        // of an integer column
  int64_t timestamps = 0;     // of a date column, in its format
  DateFormats ruled_out = 0;  // rivals that did not fit
  ColumnGuess guess;          // of an undetermined column, and of misfits

  void add(std::string_view cell, const ColumnPlan& plan);
  void merge(const Misfits& other);
};

// The plan after the whole file has been read with `plan`: the same when it may stand (few misfits:
// their rows are refused), else a wider one, with which the file must be read again.
ColumnPlan mend_plan(const ColumnPlan& plan, const Misfits& misfits, char delimiter);

// Whether so many cells did not fit that reading on is in vain.
bool is_hopeless(const Misfits& misfits);

// Letters and digits mixed, or a number with leading zeros.
bool looks_like_code(std::string_view cell);

// What the plan does to cells beside the plain reading, in words; empty when nothing.
std::string plan_note(const ColumnPlan& plan, MissingMarks seen_marks);

}  // namespace cromford::table
