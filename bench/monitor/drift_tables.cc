// A drift report of two stored tables from Parquet:
//
//   drift_tables DIRECTORY [ROWS]      1,000,000 rows of 50 columns each without; makes DIRECTORY
//
// The tables are made by a process of their own first. One line: seconds and peak of memory.

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "base/status.h"
#include "base/text.h"
#include "monitor/table_drift.h"
#include "table/csv_to_parquet.h"

namespace {

using namespace cromford;

constexpr size_t kNumbers = 40;
constexpr size_t kTexts = 10;

table::Schema schema() {
  table::Schema schema;
  for (size_t i = 0; i < kNumbers; ++i) {
    schema.columns.push_back({fmt::format("number{}", i), table::ColumnType::kNumber});
  }
  for (size_t i = 0; i < kTexts; ++i) {
    schema.columns.push_back({fmt::format("text{}", i), table::ColumnType::kText});
  }
  return schema;
}

void check(const absl::Status& status) {
  if (!status.ok()) {
    fmt::print(stderr, "{}\n", base::describe(status));
    _exit(1);
  }
}

// Every fifth column of numbers has moved by half a standard deviation in the second table.
void make(const std::filesystem::path& parquet, int64_t rows, bool moved) {
  if (std::filesystem::exists(parquet)) {
    return;
  }
  std::filesystem::path csv = parquet;
  csv.replace_extension(".csv");
  std::FILE* const file = std::fopen(csv.c_str(), "w");
  std::mt19937_64 random(moved ? 2 : 1);
  std::normal_distribution<double> normal;
  std::string line = fmt::format("{}\n", fmt::join(schema().names(), ","));
  for (int64_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < kNumbers; ++i) {
      base::append_number(line, normal(random) + (moved && i % 5 == 0 ? 0.5 : 0.0));
      line += ',';
    }
    for (size_t i = 0; i < kTexts; ++i) {
      line += fmt::format("value{}{}", random() % (uint64_t{5} << i), i + 1 < kTexts ? ',' : '\n');
    }
    std::fwrite(line.data(), 1, line.size(), file);
    line.clear();
  }
  std::fclose(file);
  const auto engine = table::Engine::create({});
  check(engine.status());
  check(table::csv_to_parquet(**engine, csv, schema(), parquet));
  std::filesystem::remove(csv);
}

void measure(const std::filesystem::path& reference, const std::filesystem::path& current) {
  const auto begin = std::chrono::steady_clock::now();
  const auto engine = table::Engine::create({.memory_limit_bytes = 512ULL << 20});
  check(engine.status());
  const auto columns =
      monitor::table_drift(**engine, {schema(), {reference}}, {schema(), {current}});
  check(columns.status());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  size_t moved = 0;
  for (const monitor::ColumnDrift& column : *columns) {
    moved += column.moved ? 1 : 0;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("drift report: {:.2f} s, {} of {} columns moved, peak {:.0f} MiB\n", seconds, moved,
             columns->size(), static_cast<double>(usage.ru_maxrss) / 1024);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "drift_tables DIRECTORY [ROWS]\n");
    return 2;
  }
  const std::filesystem::path directory = argv[1];
  const int64_t rows = argc > 2 ? std::atoll(argv[2]) : 1'000'000;
  std::filesystem::create_directories(directory);
  const auto reference = directory / fmt::format("reference-{}.parquet", rows);
  const auto current = directory / fmt::format("current-{}.parquet", rows);
  if (const pid_t child = fork(); child == 0) {
    make(reference, rows, false);
    make(current, rows, true);
    _exit(0);
  } else {
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) {
      return 1;
    }
  }
  measure(reference, current);
  return 0;
}
