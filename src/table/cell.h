#pragma once

// What a cell of text says: numbers, dates, times, truth, or that it is missing. Everything is
// strict: a cell either is of the kind, wholly, or it is not.
//
//   int64_t count = 0;
//   if (parse_integer("42", count)) ...
//   const DateFormats fits = date_formats_of("25/01/2001");    // d/m/Y alone
//
// Thread safety: functions only.

#include <cstdint>
#include <string_view>

namespace cromford::table {

// Digits with an optional sign, within 64 bits, without leading zeros (those make codes, not
// counts: postal codes, account numbers).
bool parse_integer(std::string_view text, int64_t& value);

enum class NumberStyle {
  kPlain,         // 1234.5 1e3
  kDecimalComma,  // 1.234,5 or 1234,5 or 1 234,5
  kThousands,     // 1,234.5
};
// Finite numbers only.
bool parse_number(std::string_view text, NumberStyle style, double& value);

// "true", "false" in any case.
bool parse_boolean(std::string_view text, bool& value);

// The ways of writing a date; bits of a set. Two-digit years lie in 1969..2068 (POSIX).
enum class DateFormat : uint32_t {
  kYearMonthDay = 1U << 0,       // 2001-02-25, 2001/2/25, 2001.02.25
  kDayMonthYear = 1U << 1,       // 25/02/2001
  kMonthDayYear = 1U << 2,       // 02/25/2001
  kDayMonthShortYear = 1U << 3,  // 25/02/01
  kMonthDayShortYear = 1U << 4,  // 02/25/01
  kDayNameYear = 1U << 5,        // 25 Feb 2001, 25-Feb-2001
  kDayNameShortYear = 1U << 6,   // 25-Feb-01
  kNameDayYear = 1U << 7,        // Feb 25, 2001
  kYearMonth = 1U << 8,          // 2001-02: the first of the month
};
using DateFormats = uint32_t;
inline constexpr int kDateFormatCount = 9;
constexpr DateFormats bit(DateFormat format) {
  return static_cast<DateFormats>(format);
}
// "Y-m-d", "d/m/Y", ...
std::string_view date_format_name(DateFormat format);

// The formats in which `text` is a date, alone or with a time of day behind it; 0: it is none.
DateFormats date_formats_of(std::string_view text, bool& has_time);
// Days since 1970-01-01.
bool parse_date(std::string_view text, DateFormat format, int32_t& days);
// Microseconds since 1970-01-01T00:00:00Z. The time of day is optional, so is its zone (none: UTC).
bool parse_timestamp(std::string_view text, DateFormat format, int64_t& microseconds);

// The marks that people write for a missing value; bits of a set.
enum class MissingMark : uint32_t {
  kQuestion = 1U << 0,      // ?
  kNa = 1U << 1,            // NA
  kNotAvailable = 1U << 2,  // N/A n/a #N/A <NA>
  kNull = 1U << 3,          // NULL null Null \N (null)
  kNan = 1U << 4,           // NaN nan NAN -nan
  kNone = 1U << 5,          // None none NONE nil na
  kDash = 1U << 6,          // - -- .
  kWord = 1U << 7,          // unknown missing (any case)
  kInfinite = 1U << 8,      // inf -inf Infinity: a number that is none
};
using MissingMarks = uint32_t;
constexpr MissingMarks bit(MissingMark mark) {
  return static_cast<MissingMarks>(mark);
}
// Of columns that are not text everything counts; in text, None, a dash and "unknown" are values
// like others, and so are the rest where a column would lose a real category.
inline constexpr MissingMarks kMarksOfTyped = 0x1FF;
inline constexpr MissingMarks kMarksOfText = 0x1F;

// The mark that `text` is, or 0.
MissingMarks missing_mark_of(std::string_view text);

}  // namespace cromford::table
