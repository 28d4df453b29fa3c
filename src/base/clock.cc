#include "base/clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/status.h"

namespace cromford::base {
namespace {

using std::chrono::days;
using std::chrono::microseconds;
using std::chrono::sys_days;
using std::chrono::year_month_day;

class SystemClock final : public Clock {
 public:
  Time now() const override {
    return std::chrono::floor<microseconds>(std::chrono::system_clock::now());
  }
  std::chrono::nanoseconds monotonic() const override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
};

// Reads from the front of a text; every method fails for good once one has failed.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  // Exactly `digits` digits.
  int number(size_t digits) {
    int value = 0;
    for (size_t i = 0; i < digits; ++i) {
      const std::optional<int> digit = take_digit();
      if (!digit) {
        failed_ = true;
        return 0;
      }
      value = value * 10 + *digit;
    }
    return value;
  }
  std::optional<int> take_digit() {
    if (rest_.empty() || rest_.front() < '0' || rest_.front() > '9') {
      return std::nullopt;
    }
    const int digit = rest_.front() - '0';
    rest_.remove_prefix(1);
    return digit;
  }
  bool take(std::string_view any_of) {
    if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }
  void expect(std::string_view any_of) { failed_ = !take(any_of) || failed_; }
  void fail_unless(bool condition) { failed_ = failed_ || !condition; }
  bool at_end() const { return rest_.empty(); }
  bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

microseconds scan_fraction(Scanner& scanner) {
  int64_t value = 0;
  int64_t unit = 100'000;
  std::optional<int> digit = scanner.take_digit();
  scanner.fail_unless(digit.has_value());
  for (; digit; digit = scanner.take_digit()) {
    value += *digit * unit;
    unit /= 10;
  }
  return microseconds(value);
}

microseconds scan_offset(Scanner& scanner) {
  if (scanner.take("Zz")) {
    return microseconds(0);
  }
  const bool east = scanner.take("+");
  if (!east) {
    scanner.expect("-");
  }
  const int hours = scanner.number(2);
  scanner.expect(":");
  const int minutes = scanner.number(2);
  scanner.fail_unless(hours <= 23 && minutes <= 59);
  const microseconds offset = std::chrono::hours(hours) + std::chrono::minutes(minutes);
  return east ? offset : -offset;
}

microseconds scan_time_of_day(Scanner& scanner) {
  const int hours = scanner.number(2);
  scanner.expect(":");
  const int minutes = scanner.number(2);
  scanner.expect(":");
  const int seconds = scanner.number(2);
  scanner.fail_unless(hours <= 23 && minutes <= 59 && seconds <= 60);
  microseconds result =
      std::chrono::hours(hours) + std::chrono::minutes(minutes) + std::chrono::seconds(seconds);
  if (scanner.take(".")) {
    result += scan_fraction(scanner);
  }
  return result - scan_offset(scanner);
}

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

std::string format_time(Time time) {
  constexpr Time kFirst = sys_days(std::chrono::year(0) / 1 / 1);
  constexpr Time kLast = sys_days(std::chrono::year(10'000) / 1 / 1) - microseconds(1);
  time = std::clamp(time, kFirst, kLast);
  const auto day = std::chrono::floor<days>(time);
  const year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::string text =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  if (clock.subseconds().count() != 0) {
    text += fmt::format(".{:06}", clock.subseconds().count());
  }
  text += 'Z';
  return text;
}

absl::StatusOr<Time> parse_time(std::string_view text) {
  Scanner scanner(text);
  const int year = scanner.number(4);
  scanner.expect("-");
  const int month = scanner.number(2);
  scanner.expect("-");
  const int day = scanner.number(2);
  const year_month_day date(std::chrono::year{year},
                            std::chrono::month{static_cast<unsigned>(month)},
                            std::chrono::day{static_cast<unsigned>(day)});
  scanner.fail_unless(date.ok());
  microseconds of_day{0};
  if (!scanner.failed() && !scanner.at_end()) {
    scanner.expect("Tt ");
    of_day = scan_time_of_day(scanner);
  }
  if (scanner.failed() || !scanner.at_end()) {
    return invalid(fmt::format("'{}' is not a time", text.substr(0, 64)),
                   "write it like 2001-02-01T10:00:00Z, or a date like 2001-02-01");
  }
  return Time(sys_days(date)) + of_day;
}

}  // namespace cromford::base
