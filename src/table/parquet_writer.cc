#include "table/parquet_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <vector>

#include "base/limits.h"
#include "base/status.h"
#include "base/text.h"
#include "table/dialect.h"
#include "table/sandbox.h"

namespace cromford::table {
namespace {

// A column gets a dictionary where each word stands for this many rows at least: a larger one costs
// a tenth of the writing to fill, and the file is no smaller for it.
constexpr int64_t kRowsPerWordMin = 16;

}  // namespace

// Rows are held until a row group is full, so wide tables need smaller ones.
int64_t row_group_rows(const Schema& schema, uint64_t memory_limit_bytes,
                       int64_t source_group_rows) {
  constexpr int64_t kRowsMin = 2048;
  constexpr int64_t kRowsMax = 122'880;
  constexpr uint64_t kBytesPerCell = 32;
  const uint64_t row_bytes = std::max<uint64_t>(1, schema.columns.size()) * kBytesPerCell;
  const auto rows = static_cast<int64_t>(memory_limit_bytes / 8 / row_bytes);
  const bool is_usual = source_group_rows >= kRowsMax / 2 && source_group_rows <= 4 * kRowsMax;
  if (is_usual && source_group_rows <= rows) {
    return source_group_rows;
  }
  return std::clamp(rows / kRowsMin * kRowsMin, kRowsMin, kRowsMax);
}

std::filesystem::path temporary_name(const std::filesystem::path& output) {
  std::filesystem::path name = output;
  name += ".tmp";
  return name;
}

absl::StatusOr<MappedSelect> map_select(duck::Connection& connection, const std::string& select,
                                        duck::Origin origin) {
  TRY(const auto described,
      connection.describe(fmt::format("SELECT * FROM (\n{}\n)", select), origin));
  std::vector<std::string> names;
  for (const auto& column : described) {
    names.push_back(column.name);
  }
  const base::Limits limits;
  if (names.size() > limits.columns) {
    return base::exhausted(
        fmt::format("the result has {} columns; the limit is {}", names.size(), limits.columns));
  }
  const std::vector<std::string> tidy = tidy_names(names);
  MappedSelect mapped;
  std::vector<std::string> aliases;
  std::vector<std::string> expressions;
  for (size_t i = 0; i < described.size(); ++i) {
    // By position, because names may repeat.
    aliases.push_back(fmt::format("c{}", i));
    auto [type, expression] = duck::map_type(described[i].type, aliases.back());
    mapped.schema.columns.push_back({tidy[i], type});
    expressions.push_back(fmt::format("{} AS {}", expression, quote_name(tidy[i])));
  }
  mapped.expressions = base::join(expressions, ", ");
  mapped.aliases = base::join(aliases, ", ");
  mapped.sql = fmt::format("SELECT {} FROM (\n{}\n) AS source({})", mapped.expressions, select,
                           mapped.aliases);
  return mapped;
}

absl::StatusOr<int64_t> write_parquet(duck::Connection& connection, const ParquetWrite& write,
                                      const base::CancelToken& cancel) {
  const std::filesystem::path temporary = temporary_name(write.output);
  const int64_t group_rows =
      row_group_rows(write.schema, write.memory_limit_bytes, write.source_group_rows);
  const std::string sql = fmt::format(
      "COPY (\n{}\n) TO {} (FORMAT parquet, COMPRESSION {}, ROW_GROUP_SIZE {}, "
      "DICTIONARY_SIZE_LIMIT {})",
      write.select, quote_text(temporary.string()), write.compact ? "zstd" : "lz4_raw", group_rows,
      group_rows / kRowsPerWordMin);
  auto result = connection.run(sql, cancel, write.origin);
  std::error_code error;
  if (!result.ok()) {
    std::filesystem::remove(temporary, error);
    return result.status();
  }
  std::filesystem::rename(temporary, write.output, error);
  if (error) {
    return base::internal(fmt::format("cannot rename {}: {}", temporary.string(), error.message()));
  }
  return result->integer(0, 0);
}

}  // namespace cromford::table
