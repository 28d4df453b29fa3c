#include "model/contract.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/status.h"
#include "base/text.h"

namespace cromford::model {
namespace {

constexpr double kSecondsPerDay = 86400.0;
constexpr size_t kQuotedMax = 60;  // of a bad value in a message

constexpr std::array<std::pair<Task, std::string_view>, 3> kTasks = {
    {{Task::kBinary, "binary"},
     {Task::kMulticlass, "multiclass"},
     {Task::kRegression, "regression"}}};
constexpr std::array<std::pair<InputType, std::string_view>, 5> kInputTypes = {
    {{InputType::kNumber, "number"},
     {InputType::kBoolean, "boolean"},
     {InputType::kText, "text"},
     {InputType::kDate, "date"},
     {InputType::kTimestamp, "timestamp"}}};

absl::Status not_a(std::string_view what, std::string_view raw, std::string_view remedy) {
  return base::invalid(fmt::format("'{}' is not a {}", base::clip_utf8(raw, kQuotedMax), what),
                       remedy);
}

std::optional<double> to_finite(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') {
    text.remove_prefix(1);
  }
  return base::to_number<double>(text);
}

std::optional<double> to_boolean(std::string_view text) {
  for (const std::string_view word : {"true", "yes", "t", "y", "1"}) {
    if (base::equal_ignoring_case(text, word)) {
      return 1.0;
    }
  }
  for (const std::string_view word : {"false", "no", "f", "n", "0"}) {
    if (base::equal_ignoring_case(text, word)) {
      return 0.0;
    }
  }
  return std::nullopt;
}

// Reads text from left to right; every function says whether it found what it wanted.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() const { return text_.empty(); }
  bool literal(std::string_view any_of) {
    if (text_.empty() || any_of.find(text_[0]) == std::string_view::npos) {
      return false;
    }
    last_ = text_[0];
    text_.remove_prefix(1);
    return true;
  }
  char last() const { return last_; }
  // Exactly `digits` digits.
  bool number(size_t digits, int& value) {
    if (text_.size() < digits) {
      return false;
    }
    value = 0;
    for (size_t i = 0; i < digits; ++i) {
      if (text_[i] < '0' || text_[i] > '9') {
        return false;
      }
      value = 10 * value + (text_[i] - '0');
    }
    text_.remove_prefix(digits);
    return true;
  }
  // One digit or more, as a fraction of one.
  bool fraction(double& value) {
    double numerator = 0.0;
    double denominator = 1.0;
    size_t digits = 0;
    for (; !text_.empty() && text_[0] >= '0' && text_[0] <= '9'; text_.remove_prefix(1), ++digits) {
      if (digits < 15) {
        numerator = 10.0 * numerator + (text_[0] - '0');
        denominator *= 10.0;
      }
    }
    value = numerator / denominator;
    return digits > 0;
  }

 private:
  std::string_view text_;
  char last_ = 0;
};

bool scan_date(Scanner& in, double& seconds) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (!in.number(4, year) || !in.literal("-") || !in.number(2, month) || !in.literal("-") ||
      !in.number(2, day) || month < 1 || month > 12 || day < 1) {
    return false;
  }
  const int64_t days =
      days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  const CivilDate back = civil_from_days(days);
  seconds = static_cast<double>(days) * kSecondsPerDay;
  return back.month == static_cast<unsigned>(month) && back.day == static_cast<unsigned>(day);
}

bool scan_clock(Scanner& in, double& seconds) {
  int hour = 0;
  int minute = 0;
  int second = 0;
  double fraction = 0.0;
  if (!in.number(2, hour) || !in.literal(":") || !in.number(2, minute) || hour > 23 ||
      minute > 59) {
    return false;
  }
  if (in.literal(":") &&
      (!in.number(2, second) || second > 60 || (in.literal(".,") && !in.fraction(fraction)))) {
    return false;
  }
  seconds += 3600.0 * hour + 60.0 * minute + second + fraction;
  return true;
}

