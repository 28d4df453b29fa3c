// Files that a reader of trust would choke on: too deep, too wide, too long.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/limits.h"
#include "base/status.h"
#include "table/import.h"
#include "table/json_limits.h"
#include "table/scan.h"
#include "testing/data.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::table {
namespace {

using ::cromford::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

class ImportLimits : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(directory_ / "out"); }

  ImportOptions options_for(const std::filesystem::path& path) {
    ImportOptions options;
    options.inputs.push_back({.path = path});
    options.output_directory = directory_ / "out";
    options.threads = 2;
    return options;
  }

  absl::StatusOr<ImportResult> import(const std::string& name, const std::string& bytes) {
    std::ofstream(directory_ / name, std::ios::binary) << bytes;
    return import_files(options_for(directory_ / name));
  }

  absl::StatusOr<Table> rows_of(const ImportResult& result) {
    StoredTable stored{result.schema, {}};
    for (const ImportedPart& part : result.parts) {
      stored.parts.push_back(part.path);
    }
    TRY(auto engine, Engine::create({.threads = 2}));
    return read_table(*engine, stored);
  }

  testing::TempDir directory_;
};

std::string repeated(std::string_view text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) {
    all += text;
  }
  return all;
}

std::string nested_objects(size_t levels) {
  return repeated("{\"a\":", levels) + "1" + repeated("}", levels);
}

TEST_F(ImportLimits, DeepJsonIsRefusedBeforeTheEngineSeesIt) {
  const size_t deep = 200'000;
  const std::string mark = "\xEF\xBB\xBF";
  for (const auto& [name, bytes] : {std::pair("objects.json", "[" + nested_objects(deep) + "]"),
                                    std::pair("lists.json", repeated("[", deep)),
                                    std::pair("marked.json", mark + repeated("[", deep)),
                                    std::pair("lines.jsonl", nested_objects(deep) + "\n")}) {
    EXPECT_THAT(import(name, bytes), StatusIs(kInvalid, HasSubstr("deeper than 200 levels")))
        << name;
    EXPECT_NE(base::remedy(import(name, bytes).status()), "");
  }
}

TEST_F(ImportLimits, JsonAtTheLimitOfDepthIsRead) {
  const base::Limits limits;
  const std::string at_limit = "[" + nested_objects(limits.json_depth - 1) + "]";
  ASSERT_OK_AND_ASSIGN(const ImportResult result, import("deep.json", at_limit));
  EXPECT_EQ(result.row_count, 1);
  EXPECT_EQ(result.schema.columns[0].type, ColumnType::kText);
}

TEST_F(ImportLimits, JsonOfTooManyNamesIsRefusedAtOnce) {
  std::string flat = "[{\"k\":0";
  std::string below = "[{\"k\":{\"k\":0";
  for (int i = 0; i < 50'000; ++i) {
    flat += ",\"k" + std::to_string(i) + "\":0";
    below += ",\"k" + std::to_string(i) + "\":0";
  }
  EXPECT_THAT(import("flat.json", flat + "}]"),
              StatusIs(kExhausted, HasSubstr("more than 10000 different names")));
  EXPECT_THAT(import("below.json", below + "}}]"),
              StatusIs(kExhausted, HasSubstr("more than 10000 different names")));
}

TEST_F(ImportLimits, NamesThatComeAgainCountOnce) {
  JsonLimits limits("x.json", JsonLimits::Layout::kDocument);
  for (int row = 0; row < 20'000; ++row) {
    EXPECT_OK(limits.push("{\"a\":{\"b\":[{\"c\":1},{\"c\":\"},{\\\"d\"}]}},"));
  }
}

TEST_F(ImportLimits, ABrokenLineSpoilsNoOther) {
  JsonLimits limits("x.jsonl", JsonLimits::Layout::kLines);
  for (int row = 0; row < 1000; ++row) {
    EXPECT_OK(limits.push("{\"a\":[[\"b\n"));
  }
}

