#include "table/cell.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <system_error>

#include "base/text.h"

namespace cromford::table {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr size_t kNumberBytesMax = 400;

bool parse_plain(std::string_view text, double& value) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) {
      return false;
    }
  }
  const size_t sign = text.starts_with('-') ? 1 : 0;
  const bool begins_well =
      text.size() > sign && (is_digit(text[sign]) || (text[sign] == '.' && text.size() > sign + 1 &&
                                                      is_digit(text[sign + 1])));
  if (!begins_well) {
    return false;  // Among others inf and nan, which the library would read.
  }
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (stop != end) {
    return false;
  }
  if (error == std::errc::result_out_of_range) {
    // Too small is zero; too large is no number.
    const bool tiny = text.find("e-") != std::string_view::npos ||
                      text.find("E-") != std::string_view::npos || text[sign] == '0';
    value = 0;
    return tiny;
  }
  return error == std::errc() && std::isfinite(value);
}

// Removes group separators that stand before each three digits of the whole part; false when they
// stand elsewhere.
bool ungroup(std::string_view text, char group, char point, std::array<char, kNumberBytesMax>& out,
             size_t& length) {
  if (text.size() >= out.size()) {
    return false;
  }
  const size_t whole_end = std::min(text.find(point), text.size());
  length = 0;
  std::optional<size_t> last_group;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == group) {
      const bool placed = i < whole_end && i > 0 && is_digit(text[i - 1]) &&
                          (whole_end - i) % 4 == 0 && (!last_group || i - *last_group == 4);
      if (!placed) {
        return false;
      }
      last_group = i;
      continue;
    }
    if (i < whole_end && last_group && !is_digit(c)) {
      return false;
    }
    out[length++] = c == point ? '.' : c;
  }
  return true;
}

// The numbers and the separators of a date, and what is behind it.
struct DateParts {
  std::array<int, 3> number{};
  std::array<size_t, 3> digits{};  // 0 where the name of a month stands
  int name_at = -1;
  int count = 0;
  size_t end = 0;
};

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 12> kLongMonths = {
    "january", "february", "march",     "april",   "may",      "june",
    "july",    "august",   "september", "october", "november", "december"};

int month_named(std::string_view word) {
  for (size_t i = 0; i < kMonths.size(); ++i) {
    if (base::equal_ignoring_case(word, kMonths[i]) ||
        base::equal_ignoring_case(word, kLongMonths[i]) ||
        (i == 8 && base::equal_ignoring_case(word, "sept"))) {
      return static_cast<int>(i) + 1;
    }
  }
  return 0;
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Takes one number or month name at `at`.
bool take_part(std::string_view text, size_t& at, DateParts& parts) {
  const size_t begin = at;
  const auto index = static_cast<size_t>(parts.count);
  if (at < text.size() && is_letter(text[at])) {
    while (at < text.size() && is_letter(text[at])) {
      ++at;
    }
    const int month = month_named(text.substr(begin, at - begin));
    if (month == 0 || parts.name_at >= 0) {
      return false;
    }
    parts.name_at = parts.count;
    parts.number[index] = month;
    ++parts.count;
    return true;
  }
  int value = 0;
  while (at < text.size() && is_digit(text[at]) && at - begin < 4) {
    value = value * 10 + (text[at] - '0');
    ++at;
  }
  parts.number[index] = value;
  parts.digits[index] = at - begin;
  ++parts.count;
  return at > begin;
}

// Takes the separator between two parts: one of -/. or, beside a month's name, also blanks and a
// comma. All separators of a date of numbers are alike.
bool take_separator(std::string_view text, size_t& at, bool named, char& separator) {
  if (at >= text.size()) {
    return false;
  }
  const char c = text[at];
  if (c == '-' || c == '/' || c == '.') {
    if (separator != 0 && separator != c) {
      return false;
    }
    separator = c;
    ++at;
    return true;
  }
  if (!named || (c != ' ' && c != ',')) {
    return false;
  }
  if (c == ',') {
    ++at;
  }
  while (at < text.size() && text[at] == ' ') {
    ++at;
  }
  return true;
}

bool split_date(std::string_view text, DateParts& parts) {
  size_t at = 0;
  char separator = 0;
  if (text.size() < 6 || !take_part(text, at, parts)) {
    return false;
  }
  const bool name_ahead = at + 1 < text.size() && is_letter(text[at + 1]);
  if (!take_separator(text, at, parts.name_at >= 0 || name_ahead, separator) ||
      !take_part(text, at, parts)) {
    return false;
  }
  parts.end = at;
  if (at == text.size()) {
    return true;  // Two parts: a year and a month.
  }
  if (!take_separator(text, at, parts.name_at >= 0, separator) || !take_part(text, at, parts)) {
    return parts.digits[0] == 4 && (parts.count = 2) == 2 && parts.end == text.size();
  }
  parts.end = at;
  return true;
}

std::optional<int32_t> days_of(int year, int month, int day) {
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) {
    return std::nullopt;
  }
  return static_cast<int32_t>(std::chrono::sys_days{date}.time_since_epoch().count());
}

