// Every CSV and Parquet file that INDEX.tsv of the shared folder lists loads with the rows and
// columns that it states.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/text.h"
#include "table/import.h"
#include "testing/data.h"
#include "testing/status_matchers.h"
#include "testing/temp_dir.h"

namespace cromford::table {
namespace {

struct Entry {
  std::string name;
  std::string file;
  int64_t rows = 0;
  size_t columns = 0;
};

std::vector<Entry> read_index(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  std::vector<Entry> entries;
  while (std::getline(in, line)) {
    const auto cells = base::split(line, '\t');
    entries.push_back({std::string(cells[0]), std::string(cells[1]),
                       base::to_number<int64_t>(cells[2]).value_or(-1),
                       base::to_number<size_t>(cells[3]).value_or(0)});
  }
  return entries;
}

bool is_table(const std::string& file) {
  for (const char* ending : {".csv", ".csv.gz", ".parquet", ".arff"}) {
    if (file.ends_with(ending)) {
      return true;
    }
  }
  return false;
}

TEST(ImportData, EveryFileOfTheIndexLoadsWholly) {
  const auto index = testing::shared_data("INDEX.tsv");
  if (!index) {
    GTEST_SKIP() << "the shared data sets are not here";
  }
  int count = 0;
  for (const Entry& entry : read_index(*index)) {
    if (!is_table(entry.file)) {
      continue;
    }
    SCOPED_TRACE(entry.name + "/" + entry.file);
    const testing::TempDir directory;
    ImportOptions options;
    options.inputs.push_back({.path = index->parent_path() / entry.name / entry.file});
    options.output_directory = directory.path();
    auto result = import_files(options);
    ASSERT_OK(result);
    EXPECT_EQ(result->row_count + result->quarantined_count, entry.rows);
    EXPECT_EQ(result->schema.columns.size(), entry.columns);
    if (::testing::Test::HasFailure() || std::getenv("CROMFORD_SHOW") != nullptr) {
      std::cerr << entry.file << " rows " << result->row_count << " quarantined "
                << result->quarantined_count << "\n";
      for (const auto& column : result->schema.columns) {
        std::cerr << "  " << column.name << ":" << column_type_name(column.type);
      }
      std::cerr << "\n";
      for (const auto& note : result->sources[0].notes) {
        std::cerr << "  NOTE " << note.column << ": " << note.text << "\n";
      }
      if (result->quarantine_path) {
        auto engine = Engine::create({});
        const auto set_aside = read_quarantine(**engine, *result->quarantine_path, 5);
        for (const auto& row : *set_aside) {
          std::cerr << "  Q " << row.line << " " << row.reason << " | " << row.text.substr(0, 80)
                    << "\n";
        }
      }
    }
    ++count;
  }
  EXPECT_GT(count, 40);
}

}  // namespace
}  // namespace cromford::table