TEST_F(ImportLimits, AnEndlessLineIsRefusedEarly) {
  EXPECT_THAT(import("line.csv", "a,b\n1,2\n" + repeated("x,", 12U << 20)),
              StatusIs(kInvalid, HasSubstr("line 3 is longer than 16.0 MiB")));
  EXPECT_THAT(import("one.csv", "a,b\n" + std::string(20U << 20, 'x') + "\n1,2\n"),
              StatusIs(kInvalid, HasSubstr("line 2 is longer than 16.0 MiB")));
}

TEST_F(ImportLimits, ListsOfTimesAreJsonText) {
  ASSERT_OK_AND_ASSIGN(
      const ImportResult result,
      import("t.json", R"([{"a":1,"t":[["2020-01-01 00:00:00"]],"d":["2020-01-02"],"n":[1.5]}])"));
  ASSERT_EQ(result.schema.columns.size(), 4U);
  ASSERT_OK_AND_ASSIGN(const Table table, rows_of(result));
  EXPECT_EQ(table.find("t")->text(0), R"([["2020-01-01 00:00:00"]])");
  EXPECT_EQ(table.find("d")->text(0), R"(["2020-01-02"])");
  EXPECT_EQ(table.find("n")->text(0), "[1.5]");
}

TEST_F(ImportLimits, AFileOfNestedTimesLoads) {
  const auto file = testing::shared_data("nab_known_cause/combined_windows.json");
  if (!file) {
    GTEST_SKIP() << "the shared data sets are not here";
  }
  ASSERT_OK_AND_ASSIGN(const ImportResult result, import_files(options_for(*file)));
  EXPECT_EQ(result.row_count, 1);
  EXPECT_GT(result.schema.columns.size(), 50U);
  ASSERT_OK_AND_ASSIGN(const Table table, rows_of(result));
  EXPECT_THAT(table.find("realKnownCause/nyc_taxi.csv")->text(0), HasSubstr("[\"2014-10-30"));
}

TEST_F(ImportLimits, NoWordOfTheEngineInErrorsOfFiles) {
  std::ofstream(directory_ / "t.csv") << "a,b\n1,2\n";
  ImportOptions options = options_for(directory_ / "t.csv");
  options.inputs[0].format = "parquet";
  const auto result = import_files(options);
  EXPECT_THAT(result, StatusIs(kInvalid, HasSubstr("t.csv is not a Parquet file")));
  EXPECT_THAT(base::message(result.status()), Not(HasSubstr("LINE")));
}

// The texts of the notes, those that warn with a "!".
std::vector<std::string> notes_of(const ImportResult& result) {
  std::vector<std::string> notes;
  for (const ImportedSource::Note& note : result.sources.at(0).notes) {
    notes.push_back((note.warning ? "!" : "") + note.column + ": " + note.text);
  }
  return notes;
}

TEST_F(ImportLimits, TellsInfinitiesFromMissingMarks) {
  ASSERT_OK_AND_ASSIGN(const ImportResult result,
                       import("i.csv", "a,b\ninf,1\nNaN,2\n1.5,3\n-inf,4\n"));
  EXPECT_THAT(notes_of(result),
              ElementsAre("a: missing marks: NaN", "!a: 2 infinite values were taken as missing"));
}

TEST_F(ImportLimits, CountsCommentLines) {
  ASSERT_OK_AND_ASSIGN(const ImportResult result,
                       import("c.csv", "# export of x\n# by y\na,b\n1,2\n# later\n3,4\n"));
  EXPECT_EQ(result.row_count, 2);
  EXPECT_THAT(notes_of(result), ElementsAre(": 3 comment lines were left out"));
}

TEST_F(ImportLimits, AHeaderWithAnOpenQuoteStillNamesTheColumns) {
  ASSERT_OK_AND_ASSIGN(const ImportResult result, import("q.csv", "name,\"city\nx,1\ny,2\nz,3\n"));
  EXPECT_EQ(result.schema.names(), (std::vector<std::string>{"name", "city"}));
  EXPECT_EQ(result.row_count, 3);
  EXPECT_EQ(result.quarantined_count, 0);
  EXPECT_THAT(notes_of(result), ElementsAre("!: the header opens a quote that is never closed"));
  // A line of values stays in quarantine.
  ASSERT_OK_AND_ASSIGN(const ImportResult values, import("v.csv", "1,\"2\nx,1\ny,2\nz,3\n"));
  EXPECT_EQ(values.quarantined_count, 1);
}

