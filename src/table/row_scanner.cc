#include "table/row_scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace cromford::table {
namespace {

// Reading lines again after stray quotes may cost this much; then quotes no longer span lines.
constexpr uint64_t kRescanBytesMax = 256ULL << 20;

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// Walks over one row. Not a general lexer: it lives for one call of `scan_row`.
class RowWalker {
 public:
  RowWalker(std::string_view text, size_t begin, const Dialect& dialect, std::vector<Cell>& cells)
      : text_(text), at_(begin), dialect_(dialect), cells_(cells) {}

  ScannedRow walk(bool last) {
    while (true) {
      skip_blanks();
      const bool quoted = at_ < text_.size() && dialect_.quote != 0 && text_[at_] == dialect_.quote;
      if (quoted ? !take_quoted() : !take_plain()) {
        // The text ended within a quoted cell, or a line did where that is not allowed.
        const bool open = last || at_ < text_.size();
        row_.state = open ? ScannedRow::State::kOpenQuote : ScannedRow::State::kNeedMore;
        row_.in_quotes = true;
        row_.end = row_.next = at_;
        return row_;
      }
      if (at_ < text_.size() && text_[at_] == dialect_.delimiter && !ends_row_after_blanks()) {
        ++at_;
        continue;
      }
      if (at_ >= text_.size()) {
        row_.state = last ? ScannedRow::State::kRow : ScannedRow::State::kNeedMore;
        row_.end = row_.next = at_;
        return row_;
      }
      end_row(last);
      return row_;
    }
  }

 private:
  // Blanks before a cell, unless they separate cells.
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_]) &&
           (text_[at_] != dialect_.delimiter || dialect_.merge_delimiters)) {
      ++at_;
    }
  }

  bool is_row_end(char c) const {
    return c == '\n' || (c == '\r' && (dialect_.carriage_return_ends || at_ + 1 >= text_.size() ||
                                       text_[at_ + 1] == '\n'));
  }

  // With merged delimiters, blanks before the line end are no separator.
  bool ends_row_after_blanks() {
    if (!dialect_.merge_delimiters) {
      return false;
    }
    size_t ahead = at_;
    while (ahead < text_.size() && is_blank(text_[ahead])) {
      ++ahead;
    }
    if (ahead < text_.size() && text_[ahead] != '\n' && text_[ahead] != '\r') {
      return false;
    }
    at_ = ahead;
    return true;
  }

  void add(size_t begin, size_t end, bool escaped) {
    while (end > begin && is_blank(text_[end - 1])) {
      --end;
    }
    while (begin < end && is_blank(text_[begin])) {
      ++begin;
    }
    Cell cell;
    cell.begin = static_cast<uint32_t>(begin);
    cell.length = static_cast<uint32_t>(end - begin) & 0x7FFFFFFFU;
    cell.escaped = escaped ? 1U : 0U;
    cells_.push_back(cell);
  }

  bool take_plain() {
    const size_t begin = at_;
    const char delimiter = dialect_.delimiter;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == delimiter || c == '\n' || (c == '\r' && is_row_end(c))) {
        break;
      }
      ++at_;
    }
    add(begin, at_, false);
    return true;
  }

  // Whether a quoted cell may end before `at`: blanks, then a separator or the end of the row.
  bool closes_before(size_t at) const {
    while (at < text_.size() && is_blank(text_[at]) && text_[at] != dialect_.delimiter) {
      ++at;
    }
    return at >= text_.size() || text_[at] == dialect_.delimiter || text_[at] == '\n' ||
           text_[at] == '\r';
  }

  bool take_quoted() {
    const size_t begin = ++at_;
    const uint32_t lines_before = row_.lines;
    bool seen_quote = false;
    bool escaped = false;
    const char line_end = dialect_.carriage_return_ends ? '\r' : '\n';
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\' && dialect_.backslash_escapes && at_ + 1 < text_.size()) {
        escaped = true;
        row_.lines += text_[at_ + 1] == line_end ? 1 : 0;
        at_ += 2;
      } else if (c == dialect_.quote && at_ + 1 < text_.size() && text_[at_ + 1] == c) {
        escaped = true;
        at_ += 2;
      } else if (c == dialect_.quote && closes_before(at_ + 1)) {
        add(begin, at_, escaped);
        ++row_.quoted_cells;
        ++at_;
        while (at_ < text_.size() && is_blank(text_[at_]) && text_[at_] != dialect_.delimiter) {
          ++at_;
        }
        return true;
      } else if (c == line_end && row_.lines == lines_before && seen_quote) {
        // `"Foo" Bar,1`: the cell begins with a quoted word but is not a quoted cell.
        at_ = begin - 1;
        return take_plain();
      } else if (c == line_end && dialect_.single_line_quotes) {
        return false;
      } else {
        seen_quote = seen_quote || c == dialect_.quote;
        row_.stray_quote = row_.stray_quote || (c == dialect_.quote && row_.lines > lines_before);
        row_.lines += c == line_end ? 1 : 0;
        ++at_;
      }
    }
    return false;
  }

  void end_row(bool last) {
    row_.end = at_;
    const bool cut = text_[at_] == '\r' && at_ + 1 >= text_.size() && !last;
    if (cut) {
      // The LF of a CRLF may follow.
      row_.state = ScannedRow::State::kNeedMore;
    }
    at_ += text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n' ? 2 : 1;
    row_.next = at_;
  }

  std::string_view text_;
  size_t at_;
  const Dialect& dialect_;
  std::vector<Cell>& cells_;
  ScannedRow row_;
};

