#include "table/duck.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/status.h"
#include "base/text.h"
#include "table/engine_words.h"
#include "table/sandbox.h"

namespace cromford::table {

Engine::State::~State() {
  if (database != nullptr) {
    duckdb_close(&database);
  }
}

namespace duck {
namespace {

// DuckDB puts "Binder Error: " and the like before its messages and hints for its own users behind
// them; people here want what is wrong.
std::string tidy_message(std::string_view message) {
  for (const std::string_view prefix :
       {"Binder Error: ", "Parser Error: ", "Catalog Error: ", "Conversion Error: ",
        "Invalid Input Error: ", "Invalid Error: ", "IO Error: ", "Out of Memory Error: ",
        "Out of Range Error: ", "Permission Error: ", "INTERRUPT Error: ",
        "Not implemented Error: ", "Constraint Error: ", "Serialization Error: ",
        "Syntax Error: "}) {
    if (message.starts_with(prefix)) {
      message.remove_prefix(prefix.size());
    }
  }
  if (const size_t hint = message.find("\n\nPossible solutions"); hint != std::string_view::npos) {
    message = message.substr(0, hint);
  }
  constexpr size_t kBytesMax = 2000;
  std::string text(base::clip_utf8(base::trim(message), kBytesMax));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') {
      c = ' ';
    }
  }
  return text;
}

bool is_disk_full(std::string_view message) {
  return message.find("No space left") != std::string_view::npos ||
         message.find("max_temp_directory_size") != std::string_view::npos ||
         message.find("Disk quota") != std::string_view::npos;
}

}  // namespace

absl::Status error_status(std::string_view message, duckdb_error_type type, Origin origin) {
  const std::string text = tidy_message(message);
  if (type == DUCKDB_ERROR_INTERRUPT) {
    return base::cancelled("the query was cancelled");
  }
  if (is_disk_full(message)) {
    return base::exhausted(fmt::format("no space to write to: {}", text),
                           "free disk space, or raise the limit of temporary files");
  }
  if (type == DUCKDB_ERROR_OUT_OF_MEMORY) {
    return base::exhausted(fmt::format("the memory limit is too small: {}", text),
                           "raise the memory limit, or read fewer rows or columns");
  }
  if (type == DUCKDB_ERROR_INTERNAL || type == DUCKDB_ERROR_FATAL) {
    return base::internal(fmt::format("the data engine failed: {}", text));
  }
  if (origin == Origin::kUser) {
    return words_of_query(text);
  }
  if (origin == Origin::kFile) {
    return base::invalid(text);
  }
  if (message.find("No files found") != std::string_view::npos ||
      message.find("No such file") != std::string_view::npos) {
    return base::not_found(text);
  }
  return base::internal(fmt::format("the data engine refused: {}", text));
}

struct CancelWatch::State {
  std::mutex mutex;
  std::condition_variable done_changed;
  bool done = false;
  std::thread thread;
};

CancelWatch::CancelWatch(duckdb_connection connection, const base::CancelToken& cancel)
    : state_(std::make_unique<State>()) {
  state_->thread = std::thread([state = state_.get(), connection, cancel] {
    constexpr auto kPoll = std::chrono::milliseconds(10);
    std::unique_lock lock(state->mutex);
    while (!state->done_changed.wait_for(lock, kPoll, [state] { return state->done; })) {
      // Again and again: an interrupt before the query has begun would be lost.
      if (cancel.cancelled()) {
        duckdb_interrupt(connection);
      }
    }
  });
}

CancelWatch::~CancelWatch() {
  {
    const std::scoped_lock lock(state_->mutex);
    state_->done = true;
  }
  state_->done_changed.notify_all();
  state_->thread.join();
}

Result::~Result() {
  if (owned_) {
    duckdb_destroy_result(&result_);
  }
}

Result::Result(Result&& other) noexcept
    : result_(std::exchange(other.result_, {})), owned_(std::exchange(other.owned_, false)) {}

Result& Result::operator=(Result&& other) noexcept {
  std::swap(result_, other.result_);
  std::swap(owned_, other.owned_);
  return *this;
}

int64_t Result::row_count() {
  return static_cast<int64_t>(duckdb_row_count(&result_));
}

int64_t Result::integer(int64_t row, int64_t column) {
  return duckdb_value_int64(&result_, static_cast<idx_t>(column), static_cast<idx_t>(row));
}

std::string Result::text(int64_t row, int64_t column) {
  char* const value =
      duckdb_value_varchar(&result_, static_cast<idx_t>(column), static_cast<idx_t>(row));
  std::string text = value == nullptr ? "" : value;
  duckdb_free(value);
  return text;
}

int64_t Result::column_count() {
  return static_cast<int64_t>(duckdb_column_count(&result_));
}

std::string Result::column_name(int64_t column) {
  return duckdb_column_name(&result_, static_cast<idx_t>(column));
}

duckdb_type Result::column_type(int64_t column) {
  return duckdb_column_type(&result_, static_cast<idx_t>(column));
}

void ChunkCloser::operator()(_duckdb_data_chunk* chunk) const {
  duckdb_destroy_data_chunk(&chunk);
}

