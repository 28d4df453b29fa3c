#include "store/sqlite_connection.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <utility>

#include "base/status.h"

namespace cromford::store::sqlite {
namespace {

// Lists come in many shapes; beyond this many the cache starts anew.
constexpr size_t kStatementsMax = 100;

}  // namespace

Query::Query(Connection& connection, sqlite3_stmt* statement)
    : connection_(&connection), statement_(statement) {}

Query::~Query() {
  if (statement_ != nullptr) {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
}

Query::Query(Query&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      bound_(other.bound_),
      error_(other.error_) {}

void Query::note(int code) {
  if (code != SQLITE_OK && error_ == SQLITE_OK) {
    error_ = code;
  }
}

Query& Query::bind(std::string_view text) {
  // A view without data would bind NULL.
  const char* data = text.data() == nullptr ? "" : text.data();
  note(sqlite3_bind_text64(statement_, ++bound_, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Query& Query::bind(int64_t number) {
  note(sqlite3_bind_int64(statement_, ++bound_, number));
  return *this;
}

Query& Query::bind(double number) {
  note(sqlite3_bind_double(statement_, ++bound_, number));
  return *this;
}

Query& Query::bind_value(const Value& value) {
  std::visit([this](const auto& held) { bind(held); }, value);
  return *this;
}

absl::StatusOr<bool> Query::next() {
  if (error_ != SQLITE_OK) {
    return connection_->error(error_);
  }
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) {
    return true;
  }
  if (code == SQLITE_DONE) {
    return false;
  }
  return connection_->error(code);
}

std::string_view Query::text(int column) const {
  const unsigned char* data = sqlite3_column_text(statement_, column);
  if (data == nullptr) {
    return {};
  }
  return {reinterpret_cast<const char*>(data),
          static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

Value Query::value(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement_, column);
    case SQLITE_TEXT:
      return std::string(text(column));
    default:
      return integer(column);
  }
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& file,
                                                             const OpenOptions& options) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  flags |= options.create ? SQLITE_OPEN_CREATE : 0;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &handle, flags, nullptr);
  std::unique_ptr<Connection> connection(new Connection(file, handle));
  if (code != SQLITE_OK) {
    return connection->error(code);
  }
  sqlite3_busy_timeout(handle, options.busy_timeout_ms);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return connection;
}

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) {
    sqlite3_finalize(statement);
  }
  sqlite3_close(db_);
}

absl::StatusOr<Query> Connection::query(std::string_view sql) {
  const std::string text(sql);
  if (const auto found = statements_.find(text); found != statements_.end()) {
    return Query(*this, found->second);
  }
  if (statements_.size() >= kStatementsMax) {
    for (const auto& [old, statement] : statements_) {
      sqlite3_finalize(statement);
    }
    statements_.clear();
  }
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db_, text.data(), static_cast<int>(text.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) {
    return error(code);
  }
  statements_.emplace(text, statement);
  return Query(*this, statement);
}

absl::Status Connection::execute(std::string_view sql) {
  const int code = sqlite3_exec(db_, std::string(sql).c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : error(code);
}

void Connection::undo() {
  // A failed write may have ended the transaction already; then there is nothing to undo.
  if (sqlite3_get_autocommit(db_) == 0) {
    sqlite3_exec(db_, "rollback", nullptr, nullptr, nullptr);
  }
}

absl::Status Connection::error(int code) const {
  const std::string name = file_.string();
  const char* why = db_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db_);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return base::exhausted(fmt::format("the database {} cannot grow: {}", name, why),
                             "free space on its disk; nothing was changed");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return base::unavailable(fmt::format("the database {} stays busy: {}", name, why),
                               "close other programs that have it open, then try again");
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return base::damaged(fmt::format("the database {} is damaged: {}", name, why),
                           "put back a copy of the data directory");
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return base::denied(fmt::format("the database {} cannot be opened to write: {}", name, why),
                          "check the permissions of the file and of its directory");
    default:
      return base::internal(fmt::format("the database {} failed: {} (SQLite {})", name, why, code));
  }
}

}  // namespace cromford::store::sqlite