int full_year(int year) {
  return year < 69 ? 2000 + year : 1900 + year;
}

std::optional<int32_t> days_in_format(const DateParts& parts, DateFormat format) {
  const auto& n = parts.number;
  const auto& d = parts.digits;
  const bool numeric = parts.name_at < 0 && parts.count == 3;
  const auto small = [&d](size_t i) { return d[i] == 1 || d[i] == 2; };
  switch (format) {
    case DateFormat::kYearMonthDay:
      return numeric && d[0] == 4 && small(1) && small(2) ? days_of(n[0], n[1], n[2])
                                                          : std::nullopt;
    case DateFormat::kDayMonthYear:
      return numeric && small(0) && small(1) && d[2] == 4 ? days_of(n[2], n[1], n[0])
                                                          : std::nullopt;
    case DateFormat::kMonthDayYear:
      return numeric && small(0) && small(1) && d[2] == 4 ? days_of(n[2], n[0], n[1])
                                                          : std::nullopt;
    case DateFormat::kDayMonthShortYear:
      return numeric && small(0) && small(1) && d[2] == 2 ? days_of(full_year(n[2]), n[1], n[0])
                                                          : std::nullopt;
    case DateFormat::kMonthDayShortYear:
      return numeric && small(0) && small(1) && d[2] == 2 ? days_of(full_year(n[2]), n[0], n[1])
                                                          : std::nullopt;
    case DateFormat::kDayNameYear:
      return parts.count == 3 && parts.name_at == 1 && small(0) && d[2] == 4
                 ? days_of(n[2], n[1], n[0])
                 : std::nullopt;
    case DateFormat::kDayNameShortYear:
      return parts.count == 3 && parts.name_at == 1 && small(0) && d[2] == 2
                 ? days_of(full_year(n[2]), n[1], n[0])
                 : std::nullopt;
    case DateFormat::kNameDayYear:
      return parts.count == 3 && parts.name_at == 0 && small(1) && d[2] == 4
                 ? days_of(n[2], n[0], n[1])
                 : std::nullopt;
    case DateFormat::kYearMonth:
      return parts.count == 2 && parts.name_at < 0 && d[0] == 4 && d[1] == 2
                 ? days_of(n[0], n[1], 1)
                 : std::nullopt;
  }
  return std::nullopt;
}

bool take_number(std::string_view text, size_t& at, size_t digits_min, size_t digits_max,
                 int& value) {
  const size_t begin = at;
  value = 0;
  while (at < text.size() && is_digit(text[at]) && at - begin < digits_max) {
    value = value * 10 + (text[at] - '0');
    ++at;
  }
  return at - begin >= digits_min;
}

constexpr int64_t kSecond = 1'000'000;

// A zone at the end: Z, UTC, +01:00, +0100, +01. Leaves its offset in microseconds.
bool parse_zone(std::string_view text, int64_t& offset) {
  offset = 0;
  if (text.empty() || text == "Z" || text == "z" || text == "UTC" || text == "GMT") {
    return true;
  }
  if (text.front() != '+' && text.front() != '-') {
    return false;
  }
  size_t at = 1;
  int hours = 0;
  int minutes = 0;
  if (!take_number(text, at, 2, 2, hours)) {
    return false;
  }
  if (at < text.size()) {
    at += text[at] == ':' ? 1 : 0;
    if (!take_number(text, at, 2, 2, minutes) || at != text.size()) {
      return false;
    }
  }
  if (hours > 15 || minutes > 59) {
    return false;
  }
  offset = (text.front() == '-' ? -1 : 1) * (hours * 3600LL + minutes * 60LL) * kSecond;
  return true;
}

// ".123456": digits beyond the sixth are cut off.
bool take_fraction(std::string_view text, size_t& at, int64_t& microseconds) {
  const size_t begin = ++at;
  int64_t unit = kSecond / 10;
  while (at < text.size() && is_digit(text[at])) {
    microseconds += (text[at] - '0') * unit;
    unit /= 10;
    ++at;
  }
  return at > begin;
}

