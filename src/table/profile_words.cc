// What a profile's figures mean: semantic types, and warnings in words.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <set>

#include "base/text.h"
#include "table/column_plan.h"
#include "table/profile_state.h"

namespace cromford::table {
namespace {

using Words = std::set<std::string_view>;

// "customerId", "customer_id" and "CUSTOMER ID" all end in the word "id".
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  char last = 0;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool letter = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (!letter || (upper && last >= 'a' && last <= 'z')) {
      words.emplace_back();
    }
    if (letter) {
      words.back().push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    }
    last = c;
  }
  std::erase(words, "");
  return words;
}

bool names_identifier(std::string_view name) {
  static const Words kWords = {"id", "uuid", "guid", "key", "index", "idx", "serial", "rowid"};
  const std::vector<std::string> words = words_of(name);
  return words.empty() || kWords.contains(words.back());
}

bool names_code(std::string_view name) {
  static const Words kWords = {"code",    "class",    "type",   "category", "zip",
                               "zipcode", "postcode", "status", "group",    "id"};
  const std::vector<std::string> words = words_of(name);
  return std::any_of(words.begin(), words.end(),
                     [](const std::string& word) { return kWords.contains(word); });
}

bool names_time(std::string_view name) {
  static const Words kWords = {"year", "date", "time", "month", "week", "day", "hour", "period"};
  const std::vector<std::string> words = words_of(name);
  return std::any_of(words.begin(), words.end(),
                     [](const std::string& word) { return kWords.contains(word); });
}

bool is_yes_and_no(const ColumnProfile& column) {
  static const std::array<Words, 7> kPairs = {
      Words{"no", "yes"}, Words{"n", "y"},    Words{"false", "true"}, Words{"f", "t"},
      Words{"0", "1"},    Words{"off", "on"}, Words{"0.0", "1.0"}};
  if (column.distinct != 2 || column.top.size() != 2) {
    return false;
  }
  const std::string first = base::lower(base::trim(column.top[0].value));
  const std::string second = base::lower(base::trim(column.top[1].value));
  return std::any_of(kPairs.begin(), kPairs.end(), [&](const Words& pair) {
    return pair.contains(first) && pair.contains(second) && first != second;
  });
}

bool nearly_unique(const ColumnProfile& column, int64_t present) {
  const double share = static_cast<double>(column.distinct) / static_cast<double>(present);
  return present >= 20 && share >= (column.exact ? 0.99 : 0.97);
}

SemanticType meaning_of_number(const ColumnProfile& column, int64_t present) {
  if (column.storage == ColumnType::kNumber) {
    return SemanticType::kNumber;
  }
  const NumberSummary& number = *column.number;
  const double range = number.max - number.min + 1;
  const bool dense = range <= 1.05 * static_cast<double>(column.distinct);
  if (nearly_unique(column, present) &&
      (names_identifier(column.name) || (dense && !names_time(column.name)))) {
    return SemanticType::kIdentifier;
  }
  return names_code(column.name) && column.distinct <= 1000 ? SemanticType::kCategory
                                                            : SemanticType::kNumber;
}

SemanticType meaning_of_text(const ColumnProfile& column, int64_t present) {
  const TextSummary& text = *column.text;
  if (text.number_share >= 0.95) {
    return SemanticType::kNumber;
  }
  if (text.date_share >= 0.95) {
    return SemanticType::kDatetime;
  }
  double one_word = 0;
  for (const TextPattern& pattern : text.patterns) {
    one_word += pattern.pattern.find(' ') == std::string::npos ? pattern.share : 0;
  }
  if (nearly_unique(column, present)) {
    return one_word > 0.5 && text.length_mean <= 64 ? SemanticType::kIdentifier
                                                    : SemanticType::kText;
  }
  const double unique_share = static_cast<double>(column.distinct) / static_cast<double>(present);
  const bool many =
      present >= 50 && (unique_share > 0.5 || (column.distinct > 1000 && unique_share > 0.2));
  return many || text.length_mean > 60 ? SemanticType::kText : SemanticType::kCategory;
}

std::string percent(double share) {
  const double value = 100 * share;
  if (value < 0.1) {
    return "less than 0.1%";
  }
  // 99.75% must not read as all.
  return fmt::format("{:.{}f}%", value, value < 10 || (value > 99 && value < 100) ? 1 : 0);
}

// Collects the warnings of one column.
class ColumnWarner {
 public:
  ColumnWarner(const ColumnProfile& column, int64_t row_count,
               std::vector<ProfileWarning>& warnings)
      : column_(column),
        present_(row_count - column.missing),
        row_count_(row_count),
        warnings_(warnings) {}

  void warn(std::string_view code, std::string text) {
    warnings_.push_back({std::string(code), column_.name, std::move(text)});
  }
  double share(int64_t count) const {
    return static_cast<double>(count) / static_cast<double>(present_);
  }

  void about_missing();
  void about_variety();
  void about_texts(const TextState& state);
  void about_numbers(const NumberState& state);

