#pragma once

// One SQLite connection with its prepared statements: the only file that calls SQLite's C
// interface.
//
//   TRY(auto connection, sqlite::Connection::open(file, {.create = true}));
//   TRY(sqlite::Query query, connection->query("select name from documents where kind = ?"));
//   query.bind("dataset");
//   while (true) { TRY(bool row, query.next()); if (!row) break; use(query.text(0)); }
//
// Thread safety: one thread at a time uses a connection and its queries.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>

struct sqlite3;
struct sqlite3_stmt;

namespace cromford::store::sqlite {

using Value = std::variant<int64_t, double, std::string>;

class Connection;

// A prepared statement while it is used; gives it back to the connection's cache at the end.
class Query {
 public:
  Query(Connection& connection, sqlite3_stmt* statement);
  ~Query();
  Query(Query&& other) noexcept;
  Query& operator=(Query&&) = delete;
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  // Binds the next parameter. Texts are copied.
  Query& bind(std::string_view text);
  Query& bind(int64_t number);
  Query& bind(double number);
  Query& bind_value(const Value& value);

  // Moves on; false when there is no further row (or the statement gives none).
  absl::StatusOr<bool> next();

  // The current row's columns, counted from 0. A text is valid until next().
  std::string_view text(int column) const;
  int64_t integer(int column) const;
  Value value(int column) const;

 private:
  void note(int code);  // Keeps the first error of a bind for next().

  Connection* connection_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
  int error_ = 0;
};

struct OpenOptions {
  bool create = false;
  bool read_only = false;
  int32_t busy_timeout_ms = 10'000;
};

class Connection {
 public:
  static absl::StatusOr<std::unique_ptr<Connection>> open(const std::filesystem::path& file,
                                                          const OpenOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Prepares `sql` (one statement), or takes it from the cache.
  absl::StatusOr<Query> query(std::string_view sql);
  // Runs one or more statements without parameters.
  absl::Status execute(std::string_view sql);

  // Runs `work` in a transaction that may write: committed when it returns OK, else undone.
  template <typename Work>
  absl::Status transaction(Work&& work) {
    absl::Status status = execute("begin immediate");
    if (!status.ok()) {
      return status;
    }
    status = work();
    if (status.ok()) {
      status = execute("commit");
    }
    if (!status.ok()) {
      undo();
    }
    return status;
  }

  // The error of SQLite's `code`, with the file's name.
  absl::Status error(int code) const;

 private:
  Connection(std::filesystem::path file, sqlite3* handle) : file_(std::move(file)), db_(handle) {}
  void undo();

  std::filesystem::path file_;
  sqlite3* db_;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

}  // namespace cromford::store::sqlite
