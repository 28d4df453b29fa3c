#include "table/csv_to_parquet.h"

#include <fmt/format.h>

#include <string>
#include <system_error>
#include <vector>

#include "base/status.h"
#include "base/text.h"
#include "table/duck.h"
#include "table/parquet_writer.h"
#include "table/sandbox.h"

namespace cromford::table {
namespace {

// Texts of a row may be long.
constexpr int64_t kLineBytesMax = 32LL << 20;

}  // namespace

absl::Status csv_to_parquet(Engine& engine, const std::filesystem::path& csv, const Schema& schema,
                            const std::filesystem::path& output, const base::CancelToken& cancel) {
  std::vector<std::string> columns;
  for (const ColumnSchema& column : schema.columns) {
    columns.push_back(
        fmt::format("{}: '{}'", quote_text(column.name), duck::sql_type(column.type)));
  }
  const std::filesystem::path temporary = temporary_name(output);
  const std::string sql = fmt::format(
      "COPY (SELECT * FROM read_csv({}, header = true, auto_detect = false, delim = ',', quote = "
      "'\"', escape = '\"', max_line_size = {}, buffer_size = {}, columns = {{{}}})) TO {} (FORMAT "
      "parquet, COMPRESSION zstd)",
      quote_text(csv.string()), kLineBytesMax, 2 * kLineBytesMax, base::join(columns, ", "),
      quote_text(temporary.string()));
  TRY(duck::Connection connection, duck::connect(engine));
  absl::Status written = connection.run(sql, cancel).status();
  std::error_code error;
  if (!written.ok()) {
    std::filesystem::remove(temporary, error);
    return written;
  }
  std::filesystem::rename(temporary, output, error);
  return error ? base::internal(
                     fmt::format("cannot rename to {}: {}", output.string(), error.message()))
               : absl::OkStatus();
}

}  // namespace cromford::table
