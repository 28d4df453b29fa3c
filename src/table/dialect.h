#pragma once

// How a delimited text file is written, found from its beginning: separator, quotes, escapes, line
// ends, lines before the header, and whether there is a header at all. Each candidate dialect cuts
// the sample into cells; the one wins whose rows have the same number of cells and whose cells look
// like values (after van den Burg, Nazabal, Sutton: Wrangling messy CSV files, 2019).
//
//   const TextLayout layout = sniff_layout(sample, /*whole=*/false, {});
//   RowScanner scanner(layout.dialect, layout.names.size());
//
// Thread safety: functions only.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "table/row_scanner.h"

namespace cromford::table {

struct TextLayout {
  Dialect dialect;
  // What stands before the header and is none of the table (titles, remarks): lines and bytes; the
  // rows among it that are no remarks.
  int64_t preamble_lines = 0;
  size_t preamble_bytes = 0;
  std::vector<BadRow> preamble;
  int64_t comment_lines = 0;  // among it
  bool header = false;
  bool open_header = false;  // it opens a quote that is never closed, and counts as preamble
  size_t header_bytes = 0;   // of the header row, after the preamble
  int64_t header_lines = 0;
  std::vector<std::string> names;  // unique, none empty; one for each column
};

// `whole`: the sample is all there is. `delimiter` fixes the separator where it is known.
// A sample without any row gives no names.
TextLayout sniff_layout(std::string_view sample, bool whole, std::optional<char> delimiter);

// Column names as a table may have them: without blanks around and control characters, at most 256
// bytes, "column_3" for an empty one, "name_2" for the second of a name (case is ignored, as SQL
// does).
std::vector<std::string> tidy_names(const std::vector<std::string>& names);

}  // namespace cromford::table
