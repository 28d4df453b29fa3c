#include "table/dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <unordered_set>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "table/cell.h"

namespace cromford::table {
namespace {

constexpr size_t kRowsMax = 400;
constexpr size_t kBytesMax = 256U << 10;
constexpr int64_t kPreambleLinesMax = 50;

// The sample, cut into the rows and cells of one dialect.
struct Cut {
  RowBlock block;  // `cells` and `text` only
  std::vector<size_t> first_cell;
  std::vector<ScannedRow> rows;
  std::vector<size_t> begins;

  size_t cell_count(size_t row) const {
    const size_t end = row + 1 < first_cell.size() ? first_cell[row + 1] : block.cells.size();
    return end - first_cell[row];
  }
};

bool is_blank_row(const Cut& cut, size_t row) {
  return cut.cell_count(row) == 1 && cut.block.cells[cut.first_cell[row]].length == 0;
}

Cut cut_sample(std::string_view sample, bool whole, const Dialect& dialect) {
  Cut cut;
  cut.block.text = std::string(sample.substr(0, kBytesMax));
  const bool last = whole && sample.size() <= kBytesMax;
  size_t begin = 0;
  while (begin < cut.block.text.size() && cut.rows.size() < kRowsMax) {
    const size_t cells = cut.block.cells.size();
    const ScannedRow row = scan_row(cut.block.text, begin, last, dialect, cut.block.cells);
    if (row.state == ScannedRow::State::kNeedMore && !cut.rows.empty()) {
      cut.block.cells.resize(cells);
      break;
    }
    cut.first_cell.push_back(cells);
    cut.rows.push_back(row);
    cut.begins.push_back(begin);
    begin = row.next;
    if (is_blank_row(cut, cut.rows.size() - 1) ||
        (dialect.comment != 0 && cut.block.text[cut.begins.back()] == dialect.comment)) {
      cut.first_cell.pop_back();
      cut.rows.pop_back();
      cut.begins.pop_back();
      cut.block.cells.resize(cells);
    }
  }
  return cut;
}

// The number of cells that most rows have.
size_t usual_width(const Cut& cut) {
  std::map<size_t, size_t> counts;
  for (size_t row = 0; row < cut.rows.size(); ++row) {
    ++counts[cut.cell_count(row)];
  }
  size_t width = 0;
  size_t most = 0;
  for (const auto& [cells, count] : counts) {
    if (count >= most) {
      width = cells;
      most = count;
    }
  }
  return width;
}

// Whether a cell looks like one value rather than like several or like half of one.
double value_score(std::string_view text) {
  if (text.empty() || missing_mark_of(text) != 0) {
    return 1;
  }
  double number = 0;
  bool has_time = false;
  if (parse_number(text, NumberStyle::kPlain, number) ||
      parse_number(text, NumberStyle::kDecimalComma, number) ||
      parse_number(text, NumberStyle::kThousands, number) || date_formats_of(text, has_time) != 0) {
    return 1;
  }
  // Words and codes; a separator inside makes them doubtful, sentences are between.
  const bool separators = text.find_first_of(";\t|") != std::string_view::npos;
  const bool quotes = text.front() == '"' || text.back() == '"';
  if (separators || quotes) {
    return 0.1;
  }
  return text.find_first_of(", ") == std::string_view::npos ? 0.9 : 0.6;
}

struct Score {
  double total = 0;
  size_t width = 1;
};

Score score_cut(const Cut& cut, const Dialect& dialect) {
  Score score;
  if (cut.rows.empty()) {
    return score;
  }
  score.width = usual_width(cut);
  double regular = 0;
  double values = 0;
  size_t cells = 0;
  std::string scratch;
  for (size_t row = 0; row < cut.rows.size(); ++row) {
    const bool is_regular =
        cut.cell_count(row) == score.width && cut.rows[row].state != ScannedRow::State::kOpenQuote;
    regular += is_regular ? 1 : 0;
    for (size_t i = 0; i < cut.cell_count(row); ++i) {
      values += value_score(
          cut.block.cell_text(cut.block.cells[cut.first_cell[row] + i], dialect, scratch));
      ++cells;
    }
  }
  const double regularity = regular / static_cast<double>(cut.rows.size());
  score.total = regularity * regularity * values / static_cast<double>(cells);
  if (score.width == 1) {
    score.total *= 0.3;  // Anything has one column; more are evidence.
  }
  return score;
}

size_t count_of(std::string_view text, std::string_view what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

Dialect with_quotes(std::string_view sample, Dialect dialect) {
  // A quote counts where a cell may begin.
  const std::string before{dialect.delimiter};
  const size_t doubles = count_of(sample, before + "\"") + count_of(sample, "\n\"") +
                         (sample.starts_with('"') ? 1 : 0);
  const size_t singles =
      count_of(sample, before + "'") + count_of(sample, "\n'") + (sample.starts_with('\'') ? 1 : 0);
  const size_t single_ends =
      count_of(sample, "'" + before) + count_of(sample, "'\n") + count_of(sample, "'\r");
  const bool single = doubles == 0 && singles > 1 && single_ends * 2 > singles;
  dialect.quote = single ? '\'' : '"';
  const std::string quote{dialect.quote};
  dialect.backslash_escapes =
      count_of(sample, "\\" + quote) >
      count_of(sample, "\\" + quote + before) + count_of(sample, quote + quote);
  return dialect;
}

// Blanks may separate where columns are laid out by hand, and only as runs.
constexpr std::array<char, 8> kDelimiters = {',', ';', '\t', '|', '^', '~', ':', ' '};

Dialect best_dialect(std::string_view sample, bool whole, const Dialect& base) {
  Dialect best = with_quotes(sample, base);
  double best_score = -1;
  for (const char delimiter : kDelimiters) {
    Dialect dialect = base;
    dialect.delimiter = delimiter;
    dialect.merge_delimiters = delimiter == ' ';
    dialect = with_quotes(sample, dialect);
    const Score score = score_cut(cut_sample(sample, whole, dialect), dialect);
    // Colons stand inside times and blanks inside sentences, so they must win clearly.
    const bool unusual =
        delimiter == ':' || delimiter == ' ' || delimiter == '~' || delimiter == '^';
    const double total = score.total * (unusual ? 0.7 : 1);
    if (total > best_score + 1e-9) {
      best_score = total;
      best = dialect;
    }
  }
  return best;
}

// Lines before the table have fewer cells than its rows.
size_t first_table_row(const Cut& cut, size_t width) {
  if (width < 2) {
    return 0;
  }
  const size_t limit = std::min<size_t>(cut.rows.size(), kPreambleLinesMax);
  for (size_t row = 0; row < limit; ++row) {
    // A header may lack the name of the row names (as R writes it).
    if (cut.cell_count(row) + 1 >= width && cut.cell_count(row) >= 2) {
      return row;
    }
  }
  return 0;
}

enum class Kind { kEmpty, kNumber, kDate, kBoolean, kText };

Kind kind_of(std::string_view text) {
  double number = 0;
  bool flag = false;
  if (text.empty() || missing_mark_of(text) != 0) {
    return Kind::kEmpty;
  }
  if (parse_number(text, NumberStyle::kPlain, number) ||
      parse_number(text, NumberStyle::kDecimalComma, number)) {
    return Kind::kNumber;
  }
  if (date_formats_of(text, flag) != 0) {
    return Kind::kDate;
  }
  return parse_boolean(text, flag) ? Kind::kBoolean : Kind::kText;
}

// Whether the cells are years, or numbers that follow one another: names of a pivoted table.
bool are_numbered_names(const std::vector<std::string>& cells) {
  std::vector<double> numbers;
  for (const std::string& cell : cells) {
    double number = 0;
    if (parse_number(cell, NumberStyle::kPlain, number)) {
      numbers.push_back(number);
    }
  }
  const bool whole = std::all_of(numbers.begin(), numbers.end(),
                                 [](double x) { return x == std::floor(x) && x >= 0; });
  for (size_t i = 1; i < numbers.size(); ++i) {
    if (numbers[i] != numbers[i - 1] + 1) {
      return false;
    }
  }
  return whole && numbers.size() >= 3;
}

std::vector<std::string> row_texts(const Cut& cut, size_t row, const Dialect& dialect) {
  std::vector<std::string> texts;
  std::string scratch;
  for (size_t i = 0; i < cut.cell_count(row); ++i) {
    texts.emplace_back(
        cut.block.cell_text(cut.block.cells[cut.first_cell[row] + i], dialect, scratch));
  }
  return texts;
}

// Votes of the columns: a header's cell is text over values of another kind, or a text that does
// not come again below.
bool is_header(const Cut& cut, size_t first, size_t width, const Dialect& dialect) {
  const std::vector<std::string> names = row_texts(cut, first, dialect);
  if (names.size() + 1 == width) {
    return true;
  }
  std::vector<size_t> other_kind(width);
  std::vector<size_t> filled(width);
  std::vector<bool> comes_again(width);
  for (size_t row = first + 1; row < cut.rows.size(); ++row) {
    const std::vector<std::string> texts = row_texts(cut, row, dialect);
    for (size_t i = 0; i < std::min(width, texts.size()); ++i) {
      const Kind kind = kind_of(texts[i]);
      filled[i] += kind != Kind::kEmpty ? 1 : 0;
      other_kind[i] += kind != Kind::kEmpty && kind != Kind::kText ? 1 : 0;
      comes_again[i] = comes_again[i] || (i < names.size() && texts[i] == names[i]);
    }
  }
  int votes = 0;
  int values = 0;
  for (size_t i = 0; i < std::min(width, names.size()); ++i) {
    const Kind kind = kind_of(names[i]);
    const bool column_of_values = filled[i] > 0 && other_kind[i] * 10 >= filled[i] * 9;
    if (kind == Kind::kText) {
      votes += column_of_values ? 2 : (comes_again[i] ? -2 : 1);
    } else if (kind != Kind::kEmpty) {
      ++values;
      votes -= 2;
    }
  }
  return values == 0 ? votes >= 0 || cut.rows.size() == first + 1
                     : votes > 0 || are_numbered_names(names);
}

void describe_header(const Cut& cut, size_t first, size_t width, TextLayout& layout) {
  std::vector<std::string> names(width);
  layout.header = is_header(cut, first, width, layout.dialect);
  if (layout.header) {
    names = row_texts(cut, first, layout.dialect);
    while (names.size() > width && names.back().empty()) {
      names.pop_back();
    }
    if (names.size() + 1 == width) {
      names.insert(names.begin(), "row");
    }
    // Rows that leave out their last cells.
    layout.dialect.pad_short_rows = layout.dialect.pad_short_rows || names.size() > width;
    layout.header_bytes = cut.rows[first].next - cut.begins[first];
    layout.header_lines = cut.rows[first].lines;
  }
  layout.names = tidy_names(names);
}

void describe_table(const Cut& cut, size_t skipped, TextLayout& layout) {
  const std::string_view text = cut.block.text;
  const size_t width = usual_width(cut);
  const size_t first = first_table_row(cut, width);
  const auto line_of = [&](size_t begin) {
    return layout.preamble_lines + std::count(text.begin(),
                                              text.begin() + static_cast<ptrdiff_t>(begin),
                                              layout.dialect.carriage_return_ends ? '\r' : '\n');
  };
  for (size_t row = 0; row < first; ++row) {
    layout.preamble.push_back(
        {line_of(cut.begins[row]) + 1,
         std::string(text.substr(cut.begins[row], cut.rows[row].end - cut.begins[row])),
         "the line stands before the table"});
  }
  size_t short_rows = 0;
  size_t long_rows = 0;
  for (size_t row = first; row < cut.rows.size(); ++row) {
    short_rows += cut.cell_count(row) < width ? 1 : 0;
    long_rows += cut.cell_count(row) > width ? 1 : 0;
  }
  layout.dialect.pad_short_rows = long_rows == 0 && short_rows * 10 > cut.rows.size();
  layout.preamble_bytes = skipped + cut.begins[first];
  layout.preamble_lines = line_of(cut.begins[first]);
  describe_header(cut, first, width, layout);
}

}  // namespace

std::vector<std::string> tidy_names(const std::vector<std::string>& names) {
  const base::Limits limits;
  std::vector<std::string> result;
  std::unordered_set<std::string> taken;
  for (const std::string& name : names) {
    taken.insert(base::lower(base::trim(name)));
  }
  std::unordered_set<std::string> used;
  for (size_t i = 0; i < names.size(); ++i) {
    std::string name(base::clip_utf8(base::trim(names[i]), limits.column_name_bytes - 8));
    for (char& c : name) {
      c = static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
    }
    name = std::string(base::trim(name));
    if (name.empty()) {
      name = fmt::format("column_{}", i + 1);
    }
    std::string candidate = name;
    for (int n = 2; used.contains(base::lower(candidate)) ||
                    (candidate != name && taken.contains(base::lower(candidate)));
         ++n) {
      candidate = fmt::format("{}_{}", name, n);
    }
    used.insert(base::lower(candidate));
    result.push_back(std::move(candidate));
  }
  return result;
}

TextLayout sniff_layout(std::string_view sample, bool whole, std::optional<char> delimiter) {
  TextLayout layout;
  Dialect base;
  const std::string_view head = sample.substr(0, kBytesMax);
  base.carriage_return_ends = head.find('\n') == std::string_view::npos;
  if (head.starts_with('#') && head.find("\n#") != std::string_view::npos) {
    base.comment = '#';
  }
  // Spreadsheets name their separator in a first line of its own: sep=;
  size_t skipped = 0;
  if (head.starts_with("sep=") && head.size() > 5 && (head[5] == '\n' || head[5] == '\r')) {
    delimiter = head[4];
    skipped = std::min(head.size(), head.find('\n', 5) + 1);
    layout.preamble_lines = 1;
  }
  const std::string_view body = sample.substr(skipped);
  if (delimiter) {
    base.delimiter = *delimiter;
    layout.dialect = with_quotes(head, base);
  } else {
    layout.dialect = best_dialect(body.substr(0, kBytesMax), whole, base);
  }
  const Cut cut = cut_sample(body, whole, layout.dialect);
  if (cut.rows.empty()) {
    return layout;
  }
  describe_table(cut, skipped, layout);
  return layout;
}

}  // namespace cromford::table
