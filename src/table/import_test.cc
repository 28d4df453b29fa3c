#include "table/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/status.h"
#include "table/export.h"
#include "table/profile_builder.h"
#include "table/scan.h"
#include "testing/data.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::table {
namespace {

using std::string_literals::operator""s;
using ::cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ImportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(out());
    EngineOptions options;
    options.threads = 2;
    ASSERT_OK_AND_ASSIGN(engine_, Engine::create(options));
  }

  std::filesystem::path out() const { return directory_ / "out"; }

  std::filesystem::path write(const std::string& name, const std::string& bytes) {
    std::ofstream(directory_ / name, std::ios::binary) << bytes;
    return directory_ / name;
  }

  ImportOptions options_for(const std::vector<std::filesystem::path>& paths) {
    ImportOptions options;
    for (const auto& path : paths) {
      options.inputs.push_back({.path = path});
    }
    options.output_directory = out();
    options.threads = 2;
    return options;
  }

  absl::StatusOr<ImportResult> import(const std::string& name, const std::string& bytes) {
    return import_files(options_for({write(name, bytes)}));
  }

  // The rows as "a|b\n", missing cells empty.
  std::string rows_of(const ImportResult& result) {
    StoredTable stored{result.schema, {}};
    for (const ImportedPart& part : result.parts) {
      stored.parts.push_back(part.path);
    }
    auto table = read_table(*engine_, stored);
    EXPECT_OK(table);
    std::string text;
    for (int64_t row = 0; table.ok() && row < table->row_count(); ++row) {
      for (size_t i = 0; i < table->columns().size(); ++i) {
        text += (i > 0 ? "|" : "") + cell_text(table->columns()[i], row);
      }
      text += "\n";
    }
    return text;
  }

  static std::string types_of(const Schema& schema) {
    std::string text;
    for (const ColumnSchema& column : schema.columns) {
      text += (text.empty() ? "" : " ") + column.name + ":" +
              std::string(column_type_name(column.type));
    }
    return text;
  }

  std::vector<std::string> left_in_output() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(out())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  testing::TempDir directory_;
  std::unique_ptr<Engine> engine_;
};

