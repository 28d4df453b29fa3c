// Any bytes can be looked at as a text table: encoding, dialect, rows, cells and column plans. The
// text is well-formed UTF-8, cells lie within it, and rows cut in two pieces are the same rows.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "table/column_plan.h"
#include "table/dialect.h"
#include "table/encoding.h"
#include "table/row_scanner.h"

namespace {

using namespace cromford::table;  // NOLINT(google-build-using-namespace): a fuzzer's only names.

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void collect(const RowBlock& block, const Dialect& dialect, std::vector<std::string>& cells) {
  std::string scratch;
  for (const Cell& cell : block.cells) {
    require(size_t{cell.begin} + cell.length <= block.text.size());
    cells.emplace_back(block.cell_text(cell, dialect, scratch));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Encoding encoding = detect_encoding(bytes);
  std::string text;
  Transcoder(encoding).push(bytes, true, text);
  require(cromford::base::is_utf8(text));
  const TextLayout layout = sniff_layout(text, true, {});
  require(layout.preamble_bytes + layout.header_bytes <= text.size());
  if (layout.names.empty()) {
    return 0;
  }
  const std::string body = text.substr(layout.preamble_bytes + layout.header_bytes);
  std::vector<std::string> whole;
  RowBlock block;
  block.text = body;
  require(RowScanner(layout.dialect, layout.names.size()).scan(true, block) == body.size());
  collect(block, layout.dialect, whole);

  std::vector<std::string> pieces;
  RowScanner scanner(layout.dialect, layout.names.size());
  RowBlock first;
  first.text = body.substr(0, body.size() / 2);
  const size_t used = scanner.scan(false, first);
  collect(first, layout.dialect, pieces);
  RowBlock second;
  second.text = body.substr(used);
  scanner.scan(true, second);
  collect(second, layout.dialect, pieces);
  require(whole == pieces);

  std::vector<ColumnGuess> guesses(layout.names.size());
  for (size_t i = 0; i < whole.size(); ++i) {
    guesses[i % guesses.size()].add(whole[i]);
  }
  for (const ColumnGuess& guess : guesses) {
    (void)guess.plan(layout.dialect.delimiter);
  }
  return 0;
}
