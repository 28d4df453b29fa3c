#include "table/sandbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "table/parquet_writer.h"
#include "table/sandbox_engine.h"
#include "table/sql_tree.h"
#include "table/table_reader.h"

namespace cromford::table {
namespace {

std::string path_list(const std::vector<std::filesystem::path>& paths) {
  std::vector<std::string> quoted;
  for (const auto& path : paths) {
    quoted.push_back(quote_text(path.string()));
  }
  return fmt::format("[{}]", base::join(quoted, ", "));
}

absl::StatusOr<ReadyQuery> make_ready(const SandboxQuery& query,
                                      const std::vector<std::filesystem::path>& outputs) {
  SandboxSetup setup;
  setup.engine = query.engine;
  setup.input_sql = select_stored(query.input);
  setup.files = query.input.parts;
  setup.files.insert(setup.files.end(), outputs.begin(), outputs.end());
  return make_ready_query(std::move(setup), query.sql);
}

}  // namespace

std::string quote_name(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) {
    text += c;
    if (c == '"') {
      text += c;
    }
  }
  return text + '"';
}

std::string quote_text(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    quoted += c;
    if (c == '\'') {
      quoted += c;
    }
  }
  return quoted + '\'';
}

std::string select_stored(const StoredTable& stored) {
  std::vector<std::string> columns;
  for (const ColumnSchema& column : stored.schema.columns) {
    const std::string name = quote_name(column.name);
    columns.push_back(fmt::format("CAST({} AS {}) AS {}", stored.parts.empty() ? "NULL" : name,
                                  duck::sql_type(column.type), name));
  }
  const std::string list = base::join(columns, ", ");
  if (stored.parts.empty()) {
    return fmt::format("SELECT {} LIMIT 0", list);
  }
  return fmt::format("SELECT {} FROM read_parquet({}, union_by_name = {})", list,
                     path_list(stored.parts), stored.parts.size() > 1);
}

absl::StatusOr<OpenSandbox> open_sandbox(const SandboxSetup& setup) {
  OpenSandbox sandbox;
  TRY(sandbox.engine, Engine::create(setup.engine));
  TRY(sandbox.connection, duck::connect(*sandbox.engine));
  duck::Connection& connection = sandbox.connection;
  TRY(connection.run(fmt::format("SET GLOBAL allowed_paths = {}", path_list(setup.files))));
  TRY(connection.run(fmt::format("CREATE VIEW input AS {}", setup.input_sql)));
  TRY(connection.run("SET GLOBAL enable_external_access = false"));
  TRY(connection.run("SET GLOBAL lock_configuration = true"));
  return sandbox;
}

absl::StatusOr<ReadyQuery> make_ready_query(SandboxSetup setup, const std::string& sql) {
  TRY(const QueryShape shape, inspect_query(sql));
  if (!shape.row_wise) {
    // Several threads would give joined and grouped rows in a different order, and sums with
    // different last digits, each time.
    setup.engine.threads = 1;
  }
  ReadyQuery ready;
  TRY(ready.sandbox, open_sandbox(setup));
  TRY(MappedSelect mapped,
      map_select(ready.sandbox.connection, std::string(trim_query(sql)), duck::Origin::kUser));
  ready.schema = std::move(mapped.schema);
  ready.select = std::move(mapped.sql);
  return ready;
}

absl::Status check_query(std::string_view sql) {
  return inspect_query(sql).status();
}

absl::Status check_condition(std::string_view condition) {
  condition = base::trim(condition);
  if (condition.empty()) {
    return base::invalid("the condition is empty", "write one, such as distance > 500");
  }
  // It must be a condition by itself, and still be one inside parentheses: then it cannot end the
  // parentheses in which it will stand.
  TRY(inspect_query(fmt::format("SELECT * FROM input WHERE {}", condition)));
  return inspect_query(fmt::format("SELECT * FROM input WHERE (\n{}\n)", condition)).status();
}

absl::StatusOr<Schema> describe_query(const SandboxQuery& query) {
  TRY(ReadyQuery ready, make_ready(query, {}));
  return ready.schema;
}

absl::StatusOr<Table> run_query(const SandboxQuery& query, int64_t row_limit) {
  TRY(ReadyQuery ready, make_ready(query, {}));
  std::string sql = ready.select;
  if (row_limit >= 0) {
    sql = fmt::format("SELECT * FROM ({}) LIMIT {}", sql, row_limit);
  }
  return collect_table(ready.sandbox.connection, sql, ready.schema, query.cancel,
                       duck::Origin::kUser);
}

absl::StatusOr<WrittenQuery> run_query_to_file(const SandboxQuery& query,
                                               const std::filesystem::path& output) {
  TRY(ReadyQuery ready, make_ready(query, {temporary_name(output)}));
  ParquetWrite write;
  write.select = ready.select;
  write.schema = ready.schema;
  write.output = output;
  write.memory_limit_bytes = query.engine.memory_limit_bytes;
  write.origin = duck::Origin::kUser;
  TRY(const int64_t rows, write_parquet(ready.sandbox.connection, write, query.cancel));
  std::error_code error;
  return WrittenQuery{std::move(ready.schema), rows, std::filesystem::file_size(output, error)};
}

}  // namespace cromford::table
