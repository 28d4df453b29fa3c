#include "table/column_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/text.h"

namespace cromford::table {
namespace {

bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}

bool contains_digit(std::string_view text) {
  return text.find_first_of("0123456789") != std::string_view::npos;
}

DateFormats format_bit(int index) {
  return 1U << static_cast<unsigned>(index);
}

}  // namespace

bool looks_like_code(std::string_view cell) {
  bool letters = false;
  for (const char c : cell) {
    letters = letters || (c >= 'a' && c <= 'z') || is_capital(c);
  }
  if (letters) {
    return contains_digit(cell);
  }
  const bool digits_only =
      std::all_of(cell.begin(), cell.end(), [](char c) { return c >= '0' && c <= '9'; });
  constexpr size_t kDigitsMax = 18;
  return digits_only && cell.size() > 1 && (cell.front() == '0' || cell.size() > kDigitsMax);
}

void ColumnGuess::add(std::string_view cell) {
  if (cell.empty()) {
    return;
  }
  if (const MissingMarks mark = missing_mark_of(cell); mark != 0) {
    ++marks_[static_cast<size_t>(std::countr_zero(mark))];
    return;
  }
  ++filled_;
  int64_t integer = 0;
  double number = 0;
  bool flag = false;
  if (parse_integer(cell, integer)) {
    ++integers_;
    ++numbers_;
    ++decimal_commas_;
    ++thousands_;
    return;
  }
  const bool code = looks_like_code(cell);
  if (!code && parse_number(cell, NumberStyle::kPlain, number)) {
    ++numbers_;
  } else if (code) {
    // "1e5" and "12E" alike: only what is wholly a number counts as one.
    const bool exponent = cell.find_first_of("eE") != std::string_view::npos &&
                          parse_number(cell, NumberStyle::kPlain, number);
    numbers_ += exponent ? 1 : 0;
    codes_ += exponent ? 0 : 1;
  }
  if (cell.find_first_of(",. ") != std::string_view::npos) {
    const bool comma = parse_number(cell, NumberStyle::kDecimalComma, number);
    const bool thousands = parse_number(cell, NumberStyle::kThousands, number);
    decimal_commas_ += comma ? 1 : 0;
    thousands_ += thousands ? 1 : 0;
    sure_commas_ += comma && !thousands ? 1 : 0;
    sure_thousands_ += thousands && !comma && cell.find(',') != std::string_view::npos ? 1 : 0;
  }
  booleans_ += parse_boolean(cell, flag) ? 1 : 0;
  capital_pairs_ += cell.size() == 2 && is_capital(cell[0]) && is_capital(cell[1]) ? 1 : 0;
  bool has_time = false;
  const DateFormats fits = date_formats_of(cell, has_time);
  for (int i = 0; i < kDateFormatCount; ++i) {
    dates_[static_cast<size_t>(i)] += (fits & format_bit(i)) != 0 ? 1 : 0;
  }
  with_time_ += fits != 0 && has_time ? 1 : 0;
}

void ColumnGuess::merge(const ColumnGuess& other) {
  filled_ += other.filled_;
  for (size_t i = 0; i < marks_.size(); ++i) {
    marks_[i] += other.marks_[i];
  }
  integers_ += other.integers_;
  numbers_ += other.numbers_;
  decimal_commas_ += other.decimal_commas_;
  thousands_ += other.thousands_;
  sure_commas_ += other.sure_commas_;
  sure_thousands_ += other.sure_thousands_;
  booleans_ += other.booleans_;
  codes_ += other.codes_;
  capital_pairs_ += other.capital_pairs_;
  for (size_t i = 0; i < dates_.size(); ++i) {
    dates_[i] += other.dates_[i];
  }
  with_time_ += other.with_time_;
}

bool ColumnGuess::nearly_all(int64_t count, int64_t of) const {
  const int64_t rest = of - count;
  return count > 0 && static_cast<double>(rest) <= kMisfitShareMax * static_cast<double>(of);
}

std::optional<ColumnPlan> ColumnGuess::plan_number(int64_t filled, char delimiter) const {
  ColumnPlan plan;
  plan.marks = kMarksOfTyped;
  if (integers_ == filled) {
    plan.type = ColumnType::kInteger;
    return plan;
  }
  // Codes are not numbers, however few they are.
  if (codes_ > 0) {
    return std::nullopt;
  }
  plan.type = ColumnType::kNumber;
  if (numbers_ == filled || (nearly_all(numbers_, filled) && numbers_ >= decimal_commas_)) {
    plan.type = integers_ == numbers_ ? ColumnType::kInteger : ColumnType::kNumber;
    return plan;
  }
  const bool prefers_commas =
      sure_commas_ != sure_thousands_ ? sure_commas_ > sure_thousands_ : delimiter != ',';
  const int64_t count = prefers_commas ? decimal_commas_ : thousands_;
  if (nearly_all(count, filled)) {
    plan.style = prefers_commas ? NumberStyle::kDecimalComma : NumberStyle::kThousands;
    return plan;
  }
  return std::nullopt;
}

std::optional<ColumnPlan> ColumnGuess::plan_date(int64_t filled) const {
  const int64_t most = *std::max_element(dates_.begin(), dates_.end());
  if (!nearly_all(most, filled)) {
    return std::nullopt;
  }
  ColumnPlan plan;
  plan.marks = kMarksOfTyped;
  plan.type = with_time_ > 0 ? ColumnType::kTimestamp : ColumnType::kDate;
  bool found = false;
  for (int i = 0; i < kDateFormatCount; ++i) {
    if (dates_[static_cast<size_t>(i)] != most) {
      continue;
    }
    if (!found) {
      plan.date_format = static_cast<DateFormat>(format_bit(i));
      found = true;
    } else {
      plan.rivals |= format_bit(i);
    }
  }
  return plan;
}

