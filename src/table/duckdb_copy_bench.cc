// What an import is held against: DuckDB alone, with everything at its defaults, reads a CSV or
// Parquet file and writes Parquet (or CSV, to make a benchmark's input). The same library as the
// product's, in a process of its own so that its processor time can be taken from outside.
//
//   duckdb_copy_bench INPUT OUTPUT

#include <duckdb.h>
#include <fmt/format.h>

#include <string>
#include <string_view>

namespace {

int copy(std::string_view input, std::string_view output) {
  const std::string sql =
      fmt::format("COPY (SELECT * FROM {}('{}')) TO '{}' (FORMAT {})",
                  input.ends_with(".parquet") ? "read_parquet" : "read_csv", input, output,
                  output.ends_with(".csv") ? "csv, HEADER" : "parquet");
  duckdb_database database = nullptr;
  duckdb_connection connection = nullptr;
  duckdb_result result{};
  if (duckdb_open(nullptr, &database) != DuckDBSuccess ||
      duckdb_connect(database, &connection) != DuckDBSuccess ||
      duckdb_query(connection, sql.c_str(), &result) != DuckDBSuccess) {
    const char* error = duckdb_result_error(&result);
    fmt::print(stderr, "duckdb_copy_bench: {}\n", error == nullptr ? "cannot open" : error);
    return 1;
  }
  fmt::print("{}\n", duckdb_value_int64(&result, 0, 0));
  duckdb_destroy_result(&result);
  duckdb_disconnect(&connection);
  duckdb_close(&database);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: duckdb_copy_bench INPUT OUTPUT\n");
    return 2;
  }
  return copy(argv[1], argv[2]);
}
