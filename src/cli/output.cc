#include "cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/codes.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/problem.h"

namespace cromford::cli {
namespace {

constexpr size_t kFieldsShown = 5;

std::string_view escape_of(Colour colour) {
  switch (colour) {
    case Colour::kPlain:
      return "";
    case Colour::kBold:
      return "\x1b[1m";
    case Colour::kDim:
      return "\x1b[2m";
    case Colour::kRed:
      return "\x1b[31m";
    case Colour::kGreen:
      return "\x1b[32m";
    case Colour::kYellow:
      return "\x1b[33m";
    case Colour::kCyan:
      return "\x1b[36m";
  }
  return "";
}

std::string painted(std::string_view text, Colour colour) {
  const std::string_view escape = escape_of(colour);
  return escape.empty() ? std::string(text) : fmt::format("{}{}\x1b[0m", escape, text);
}

bool is_line_break_or_tab(char c) {
  return c == '\t' || c == '\n' || c == '\r';
}

std::string one_line(std::string_view text) {
  std::string out(text);
  std::replace_if(out.begin(), out.end(), is_line_break_or_tab, ' ');
  return out;
}

std::string cut(std::string_view text, size_t width) {
  if (shown_width(text) <= width) {
    return std::string(text);
  }
  size_t end = 0;
  for (size_t seen = 0; end < text.size(); ++end) {
    const bool starts = (static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80U;
    if (starts && seen++ + 1 == std::max<size_t>(width, 1)) {
      break;
    }
  }
  return std::string(text.substr(0, end)) + "…";
}

bool wants_colour(const Environment& environment, bool terminal) {
  if (!terminal || !environment.variable) {
    return false;
  }
  const auto no_color = environment.variable("NO_COLOR");
  const auto term = environment.variable("TERM");
  return (!no_color || no_color->empty()) && term != "dumb";
}

}  // namespace

std::string harmless(std::string_view text) {
  const bool utf8 = base::is_utf8(text);
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f || (!utf8 && byte >= 0x80)) {
      out += fmt::format("\\x{:02x}", byte);
    } else if (byte == 0xc2 && next < 0xa0) {
      out += fmt::format("\\x{:02x}", next);  // U+0080 to U+009F steer a terminal as ESC does.
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

namespace {

// Of a table for people: on one line, and harmless.
std::string in_cell(std::string_view text) {
  return harmless(one_line(text));
}

}  // namespace

size_t shown_width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

Cell count_cell(int64_t count) {
  return {with_thousands(count), std::to_string(count)};
}

Cell bytes_cell(int64_t bytes) {
  return {base::format_size(static_cast<uint64_t>(std::max<int64_t>(bytes, 0))),
          std::to_string(bytes)};
}

Cell seconds_cell(double seconds) {
  std::string raw;
  base::append_number(raw, seconds);
  if (!std::isfinite(seconds) || seconds < 0) {
    return {"-", raw};
  }
  if (seconds < 0.9995) {
    return {fmt::format("{:.0f}ms", seconds * 1e3), raw};
  }
  if (seconds < 59.95) {
    return {fmt::format("{:.1f}s", seconds), raw};
  }
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) {
    return {fmt::format("{}m{:02}s", whole / 60, whole % 60), raw};
  }
  if (whole < 86400) {
    return {fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60), raw};
  }
  return {fmt::format("{}d{:02}h", whole / 86400, whole % 86400 / 3600), raw};
}

Cell share_cell(double share) {
  std::string raw;
  base::append_number(raw, share);
  const double percent = share * 100;
  if (percent > 0 && percent < 0.05) {
    return {"<0.1%", raw};
  }
  return {fmt::format("{:.1f}%", percent), raw};
}

Cell number_cell(double value) {
  std::string raw;
  base::append_number(raw, value);
  return {base::format_value(value), raw};
}

Cell score_cell(double value) {
  std::string raw;
  base::append_number(raw, value);
  return {std::abs(value) < 1000 ? fmt::format("{:.4f}", value) : fmt::format("{:.5g}", value),
          raw};
}

Cell time_cell(std::string_view rfc3339) {
  std::string shown(rfc3339.substr(0, 16));
  std::replace(shown.begin(), shown.end(), 'T', ' ');
  return {shown, std::string(rfc3339)};
}

Cell state_cell(std::string_view state) {
  Cell cell{std::string(state)};
  if (state == "failed" || state == "unavailable") {
    cell.colour = Colour::kRed;
  } else if (state == "succeeded" || state == "ready" || state == "serving") {
    cell.colour = Colour::kGreen;
  } else if (state == "running" || state == "queued") {
    cell.colour = Colour::kCyan;
  } else if (state == "cancelled" || state == "skipped") {
    cell.colour = Colour::kDim;
  }
  return cell;
}

Cell coloured(std::string text, Colour colour) {
  Cell cell(std::move(text));
  cell.colour = colour;
  return cell;
}

std::vector<size_t> TextTable::widths(size_t width) const {
  std::vector<size_t> result;
  size_t total = 0;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t widest = shown_width(in_cell(columns_[i].title));
    for (const auto& row : rows_) {
      widest = std::max(widest, shown_width(in_cell(row[i].shown)));
    }
    result.push_back(widest);
    total += widest + (i == 0 ? 0 : 2);
  }
  // Columns that shrink give way one after the other, from the right, down to eight columns each.
  for (size_t i = columns_.size(); i > 0 && total > width; --i) {
    if (columns_[i - 1].shrinks && result[i - 1] > 8) {
      const size_t gives = std::min(total - width, result[i - 1] - 8);
      result[i - 1] -= gives;
      total -= gives;
    }
  }
  return result;
}