Connection::~Connection() {
  if (connection_ != nullptr) {
    duckdb_disconnect(&connection_);
  }
}

Connection& Connection::operator=(Connection&& other) noexcept {
  std::swap(connection_, other.connection_);
  return *this;
}

absl::StatusOr<Connection> connect(Engine& engine) {
  Connection connection;
  if (duckdb_connect(engine.state().database, &connection.connection_) != DuckDBSuccess) {
    return base::internal("the data engine takes no further connection");
  }
  return connection;
}

absl::StatusOr<Result> Connection::run(const std::string& sql, const base::CancelToken& cancel,
                                       Origin origin) {
  TRY(cancel.check());
  Result result;
  duckdb_state state = DuckDBError;
  {
    const CancelWatch watch(connection_, cancel);
    state = duckdb_query(connection_, sql.c_str(), &result.result_);
    result.owned_ = true;
  }
  if (state != DuckDBSuccess) {
    TRY(cancel.check());
    const char* const message = duckdb_result_error(&result.result_);
    return error_status(message == nullptr ? "unknown error" : message,
                        duckdb_result_error_type(&result.result_), origin);
  }
  return result;
}

namespace {

// A prepared statement that closes itself.
struct Prepared {
  duckdb_prepared_statement statement = nullptr;
  Prepared() = default;
  ~Prepared() { duckdb_destroy_prepare(&statement); }
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
};

absl::Status prepare(duckdb_connection connection, const std::string& sql, Origin origin,
                     Prepared& prepared) {
  if (duckdb_prepare(connection, sql.c_str(), &prepared.statement) != DuckDBSuccess) {
    const char* const message = duckdb_prepare_error(prepared.statement);
    const std::string_view text = message == nullptr ? "unknown error" : message;
    const bool io = text.starts_with("IO Error");
    return error_status(text, io ? DUCKDB_ERROR_IO : DUCKDB_ERROR_BINDER, origin);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Connection::stream(const std::string& sql, const base::CancelToken& cancel,
                                Origin origin,
                                const std::function<absl::Status(DataChunk)>& consume) {
  TRY(cancel.check());
  const CancelWatch watch(connection_, cancel);
  Prepared prepared;
  TRY(prepare(connection_, sql, origin, prepared));
  duckdb_pending_result pending = nullptr;
  Result result;
  duckdb_state state = duckdb_pending_prepared_streaming(prepared.statement, &pending);
  if (state == DuckDBSuccess) {
    state = duckdb_execute_pending(pending, &result.result_);
    result.owned_ = true;
  }
  // An error of the execution stands in the result only.
  const char* const early =
      state == DuckDBSuccess || pending == nullptr ? nullptr : duckdb_pending_error(pending);
  const std::string message = early == nullptr ? "unknown error" : early;
  duckdb_destroy_pending(&pending);
  const auto failure = [&]() -> absl::Status {
    TRY(cancel.check());
    const char* const text = result.owned_ ? duckdb_result_error(&result.result_) : nullptr;
    const auto type =
        result.owned_ ? duckdb_result_error_type(&result.result_) : DUCKDB_ERROR_INVALID;
    return error_status(text != nullptr ? std::string(text) : message, type, origin);
  };
  if (state != DuckDBSuccess) {
    return failure();
  }
  while (true) {
    DataChunk chunk(duckdb_fetch_chunk(result.result_));
    if (chunk == nullptr || duckdb_data_chunk_get_size(chunk.get()) == 0) {
      break;
    }
    TRY(cancel.check());
    TRY(consume(std::move(chunk)));
  }
  const char* const text = duckdb_result_error(&result.result_);
  return text != nullptr && *text != '\0' ? failure() : cancel.check();
}

absl::StatusOr<std::vector<Connection::Described>> Connection::describe(const std::string& select,
                                                                        Origin origin) {
  TRY(Result rows, run(fmt::format("DESCRIBE {}", select), {}, origin));
  std::vector<Described> columns;
  for (int64_t row = 0; row < rows.row_count(); ++row) {
    columns.push_back({rows.text(row, 0), rows.text(row, 1)});
  }
  return columns;
}

std::string_view sql_type(ColumnType type) {
  switch (type) {
    case ColumnType::kBoolean:
      return "BOOLEAN";
    case ColumnType::kInteger:
      return "BIGINT";
    case ColumnType::kNumber:
      return "DOUBLE";
    case ColumnType::kDate:
      return "DATE";
    case ColumnType::kTimestamp:
      return "TIMESTAMP";
    case ColumnType::kText:
      break;
  }
  return "VARCHAR";
}

namespace {

const uint64_t* shift_validity(const uint64_t* validity, size_t begin, size_t count,
                               std::vector<uint64_t>& shifted) {
  constexpr size_t kBits = 64;
  shifted.assign(count / kBits + 1, 0);
  for (size_t i = 0; i < count; ++i) {
    const size_t from = begin + i;
    shifted[i / kBits] |= ((validity[from / kBits] >> (from % kBits)) & 1U) << (i % kBits);
  }
  return shifted.data();
}

void fill_texts(const duckdb_string_t* strings, size_t count, const ColumnView& view,
                std::vector<std::string_view>& texts) {
  texts.resize(count);
  for (size_t row = 0; row < count; ++row) {
    const duckdb_string_t& s = strings[row];
    const uint32_t length = s.value.inlined.length;
    const bool inlined = length <= sizeof(s.value.inlined.inlined);
    texts[row] = !view.valid(row) ? std::string_view()
                 : inlined        ? std::string_view(s.value.inlined.inlined, length)
                                  : std::string_view(s.value.pointer.ptr, length);
  }
}

}  // namespace

duckdb_type type_id(ColumnType type) {
  switch (type) {
    case ColumnType::kBoolean:
      return DUCKDB_TYPE_BOOLEAN;
    case ColumnType::kInteger:
      return DUCKDB_TYPE_BIGINT;
    case ColumnType::kNumber:
      return DUCKDB_TYPE_DOUBLE;
    case ColumnType::kDate:
      return DUCKDB_TYPE_DATE;
    case ColumnType::kTimestamp:
      return DUCKDB_TYPE_TIMESTAMP;
    case ColumnType::kText:
      break;
  }
  return DUCKDB_TYPE_VARCHAR;
}

Mapped map_type(std::string_view type, const std::string& column) {
  const auto is = [type](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), type) != names.end();
  };
  // First, because the type of a list begins with that of its values: TIMESTAMP[].
  const bool nested = type.ends_with("]") || type.starts_with("STRUCT") ||
                      type.starts_with("MAP") || type.starts_with("UNION");
  if (nested) {
    return {
        ColumnType::kText,
        fmt::format("CASE WHEN {0} IS NOT NULL THEN CAST(to_json({0}) AS VARCHAR) END", column)};
  }
  if (type == "BOOLEAN") {
    return {ColumnType::kBoolean, column};
  }
  if (type == "BIGINT") {
    return {ColumnType::kInteger, column};
  }
  if (is({"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"})) {
    return {ColumnType::kInteger, fmt::format("CAST({} AS BIGINT)", column)};
  }
  if (type == "DOUBLE") {
    return {ColumnType::kNumber, fmt::format("CASE WHEN isfinite({0}) THEN {0} END", column)};
  }
  if (type == "FLOAT") {
    // By its shortest text, so that 0.1 stays 0.1.
    return {ColumnType::kNumber,
            fmt::format("CASE WHEN isfinite({0}) THEN CAST(CAST({0} AS VARCHAR) AS DOUBLE) END",
                        column)};
  }
  if (is({"UBIGINT", "HUGEINT", "UHUGEINT", "BIGNUM"}) || type.starts_with("DECIMAL")) {
    return {ColumnType::kNumber, fmt::format("CAST({} AS DOUBLE)", column)};
  }
  if (type == "DATE") {
    return {ColumnType::kDate, fmt::format("CASE WHEN isfinite({0}) THEN {0} END", column)};
  }
  if (type.starts_with("TIMESTAMP")) {
    return {ColumnType::kTimestamp,
            fmt::format("CASE WHEN isfinite({0}) THEN CAST({0} AS TIMESTAMP) END", column)};
  }
  if (type == "VARCHAR") {
    return {ColumnType::kText, column};
  }
  return {ColumnType::kText, fmt::format("CAST({} AS VARCHAR)", column)};
}

std::span<const ColumnView> ChunkViews::view(duckdb_data_chunk chunk) {
  return view(chunk, 0, duckdb_data_chunk_get_size(chunk));
}

std::span<const ColumnView> ChunkViews::view(duckdb_data_chunk chunk, size_t begin, size_t count) {
  views_.assign(types_.size(), {});
  texts_.resize(types_.size());
  validity_.resize(types_.size());
  for (size_t i = 0; i < types_.size(); ++i) {
    duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, i);
    const void* const data = duckdb_vector_get_data(vector);
    ColumnView& view = views_[i];
    view.type = types_[i];
    view.validity = duckdb_vector_get_validity(vector);
    if (view.validity != nullptr && begin != 0) {
      view.validity = shift_validity(view.validity, begin, count, validity_[i]);
    }
    switch (types_[i]) {
      case ColumnType::kBoolean:
        view.booleans = {static_cast<const uint8_t*>(data) + begin, count};
        break;
      case ColumnType::kInteger:
      case ColumnType::kTimestamp:
        view.integers = {static_cast<const int64_t*>(data) + begin, count};
        break;
      case ColumnType::kNumber:
        view.numbers = {static_cast<const double*>(data) + begin, count};
        break;
      case ColumnType::kDate:
        view.days = {static_cast<const int32_t*>(data) + begin, count};
        break;
      case ColumnType::kText:
        fill_texts(static_cast<const duckdb_string_t*>(data) + begin, count, view, texts_[i]);
        view.texts = texts_[i];
        break;
    }
  }
  return views_;
}

size_t vector_size() {
  return duckdb_vector_size();
}

}  // namespace duck
}  // namespace cromford::table