std::string gzip(const std::string& text) {
  std::string packed(text.size() + 1000, '\0');
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string zstd(const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

std::string utf16(const std::string& text, bool little, bool mark) {
  std::string out = mark ? (little ? "\xFF\xFE" : "\xFE\xFF") : "";
  for (const char c : text) {
    out += little ? std::string{c, '\0'} : std::string{'\0', c};
  }
  return out;
}

TEST_F(ImportTest, ReadsTheFilesThatPeopleHave) {
  const std::string plain = "id,name,price\n1,ada,1.5\n2,bob,2.5\n";
  const std::string rows = "1|ada|1.5\n2|bob|2.5\n";
  const std::vector<std::pair<std::string, std::string>> files = {
      {"plain.csv", plain},
      {"mark.csv", "\xEF\xBB\xBF" + plain},
      {"crlf.csv", "id,name,price\r\n1,ada,1.5\r\n2,bob,2.5\r\n"},
      {"mac.csv", "id,name,price\r1,ada,1.5\r2,bob,2.5\r"},
      {"no_end.csv", "id,name,price\n1,ada,1.5\n2,bob,2.5"},
      {"padded.csv", "id, name ,price\n 1 ,ada  ,  1.5\n 2 ,bob,2.5  \n"},
      {"quoted.csv", "\"id\",\"name\",\"price\"\n\"1\",\"ada\",\"1.5\"\n\"2\",\"bob\",\"2.5\"\n"},
      {"semicolon.csv", "id;name;price\n1;ada;1,5\n2;bob;2,5\n"},
      {"tabs.tsv", "id\tname\tprice\n1\tada\t1.5\n2\tbob\t2.5\n"},
      {"pipes.txt", "id|name|price\n1|ada|1.5\n2|bob|2.5\n"},
      {"le.csv", utf16(plain, true, true)},
      {"be.csv", utf16(plain, false, true)},
      {"le_bare.csv", utf16(plain, true, false)},
      {"packed.csv.gz", gzip(plain)},
      {"two.csv.gz", gzip("id,name,price\n1,ada,1.5\n") + gzip("2,bob,2.5\n")},
      {"packed.csv.zst", zstd(plain)},
      {"no_name", plain},
      {"lines.jsonl",
       "{\"id\":1,\"name\":\"ada\",\"price\":1.5}\n{\"id\":2,\"name\":\"bob\",\"price\":2.5}\n"},
      {"array.json",
       "[{\"id\":1,\"name\":\"ada\",\"price\":1.5},\n{\"id\":2,\"name\":\"bob\",\"price\":2.5}]"},
      {"packed.jsonl.gz", gzip("{\"id\":1,\"name\":\"ada\",\"price\":1.5}\n{\"id\":2,\"name\":"
                               "\"bob\",\"price\":2.5}\n")},
      {"mark.json",
       "\xEF\xBB\xBF[{\"id\":1,\"name\":\"ada\",\"price\":1.5},"
       "{\"id\":2,\"name\":\"bob\",\"price\":2.5}]"},
      {"weka.arff",
       "% remark\n@relation r\n@attribute id numeric\n@attribute 'name' {ada,bob}\n"
       "@attribute price real\n@data\n1,ada,1.5\n% remark\n2,'bob',2.5\n"},
  };
  for (const auto& [name, bytes] : files) {
    auto result = import(name, bytes);
    ASSERT_OK(result) << name;
    EXPECT_EQ(types_of(result->schema), "id:integer name:text price:number") << name;
    EXPECT_EQ(rows_of(*result), rows) << name;
    EXPECT_EQ(result->quarantined_count, 0) << name;
    EXPECT_THAT(left_in_output(), ElementsAre("part-0.parquet")) << name;
  }
}

TEST_F(ImportTest, ReadsWindows1252AndTellsSo) {
  ASSERT_OK_AND_ASSIGN(const ImportResult result, import("a.csv", "name,x\ncaf\xE9,1\n\x80,2\n"));
  EXPECT_EQ(rows_of(result), "café|1\n€|2\n");
  EXPECT_EQ(result.sources[0].encoding, "windows-1252");
}

TEST_F(ImportTest, ReadsDatesOnlyWhereOneFormatFits) {
  ASSERT_OK_AND_ASSIGN(
      const ImportResult result,
      import("a.csv",
             "a,b,c,d,e\n25/02/2001,02/25/01,3/4/2001,2001-02-25 10:00,25.02.2001\n"
             "1/3/2001,03/01/01,4/3/2001,2001-03-01T11:30:00Z,01.03.2001\n"));
  EXPECT_EQ(types_of(result.schema), "a:date b:date c:text d:timestamp e:date");
  EXPECT_EQ(rows_of(result),
            "2001-02-25|2001-02-25|3/4/2001|2001-02-25T10:00:00Z|2001-02-25\n"
            "2001-03-01|2001-03-01|4/3/2001|2001-03-01T11:30:00Z|2001-03-01\n");
}

TEST_F(ImportTest, AppliesMissingMarksByColumn) {
  ASSERT_OK_AND_ASSIGN(
      const ImportResult result,
      import("a.csv",
             "n,word,code,level\n1,?,NA,None\nN/A,x,DE,high\n-,NULL,FR,unknown\n,y,US,\n"));
  EXPECT_EQ(types_of(result.schema), "n:integer word:text code:text level:text");
  // NA among country codes, None and unknown among words are values.
  EXPECT_EQ(rows_of(result), "1||NA|None\n|x|DE|high\n||FR|unknown\n|y|US|\n");
}

TEST_F(ImportTest, KeepsCodesAsText) {
  ASSERT_OK_AND_ASSIGN(const ImportResult result,
                       import("a.csv",
                              "zip,invoice,account\n02134,1001,12345678901234567890\n"
                              "90210,C1002,12345678901234567891\n"));
  EXPECT_EQ(types_of(result.schema), "zip:text invoice:text account:text");
}

TEST_F(ImportTest, QuarantinesWhatItCannotRead) {
  ASSERT_OK_AND_ASSIGN(const ImportResult result,
                       import("a.csv", "id,x\n1,2\n3\n4,5,6\n7,\"open\n8,9\n10,11\n"));
  EXPECT_EQ(types_of(result.schema), "id:integer x:integer");
  EXPECT_EQ(rows_of(result), "1|2\n8|9\n10|11\n");
  EXPECT_EQ(result.quarantined_count, 3);
  ASSERT_OK_AND_ASSIGN(const auto bad, read_quarantine(*engine_, *result.quarantine_path, 10));
  ASSERT_EQ(bad.size(), 3U);
  EXPECT_EQ(bad[0].line, 3);
  EXPECT_EQ(bad[0].text, "3");
  EXPECT_EQ(bad[0].source, "a.csv");
  EXPECT_THAT(bad[0].reason, HasSubstr("1 cell; 2 are expected"));
  EXPECT_EQ(bad[1].line, 4);
  EXPECT_EQ(bad[2].line, 5);
  EXPECT_EQ(bad[2].text, "7,\"open");
  EXPECT_THAT(bad[2].reason, HasSubstr("never closed"));
  EXPECT_EQ(result.sources[0].row_count, 6);
}

// Quotes as people leave them behind. Nothing is lost: each line is in a row or in quarantine.
TEST_F(ImportTest, RecoversFromQuotesLineByLine) {
  struct File {
    std::string bytes;
    std::string rows;
    std::vector<int64_t> bad_lines;
  };
  const std::vector<File> files = {
      // In the first row, the last, one between; with quoted cells behind and without.
      {"id,x\n1,\"a\n2,b\n3,c\n", "2|b\n3|c\n", {2}},
      {"id,x\n1,a\n2,b\n3,\"c\n", "1|a\n2|b\n", {4}},
      {"id,x\n1,a\n2,b\n3,\"c", "1|a\n2|b\n", {4}},
      {"id,x\n1,\"a\n2,b\n3,\"c\"\n4,\"d\"\n", "2|b\n3|c\n4|d\n", {2}},
      {"id,x,y\n1,\"a,u\n2,b,v\n3,c,\"w\"\n4,d,\"w\"\n", "2|b|v\n3|c|w\n4|d|w\n", {2}},
      // Text that is none of quoting.
      {"id,x\n1,5\" pipe\n2,3\" nail\n", "1|5\" pipe\n2|3\" nail\n", {}},
      {"id,x\n1,O'Brien\n2,'Tis\n3,dogs'\n4,'ere\n", "1|O'Brien\n2|'Tis\n3|dogs'\n4|'ere\n", {}},
      {"id,x\n1,\"Foo\" bar\n2,He said \"hi\"\n", "1|\"Foo\" bar\n2|He said \"hi\"\n", {}},
      // More quotations begin than end: quotes are letters.
      {"id\tx\n1\t\"Foo\n2\t\"bar goes\n3\t\"on\n4\tz\n",
       "1|\"Foo\n2|\"bar goes\n3|\"on\n4|z\n",
       {}},
      // Cells of several lines that are as they should be.
      {"id,x\n1,\"a\nb\"\n2,\"c, d\ne, f\"\n", "1|a\nb\n2|c, d\ne, f\n", {}},
      {"id,x\r\n1,\"a\r\nb\"\r\n2,c\r\n", "1|a\r\nb\n2|c\n", {}},
      {"id,x,y\n1,\"He said\n\"hi\" to me\",2\n2,b,3\n", "1|He said\n\"hi\" to me|2\n2|b|3\n", {}},
      {"id,x\n1,\"\"\n2,\"\"\"q\"\"\"\n", "1|\n2|\"q\"\n", {}},
  };
  for (const File& file : files) {
    SCOPED_TRACE(file.bytes);
    ASSERT_OK_AND_ASSIGN(const ImportResult result, import("a.csv", file.bytes));
    EXPECT_EQ(rows_of(result), file.rows);
    std::vector<int64_t> lines;
    if (result.quarantine_path) {
      ASSERT_OK_AND_ASSIGN(const auto bad, read_quarantine(*engine_, *result.quarantine_path, 10));
      for (const QuarantinedRow& row : bad) {
        lines.push_back(row.line);
      }
    }
    EXPECT_EQ(lines, file.bad_lines);
  }
}

// Stray quotes anywhere in generated files take exactly their own lines away.
TEST_F(ImportTest, LosesOnlyTheLinesOfStrayQuotes) {
  std::mt19937 random(7);  // NOLINT: the same files each time
  for (int round = 0; round < 30; ++round) {
    const bool quoted = round % 2 == 0;
    std::string text = "id,name,x\n";
    std::string rows;
    std::vector<int64_t> stray;
    for (int i = 0; i < 300; ++i) {
      const bool is_stray = random() % 150 == 0 || (round % 5 == 0 && i == 0);
      const std::string name = "n" + std::to_string(random() % 50);
      const std::string cell = is_stray ? "\"" + name : quoted ? "\"" + name + "\"" : name;
      text += std::to_string(i) + "," + cell + "," + std::to_string(i % 7) + ".5\n";
      if (is_stray) {
        stray.push_back(i + 2);
      } else {
        rows += std::to_string(i) + "|" + name + "|" + std::to_string(i % 7) + ".5\n";
      }
    }
    if (stray.size() > 2) {
      continue;  // Then quotes are letters, where there are no others.
    }
    SCOPED_TRACE(round);
    ASSERT_OK_AND_ASSIGN(const ImportResult result, import("a.csv", text));
    EXPECT_EQ(rows_of(result), rows);
    ASSERT_EQ(result.quarantined_count, static_cast<int64_t>(stray.size()));
    if (!stray.empty()) {
      ASSERT_OK_AND_ASSIGN(const auto bad, read_quarantine(*engine_, *result.quarantine_path, 10));
      for (size_t i = 0; i < stray.size(); ++i) {
        EXPECT_EQ(bad[i].line, stray[i]);
      }
    }
  }
}

// A long file whose end is not like its beginning.
TEST_F(ImportTest, MendsTypesThatTheBeginningDoesNotTell) {
  std::string text = "whole,typo,late,when\n";
  constexpr int kRows = 120'000;
  for (int i = 0; i < kRows; ++i) {
    const bool end = i > kRows - 100;
    text += end ? std::to_string(i) + ".5" : std::to_string(i);
    text += i == kRows - 10 ? ",oops," : "," + std::to_string(i % 7) + ".25,";
    text += end ? "7" : "";
    text += i == kRows - 5 ? ",25/02/2001\n" : ",03/04/2001\n";
  }
  ASSERT_OK_AND_ASSIGN(const ImportResult result, import("a.csv", text));
  EXPECT_EQ(types_of(result.schema), "whole:number typo:number late:integer when:date");
  EXPECT_EQ(result.row_count, kRows - 1);
  ASSERT_OK_AND_ASSIGN(const auto bad, read_quarantine(*engine_, *result.quarantine_path, 10));
  ASSERT_EQ(bad.size(), 1U);
  EXPECT_EQ(bad[0].line, kRows - 10 + 2);
  EXPECT_THAT(bad[0].reason, HasSubstr("column typo: \"oops\" is not a number"));
}

TEST_F(ImportTest, RefusesFilesThatAreSomethingElse) {
  const std::vector<std::tuple<std::string, std::string, std::string>> files = {
      {"empty.csv", "", "empty.csv is empty"},
      {"blank.csv", "\n\n  \n", "empty"},
      {"sheet.xlsx", "PK\x03\x04 and so on", "Excel"},
      {"x.bz2", "BZh91AY", "bzip2"},
      {"noise.bin", "\1\2\3\0\0\0\4\0abc"s, "neither text nor a format"},
      {"cut.csv.gz", gzip("a,b\n1,2\n").substr(0, 15), "damaged or cut off"},
      {"cut.csv.zst", zstd("a,b\n1,2\n").substr(0, 12), "damaged or cut off"},
      {"bad.parquet", "PAR1 and then nothing that is one", "bad.parquet"},
      {"bad.json", "[{\"a\":1},{\"a\":", "bad.json"},
      {"twice.json", "[{\"a\":1,\"a\":2},{\"a\":3}]", "\"twice.json\", in record"},
      {"scalar.json", "5\n", "scalar.json holds neither a JSON array nor JSON objects"},
      {"words.jsonl", "a,b\n1,2\n", "words.jsonl has no line that is a JSON object"},
      {"sparse.arff", "@relation r\n@attribute a numeric\n@data\n{0 1}\n", "sparse"},
      {"no_data.arff", "@relation r\n@attribute a numeric\n", "@data"},
  };
  for (const auto& [name, bytes, part] : files) {
    const auto result = import(name, bytes);
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(part))) << name;
    EXPECT_THAT(base::message(result.status()), Not(HasSubstr("SELECT"))) << name;
    EXPECT_NE(base::remedy(result.status()), "") << name;
    EXPECT_THAT(left_in_output(), ElementsAre()) << name;
  }
  EXPECT_THAT(import_files(options_for({directory_ / "absent.csv"})),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent.csv")));
  EXPECT_THAT(import_files(options_for({directory_.path()})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
  EXPECT_THAT(import_files(options_for({})), StatusIs(absl::StatusCode::kInvalidArgument));
  ImportOptions options = options_for({write("a.csv", "a\n1\n")});
  options.inputs[0].format = "xml";
  EXPECT_THAT(import_files(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("xml")));
}

TEST_F(ImportTest, RefusesWhatUnpacksToTooMuch) {
  std::string csv = "id,x\n";
  std::string lines;
  for (int i = 0; i < 600'000; ++i) {
    csv += "1,2\n";
    lines += "{\"id\":1}\n";
  }
  for (const auto& [name, bytes] : {std::pair<std::string, std::string>{"a.csv.gz", gzip(csv)},
                                    {"a.csv.zst", zstd(csv)},
                                    {"a.jsonl.gz", gzip(lines)}}) {
    ImportOptions options = options_for({write(name, bytes)});
    options.temp_limit_bytes = 2'200'000;
    EXPECT_THAT(import_files(options), StatusIs(absl::StatusCode::kResourceExhausted,
                                                HasSubstr(name + " unpacks to more than 2.1 MiB")));
    EXPECT_THAT(left_in_output(), ElementsAre());
    options.temp_limit_bytes = 64 << 20;
    EXPECT_OK(import_files(options));
    std::filesystem::remove(out() / "part-0.parquet");
  }
}

TEST_F(ImportTest, RefusesAFileOfMostlyBadRows) {
  std::string text = "a,b\n";
  for (int i = 0; i < 1000; ++i) {
    text += i < 400 ? "1,2\n" : "1\n2\n";
  }
  const auto result = import("a.csv", text + "1,2,3\n");
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cannot be read")));
  EXPECT_THAT(left_in_output(), ElementsAre());
}

TEST_F(ImportTest, QuarantinesBadJsonLines) {
  ASSERT_OK_AND_ASSIGN(
      const ImportResult result,
      import("a.jsonl",
             "{\"a\":1,\"b\":{\"c\":[1,2]}}\nnot json\n[1]\n\n{\"a\":2.5,\"d\":\"x\"}\n"));
  EXPECT_EQ(types_of(result.schema), "a:number b:text d:text");
  EXPECT_EQ(rows_of(result), "1|{\"c\":[1,2]}|\n2.5||x\n");
  EXPECT_EQ(result.quarantined_count, 2);
  ASSERT_OK_AND_ASSIGN(const auto bad, read_quarantine(*engine_, *result.quarantine_path, 10));
  EXPECT_EQ(bad[0].line, 2);
  EXPECT_EQ(bad[1].text, "[1]");
}

TEST_F(ImportTest, ShapesRowsByAQuery) {
  ImportOptions options = options_for({write("a.csv", "id,x\n1,2\n3,4\n5,6\n")});
  options.query = "select id * 2 as twice, x from input where id > 1";
  ASSERT_OK_AND_ASSIGN(const ImportResult result, import_files(options));
  EXPECT_EQ(types_of(result.schema), "twice:integer x:integer");
  EXPECT_EQ(rows_of(result), "6|4\n10|6\n");
  options.query = "select * from read_text('/etc/passwd')";
  EXPECT_THAT(import_files(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("read_text")));
  options.query = "select nope from input";
  EXPECT_THAT(import_files(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nope")));
  options.query = "select id from input where id > 100";
  ASSERT_OK_AND_ASSIGN(const ImportResult none, import_files(options));
  EXPECT_EQ(none.row_count, 0);
  EXPECT_TRUE(none.parts.empty());
}

TEST_F(ImportTest, QueriesParquetInPlace) {
  ASSERT_OK_AND_ASSIGN(const ImportResult first, import("a.csv", "id,x\n1,2\n3,4\n"));
  std::filesystem::rename(first.parts[0].path, directory_ / "a.parquet");
  ImportOptions options = options_for({directory_ / "a.parquet"});
  options.query = "select sum(x) as s from input";
  ASSERT_OK_AND_ASSIGN(const ImportResult result, import_files(options));
  EXPECT_EQ(rows_of(result), "6\n");
}

// What a caller sets aside is neither hashed nor visited nor stored.
TEST_F(ImportTest, StoresWhatTheScreenKeeps) {
  ASSERT_OK_AND_ASSIGN(const ImportResult wanted, import("kept.csv", "id,x\n1,2\n"));
  ImportOptions options = options_for({write("a.csv", "id,x\n1,2\n3,4\n5,6\n")});
  int64_t seen = 0;
  bool keep = true;
  options.screen = [&](const ScreenedRows& rows) -> absl::StatusOr<ScreenedRows> {
    seen = rows.row_count;
    return keep ? ScreenedRows{{rows.rows.schema, {wanted.parts[0].path}}, 1}
                : ScreenedRows{{rows.rows.schema, {}}, 0};
  };
  ProfileCollector collector;
  options.on_schema = [&](const Schema& schema) { collector.start(schema); };
  options.make_visitor = collector.factory();
  options.sink = collector.sink();
  std::filesystem::create_directories(directory_ / "second");
  options.output_directory = directory_ / "second";
  ASSERT_OK_AND_ASSIGN(const ImportResult result, import_files(options));
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(rows_of(result), "1|2\n");
  EXPECT_EQ(result.row_count, 1);
  EXPECT_EQ(result.content_hash, wanted.content_hash);
  EXPECT_EQ(collector.builder().finish().row_count, 1);
  keep = false;
  ASSERT_OK_AND_ASSIGN(const ImportResult none, import_files(options));
  EXPECT_EQ(none.row_count, 0);
  EXPECT_TRUE(none.parts.empty());
  EXPECT_EQ(collector.builder().finish().row_count, 0);
  options.screen = [](const ScreenedRows&) -> absl::StatusOr<ScreenedRows> {
    return base::refused("no row holds");
  };
  EXPECT_THAT(import_files(options),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no row holds")));
}

TEST_F(ImportTest, JoinsSeveralFiles) {
  ASSERT_OK_AND_ASSIGN(
      const ImportResult result,
      import_files(options_for({write("a.csv", "id,x\n1,2\n"), write("b.csv", "x,id,y\n2.5,3,z\n"),
                                write("c.jsonl", "{\"id\":4,\"y\":\"w\"}\n")})));
  EXPECT_EQ(types_of(result.schema), "id:integer x:number y:text");
  EXPECT_EQ(rows_of(result), "1|2|\n3|2.5|z\n4||w\n");
  EXPECT_EQ(result.sources.size(), 3U);
}

TEST_F(ImportTest, FitsRowsToWhatIsAppendedTo) {
  ImportOptions options = options_for({write("b.csv", "code,n,extra\n7,1.5,x\n8,2,y\n")});
  options.append_to = Schema{{{"code", ColumnType::kText}, {"n", ColumnType::kInteger}}};
  ASSERT_OK_AND_ASSIGN(const ImportResult result, import_files(options));
  EXPECT_EQ(types_of(result.schema), "code:text n:number extra:text");
  EXPECT_EQ(rows_of(result), "7|1.5|x\n8|2|y\n");
  options = options_for({write("b.jsonl", "{\"n\":\"many\"}\n")});
  options.append_to = Schema{{{"n", ColumnType::kInteger}}};
  EXPECT_THAT(import_files(options),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("column n")));
}

TEST_F(ImportTest, GivesTheSameHashForTheSameContent) {
  std::string csv = "id,name,x\n";
  std::string semicolon = "id;name;x\n";
  for (int i = 0; i < 200'000; ++i) {
    const std::string id = std::to_string(i);
    csv += id + ",n" + std::to_string(i % 100) + "," + std::to_string(i % 13) + ".5\n";
    semicolon += id + ";n" + std::to_string(i % 100) + ";" + std::to_string(i % 13) + ",5\n";
  }
  std::vector<std::string> hashes;
  for (const int threads : {1, 2, 4}) {
    ImportOptions options = options_for({write("a.csv", csv)});
    options.threads = threads;
    ASSERT_OK_AND_ASSIGN(const ImportResult result, import_files(options));
    hashes.push_back(result.content_hash);
  }
  ASSERT_OK_AND_ASSIGN(const ImportResult other, import("b.csv", semicolon));
  hashes.push_back(other.content_hash);
  EXPECT_THAT(hashes, ::testing::Each(hashes[0]));
  const StoredTable stored{other.schema, {other.parts[0].path}};
  ASSERT_OK_AND_ASSIGN(const std::string again, content_hash_of(*engine_, stored));
  EXPECT_EQ(again, hashes[0]);
  ASSERT_OK_AND_ASSIGN(const ImportResult changed, import("c.csv", csv + "200000,n0,1.5\n"));
  EXPECT_NE(changed.content_hash, hashes[0]);
}

TEST_F(ImportTest, LeavesNothingWhenCancelled) {
  base::CancelSource source;
  ImportOptions options = options_for({testing::flights_file()});
  options.cancel = source.token();
  options.on_schema = [&source](const Schema&) { source.cancel(); };
  EXPECT_THAT(import_files(options), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(left_in_output(), ElementsAre());
  EXPECT_THAT(import_files(options), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(ImportTest, ExportsWhatItRead) {
  ASSERT_OK_AND_ASSIGN(
      const ImportResult result,
      import("a.csv",
             "id,name,when,day,ok\n1,\"a, \"\"b\"\"\",2001-02-25 10:00,2001-02-25,true\n2,,,,\n"));
  const StoredTable stored{result.schema, {result.parts[0].path}};
  for (const char* name : {"x.csv", "x.jsonl", "x.parquet", "x.csv.gz"}) {
    ExportOptions options;
    options.output = directory_ / name;
    ASSERT_OK_AND_ASSIGN(options.format, export_format_for(options.output));
    options.gzip = options.output.extension() == ".gz";
    ASSERT_OK_AND_ASSIGN(const ExportResult written, export_table(*engine_, stored, options));
    EXPECT_EQ(written.row_count, 2);
    ASSERT_OK_AND_ASSIGN(const ImportResult back, import_files(options_for({options.output})));
    EXPECT_EQ(rows_of(back), rows_of(result)) << name;
    EXPECT_EQ(back.content_hash, result.content_hash) << name;
  }
  ExportOptions some;
  some.output = directory_ / "some.csv";
  some.read.where = "id = 2";
  some.read.columns = {"id"};
  ASSERT_OK(export_table(*engine_, stored, some));
  std::ifstream in(some.output);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "id\n2\n");
  some.read.where = "1=1) to '/tmp/x'";
  EXPECT_THAT(export_table(*engine_, stored, some), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(parse_export_format("xml"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(export_format_for("x.xml"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(ImportTest, ReadsPartsOfDifferentSchemas) {
  ASSERT_OK_AND_ASSIGN(const ImportResult first, import("a.csv", "id,x\n1,2\n2,3\n"));
  std::filesystem::rename(first.parts[0].path, directory_ / "first.parquet");
  ImportOptions options = options_for({write("b.csv", "id,x,y\n3,2.5,z\n")});
  options.append_to = first.schema;
  ASSERT_OK_AND_ASSIGN(const ImportResult second, import_files(options));
  const StoredTable stored{second.schema, {directory_ / "first.parquet", second.parts[0].path}};
  ASSERT_OK_AND_ASSIGN(const Table table, read_table(*engine_, stored, {.columns = {"y", "x"}}));
  EXPECT_EQ(table.row_count(), 3);
  EXPECT_EQ(cell_text(table.columns()[0], 0), "");
  EXPECT_EQ(cell_text(table.columns()[0], 2), "z");
  EXPECT_EQ(cell_text(table.columns()[1], 2), "2.5");
  ASSERT_OK_AND_ASSIGN(const int64_t count, count_rows(*engine_, stored, "y is null"));
  EXPECT_EQ(count, 2);
  int64_t blocks = 0;
  class Nothing final : public ChunkVisitor {
    absl::Status visit(const Chunk&) override { return absl::OkStatus(); }
  };
  EXPECT_OK(for_each_block(
      *engine_, stored, [](int64_t) { return std::make_unique<Nothing>(); },
      [&blocks](int64_t block, std::unique_ptr<ChunkVisitor>) {
        EXPECT_EQ(block, blocks++);
        return absl::OkStatus();
      }));
  EXPECT_EQ(blocks, 2) << "each part begins a block";
  EXPECT_THAT(read_table(*engine_, stored, {.columns = {"nope"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nope")));
  EXPECT_THAT(read_table(*engine_, stored, {.where = "nope = 1"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nope")));
  std::ofstream(directory_ / "first.parquet", std::ios::trunc) << "PAR1 damaged PAR1";
  EXPECT_THAT(read_table(*engine_, stored), StatusIs(absl::StatusCode::kDataLoss));
  std::filesystem::remove(directory_ / "first.parquet");
  EXPECT_THAT(read_table(*engine_, stored), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ImportTest, EnginesHaveLeastLimits) {
  EngineOptions options;
  options.memory_limit_bytes = 1;
  EXPECT_THAT(Engine::create(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("too small")));
  ASSERT_OK_AND_ASSIGN(const std::string version, engine_version());
  EXPECT_THAT(version, HasSubstr("duckdb "));
}

}  // namespace
}  // namespace cromford::table
