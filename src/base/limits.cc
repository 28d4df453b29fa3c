#include "base/limits.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "base/status.h"
#include "base/text.h"

namespace cromford::base {
namespace {

using std::chrono::nanoseconds;

struct Unit {
  std::string_view name;
  int64_t value;
};

constexpr std::array kSizeUnits{
    Unit{"", 1},
    Unit{"b", 1},
    Unit{"kb", 1'000},
    Unit{"mb", 1'000'000},
    Unit{"gb", 1'000'000'000},
    Unit{"tb", 1'000'000'000'000},
    Unit{"kib", int64_t{1} << 10},
    Unit{"mib", int64_t{1} << 20},
    Unit{"gib", int64_t{1} << 30},
    Unit{"tib", int64_t{1} << 40},
};

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kDurationMax = int64_t{200} * 365 * kDay;

constexpr std::array kDurationUnits{
    Unit{"ns", 1},      Unit{"us", 1'000}, Unit{"ms", 1'000'000}, Unit{"s", kSecond},
    Unit{"m", kMinute}, Unit{"h", kHour},  Unit{"d", kDay},
};

template <size_t N>
std::optional<int64_t> unit_value(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) {
      return unit.value;
    }
  }
  return std::nullopt;
}

// Takes digits and a decimal point from the front.
std::string_view take_number(std::string_view& text) {
  const size_t end = text.find_first_not_of("0123456789.");
  const std::string_view number = text.substr(0, end);
  text.remove_prefix(number.size());
  return number;
}

std::string_view take_letters(std::string_view& text) {
  const size_t end = text.find_first_of("0123456789. ");
  const std::string_view letters = text.substr(0, end);
  text.remove_prefix(letters.size());
  return letters;
}

// `number` times `unit`, exact for whole numbers; nullopt when it is none or exceeds `limit`.
std::optional<uint64_t> multiply(std::string_view number, int64_t unit, uint64_t limit) {
  const auto factor = static_cast<uint64_t>(unit);
  if (const std::optional<uint64_t> whole = to_number<uint64_t>(number)) {
    return *whole <= limit / factor ? std::optional(*whole * factor) : std::nullopt;
  }
  const std::optional<double> fraction = to_number<double>(number);
  if (!fraction || *fraction < 0) {
    return std::nullopt;
  }
  const double product = std::round(*fraction * static_cast<double>(unit));
  if (product >= std::min(static_cast<double>(limit), 0x1.0p64)) {
    return std::nullopt;
  }
  return static_cast<uint64_t>(product);
}

// 1.5 -> "1.5", 2.0 -> "2".
std::string short_number(double value, int digits) {
  std::string text = fmt::format("{:.{}f}", value, digits);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') {
    text.pop_back();
  }
  return text;
}

std::string two_units(int64_t count, Unit large, Unit small) {
  const int64_t rest = count % large.value / small.value;
  return rest == 0 ? fmt::format("{}{}", count / large.value, large.name)
                   : fmt::format("{}{}{}{}", count / large.value, large.name, rest, small.name);
}

}  // namespace

absl::StatusOr<uint64_t> parse_size(std::string_view text) {
  std::string_view rest = trim(text);
  const std::string_view number = take_number(rest);
  const std::optional<int64_t> unit = unit_value(kSizeUnits, lower(trim(rest)));
  const std::optional<uint64_t> bytes =
      unit ? multiply(number, *unit, std::numeric_limits<uint64_t>::max()) : std::nullopt;
  if (!bytes) {
    return invalid(fmt::format("'{}' is not a size", clip_utf8(text, 40)),
                   "write it like 512MiB, 4GiB or 10MB");
  }
  return *bytes;
}

std::string with_thousands(int64_t count) {
  std::string digits = std::to_string(count);
  const size_t first = digits[0] == '-' ? 1 : 0;
  for (size_t i = digits.size(); i > first + 3; i -= 3) {
    digits.insert(i - 3, 1, ',');
  }
  return digits;
}

std::string format_value(double value) {
  constexpr double kWholeFrom = 1000;
  constexpr double kWholeMax = 1e15;
  const double size = std::abs(value);
  const bool whole = std::floor(value) == value || size >= kWholeFrom;
  return whole && size < kWholeMax ? with_thousands(std::llround(value))
                                   : fmt::format("{:.4g}", value);
}

std::string format_size(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kNames{"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) {
    return fmt::format("{} B", bytes);
  }
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kNames[unit]);
}

absl::StatusOr<nanoseconds> parse_duration(std::string_view text) {
  std::string_view rest = trim(text);
  uint64_t sum = 0;
  bool good = !rest.empty();
  while (good && !rest.empty()) {
    const std::string_view number = take_number(rest);
    const std::optional<int64_t> unit = unit_value(kDurationUnits, take_letters(rest));
    const std::optional<uint64_t> part =
        unit ? multiply(number, *unit, static_cast<uint64_t>(kDurationMax)) : std::nullopt;
    sum += part.value_or(0);
    good = part.has_value() && sum <= static_cast<uint64_t>(kDurationMax);
  }
  if (!good) {
    return invalid(fmt::format("'{}' is not a duration", clip_utf8(text, 40)),
                   "write it like 90s, 5m, 2h, 14d or 1h30m");
  }
  return nanoseconds(static_cast<int64_t>(sum));
}

std::string format_duration(nanoseconds duration) {
  const int64_t count = duration.count();
  if (count == 0) {
    return "0s";
  }
  if (count < 0) {
    return "-" + format_duration(count == std::numeric_limits<int64_t>::min() ? nanoseconds::max()
                                                                              : -duration);
  }
  if (count < 1'000) {
    return fmt::format("{}ns", count);
  }
  if (count < 1'000'000) {
    return fmt::format("{}us", count / 1'000);
  }
  if (count < kSecond) {
    return fmt::format("{}ms", count / 1'000'000);
  }
  if (count < 10 * kSecond) {
    const int64_t tenths = count / 100'000'000;
    return short_number(static_cast<double>(tenths) / 10, 1) + "s";
  }
  if (count < 2 * kMinute) {
    return fmt::format("{}s", count / kSecond);
  }
  if (count < kHour) {
    return two_units(count, {"m", kMinute}, {"s", kSecond});
  }
  if (count < 2 * kDay) {
    return two_units(count, {"h", kHour}, {"m", kMinute});
  }
  return two_units(count, {"d", kDay}, {"h", kHour});
}

}  // namespace cromford::base