 private:
  void about_looks(const TextState& state);
  void about_spelling(const TextState& state);
  void about_sentinels(const NumberState& state);
  void about_dates(const NumberState& state);

  const ColumnProfile& column_;
  int64_t present_;
  int64_t row_count_;
  std::vector<ProfileWarning>& warnings_;
};

void ColumnWarner::about_missing() {
  const double missing = static_cast<double>(column_.missing) / static_cast<double>(row_count_);
  if (present_ > 0 && missing >= 0.2) {
    warn("many_missing", fmt::format("{} of the values are missing", percent(missing)));
  }
}

void ColumnWarner::about_variety() {
  if (column_.distinct == 1 && column_.missing == 0) {
    warn("constant", fmt::format("every row has the same value, {}; it tells a model nothing",
                                 column_.top.empty() ? "" : column_.top[0].value));
    return;
  }
  const double top = column_.top.empty() ? 0 : share(column_.top[0].count);
  if (column_.distinct > 1 && top >= 0.995) {
    warn("nearly_constant",
         fmt::format("{} of the values are {}", percent(top), column_.top[0].value));
  } else if (column_.number && column_.distinct > 100 && top >= 0.2) {
    warn("spike", fmt::format("{} of the values are exactly {}, in a column of {} different values",
                              percent(top), column_.top[0].value, column_.distinct));
  }
  if (column_.semantic == SemanticType::kIdentifier) {
    warn("nearly_unique",
         "nearly every row has a value of its own; as an identifier it tells a model nothing");
  }
  if (column_.semantic == SemanticType::kCategory && column_.distinct > 1000) {
    warn("many_categories",
         fmt::format("there are {} different categories; most are rare", column_.distinct));
  }
}

// Zip codes and long identifiers are digits too, and would not survive as numbers.
std::string numbers_advice(const TextState& state) {
  for (const CountedText& item : state.values().sorted()) {
    if (looks_like_code(base::trim(item.text))) {
      return fmt::format(
          "all texts are digits, such as {}, kept as text because a number would lose some",
          base::clip_utf8(base::trim(item.text), 64));
    }
  }
  return "all texts are numbers; import the column as a number";
}

void ColumnWarner::about_looks(const TextState& state) {
  const TextSummary& text = *column_.text;
  if (text.number_share >= 0.95) {
    warn("numbers_as_text",
         text.number_share == 1
             ? numbers_advice(state)
             : fmt::format("{} of the texts are numbers; the others keep the column from being one",
                           percent(text.number_share)));
  } else if (text.number_share >= 0.05) {
    warn("mixed_numbers_and_text",
         fmt::format("{} of the values are numbers, the others text", percent(text.number_share)));
  }
  if (text.date_share >= 0.95) {
    warn("dates_as_text",
         fmt::format("{} of the texts look like dates or times", percent(text.date_share)));
  }
  if (text.blank > 0) {
    warn("blank_texts", fmt::format("{} of the values ({}) are blank texts, which is not the same "
                                    "as missing",
                                    text.blank, percent(share(text.blank))));
  }
  if (text.padded > 0) {
    warn("padded_texts", fmt::format("{} of the values ({}) have white space before or behind them",
                                     text.padded, percent(share(text.padded))));
  }
}

// Texts that differ only in case or padding, and words that mean "missing".
void ColumnWarner::about_spelling(const TextState& state) {
  static const Words kMarks = {"na", "n/a", "nan", "null",    "#n/a",      "?",
                               "-",  "--",  "nil", "missing", "undefined", "not available"};
  std::map<std::string, std::string> spellings;
  std::string alike;
  int64_t alike_count = 0;
  int64_t marks = 0;
  std::string mark;
  for (const CountedText& item : state.values().sorted()) {
    if (item.text.size() > 64) {
      continue;
    }
    const std::string plain = base::lower(base::trim(item.text));
    if (kMarks.contains(plain)) {
      marks += item.count;
      mark = item.text;
    }
    const auto [known, is_new] = spellings.emplace(plain, item.text);
    if (!is_new && !plain.empty() && alike_count++ == 0) {
      alike = fmt::format("\"{}\" and \"{}\"", known->second, item.text);
    }
  }
  if (marks > 0) {
    warn("missing_marks", fmt::format("{} values such as \"{}\" seem to mean that there is none",
                                      marks, base::trim(mark)));
  }
  if (alike_count > 0 && column_.semantic == SemanticType::kCategory) {
    warn("spelling_variants",
         fmt::format("{} values differ from another only in case or blanks, such as {}",
                     alike_count, alike));
  }
}

void ColumnWarner::about_texts(const TextState& state) {
  if (column_.text) {
    about_looks(state);
    about_spelling(state);
  }
}

