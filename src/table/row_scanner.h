#pragma once

// Cuts delimited text into rows and cells. Rules as in RFC 4180, and mercy with what people write:
// LF, CRLF or CR ends a row; blanks around quotes; a quote inside a quoted cell that no separator
// follows stands for itself; empty cells behind the last column are dropped. A row that has the
// wrong number of cells is bad. When it spans several lines, a stray quote is to blame: only its
// first line is bad, and reading goes on with the next. So it does when a quoted cell takes lines
// that are rows by themselves (`swallows_rows`).
//
//   RowScanner scanner(dialect, /*width=*/5);
//   const size_t used = scanner.scan(text, /*last=*/true, block);
//   for (const Cell& cell : block.cells) use(block.cell_text(cell, scratch));
//
// Thread safety: a scanner belongs to one thread.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cromford::table {

struct Dialect {
  char delimiter = ',';
  char quote = '"';                   // 0: no quoting
  bool backslash_escapes = false;     // \" in a quoted cell, beside ""
  bool carriage_return_ends = false;  // files of old: CR alone ends a row
  bool merge_delimiters = false;      // runs of blanks separate, as in columns laid out by hand
  bool pad_short_rows = false;        // the missing cells of a short row are missing values
  bool single_line_quotes = false;    // a quoted cell ends on the line where it begins
  char comment = 0;                   // lines that begin with it are skipped
  bool operator==(const Dialect&) const = default;
};

// A cell's place in the text of its block, without quotes and the blanks around.
struct Cell {
  uint32_t begin = 0;
  uint32_t length : 31 = 0;
  uint32_t escaped : 1 = 0;  // has doubled or escaped quotes
};

struct RowSpan {
  uint32_t begin = 0;
  uint32_t end = 0;          // without the line end
  uint32_t line_offset = 0;  // lines since the block's first
};

struct BadRow {
  int64_t line = 0;
  std::string text;
  std::string reason;
};

// Some rows of a file. The cells of good row r are [r * width, (r + 1) * width).
struct RowBlock {
  std::string text;
  int64_t first_line = 1;
  size_t width = 0;
  std::vector<Cell> cells;
  std::vector<RowSpan> rows;
  std::vector<BadRow> bad;

  size_t row_count() const { return rows.size(); }
  // The text of a cell; `scratch` holds it where it must be built.
  std::string_view cell_text(const Cell& cell, const Dialect& dialect, std::string& scratch) const {
    const std::string_view raw(text.data() + cell.begin, cell.length);
    return cell.escaped == 0 ? raw : unescape(raw, dialect, scratch);
  }
  std::string_view row_text(size_t row) const {
    return std::string_view(text).substr(rows[row].begin, rows[row].end - rows[row].begin);
  }

 private:
  static std::string_view unescape(std::string_view raw, const Dialect& dialect,
                                   std::string& scratch);
};

// What `scan_row` found at the beginning of a text.
struct ScannedRow {
  enum class State {
    kRow,       // a row, ended by a line end or by the end of the text
    kNeedMore,  // the text ends within the row
    kOpenQuote  // the text, or the line where only that may be, ends within a quoted cell
  };
  State state = State::kRow;
  size_t next = 0;     // where the following row begins
  size_t end = 0;      // where the row ends, without its line end
  uint32_t lines = 1;  // lines that it takes
  // A quoted cell takes several lines and has a quote below its first line that is not doubled.
  bool stray_quote = false;
  uint32_t quoted_cells = 0;
  bool in_quotes = false;  // kNeedMore: the text ends within a quoted cell
};

// Appends the cells of the row at `begin` to `cells`.
ScannedRow scan_row(std::string_view text, size_t begin, bool last, const Dialect& dialect,
                    std::vector<Cell>& cells);

// Where the line ends in which `begin` lies: at its line end, or at the end of the text.
size_t line_end(std::string_view text, size_t begin, bool carriage_return_ends);

// Whether a row of several lines is rather a quote that is never closed and the rows below it. With
// a quote inside that is not doubled, one line that has `width` cells by itself tells so. A cell as
// RFC 4180 has it may hold such lines by chance: all of them must be rows, with so many separators
// together that chance is ruled out.
bool swallows_rows(std::string_view text, size_t begin, const ScannedRow& row,
                   const Dialect& dialect, size_t width);

class RowScanner {
 public:
  // Longer rows are bad.
  static constexpr size_t kRowBytesMax = 16U << 20;
  // Bad rows keep this much of their text.
  static constexpr size_t kBadTextBytesMax = 64U << 10;

  RowScanner(const Dialect& dialect, size_t width) : dialect_(dialect), width_(width) {}

  // Takes whole rows from the beginning of `block.text`, which is the text that follows what was
  // used so far, and fills the block's rows. Returns how much was used; with `last` all of it.
  size_t scan(bool last, RowBlock& block);

  int64_t next_line() const { return line_; }
  // Comment lines left out so far.
  int64_t comment_count() const { return comment_count_; }
  // Lets the count of lines begin behind what was read otherwise.
  void set_next_line(int64_t line) { line_ = line; }

 private:
  void add_bad(RowBlock& block, size_t begin, size_t end, std::string reason) const;
  // Accepts or refuses the row whose cells begin at `first_cell`. A reason: only its first line is
  // bad, and what follows must be read again.
  std::string_view settle(RowBlock& block, size_t begin, const ScannedRow& row, size_t first_cell);
  // Gives up the first line of a row; returns where the next begins.
  size_t skip_line(RowBlock& block, size_t begin, size_t seen_end, std::string reason);

  Dialect dialect_;
  size_t width_;
  int64_t line_ = 1;
  int64_t comment_count_ = 0;
  uint64_t rescanned_bytes_ = 0;
};

}  // namespace cromford::table