std::string TextTable::aligned(size_t width, bool colour, std::string_view indent) const {
  const size_t room = width > indent.size() ? width - indent.size() : 1;
  const std::vector<size_t> column_widths = widths(room);
  std::string out;
  const auto put = [&](size_t i, const std::string& text, Colour paint) {
    const std::string shown = cut(in_cell(text), column_widths[i]);
    const std::string blanks(column_widths[i] - shown_width(shown), ' ');
    const std::string body = colour ? painted(shown, paint) : shown;
    const bool last = i + 1 == columns_.size();
    if (columns_[i].align == Align::kRight) {
      out += blanks + body;
    } else {
      out += last ? body : body + blanks;
    }
    out += last ? "\n" : "  ";
  };
  if (std::any_of(columns_.begin(), columns_.end(),
                  [](const Column& column) { return !column.title.empty(); })) {
    out += indent;
    for (size_t i = 0; i < columns_.size(); ++i) {
      put(i, columns_[i].title, Colour::kDim);
    }
  }
  for (const auto& row : rows_) {
    out += indent;
    for (size_t i = 0; i < columns_.size(); ++i) {
      put(i, row[i].shown, row[i].colour);
    }
  }
  return out;
}

std::string TextTable::tab_separated() const {
  std::string out;
  for (size_t i = 0; i < columns_.size(); ++i) {
    out += base::lower(columns_[i].title) + (i + 1 == columns_.size() ? "\n" : "\t");
  }
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += one_line(row[i].raw) + (i + 1 == row.size() ? "\n" : "\t");
    }
  }
  return out;
}

Output::Output(Environment& environment, OutputOptions options)
    : environment_(environment),
      options_(options),
      colour_out_(wants_colour(environment, environment.out_is_terminal)),
      colour_err_(wants_colour(environment, environment.err_is_terminal)) {}

size_t Output::width() const {
  return static_cast<size_t>(std::max(environment_.terminal_width, 40));
}

std::string Output::paint(std::string_view text, Colour colour, bool on_err) const {
  return (on_err ? colour_err_ : colour_out_) ? painted(text, colour) : std::string(text);
}

