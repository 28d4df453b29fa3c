#pragma once

// DuckDB's C interface with owners and statuses, for the sources of this folder only. A connection
// belongs to one thread at a time; `run` and `stream` watch the cancel token from beside and
// interrupt the query.
//
//   TRY(duck::Connection connection, duck::connect(engine));
//   TRY(duck::Result rows, connection.run("select 1", cancel));
//
// Thread safety: as above; errors are mapped in one place (duck.cc).

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "table/chunk.h"
#include "table/duck_functions.h"
#include "table/engine.h"
#include "table/table.h"

namespace cromford::table {

struct Engine::State {
  EngineOptions options;
  int threads = 1;
  duckdb_database database = nullptr;
  ~State();
};

namespace duck {

// Whose fault a failing query is: the program's own SQL, that of a user, or a user's file.
enum class Origin { kOwn, kUser, kFile };

class Result {
 public:
  Result() = default;
  ~Result();
  Result(Result&& other) noexcept;
  Result& operator=(Result&& other) noexcept;

  // Cells of a small materialised result.
  int64_t row_count();
  int64_t integer(int64_t row, int64_t column);
  std::string text(int64_t row, int64_t column);

  int64_t column_count();
  std::string column_name(int64_t column);
  duckdb_type column_type(int64_t column);
  duckdb_result* get() { return &result_; }

 private:
  duckdb_result result_{};
  bool owned_ = false;
  friend class Connection;
};

// Owner of a chunk that a result gave.
struct ChunkCloser {
  void operator()(_duckdb_data_chunk* chunk) const;
};
using DataChunk = std::unique_ptr<_duckdb_data_chunk, ChunkCloser>;

class Connection {
 public:
  Connection() = default;
  ~Connection();
  Connection(Connection&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)) {}
  Connection& operator=(Connection&& other) noexcept;

  // Runs all of it and keeps the whole result.
  absl::StatusOr<Result> run(const std::string& sql, const base::CancelToken& cancel = {},
                             Origin origin = Origin::kOwn);
  // Runs one SELECT and gives its chunks (flat vectors) to `consume` in the order of the rows.
  absl::Status stream(const std::string& sql, const base::CancelToken& cancel, Origin origin,
                      const std::function<absl::Status(DataChunk)>& consume);
  // Names and DuckDB's types of what a SELECT gives, without running it.
  struct Described {
    std::string name;
    std::string type;
  };
  absl::StatusOr<std::vector<Described>> describe(const std::string& select, Origin origin);

  duckdb_connection get() const { return connection_; }

 private:
  friend absl::StatusOr<Connection> connect(Engine& engine);
  duckdb_connection connection_ = nullptr;
};

absl::StatusOr<Connection> connect(Engine& engine);

// The status of a failed query. `message` is DuckDB's.
absl::Status error_status(std::string_view message, duckdb_error_type type, Origin origin);

// Interrupts `connection` when `cancel` is cancelled, as long as the watch lives.
class CancelWatch {
 public:
  CancelWatch(duckdb_connection connection, const base::CancelToken& cancel);
  ~CancelWatch();
  CancelWatch(const CancelWatch&) = delete;
  CancelWatch& operator=(const CancelWatch&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The name of the column type in DuckDB's SQL: "BOOLEAN", "BIGINT", "DOUBLE", "DATE", "TIMESTAMP",
// "VARCHAR".
std::string_view sql_type(ColumnType type);
duckdb_type type_id(ColumnType type);
// How a column of DuckDB's type `type` becomes one of ours: the type, and the SQL expression over
// the quoted name `column`, with what is not finite as null.
struct Mapped {
  ColumnType type;
  std::string expression;
};
Mapped map_type(std::string_view type, const std::string& column);

// Views of a chunk whose vectors have exactly the SQL types of `types`. The views live as long as
// the chunk and the builder, until its next use.
class ChunkViews {
 public:
  explicit ChunkViews(std::vector<ColumnType> types) : types_(std::move(types)) {}
  std::span<const ColumnView> view(duckdb_data_chunk chunk);
  // Of `count` rows from row `begin` on.
  std::span<const ColumnView> view(duckdb_data_chunk chunk, size_t begin, size_t count);

 private:
  std::vector<ColumnType> types_;
  std::vector<ColumnView> views_;
  std::vector<std::vector<std::string_view>> texts_;
  std::vector<std::vector<uint64_t>> validity_;  // moved to begin at bit 0
};

// The length of a vector of the engine.
size_t vector_size();

}  // namespace duck
}  // namespace cromford::table