// Numbers that people write where there is none: -1 below values that are not negative, or nines
// far above everything else.
void ColumnWarner::about_sentinels(const NumberState& state) {
  static constexpr std::array<double, 8> kLow = {-1, -9, -99, -999, -9999, -99999, -999999, -8};
  static constexpr std::array<double, 7> kHigh = {99, 999, 9999, 99999, 999999, 9999999, 99999999};
  const NumberSummary& number = *column_.number;
  const std::vector<WeightedNumber> items = state.items();
  if (items.size() < 10) {
    return;
  }
  // A sentinel is small enough to be the same as a double.
  const auto is = [&state](uint64_t key, double value) { return state.value_of(key) == value; };
  int64_t low_count = 0;
  int64_t high_count = 0;
  state.values().for_each([&](const CountedKey& item) {
    low_count += is(item.key, number.min) ? item.count : 0;
    high_count += is(item.key, number.max) ? item.count : 0;
  });
  const bool low = std::find(kLow.begin(), kLow.end(), number.min) != kLow.end();
  if (low && low_count == number.negative && share(low_count) >= 0.001 && low_count >= 3) {
    warn("suspicious_value",
         fmt::format("{} occurs {} times while no other value is negative; does it mean missing?",
                     number.min, low_count));
  }
  const bool high = std::find(kHigh.begin(), kHigh.end(), number.max) != kHigh.end();
  const auto next = std::find_if(items.rbegin(), items.rend(), [&](const WeightedNumber& item) {
    return item.value < number.max;
  });
  if (high && high_count >= 3 && share(high_count) >= 0.001 && next != items.rend() &&
      next->value <= number.max / 2) {
    warn("suspicious_value",
         fmt::format("{} occurs {} times, far above the next value {}; does it mean missing?",
                     number.max, high_count, next->value));
  }
}

void ColumnWarner::about_dates(const NumberState& state) {
  static const Words kDates = {"1900-01-01", "1970-01-01", "9999-12-31", "1899-12-30",
                               "0001-01-01", "2099-12-31", "1753-01-01"};
  for (const double value : {column_.number->min, column_.number->max}) {
    const std::string text = value_text(state.type(), value);
    if (kDates.contains(std::string_view(text).substr(0, 10)) && column_.distinct > 1) {
      warn("suspicious_value",
           fmt::format("{} is often written where a date is not known", text.substr(0, 10)));
    }
  }
}

void ColumnWarner::about_numbers(const NumberState& state) {
  if (!column_.number || column_.distinct < 2) {
    return;
  }
  if (column_.semantic == SemanticType::kDatetime) {
    about_dates(state);
  }
  if (column_.semantic != SemanticType::kNumber) {
    return;
  }
  about_sentinels(state);
  const NumberSummary& number = *column_.number;
  if (column_.distinct > 20 && std::abs(number.skewness) >= 3) {
    warn("skewed", fmt::format("the values are strongly skewed to the {} (skewness {:.1f}): a few "
                               "are far {} than most",
                               number.skewness > 0 ? "right" : "left", number.skewness,
                               number.skewness > 0 ? "larger" : "smaller"));
  }
  const int64_t outliers = number.outliers_low + number.outliers_high;
  if (column_.distinct > 20 && share(outliers) >= 0.05) {
    warn("many_outliers", fmt::format("{} of the values lie far outside of the middle half",
                                      percent(share(outliers))));
  }
}

}  // namespace

std::string_view semantic_type_name(SemanticType type) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "number", "category", "boolean", "datetime", "text", "identifier", "constant"};
  return kNames[static_cast<size_t>(type)];
}

SemanticType semantic_type_of(const ColumnProfile& column, int64_t row_count) {
  const int64_t present = row_count - column.missing;
  if (present <= 0 || (column.distinct == 1 && column.missing == 0)) {
    return SemanticType::kConstant;
  }
  if (column.storage == ColumnType::kBoolean || is_yes_and_no(column)) {
    return SemanticType::kBoolean;
  }
  if (column.storage == ColumnType::kDate || column.storage == ColumnType::kTimestamp) {
    return SemanticType::kDatetime;
  }
  return column.number ? meaning_of_number(column, present) : meaning_of_text(column, present);
}

void warn_about(const ColumnProfile& column, const ColumnState& state, int64_t row_count,
                std::vector<ProfileWarning>& warnings) {
  ColumnWarner warner(column, row_count, warnings);
  if (row_count == 0) {
    return;
  }
  if (column.missing == row_count) {
    warner.warn("all_missing", "the column has no value at all");
    return;
  }
  warner.about_missing();
  warner.about_variety();
  if (const auto* texts = std::get_if<TextState>(&state)) {
    warner.about_texts(*texts);
  } else {
    warner.about_numbers(std::get<NumberState>(state));
  }
}

std::vector<ProfileWarning> warnings_of_table(const Profile& profile) {
  std::vector<ProfileWarning> warnings;
  if (profile.row_count == 0) {
    warnings.push_back({"no_rows", "", "the table has no rows"});
  }
  if (profile.duplicate_rows > 0) {
    const double share =
        static_cast<double>(profile.duplicate_rows) / static_cast<double>(profile.row_count);
    warnings.push_back({"duplicate_rows", "",
                        fmt::format("{}{} rows ({}) repeat an earlier row in every column",
                                    profile.duplicates_exact ? "" : "about ",
                                    profile.duplicate_rows, percent(share))});
  }
  return warnings;
}

}  // namespace cromford::table