// What stands in data, names and files must not steer the terminal; a pipe gets it as it is.
std::string Output::for_out(std::string_view text) const {
  return environment_.out_is_terminal ? harmless(text) : std::string(text);
}

std::string Output::for_err(std::string_view text) const {
  return environment_.err_is_terminal ? harmless(text) : std::string(text);
}

void Output::before_out() {
  progress("");
}

void Output::before_err() {
  progress("");
  // What was printed before must stand before, where both streams share a terminal.
  environment_.out->flush();
}

void Output::document(const base::Json& document) {
  if (options_.json) {
    before_out();
    *environment_.out << (environment_.out_is_terminal ? base::pretty_json(document)
                                                       : base::dump_json(document))
                      << "\n";
  }
}

void Output::table(const TextTable& table) {
  if (options_.json) {
    return;
  }
  before_out();
  *environment_.out << (for_people() ? table.aligned(width(), colour_out_) : table.tab_separated());
}

void Output::facts(const Facts& facts) {
  if (options_.json) {
    return;
  }
  before_out();
  TextTable table({{""}, {"", Align::kLeft, true}});
  for (const auto& [name, value] : facts.all()) {
    if (for_people() && !value.shown.empty()) {
      table.add({coloured(name, Colour::kDim), value});
    } else if (!for_people()) {
      *environment_.out << name << "\t" << one_line(value.raw) << "\n";
    }
  }
  if (for_people()) {
    *environment_.out << table.aligned(width(), colour_out_);
  }
}

void Output::line(std::string_view text) {
  if (!options_.json) {
    before_out();
    *environment_.out << for_out(text) << "\n";
  }
}

void Output::heading(std::string_view text) {
  if (for_people()) {
    before_out();
    *environment_.out << "\n" << paint(for_out(text), Colour::kBold, false) << "\n";
  }
}

void Output::raw(std::string_view bytes) {
  before_out();
  environment_.out->write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

void Output::text(std::string_view text) {
  before_out();
  *environment_.out << for_out(text);
}

void Output::note(std::string_view text) {
  if (!options_.quiet) {
    before_err();
    *environment_.err << for_err(text) << "\n";
    environment_.err->flush();
  }
}

void Output::warning(std::string_view text) {
  before_err();
  *environment_.err << paint("warning:", Colour::kYellow, true) << " " << for_err(text) << "\n";
}

void Output::error(const absl::Status& status) {
  before_err();
  if (options_.json) {
    *environment_.err << base::dump_json(problem_document(status)) << "\n";
    return;
  }
  *environment_.err << paint("error:", Colour::kRed, true) << " " << for_err(base::message(status))
                    << "\n";
  const std::vector<base::FieldError> fields = base::field_errors(status);
  for (size_t i = 0; i < std::min(fields.size(), kFieldsShown); ++i) {
    *environment_.err << for_err(fmt::format("  {}: {}\n", fields[i].pointer, fields[i].detail));
  }
  if (fields.size() > kFieldsShown) {
    *environment_.err << fmt::format("  and {} more\n", fields.size() - kFieldsShown);
  }
  const std::string remedy = base::remedy(status);
  if (!remedy.empty()) {
    *environment_.err << paint("remedy:", Colour::kCyan, true) << " " << for_err(remedy) << "\n";
  }
}

void Output::progress(std::string_view text) {
  if (!animated() || (text.empty() && !progress_shown_)) {
    return;
  }
  *environment_.err << "\r\x1b[K" << cut(one_line(for_err(text)), width() - 1) << std::flush;
  progress_shown_ = !text.empty();
}

bool Output::ask(std::string_view question) {
  before_err();
  *environment_.err << for_err(question) << " [y/N] " << std::flush;
  std::string answer;
  std::getline(*environment_.in, answer);
  const std::string word = base::lower(base::trim(answer));
  return word == "y" || word == "yes";
}

}  // namespace cromford::cli