// " 10:00", "T10:00:00.5+02:00", " 9:05 PM": microseconds since midnight UTC of the date.
bool parse_time_of_day(std::string_view text, int64_t& microseconds) {
  if (text.empty() || (text.front() != ' ' && text.front() != 'T' && text.front() != 't')) {
    return false;
  }
  size_t at = 1;
  int hours = 0;
  int minutes = 0;
  int seconds = 0;
  int64_t fraction = 0;
  if (!take_number(text, at, 1, 2, hours) || at >= text.size() || text[at] != ':') {
    return false;
  }
  ++at;
  if (!take_number(text, at, 2, 2, minutes)) {
    return false;
  }
  if (at < text.size() && text[at] == ':') {
    if (!take_number(text, ++at, 2, 2, seconds)) {
      return false;
    }
    if (at < text.size() && (text[at] == '.' || text[at] == ',') &&
        !take_fraction(text, at, fraction)) {
      return false;
    }
  }
  std::string_view rest = base::trim(text.substr(at));
  const bool am = rest.starts_with("AM") || rest.starts_with("am");
  const bool pm = rest.starts_with("PM") || rest.starts_with("pm");
  if (am || pm) {
    if (hours < 1 || hours > 12) {
      return false;
    }
    hours = hours % 12 + (pm ? 12 : 0);
    rest = base::trim(rest.substr(2));
  }
  int64_t offset = 0;
  if (hours > 23 || minutes > 59 || seconds > 60 || !parse_zone(rest, offset)) {
    return false;
  }
  microseconds = (hours * 3600LL + minutes * 60LL + seconds) * kSecond + fraction - offset;
  return true;
}

// "2001-02-25" at the beginning of `text`, the form that nearly all files have.
bool parse_iso_date(std::string_view text, int32_t& days) {
  constexpr size_t kLength = 10;
  if (text.size() < kLength || text[4] != '-' || text[7] != '-') {
    return false;
  }
  std::array<int, 8> digit{};
  constexpr std::array<size_t, 8> kPlaces = {0, 1, 2, 3, 5, 6, 8, 9};
  for (size_t i = 0; i < kPlaces.size(); ++i) {
    digit[i] = text[kPlaces[i]] - '0';
    if (digit[i] < 0 || digit[i] > 9) {
      return false;
    }
  }
  const auto found = days_of(digit[0] * 1000 + digit[1] * 100 + digit[2] * 10 + digit[3],
                             digit[4] * 10 + digit[5], digit[6] * 10 + digit[7]);
  if (found) {
    days = *found;
  }
  return found.has_value();
}

}  // namespace

bool parse_integer(std::string_view text, int64_t& value) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  constexpr size_t kDigitsMax = 18;
  if (text.empty() || text.size() > kDigitsMax || (text.size() > 1 && text.front() == '0')) {
    return false;
  }
  int64_t result = 0;
  for (const char c : text) {
    if (!is_digit(c)) {
      return false;
    }
    result = result * 10 + (c - '0');
  }
  value = negative ? -result : result;
  return true;
}

bool parse_number(std::string_view text, NumberStyle style, double& value) {
  if (style == NumberStyle::kPlain) {
    return parse_plain(text, value);
  }
  std::array<char, kNumberBytesMax> plain{};
  size_t length = 0;
  if (style == NumberStyle::kThousands) {
    return ungroup(text, ',', '.', plain, length) && parse_plain({plain.data(), length}, value);
  }
  const char group = text.find(' ') != std::string_view::npos ? ' ' : '.';
  if (text.find(',') == std::string_view::npos && group == '.') {
    // Without a comma, a single point might be either; as a group it must stand in its place.
    return ungroup(text, '.', ',', plain, length) && parse_plain({plain.data(), length}, value);
  }
  return ungroup(text, group, ',', plain, length) && parse_plain({plain.data(), length}, value);
}

bool parse_boolean(std::string_view text, bool& value) {
  if (text.size() == 4 && base::equal_ignoring_case(text, "true")) {
    value = true;
    return true;
  }
  if (text.size() == 5 && base::equal_ignoring_case(text, "false")) {
    value = false;
    return true;
  }
  return false;
}

