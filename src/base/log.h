#pragma once

// The program's log: one line per event on standard error, with fields instead of prose, readable
// on a terminal and JSON lines otherwise. Secrets and rows of users never go into it.
//
//   base::RequestScope scope(request_id);         // every line of this thread carries it
//   base::log_info("imported", {{"dataset", "flights"}, {"rows", 3'000'000}});
//   base::log_error("import failed", {{"dataset", name}, {"error", base::describe(status)}});
//
//   2026-11-22T10:00:00.123456Z info imported dataset=flights rows=3000000 request=01h...
//   {"time":"2026-11-22T10:00:00.123456Z","level":"info","event":"imported","dataset":"flights",...}
//
// Thread safety: everything may be called by any thread; lines do not mix.

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"

namespace cromford::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };
enum class LogFormat { kText, kJson };

// One field of a line. Text is referred to, not copied.
class LogField {
 public:
  using Value = std::variant<std::string_view, int64_t, uint64_t, double, bool>;

  // NOLINTBEGIN(google-explicit-constructor): so that fields can stand in braces.
  LogField(std::string_view key, bool value) : key_(key), value_(value) {}
  LogField(std::string_view key, double value) : key_(key), value_(value) {}
  LogField(std::string_view key, const char* value) : key_(key), value_(std::string_view(value)) {}
  LogField(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  LogField(std::string_view key, const std::string& value)
      : key_(key), value_(std::string_view(value)) {}
  template <std::signed_integral T>
  LogField(std::string_view key, T value) : key_(key), value_(static_cast<int64_t>(value)) {}
  template <std::unsigned_integral T>
  LogField(std::string_view key, T value) : key_(key), value_(static_cast<uint64_t>(value)) {}
  // NOLINTEND(google-explicit-constructor)

  std::string_view key() const { return key_; }
  const Value& value() const { return value_; }

 private:
  std::string_view key_;
  Value value_;
};

using LogFields = std::initializer_list<LogField>;

void log_debug(std::string_view event, LogFields fields = {});
void log_info(std::string_view event, LogFields fields = {});
void log_warning(std::string_view event, LogFields fields = {});
void log_error(std::string_view event, LogFields fields = {});

// Lines below the level are dropped; kInfo at start.
void set_log_level(LogLevel level);
LogLevel log_level();
// At start: text when standard error is a terminal, else JSON lines.
void set_log_format(LogFormat format);
// Where finished lines (with their newline) go and which clock stamps them; for tests and for a
// worker, whose standard error is its job's log. An empty function means standard error.
void set_log_sink(std::function<void(std::string_view line)> sink);
void set_log_clock(const Clock& clock);

// Gives the lines of this thread a request id for as long as it lives; scopes nest.
class RequestScope {
 public:
  explicit RequestScope(std::string_view request_id);
  ~RequestScope();
  RequestScope(const RequestScope&) = delete;
  RequestScope& operator=(const RequestScope&) = delete;

 private:
  std::string previous_;
};

// The request id of this thread, "" outside any scope.
const std::string& current_request_id();

}  // namespace cromford::base
