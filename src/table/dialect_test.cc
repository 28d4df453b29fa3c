#include "table/dialect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "table/row_scanner.h"

namespace cromford::table {
namespace {

TextLayout sniff(const std::string& text) {
  return sniff_layout(text, true, {});
}

TEST(Dialect, FindsSeparators) {
  EXPECT_EQ(sniff("a,b\n1,2\n3,4\n").dialect.delimiter, ',');
  EXPECT_EQ(sniff("a;b\n1,5;2,5\n3,5;4,5\n").dialect.delimiter, ';');
  EXPECT_EQ(sniff("a\tb c\n1\tx y\n3\tz w\n").dialect.delimiter, '\t');
  EXPECT_EQ(sniff("a|b\n1|2\n3|4\n").dialect.delimiter, '|');
  EXPECT_EQ(sniff("when,x\n2001-01-01 10:00:00,1\n2001-01-02 11:30:00,2\n").dialect.delimiter, ',');
  EXPECT_EQ(sniff("sep=;\na;b\n1;2\n").names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(sniff("x\n1\n2\n").names, std::vector<std::string>{"x"});
  EXPECT_EQ(sniff("  a   b\n  1   2\n 10  20\n").names, (std::vector<std::string>{"a", "b"}));
}

TEST(Dialect, FindsQuotes) {
  EXPECT_EQ(sniff("a,b\n'x, y',2\n'z',4\n").dialect.quote, '\'');
  EXPECT_EQ(sniff("a,b\n\"x, y\",2\n\"z\",4\n").dialect.quote, '"');
  EXPECT_TRUE(sniff("a,b\n\"x \\\"y\\\" z\",2\n\"w\",3\n").dialect.backslash_escapes);
  EXPECT_FALSE(sniff("a,b\n\"x \"\"y\"\" z\",2\n\"C:\\\",3\n").dialect.backslash_escapes);
}

TEST(Dialect, TakesQuotesThatNeverCloseForNone) {
  // The header's quote would make one cell of all that follows.
  std::string text = "\"id,x\n";
  for (int i = 0; i < 100; ++i) {
    text += "1,2\n";
  }
  for (const std::string& file : {text, text + "7,5\"\n1,2\n"}) {
    const TextLayout layout = sniff(file);
    EXPECT_EQ(layout.dialect.delimiter, ',');
    EXPECT_EQ(layout.names, (std::vector<std::string>{"id", "x"}));
    EXPECT_TRUE(layout.open_header);
    EXPECT_THAT(layout.preamble, ::testing::IsEmpty());
    EXPECT_EQ(layout.preamble_lines, 1);
  }
  // A line that names nothing is a row that cannot be read.
  const TextLayout values = sniff("\"8,9\n" + text.substr(text.find('\n') + 1));
  EXPECT_FALSE(values.open_header);
  ASSERT_EQ(values.preamble.size(), 1U);
  EXPECT_EQ(values.preamble[0].line, 1);
  EXPECT_EQ(values.preamble[0].text, "\"8,9");
  EXPECT_EQ(values.preamble[0].reason, "a quote is opened and never closed");
  // The sample ends before the quote could.
  std::string large = text;
  while (large.size() < (400U << 10)) {
    large += "1,2\n";
  }
  EXPECT_EQ(sniff_layout(large, false, {}).names.size(), 2U);
  // Only quotes that open: they are letters.
  EXPECT_EQ(sniff("id;x\n1;\"a\n2;\"b\n3;\"c\n4;d\n").dialect.quote, 0);
  EXPECT_EQ(sniff("id;x\n1;\"a\n2;\"b\"\n3;\"c\"\n4;d\n").dialect.quote, '"');
}

TEST(Dialect, TellsHeadersFromRows) {
  EXPECT_TRUE(sniff("name,age\nada,3\nbob,4\n").header);
  EXPECT_FALSE(sniff("ada,3\nbob,4\neve,5\n").header);
  EXPECT_EQ(sniff("1,2\n3,4\n").names, (std::vector<std::string>{"column_1", "column_2"}));
  EXPECT_TRUE(sniff("country,1990,1991,1992\nA,1,2,3\nB,4,5,6\n").header);
  EXPECT_TRUE(sniff("type,text\nham,hello there\nspam,buy now\n").header);
  EXPECT_EQ(sniff("x,y\nr1,1,2\nr2,3,4\nr3,5,6\n").names,
            (std::vector<std::string>{"row", "x", "y"}));
}

TEST(Dialect, SkipsWhatStandsBeforeTheTable) {
  const TextLayout layout = sniff("Report of May\n\na,b,c\n1,2,3\n4,5,6\n7,8,9\n");
  EXPECT_EQ(layout.names, (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_EQ(layout.preamble.size(), 1U);
  EXPECT_EQ(layout.preamble[0].text, "Report of May");
  EXPECT_EQ(layout.preamble_lines, 2);
}

TEST(Dialect, MakesNamesUsable) {
  EXPECT_EQ(tidy_names({" a ", "A", "", "a_2", "x\ty"}),
            (std::vector<std::string>{"a", "A_3", "column_3", "a_2", "x y"}));
  EXPECT_LE(tidy_names({std::string(1000, 'x')})[0].size(), 256U);
}

TEST(Dialect, OfNothingHasNoNames) {
  EXPECT_TRUE(sniff("").names.empty());
  EXPECT_TRUE(sniff("\n\n\n").names.empty());
}

std::string show(const RowBlock& block, const Dialect& dialect) {
  std::string text;
  std::string scratch;
  for (size_t row = 0; row < block.row_count(); ++row) {
    for (size_t i = 0; i < block.width; ++i) {
      text += '[';
      text += block.cell_text(block.cells[row * block.width + i], dialect, scratch);
      text += ']';
    }
    text += '\n';
  }
  for (const BadRow& bad : block.bad) {
    text += std::to_string(bad.line) + ": " + bad.text + '\n';
  }
  return text;
}

std::string scan(const std::string& text, size_t width, const Dialect& dialect = {}) {
  RowScanner scanner(dialect, width);
  RowBlock block;
  block.text = text;
  EXPECT_EQ(scanner.scan(true, block), text.size());
  return show(block, dialect);
}

TEST(RowScanner, CutsRowsAndCells) {
  EXPECT_EQ(scan("1,2\r\n3,4\n5,6", 2), "[1][2]\n[3][4]\n[5][6]\n");
  EXPECT_EQ(scan(" a , b \n\n  \nc,\n", 2), "[a][b]\n[c][]\n");
  EXPECT_EQ(scan("\"a,\"\"b\"\"\",\"c\nd\"\n", 2), "[a,\"b\"][c\nd]\n");
  EXPECT_EQ(scan("1,2,,\n", 2), "[1][2]\n");
  EXPECT_EQ(scan("\"a\" ,\"b\"\n", 2), "[a][b]\n");
  Dialect old;
  old.carriage_return_ends = true;
  EXPECT_EQ(scan("1,2\r3,4\r", 2, old), "[1][2]\n[3][4]\n");
  Dialect runs;
  runs.delimiter = ' ';
  runs.merge_delimiters = true;
  EXPECT_EQ(scan("1 2 ", 2, runs), "[1][2]\n");  // Nothing behind the last blank.
  EXPECT_EQ(scan("  1   2  \n 3 4\n", 2, runs), "[1][2]\n[3][4]\n");
  Dialect padded;
  padded.pad_short_rows = true;
  EXPECT_EQ(scan("1\n2,3\n", 2, padded), "[1][]\n[2][3]\n");
}

TEST(RowScanner, KeepsBadRowsWithLineAndText) {
  EXPECT_EQ(scan("1,2\n3\n4,5,6\n7,8\n", 2), "[1][2]\n[7][8]\n2: 3\n3: 4,5,6\n");
}

TEST(RowScanner, RecoversFromStrayQuotes) {
  // Only the line with the stray quote is lost, not those up to the next quote.
  EXPECT_EQ(scan("1,\"a\n2,b\n\"c\",3\n", 2), "[2][b]\n[c][3]\n1: 1,\"a\n");
  EXPECT_EQ(scan("1,\"a\n2,b\n3,c\n", 2), "[2][b]\n[3][c]\n1: 1,\"a\n");
  EXPECT_EQ(scan("1,5\" pipe\n2,\"He said \"hi\" to me\"\n3,\"Foo\" bar\n", 2),
            "[1][5\" pipe]\n[2][He said \"hi\" to me]\n[3][\"Foo\" bar]\n");
}

TEST(RowScanner, TellsCellsOfSeveralLinesFromSwallowedRows) {
  // A quote inside that is not doubled, and a line that is a row: the quote above was stray.
  EXPECT_EQ(scan("1,\"a\n2,b\n3,\"c\"\n", 2), "[2][b]\n[3][c]\n1: 1,\"a\n");
  EXPECT_EQ(scan("1,\"a\n2,b\n3,\"c\"x\n4,\"d\"\n", 2), "[2][b]\n[3][\"c\"x]\n[4][d]\n1: 1,\"a\n");
  // No line is a row: the cell is a text with quotations.
  EXPECT_EQ(scan("1,\"a\n\"b\" c\nd\"\n", 2), "[1][a\n\"b\" c\nd]\n");
  // Some lines are like rows by chance, as they may; all of many are not.
  EXPECT_EQ(scan("1,\"Dear Sir, Madam\nyours, J\"\n", 2), "[1][Dear Sir, Madam\nyours, J]\n");
  EXPECT_EQ(scan("1,\"a,x\n2,b,x\n3,c,x\n4,d,x\n5,e,5\"\n", 3),
            "[2][b][x]\n[3][c][x]\n[4][d][x]\n[5][e][5\"]\n1: 1,\"a,x\n");
  Dialect remarks;
  remarks.comment = '#';
  EXPECT_EQ(scan("# say,\"x\n1,2\n3,\"4\"\n", 2, remarks), "[1][2]\n[3][4]\n");
  Dialect by_line;
  by_line.single_line_quotes = true;
  EXPECT_EQ(scan("1,\"a\nb\"\n2,\"c\"\n", 2, by_line), "[2][c]\n1: 1,\"a\n2: b\"\n");
}

TEST(RowScanner, CountsLinesBehindBackslashes) {
  Dialect escapes;
  escapes.backslash_escapes = true;
  EXPECT_EQ(scan("1,\"a\\\nb\"\n2\n", 2, escapes), "[1][a\\\nb]\n3: 2\n");
}

TEST(RowScanner, GivesTheSameInPieces) {
  const std::string text =
      "1,\"a\nb\"\r\n2,x\r\n3,\"q\"\"r\"\n\"bad\n4,z\n5,\"o\n6,p\n7,\"q\"\n8,\"r\n9,s\n";
  const std::string whole = scan(text, 2);
  for (size_t step = 1; step < text.size(); ++step) {
    Dialect dialect;
    RowScanner scanner(dialect, 2);
    std::string rows;
    std::string bad;
    std::string rest;
    for (size_t at = 0; at < text.size() + step; at += step) {
      RowBlock block;
      block.text = rest + (at < text.size() ? text.substr(at, step) : "");
      const size_t used = scanner.scan(at >= text.size(), block);
      rest = block.text.substr(used);
      RowBlock only_bad;
      only_bad.bad = std::move(block.bad);
      block.bad.clear();
      rows += show(block, dialect);
      bad += show(only_bad, dialect);
    }
    EXPECT_EQ(rows + bad, whole) << step;
  }
}

}  // namespace
}  // namespace cromford::table