// Separators that stand by chance where they make rows of lines within one cell.
constexpr size_t kChanceSeparators = 8;

}  // namespace

size_t line_end(std::string_view text, size_t begin, bool carriage_return_ends) {
  const size_t end =
      carriage_return_ends ? text.find_first_of("\r\n", begin) : text.find('\n', begin);
  return end == std::string_view::npos ? text.size() : end;
}

std::string_view RowBlock::unescape(std::string_view raw, const Dialect& dialect,
                                    std::string& scratch) {
  scratch.clear();
  for (size_t i = 0; i < raw.size(); ++i) {
    const bool has_next = i + 1 < raw.size();
    const bool doubled = raw[i] == dialect.quote && has_next && raw[i + 1] == dialect.quote;
    const bool escape = raw[i] == '\\' && dialect.backslash_escapes && has_next &&
                        (raw[i + 1] == dialect.quote || raw[i + 1] == '\\');
    i += doubled || escape ? 1 : 0;
    scratch.push_back(raw[i]);
  }
  return scratch;
}

ScannedRow scan_row(std::string_view text, size_t begin, bool last, const Dialect& dialect,
                    std::vector<Cell>& cells) {
  return RowWalker(text, begin, dialect, cells).walk(last);
}

bool swallows_rows(std::string_view text, size_t begin, const ScannedRow& row,
                   const Dialect& dialect, size_t width) {
  std::vector<Cell> cells;
  size_t rows = 0;
  size_t lines = 0;
  size_t at = line_end(text, begin, dialect.carriage_return_ends) + 1;
  while (at < row.end) {
    const size_t end = std::min(line_end(text, at, dialect.carriage_return_ends), row.end);
    cells.clear();
    const ScannedRow line = scan_row(text.substr(at, end - at), 0, true, dialect, cells);
    const bool is_row = line.state == ScannedRow::State::kRow && cells.size() == width;
    rows += is_row ? 1 : 0;
    ++lines;
    if (is_row ? row.stray_quote : !row.stray_quote) {
      return row.stray_quote;
    }
    at = end + 1;
  }
  return rows == lines && rows * (width - 1) >= kChanceSeparators;
}