std::string_view date_format_name(DateFormat format) {
  switch (format) {
    case DateFormat::kYearMonthDay:
      return "Y-m-d";
    case DateFormat::kDayMonthYear:
      return "d/m/Y";
    case DateFormat::kMonthDayYear:
      return "m/d/Y";
    case DateFormat::kDayMonthShortYear:
      return "d/m/y";
    case DateFormat::kMonthDayShortYear:
      return "m/d/y";
    case DateFormat::kDayNameYear:
      return "d month Y";
    case DateFormat::kDayNameShortYear:
      return "d month y";
    case DateFormat::kNameDayYear:
      return "month d, Y";
    case DateFormat::kYearMonth:
      break;
  }
  return "Y-m";
}

DateFormats date_formats_of(std::string_view text, bool& has_time) {
  DateParts parts;
  has_time = false;
  if (!split_date(text, parts)) {
    return 0;
  }
  int64_t ignored = 0;
  has_time = parts.end < text.size();
  if (has_time && !parse_time_of_day(text.substr(parts.end), ignored)) {
    return 0;
  }
  DateFormats fits = 0;
  for (int i = 0; i < kDateFormatCount; ++i) {
    const auto format = static_cast<DateFormat>(1U << static_cast<unsigned>(i));
    fits |= days_in_format(parts, format) ? bit(format) : 0;
  }
  return fits;
}

bool parse_date(std::string_view text, DateFormat format, int32_t& days) {
  if (format == DateFormat::kYearMonthDay && text.size() == 10 && parse_iso_date(text, days)) {
    return true;
  }
  DateParts parts;
  if (!split_date(text, parts) || parts.end != text.size()) {
    return false;
  }
  const auto found = days_in_format(parts, format);
  days = found.value_or(0);
  return found.has_value();
}

bool parse_timestamp(std::string_view text, DateFormat format, int64_t& microseconds) {
  constexpr int64_t kDay = 86'400 * kSecond;
  int32_t days = 0;
  size_t end = 10;
  if (format != DateFormat::kYearMonthDay || !parse_iso_date(text, days)) {
    DateParts parts;
    if (!split_date(text, parts)) {
      return false;
    }
    const auto found = days_in_format(parts, format);
    if (!found) {
      return false;
    }
    days = *found;
    end = parts.end;
  }
  int64_t time = 0;
  if (end < text.size() && !parse_time_of_day(text.substr(end), time)) {
    return false;
  }
  microseconds = days * kDay + time;
  return true;
}

MissingMarks missing_mark_of(std::string_view text) {
  struct Word {
    std::string_view text;
    MissingMark mark;
  };
  static constexpr std::array<Word, 33> kWords = {{
      {"?", MissingMark::kQuestion},
      {"NA", MissingMark::kNa},
      {"N/A", MissingMark::kNotAvailable},
      {"n/a", MissingMark::kNotAvailable},
      {"#N/A", MissingMark::kNotAvailable},
      {"<NA>", MissingMark::kNotAvailable},
      {"NULL", MissingMark::kNull},
      {"null", MissingMark::kNull},
      {"Null", MissingMark::kNull},
      {"\\N", MissingMark::kNull},
      {"(null)", MissingMark::kNull},
      {"nil", MissingMark::kNone},
      {"na", MissingMark::kNone},
      {"NaN", MissingMark::kNan},
      {"nan", MissingMark::kNan},
      {"NAN", MissingMark::kNan},
      {"-nan", MissingMark::kNan},
      {"None", MissingMark::kNone},
      {"none", MissingMark::kNone},
      {"NONE", MissingMark::kNone},
      {"-", MissingMark::kDash},
      {"--", MissingMark::kDash},
      {".", MissingMark::kDash},
      {"unknown", MissingMark::kWord},
      {"Unknown", MissingMark::kWord},
      {"UNKNOWN", MissingMark::kWord},
      {"missing", MissingMark::kWord},
      {"Missing", MissingMark::kWord},
      {"inf", MissingMark::kInfinite},
      {"-inf", MissingMark::kInfinite},
      {"Inf", MissingMark::kInfinite},
      {"-Inf", MissingMark::kInfinite},
      {"Infinity", MissingMark::kInfinite},
  }};
  constexpr size_t kLengthMax = 8;
  // Most cells are told apart by their first character.
  static constexpr auto kFirsts = [] {
    std::array<bool, 256> firsts{};
    for (const Word& word : kWords) {
      firsts[static_cast<unsigned char>(word.text.front())] = true;
    }
    return firsts;
  }();
  if (text.size() > kLengthMax || text.empty() ||
      !kFirsts[static_cast<unsigned char>(text.front())]) {
    return 0;
  }
  for (const Word& word : kWords) {
    if (word.text == text) {
      return bit(word.mark);
    }
  }
  return 0;
}

}  // namespace cromford::table
