#pragma once

// What a command shows, and where: data on standard output, everything else on standard error.
// Tables are aligned and humanised on a terminal, tab-separated with raw values when piped, and
// left out with --json, where standard output is exactly one JSON document. Control characters of
// what is shown are escaped where a terminal would obey them.
//
//   Output output(environment, {.json = false, .quiet = false});
//   TextTable table({{"NAME"}, {"ROWS", Align::kRight}});
//   table.add({"flights", count_cell(3000000)});
//   output.table(table);
//   output.note("next: cromford train flights --target late");
//
// Thread safety: belongs to one thread.

#include <absl/status/status.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/limits.h"
#include "cli/environment.h"

namespace cromford::cli {

enum class Align { kLeft, kRight };
enum class Colour { kPlain, kBold, kDim, kRed, kGreen, kYellow, kCyan };

// One value twice: as people read it and as programs do ("13.0 MiB", "13631488").
struct Cell {
  Cell(std::string text) : shown(text), raw(std::move(text)) {}  // NOLINT: a text is a cell.
  Cell(const char* text) : shown(text), raw(text) {}             // NOLINT
  Cell(std::string shown_text, std::string raw_text)
      : shown(std::move(shown_text)), raw(std::move(raw_text)) {}

  std::string shown;
  std::string raw;
  Colour colour = Colour::kPlain;
};

Cell count_cell(int64_t count);            // 3,000,000
Cell bytes_cell(int64_t bytes);            // 13.0 MiB
Cell seconds_cell(double seconds);         // 8.1s, 2m30s
Cell share_cell(double share);             // 21.5%
Cell number_cell(double value);            // 457,414 or 0.7312
Cell score_cell(double value);             // four decimals
Cell time_cell(std::string_view rfc3339);  // 2026-11-22 15:04
Cell state_cell(std::string_view state);   // coloured by what it means
Cell coloured(std::string text, Colour colour);

using base::with_thousands;
// How many columns of a terminal the text takes (code points; no wide characters).
size_t shown_width(std::string_view text);
// `text` with its control characters (but line breaks and tabs) written as \x1b, and all bytes
// from 0x80 on as well where it is not UTF-8.
std::string harmless(std::string_view text);

class TextTable {
 public:
  struct Column {
    std::string title;
    Align align = Align::kLeft;
    bool shrinks = false;  // Is cut with an ellipsis where the terminal is too narrow.
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  size_t row_count() const { return rows_.size(); }

  // Aligned for people, at most `width` columns wide where a column shrinks.
  std::string aligned(size_t width, bool colour, std::string_view indent = "") const;
  // One line per row, a line of titles first; tabs and line ends within values become blanks.
  std::string tab_separated() const;

 private:
  std::vector<size_t> widths(size_t width) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// Facts about one thing, a line each.
class Facts {
 public:
  void add(std::string_view name, Cell value) { facts_.emplace_back(name, std::move(value)); }
  const std::vector<std::pair<std::string, Cell>>& all() const { return facts_; }

 private:
  std::vector<std::pair<std::string, Cell>> facts_;
};

struct OutputOptions {
  bool json = false;
  bool quiet = false;
};

class Output {
 public:
  Output(Environment& environment, OutputOptions options);

  bool json() const { return options_.json; }
  bool quiet() const { return options_.quiet; }
  // Whether tables are drawn for people.
  bool for_people() const { return environment_.out_is_terminal && !options_.json; }
  // Whether a line may be drawn over and over: progress.
  bool animated() const { return environment_.err_is_terminal && !options_.quiet; }
  // Whether somebody sits there who can answer a question.
  bool can_ask() const { return environment_.in_is_terminal && environment_.err_is_terminal; }

  // The one JSON document of this command; without --json nothing.
  void document(const base::Json& document);
  // Without --json: a table, facts, a line, a heading (only for people) on standard output.
  void table(const TextTable& table);
  void facts(const Facts& facts);
  void line(std::string_view text);
  void heading(std::string_view text);
  // Bytes as they are, also with --json: files and logs that were asked for.
  void raw(std::string_view bytes);
  // A document of text that was asked for, also with --json: a log.
  void text(std::string_view text);

  // On standard error; notes not with --quiet.
  void note(std::string_view text);
  void warning(std::string_view text);
  // `error: ...` and `remedy: ...`, or the problem document where JSON is asked for.
  void error(const absl::Status& status);

  // Draws (over the last one) the progress line; an empty text wipes it. Only where `animated`.
  void progress(std::string_view text);

  // Asks on the terminal; false where the answer is not "y" or "yes".
  bool ask(std::string_view question);

  std::string paint(std::string_view text, Colour colour, bool on_err) const;
  size_t width() const;

 private:
  std::string for_out(std::string_view text) const;
  std::string for_err(std::string_view text) const;
  void before_out();
  void before_err();

  Environment& environment_;
  OutputOptions options_;
  bool colour_out_ = false;
  bool colour_err_ = false;
  bool progress_shown_ = false;
};

}  // namespace cromford::cli