void RowScanner::add_bad(RowBlock& block, size_t begin, size_t end, std::string reason) const {
  const std::string_view text = std::string_view(block.text).substr(begin, end - begin);
  block.bad.push_back(
      {line_, std::string(base::clip_utf8(text, kBadTextBytesMax)), std::move(reason)});
}

size_t RowScanner::skip_line(RowBlock& block, size_t begin, size_t seen_end, std::string reason) {
  size_t end = line_end(block.text, begin, dialect_.carriage_return_ends);
  const size_t next = std::min(end + 1, block.text.size());
  end -= end > begin && block.text[end - 1] == '\r' ? 1 : 0;
  add_bad(block, begin, end, std::move(reason));
  ++line_;
  rescanned_bytes_ += seen_end > next ? seen_end - next : 0;
  if (rescanned_bytes_ > kRescanBytesMax) {
    dialect_.single_line_quotes = true;
  }
  return next;
}

std::string_view RowScanner::settle(RowBlock& block, size_t begin, const ScannedRow& row,
                                    size_t first_cell) {
  const std::string_view text = block.text;
  size_t count = block.cells.size() - first_cell;
  const auto is_empty = [&](size_t i) { return block.cells[first_cell + i].length == 0; };
  if (count == 1 && is_empty(0)) {
    block.cells.resize(first_cell);
    line_ += row.lines;
    return {};
  }
  while (count > width_ && is_empty(count - 1)) {
    --count;
  }
  if (count < width_ && dialect_.pad_short_rows && row.lines == 1) {
    count = width_;
  }
  if (row.lines > 1 && swallows_rows(text, begin, row, dialect_, width_)) {
    block.cells.resize(first_cell);
    return "a quote is opened that closes only behind lines that are rows by themselves";
  }
  if (count == width_) {
    block.cells.resize(first_cell + width_);
    block.rows.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(row.end),
                          static_cast<uint32_t>(line_ - block.first_line)});
    line_ += row.lines;
    return {};
  }
  block.cells.resize(first_cell);
  if (row.lines > 1) {
    return "a quote is opened that closes lines below, in a row that has the wrong number of cells";
  }
  add_bad(block, begin, row.end,
          fmt::format("the row has {} cell{}; {} {} expected", count, count == 1 ? "" : "s", width_,
                      width_ == 1 ? "is" : "are"));
  line_ += 1;
  return {};
}

size_t RowScanner::scan(bool last, RowBlock& block) {
  block.first_line = line_;
  block.width = width_;
  size_t begin = 0;
  while (begin < block.text.size()) {
    if (dialect_.comment != 0 && block.text[begin] == dialect_.comment) {
      const size_t end = line_end(block.text, begin, dialect_.carriage_return_ends);
      if (end == block.text.size() && !last) {
        break;
      }
      begin = std::min(end + 1, block.text.size());
      ++line_;
      ++comment_count_;
      continue;
    }
    const size_t first_cell = block.cells.size();
    const ScannedRow row = scan_row(block.text, begin, last, dialect_, block.cells);
    const bool too_long = row.end - begin > kRowBytesMax;
    if (row.state == ScannedRow::State::kNeedMore && !too_long) {
      block.cells.resize(first_cell);
      break;
    }
    if (row.state != ScannedRow::State::kRow || too_long) {
      block.cells.resize(first_cell);
      if (row.state == ScannedRow::State::kNeedMore && row.lines == 1 &&
          line_end(block.text, begin, dialect_.carriage_return_ends) == block.text.size()) {
        break;  // One endless line: the reader gives it up when it begins a block.
      }
      begin = skip_line(block, begin, row.end,
                        too_long ? "the row is longer than 16 MiB; is a quote never closed?"
                                 : "a quote is opened and never closed");
      continue;
    }
    const std::string_view reason = settle(block, begin, row, first_cell);
    begin = reason.empty() ? row.next : skip_line(block, begin, row.end, std::string(reason));
  }
  return begin;
}

}  // namespace cromford::table