MissingMarks ColumnGuess::text_marks() const {
  // NA among two-letter codes is Namibia or North America.
  const bool codes = filled_ > 0 && capital_pairs_ * 10 >= filled_ * 9;
  return codes ? kMarksOfText & ~bit(MissingMark::kNa) : kMarksOfText;
}

ColumnPlan ColumnGuess::plan(char delimiter) const {
  ColumnPlan text;
  text.marks = text_marks();
  if (filled_ == 0) {
    text.undetermined = true;
    return text;
  }
  if (booleans_ == filled_) {
    return {.type = ColumnType::kBoolean, .marks = kMarksOfTyped};
  }
  if (const auto number = plan_number(filled_, delimiter)) {
    return *number;
  }
  if (const auto date = plan_date(filled_)) {
    return *date;
  }
  return text;
}

void Misfits::add(std::string_view cell, const ColumnPlan& plan) {
  ++count;
  codes += looks_like_code(cell) ? 1 : 0;
  guess.add(cell);
  double number = 0;
  int64_t timestamp = 0;
  if (plan.type == ColumnType::kInteger && !looks_like_code(cell)) {
    numbers += parse_number(cell, NumberStyle::kPlain, number) ? 1 : 0;
  } else if (plan.type == ColumnType::kDate) {
    timestamps += parse_timestamp(cell, plan.date_format, timestamp) ? 1 : 0;
  }
}

void Misfits::merge(const Misfits& other) {
  count += other.count;
  filled += other.filled;
  codes += other.codes;
  numbers += other.numbers;
  timestamps += other.timestamps;
  ruled_out |= other.ruled_out;
  guess.merge(other.guess);
}

bool is_hopeless(const Misfits& misfits) {
  // So many of anything at the beginning cannot be made up for by a file of usual length.
  constexpr int64_t kEnough = 20'000;
  return misfits.count > kEnough &&
         static_cast<double>(misfits.count) > 0.2 * static_cast<double>(misfits.filled);
}

ColumnPlan mend_plan(const ColumnPlan& plan, const Misfits& misfits, char delimiter) {
  if (plan.undetermined) {
    ColumnPlan found = misfits.guess.plan(delimiter);
    // A column that says nothing stays text; one that does is decided now.
    if (found.type == ColumnType::kText) {
      return plan;
    }
    return found;
  }
  ColumnPlan mended = plan;
  const ColumnPlan text{.type = ColumnType::kText, .marks = kMarksOfText};
  if (plan.rivals != 0 && !plan.fixed) {
    const DateFormats left = plan.rivals & ~misfits.ruled_out;
    const bool own_fits =
        static_cast<double>(misfits.count) <= kMisfitShareMax * static_cast<double>(misfits.filled);
    if (own_fits && left == 0) {
      return plan;
    }
    if (!own_fits && std::popcount(left) == 1) {
      mended.date_format = static_cast<DateFormat>(left);
      mended.rivals = 0;
      return mended;
    }
    return text;
  }
  if (misfits.count == 0) {
    return plan;
  }
  const int64_t rest_of_numbers = misfits.count - misfits.numbers;
  if (plan.type == ColumnType::kInteger && misfits.numbers > 0 &&
      rest_of_numbers * 2 <= misfits.count) {
    mended.type = ColumnType::kNumber;
    return mended;
  }
  if (plan.type == ColumnType::kDate && misfits.timestamps > 0) {
    mended.type = ColumnType::kTimestamp;
    return mended;
  }
  if (plan.fixed) {
    return plan;
  }
  const bool few =
      static_cast<double>(misfits.count) <= kMisfitShareMax * static_cast<double>(misfits.filled);
  const bool codes = misfits.codes * 2 > misfits.count;
  return few && !codes && plan.type != ColumnType::kBoolean ? plan : text;
}

std::string plan_note(const ColumnPlan& plan, MissingMarks seen_marks) {
  std::string note;
  const auto add = [&note](std::string_view text) {
    note += note.empty() ? "" : "; ";
    note += text;
  };
  if (plan.type == ColumnType::kNumber && plan.style == NumberStyle::kDecimalComma) {
    add("decimal commas");
  }
  if (plan.type == ColumnType::kNumber && plan.style == NumberStyle::kThousands) {
    add("commas between thousands");
  }
  const bool is_date = plan.type == ColumnType::kDate || plan.type == ColumnType::kTimestamp;
  if (is_date && plan.date_format != DateFormat::kYearMonthDay) {
    add(fmt::format("dates as {}", date_format_name(plan.date_format)));
  }
  // Infinities are told apart, with their count.
  static constexpr std::array<std::string_view, 8> kMarkNames = {"?",   "NA",   "N/A", "NULL",
                                                                 "NaN", "None", "-",   "unknown"};
  std::string marks;
  for (size_t i = 0; i < kMarkNames.size(); ++i) {
    if ((seen_marks & plan.marks & (1U << i)) != 0) {
      marks += (marks.empty() ? "" : ", ") + std::string(kMarkNames[i]);
    }
  }
  if (!marks.empty()) {
    add(fmt::format("missing marks: {}", marks));
  }
  return note;
}

}  // namespace cromford::table