bool scan_zone(Scanner& in, double& seconds) {
  if (in.at_end() || in.literal("Zz")) {
    return true;
  }
  if (!in.literal("+-")) {
    return false;
  }
  const double sign = in.last() == '+' ? 1.0 : -1.0;
  int hours = 0;
  int minutes = 0;
  if (!in.number(2, hours) || hours > 15) {
    return false;
  }
  if (!in.at_end() && (in.literal(":"), !in.number(2, minutes) || minutes > 59)) {
    return false;
  }
  seconds -= sign * (3600.0 * hours + 60.0 * minutes);
  return true;
}

std::optional<double> to_timestamp(std::string_view text) {
  Scanner in(text);
  double seconds = 0.0;
  if (!scan_date(in, seconds)) {
    return std::nullopt;
  }
  if (in.at_end()) {
    return seconds;
  }
  if (!in.literal("Tt ") || !scan_clock(in, seconds)) {
    return std::nullopt;
  }
  in.literal(" ");
  if (!scan_zone(in, seconds) || !in.at_end()) {
    return std::nullopt;
  }
  return seconds;
}

absl::StatusOr<Value> number_or(std::optional<double> number, std::string_view what,
                                std::string_view raw, std::string_view remedy) {
  if (!number) {
    return not_a(what, raw, remedy);
  }
  return Value{*number, {}};
}

}  // namespace

std::string_view task_name(Task task) {
  const auto* found = std::ranges::find(kTasks, task, &decltype(kTasks)::value_type::first);
  return found == kTasks.end() ? "unknown" : found->second;
}

std::string_view input_type_name(InputType type) {
  const auto* found =
      std::ranges::find(kInputTypes, type, &decltype(kInputTypes)::value_type::first);
  return found == kInputTypes.end() ? "unknown" : found->second;
}

std::optional<Task> task_by_name(std::string_view name) {
  const auto* found = std::ranges::find(kTasks, name, &decltype(kTasks)::value_type::second);
  return found == kTasks.end() ? std::nullopt : std::optional(found->first);
}

std::optional<InputType> input_type_by_name(std::string_view name) {
  const auto* found =
      std::ranges::find(kInputTypes, name, &decltype(kInputTypes)::value_type::second);
  return found == kInputTypes.end() ? std::nullopt : std::optional(found->first);
}

std::optional<size_t> find_column(const Contract& contract, std::string_view name) {
  const auto found = std::ranges::find(contract, name, &InputColumn::name);
  if (found == contract.end()) {
    return std::nullopt;
  }
  return static_cast<size_t>(found - contract.begin());
}

absl::StatusOr<Value> parse_value(InputType type, std::string_view raw) {
  const std::string_view text = base::trim(raw);
  if (text.empty()) {
    return Value{};
  }
  switch (type) {
    case InputType::kText:
      return Value{std::numeric_limits<double>::quiet_NaN(), raw};
    case InputType::kNumber:
      if (base::equal_ignoring_case(text, "nan")) {
        return Value{};
      }
      return number_or(to_finite(text), "number", text,
                       "write a finite decimal number with a point, e.g. 612 or 1.5e-3");
    case InputType::kBoolean:
      return number_or(to_boolean(text), "boolean", text, "write true or false, yes or no, 1 or 0");
    case InputType::kDate: {
      std::optional<double> seconds = to_timestamp(text);
      if (seconds) {
        Scanner date_only(text);
        scan_date(date_only, *seconds);
      }
      return number_or(seconds, "date", text, "write it as YYYY-MM-DD, e.g. 2001-02-28");
    }
    case InputType::kTimestamp:
      return number_or(to_timestamp(text), "timestamp", text,
                       "write it as YYYY-MM-DDTHH:MM:SSZ, e.g. 2001-02-28T17:05:00Z");
  }
  return base::internal("a column type that does not exist");
}

int64_t days_from_civil(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<int64_t>(day_of_era) - 719468;
}

CivilDate civil_from_days(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted_month = (5 * day_of_year + 2) / 153;
  CivilDate date;
  date.day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  date.month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  date.year = static_cast<int64_t>(year_of_era) + era * 400 + (date.month <= 2 ? 1 : 0);
  return date;
}

}  // namespace cromford::model