TEST_F(ImportLimits, RowsThatAllBeginWithAHashAreRows) {
  ASSERT_OK_AND_ASSIGN(const ImportResult result, import("h.csv", "#cat,5\n#dog,6\n#cow,7\n"));
  EXPECT_EQ(result.row_count, 3);
  EXPECT_THAT(notes_of(result), ElementsAre());
}

TEST_F(ImportLimits, AppendingTellsWhatGrowsAndRefusesStrangers) {
  std::ofstream(directory_ / "n.csv") << "a,zz\n1,2\n";
  ImportOptions options = options_for(directory_ / "n.csv");
  options.append_to = Schema{{{"a", ColumnType::kInteger}, {"b", ColumnType::kText}}};
  const std::string growth =
      "!: 1 new column that the earlier rows lack: zz; 1 column missing in the new rows: b";
  ASSERT_OK_AND_ASSIGN(const ImportResult grown, import_files(options));
  EXPECT_THAT(notes_of(grown), ElementsAre(growth));
  options.query = "select a, zz from input";
  ASSERT_OK_AND_ASSIGN(const ImportResult queried, import_files(options));
  EXPECT_THAT(notes_of(queried), ElementsAre(growth));
  options.query = "select zz as other from input";
  EXPECT_THAT(import_files(options),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("share no column")));
  options.query = "";
  options.append_to = Schema{{{"x", ColumnType::kInteger}}};
  EXPECT_THAT(import_files(options), StatusIs(absl::StatusCode::kFailedPrecondition,
                                              HasSubstr("it has x, they have a, zz")));
}

// Any step that looks for each column along all of them takes minutes here.
TEST_F(ImportLimits, TenThousandColumnsAreRead) {
  std::string names = "name";
  std::string cells = "1";
  for (int i = 1; i < 10'000; ++i) {
    names += ",name";
    cells += ",1";
  }
  ASSERT_OK_AND_ASSIGN(const ImportResult result,
                       import("wide.csv", names + "\n" + cells + "\n" + cells + "\n"));
  ASSERT_EQ(result.schema.columns.size(), 10'000U);
  EXPECT_EQ(result.schema.columns.back().name, "name_10000");
  EXPECT_EQ(result.row_count, 2);
}

constexpr int64_t kWideColumns = 1100;

int64_t wide_cell(int64_t row, int64_t column) {
  return row * 10'000 + column;
}

class WideVisitor final : public ChunkVisitor {
 public:
  explicit WideVisitor(int64_t& good) : good_(good) {}
  absl::Status visit(const Chunk& chunk) override {
    for (size_t i = 0; i < chunk.row_count(); ++i) {
      for (size_t column = 0; column < chunk.columns().size(); ++column) {
        const int64_t row = chunk.first_row() + static_cast<int64_t>(i);
        good_ += chunk.column(column).integers[i] == wide_cell(row, static_cast<int64_t>(column));
      }
    }
    return absl::OkStatus();
  }

 private:
  int64_t& good_;
};

// Wide tables are read in slices of columns, of which each must stand beside its own rows.
TEST_F(ImportLimits, RowsOfWideTablesStayTogether) {
  constexpr int64_t kRows = 2300;  // more than a vector of the engine
  std::string text;
  for (int64_t column = 0; column < kWideColumns; ++column) {
    text += (column == 0 ? "c" : ",c") + std::to_string(column);
  }
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t column = 0; column < kWideColumns; ++column) {
      text += (column == 0 ? '\n' : ',') + std::to_string(wide_cell(row, column));
    }
  }
  std::ofstream(directory_ / "wide.csv") << text << "\n";
  int64_t good = 0;
  ImportOptions options = options_for(directory_ / "wide.csv");
  options.make_visitor = [&good](int64_t) { return std::make_unique<WideVisitor>(good); };
  options.sink = [](int64_t, std::unique_ptr<ChunkVisitor>) { return absl::OkStatus(); };
  ASSERT_OK_AND_ASSIGN(const ImportResult result, import_files(options));
  EXPECT_EQ(result.row_count, kRows);
  EXPECT_EQ(good, kRows * kWideColumns);
}

}  // namespace
}  // namespace cromford::table
