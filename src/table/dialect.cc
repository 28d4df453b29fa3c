#include "table/dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <unordered_map>
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

// The number of cells that most rows have.
size_t usual_width(const Cut& cut) {
  std::map<size_t, size_t> counts;
  for (size_t row = 0; row < cut.rows.size(); ++row) {
    if (cut.cell_count(row) > 0) {
      ++counts[cut.cell_count(row)];
    }
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

// What is known of the width when the sample is cut again.
struct WidthHint {
  size_t width = 0;     // 0: nothing
  bool of_all = false;  // rows of several lines have it as well
};

// Cuts the sample. With a hint, a row of several lines that does not fit is a quote that is never
// closed, as for RowScanner.
class SampleCutter {
 public:
  SampleCutter(const Dialect& dialect, bool last, WidthHint hint)
      : dialect_(dialect), last_(last), hint_(hint) {}

  Cut cut(std::string_view sample) {
    cut_.block.text = std::string(sample);
    const std::string& text = cut_.block.text;
    size_t begin = 0;
    while (begin < text.size() && cut_.rows.size() < kRowsMax) {
      if (dialect_.comment != 0 && text[begin] == dialect_.comment) {
        begin = line_end(text, begin, dialect_.carriage_return_ends) + 1;
        continue;
      }
      const size_t cells = cut_.block.cells.size();
      const ScannedRow row = scan_row(text, begin, last_, dialect_, cut_.block.cells);
      const bool open = is_open(begin, row, cut_.block.cells.size() - cells);
      if (row.state == ScannedRow::State::kNeedMore && !open && !cut_.rows.empty()) {
        cut_.block.cells.resize(cells);
        break;
      }
      begin = open ? add_open_line(begin, cells) : add_row(begin, cells, row);
    }
    return std::move(cut_);
  }

 private:
  // A quoted cell that is longer than this much of the sample is none.
  static constexpr size_t kOpenBytesMax = 64U << 10;

  bool is_open(size_t begin, const ScannedRow& row, size_t cell_count) const {
    if (row.state == ScannedRow::State::kOpenQuote) {
      return true;
    }
    if (row.state == ScannedRow::State::kNeedMore) {
      return row.in_quotes && row.end - begin > kOpenBytesMax;
    }
    if (row.lines == 1 || hint_.width == 0) {
      return false;
    }
    const bool misfit = cell_count > hint_.width || cell_count + 1 < hint_.width;
    return (hint_.of_all && misfit) ||
           swallows_rows(cut_.block.text, begin, row, dialect_, hint_.width);
  }

  // A line with a quote that is never closed: a row without cells.
  size_t add_open_line(size_t begin, size_t first_cell) {
    const size_t end = line_end(cut_.block.text, begin, dialect_.carriage_return_ends);
    cut_.block.cells.resize(first_cell);
    ScannedRow line;
    line.state = ScannedRow::State::kOpenQuote;
    line.end = end > begin && cut_.block.text[end - 1] == '\r' ? end - 1 : end;
    line.next = std::min(end + 1, cut_.block.text.size());
    cut_.first_cell.push_back(first_cell);
    cut_.rows.push_back(line);
    cut_.begins.push_back(begin);
    return line.next;
  }

  size_t add_row(size_t begin, size_t first_cell, const ScannedRow& row) {
    const std::vector<Cell>& cells = cut_.block.cells;
    if (cells.size() == first_cell + 1 && cells.back().length == 0) {
      cut_.block.cells.resize(first_cell);
      return row.next;
    }
    cut_.first_cell.push_back(first_cell);
    cut_.rows.push_back(row);
    cut_.begins.push_back(begin);
    return row.next;
  }

  const Dialect& dialect_;
  bool last_;
  WidthHint hint_;
  Cut cut_;
};

Cut cut_sample(std::string_view sample, bool whole, const Dialect& dialect) {
  const bool last = whole && sample.size() <= kBytesMax;
  const std::string_view head = sample.substr(0, kBytesMax);
  Cut cut = SampleCutter(dialect, last, {}).cut(head);
  if (std::none_of(cut.rows.begin(), cut.rows.end(),
                   [](const ScannedRow& row) { return row.lines > 1; })) {
    return cut;
  }
  WidthHint hint{.width = usual_width(cut), .of_all = true};
  if (hint.width <= 1) {
    // Perhaps all the sample hangs between two stray quotes: the lines tell how wide rows are.
    Dialect by_line = dialect;
    by_line.single_line_quotes = true;
    hint = {.width = usual_width(SampleCutter(by_line, last, {}).cut(head)), .of_all = false};
  }
  return SampleCutter(dialect, last, hint).cut(head);
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
    regular += cut.cell_count(row) == score.width ? 1 : 0;
    for (size_t i = 0; i < cut.cell_count(row); ++i) {
      values += value_score(
          cut.block.cell_text(cut.block.cells[cut.first_cell[row] + i], dialect, scratch));
      ++cells;
    }
  }
  const double regularity = regular / static_cast<double>(cut.rows.size());
  score.total = regularity * regularity * values / static_cast<double>(std::max<size_t>(1, cells));
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

// Whether quotes are letters like others (5" pipe, or a quotation that goes on elsewhere): more of
// those that begin a cell are never closed than are.
bool quotes_are_text(const Cut& cut) {
  constexpr size_t kOpenLinesMin = 3;
  size_t open = 0;
  size_t closed = 0;
  for (size_t row = 0; row < cut.rows.size(); ++row) {
    open += cut.cell_count(row) == 0 ? 1 : 0;
    closed += cut.rows[row].quoted_cells > 0 ? 1 : 0;
  }
  return open > closed && (open >= kOpenLinesMin || open == cut.rows.size());
}

struct CutDialect {
  Dialect dialect;
  Cut cut;
};

CutDialect cut_by_delimiter(std::string_view sample, bool whole, const Dialect& base) {
  CutDialect result{.dialect = with_quotes(sample.substr(0, kBytesMax), base), .cut = {}};
  result.cut = cut_sample(sample, whole, result.dialect);
  if (quotes_are_text(result.cut)) {
    result.dialect.quote = 0;
    result.cut = cut_sample(sample, whole, result.dialect);
  }
  return result;
}

// Blanks may separate where columns are laid out by hand, and only as runs.
constexpr std::array<char, 8> kDelimiters = {',', ';', '\t', '|', '^', '~', ':', ' '};

CutDialect best_dialect(std::string_view sample, bool whole, const Dialect& base) {
  CutDialect best;
  double best_score = -1;
  for (const char delimiter : kDelimiters) {
    Dialect dialect = base;
    dialect.delimiter = delimiter;
    dialect.merge_delimiters = delimiter == ' ';
    CutDialect candidate = cut_by_delimiter(sample, whole, dialect);
    const Score score = score_cut(candidate.cut, candidate.dialect);
    // Colons stand inside times and blanks inside sentences, so they must win clearly.
    const bool unusual =
        delimiter == ':' || delimiter == ' ' || delimiter == '~' || delimiter == '^';
    const double total = score.total * (unusual ? 0.7 : 1);
    if (total > best_score + 1e-9) {
      best_score = total;
      best = std::move(candidate);
    }
  }
  return best;
}

// Lines before the table have fewer cells than its rows.
size_t first_table_row(const Cut& cut, size_t width) {
  const size_t limit = std::min<size_t>(cut.rows.size(), kPreambleLinesMax);
  for (size_t row = 0; row < limit; ++row) {
    // A header may lack the name of the row names (as R writes it).
    if (cut.cell_count(row) + 1 >= width && cut.cell_count(row) >= std::min<size_t>(2, width)) {
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

// A header that opens a quote and never closes it is no row, but names the columns all the same:
// it is the line before the table, with as many cells, all of them texts. Empty when it is not.
std::vector<std::string> names_of_open_line(const Cut& cut, size_t row, size_t width,
                                            const Dialect& dialect) {
  if (cut.rows[row].state != ScannedRow::State::kOpenQuote) {
    return {};
  }
  const std::string_view text = cut.block.text;
  const std::string_view line = text.substr(cut.begins[row], cut.rows[row].end - cut.begins[row]);
  Dialect unquoted = dialect;
  unquoted.quote = 0;
  std::vector<Cell> cells;
  scan_row(line, 0, true, unquoted, cells);
  std::vector<std::string> names;
  for (const Cell& cell : cells) {
    std::string name(line.substr(cell.begin, cell.length));
    std::erase(name, dialect.quote);
    if (kind_of(name) != Kind::kText) {
      return {};
    }
    names.push_back(std::move(name));
  }
  return names.size() == width ? names : std::vector<std::string>();
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
  std::vector<std::string> open_names;
  if (first > 0) {
    open_names = names_of_open_line(cut, first - 1, width, layout.dialect);
  }
  const size_t refused = open_names.empty() ? first : first - 1;
  for (size_t row = 0; row < refused; ++row) {
    layout.preamble.push_back(
        {line_of(cut.begins[row]) + 1,
         std::string(text.substr(cut.begins[row], cut.rows[row].end - cut.begins[row])),
         cut.rows[row].state == ScannedRow::State::kOpenQuote
             ? "a quote is opened and never closed"
             : "the line stands before the table"});
  }
  size_t short_rows = 0;
  size_t long_rows = 0;
  for (size_t row = first; row < cut.rows.size(); ++row) {
    short_rows += cut.cell_count(row) > 0 && cut.cell_count(row) < width ? 1 : 0;
    long_rows += cut.cell_count(row) > width ? 1 : 0;
  }
  layout.dialect.pad_short_rows = long_rows == 0 && short_rows * 10 > cut.rows.size();
  for (size_t at = 0; layout.dialect.comment != 0 && at < cut.begins[first];
       at = line_end(text, at, layout.dialect.carriage_return_ends) + 1) {
    layout.comment_lines += text[at] == layout.dialect.comment ? 1 : 0;
  }
  layout.preamble_bytes = skipped + cut.begins[first];
  layout.preamble_lines = line_of(cut.begins[first]);
  if (open_names.empty()) {
    describe_header(cut, first, width, layout);
  } else {
    layout.header = layout.open_header = true;
    layout.names = tidy_names(open_names);
  }
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
  std::unordered_map<std::string, int> next;  // of names that come again
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
    for (int& n = next.try_emplace(base::lower(name), 2).first->second;
         used.contains(base::lower(candidate)) ||
         (candidate != name && taken.contains(base::lower(candidate)));
         ++n) {
      candidate = fmt::format("{}_{}", name, n);
    }
    used.insert(base::lower(candidate));
    result.push_back(std::move(candidate));
  }
  return result;
}

namespace {

// At least two lines with # before a line without: a file whose lines all begin with it has rows.
bool begins_with_comments(std::string_view head) {
  if (!head.starts_with('#') || head.find("\n#") == std::string_view::npos) {
    return false;
  }
  for (const std::string_view line : base::split(head, '\n')) {
    if (!line.starts_with('#') && !base::trim(line).empty()) {
      return true;
    }
  }
  return false;
}

}  // namespace

TextLayout sniff_layout(std::string_view sample, bool whole, std::optional<char> delimiter) {
  TextLayout layout;
  Dialect base;
  const std::string_view head = sample.substr(0, kBytesMax);
  base.carriage_return_ends = head.find('\n') == std::string_view::npos;
  if (begins_with_comments(head)) {
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
  base.delimiter = delimiter.value_or(base.delimiter);
  const CutDialect found =
      delimiter ? cut_by_delimiter(body, whole, base) : best_dialect(body, whole, base);
  layout.dialect = found.dialect;
  if (!found.cut.rows.empty()) {
    describe_table(found.cut, skipped, layout);
  }
  return layout;
}

}  // namespace cromford::table
