#include "base/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/text.h"

namespace cromford::base {
namespace {

struct Logger {
  std::atomic<LogLevel> level = LogLevel::kInfo;
  std::atomic<LogFormat> format =
      ::isatty(STDERR_FILENO) != 0 ? LogFormat::kText : LogFormat::kJson;
  std::atomic<const Clock*> clock = &system_clock();
  std::mutex mutex;  // guards the sink and keeps lines whole
  std::function<void(std::string_view)> sink;
};

// Never destroyed, because threads may still log while the program ends.
Logger& logger() {
  static Logger& instance = *new Logger;
  return instance;
}

thread_local std::string request_id;

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
    case LogLevel::kOff:
      break;
  }
  return "error";
}

bool needs_quotes(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\x7f') {
      return true;
    }
  }
  return text.empty() || !is_utf8(text);
}

std::string quoted(std::string_view text) {
  return dump_json(Json(std::string(text)));
}

void append_value(std::string& out, const LogField::Value& value, LogFormat format) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    if (format == LogFormat::kJson || needs_quotes(*text)) {
      out += quoted(*text);
    } else {
      out += *text;
    }
  } else if (const auto* number = std::get_if<double>(&value)) {
    append_number(out, *number);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    out += *flag ? "true" : "false";
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    out += fmt::format("{}", *integer);
  } else {
    out += fmt::format("{}", std::get<uint64_t>(value));
  }
}

void append_field(std::string& out, const LogField& field, LogFormat format) {
  if (format == LogFormat::kJson) {
    out += ',';
    out += quoted(field.key());
    out += ':';
  } else {
    out += ' ';
    out += field.key();
    out += '=';
  }
  append_value(out, field.value(), format);
}

void write_to_stderr(std::string_view line) {
  while (!line.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    if (written < 0 && errno != EINTR) {
      return;
    }
    line.remove_prefix(static_cast<size_t>(std::max<ssize_t>(written, 0)));
  }
}

void log(LogLevel level, std::string_view event, LogFields fields) {
  Logger& target = logger();
  if (level < target.level.load(std::memory_order_relaxed)) {
    return;
  }
  const LogFormat format = target.format.load(std::memory_order_relaxed);
  const std::string time = format_time(target.clock.load()->now());
  std::string line = format == LogFormat::kJson
                         ? fmt::format(R"({{"time":"{}","level":"{}","event":{})", time,
                                       level_name(level), quoted(event))
                         : fmt::format("{} {} {}", time, level_name(level), event);
  for (const LogField& field : fields) {
    append_field(line, field, format);
  }
  if (!request_id.empty()) {
    append_field(line, LogField("request", request_id), format);
  }
  line += format == LogFormat::kJson ? "}\n" : "\n";

  const std::lock_guard lock(target.mutex);
  if (target.sink) {
    target.sink(line);
  } else {
    write_to_stderr(line);
  }
}

}  // namespace

void log_debug(std::string_view event, LogFields fields) {
  log(LogLevel::kDebug, event, fields);
}
void log_info(std::string_view event, LogFields fields) {
  log(LogLevel::kInfo, event, fields);
}
void log_warning(std::string_view event, LogFields fields) {
  log(LogLevel::kWarning, event, fields);
}
void log_error(std::string_view event, LogFields fields) {
  log(LogLevel::kError, event, fields);
}

void set_log_level(LogLevel level) {
  logger().level = level;
}

LogLevel log_level() {
  return logger().level;
}

void set_log_format(LogFormat format) {
  logger().format = format;
}

void set_log_sink(std::function<void(std::string_view line)> sink) {
  const std::lock_guard lock(logger().mutex);
  logger().sink = std::move(sink);
}

void set_log_clock(const Clock& clock) {
  logger().clock = &clock;
}

RequestScope::RequestScope(std::string_view id)
    : previous_(std::exchange(request_id, std::string(id))) {}

RequestScope::~RequestScope() {
  request_id = std::move(previous_);
}

const std::string& current_request_id() {
  return request_id;
}

}  // namespace cromford::base
