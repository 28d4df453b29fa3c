#include "main/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "base/file_system.h"
#include "base/limits.h"
#include "base/name.h"
#include "base/status.h"
#include "base/text.h"
#include "http/server.h"

namespace cromford::main_program {
namespace {

constexpr size_t kTokenBytesMin = 16;
constexpr int kHttpThreadsMax = 64;
constexpr uint64_t kUploadBytesMin = uint64_t{1} << 20;
constexpr uint64_t kJobMemoryMin = uint64_t{64} << 20;
constexpr uint64_t kQueryMemoryMin = uint64_t{16} << 20;
constexpr uint64_t kFileBytesMax = uint64_t{1} << 20;
// Below, what is logged would go before it is of use: outcomes come hours and days later.
constexpr std::chrono::seconds kLogAgeMin = std::chrono::hours(1);
constexpr uint64_t kLogBytesMin = uint64_t{256} << 20;

absl::Status at(const YAML::Node& node, std::string_view key, std::string_view wanted) {
  return base::invalid(fmt::format("line {}, {}: expected {}", node.Mark().line + 1, key, wanted));
}

template <typename T>
absl::Status read_value(const YAML::Node& node, std::string_view key, std::string_view wanted,
                        T& value) {
  try {
    value = node.as<T>();
    return absl::OkStatus();
  } catch (const YAML::Exception&) {
    return at(node, key, wanted);
  }
}

absl::Status read_size(const YAML::Node& node, std::string_view key, uint64_t least,
                       uint64_t& value) {
  std::string text;
  TRY(read_value(node, key, "a size such as 4GiB", text));
  const absl::StatusOr<uint64_t> parsed = base::parse_size(text);
  if (!parsed.ok()) {
    return at(node, key, "a size such as 4GiB");
  }
  if (*parsed < least) {
    return at(node, key, fmt::format("a size from {}", base::format_size(least)));
  }
  value = *parsed;
  return absl::OkStatus();
}

absl::Status read_token(const YAML::Node& node, const std::filesystem::path& directory,
                        Config& config) {
  std::string file;
  TRY(read_value(node, "token_file", "a path", file));
  TRY(const std::string text, base::system_files().read(directory / file, kFileBytesMax));
  config.token = std::string(base::trim(text));
  if (!std::all_of(config.token.begin(), config.token.end(),
                   [](char c) { return c > ' ' && c <= '~'; })) {
    return base::invalid(
        fmt::format("line {}, token_file: {} holds more than one word of visible ASCII",
                    node.Mark().line + 1, file),
        "name a file with nothing but the token");
  }
  if (config.token.size() < kTokenBytesMin) {
    return base::invalid(
        fmt::format("line {}, token_file: the token in {} is shorter than {} characters",
                    node.Mark().line + 1, file, kTokenBytesMin),
        "make one with: head -c 24 /dev/urandom | base64");
  }
  return absl::OkStatus();
}

absl::Status unknown_key(const YAML::Node& node, const std::string& key,
                         const std::vector<std::string>& known) {
  return base::invalid(fmt::format("line {}: there is no key '{}'{}", node.Mark().line + 1, key,
                                   base::did_you_mean(key, known)),
                       fmt::format("the keys are {}", fmt::join(known, ", ")));
}

// A key that stands twice would silently hide one of its values.
absl::StatusOr<std::string> key_of(const YAML::Node& node, std::set<std::string>& seen) {
  if (!node.IsScalar()) {
    return base::invalid(fmt::format("line {}: a key must be a word", node.Mark().line + 1),
                         "write KEY: VALUE");
  }
  std::string key = node.Scalar();
  if (!seen.insert(key).second) {
    return base::invalid(
        fmt::format("line {}: the key '{}' stands twice", node.Mark().line + 1, key),
        "leave one of them");
  }
  return key;
}

absl::Status read_jobs(const YAML::Node& jobs, Config& config) {
  static const std::vector<std::string> kKnown = {"at_once", "memory", "query_memory"};
  if (!jobs.IsMap()) {
    return at(jobs, "jobs", "a map of at_once, memory, query_memory");
  }
  std::set<std::string> seen;
  for (const auto& entry : jobs) {
    TRY(const std::string key, key_of(entry.first, seen));
    if (key == "at_once") {
      TRY(read_value(entry.second, "jobs.at_once", "a whole number", config.limits.jobs_at_once));
      if (config.limits.jobs_at_once < 1 || config.limits.jobs_at_once > 256) {
        return at(entry.second, "jobs.at_once", "a number from 1 to 256");
      }
    } else if (key == "memory") {
      TRY(read_size(entry.second, "jobs.memory", kJobMemoryMin, config.limits.job_memory_bytes));
    } else if (key == "query_memory") {
      TRY(read_size(entry.second, "jobs.query_memory", kQueryMemoryMin,
                    config.limits.query_memory_bytes));
    } else {
      return unknown_key(entry.first, key, kKnown);
    }
  }
  return absl::OkStatus();
}

absl::Status read_age(const YAML::Node& node, std::string_view key, std::chrono::seconds least,
                      std::chrono::seconds& value) {
  std::string text;
  TRY(read_value(node, key, "a duration such as 90d", text));
  const absl::StatusOr<std::chrono::nanoseconds> parsed = base::parse_duration(text);
  if (!parsed.ok()) {
    return at(node, key, "a duration such as 90d");
  }
  value = std::chrono::duration_cast<std::chrono::seconds>(*parsed);
  return value >= least
             ? absl::OkStatus()
             : at(node, key, fmt::format("a duration from {}", base::format_duration(least)));
}

template <typename T>
absl::Status read_word(const YAML::Node& node, std::string_view key,
                       const std::vector<std::pair<std::string, T>>& words, T& value) {
  std::vector<std::string> known;
  for (const auto& [word, meaning] : words) {
    known.push_back(word);
  }
  const std::string wanted = fmt::format("{}", fmt::join(known, " or "));
  std::string text;
  TRY(read_value(node, key, wanted, text));
  for (const auto& [word, meaning] : words) {
    if (word == text) {
      value = meaning;
      return absl::OkStatus();
    }
  }
  return at(node, key, wanted);
}

absl::Status read_log(const YAML::Node& log, Config& config) {
  static const std::vector<std::string> kKnown = {"durability", "full_disk", "age_max", "size_max"};
  if (!log.IsMap()) {
    return at(log, "log", "a map of durability, full_disk, age_max, size_max");
  }
  std::set<std::string> seen;
  for (const auto& entry : log) {
    TRY(const std::string key, key_of(entry.first, seen));
    if (key == "durability") {
      TRY(read_word(
          entry.second, "log.durability",
          {{"kernel", feedback::Durability::kKernel}, {"fsync", feedback::Durability::kDisk}},
          config.log.durability));
    } else if (key == "full_disk") {
      TRY(read_word(
          entry.second, "log.full_disk",
          {{"answer", feedback::FullDisk::kAnswer}, {"refuse", feedback::FullDisk::kRefuse}},
          config.log.full_disk));
    } else if (key == "age_max") {
      TRY(read_age(entry.second, "log.age_max", kLogAgeMin, config.log.retention.age));
    } else if (key == "size_max") {
      TRY(read_size(entry.second, "log.size_max", kLogBytesMin, config.log.retention.bytes));
    } else {
      return unknown_key(entry.first, key, kKnown);
    }
  }
  return absl::OkStatus();
}

absl::Status read_smtp_key(const std::string& key, const YAML::Node& name, const YAML::Node& value,
                           const std::filesystem::path& directory, app::SmtpOptions& smtp) {
  static const std::vector<std::string> kKnown = {"url", "from", "user", "password_file"};
  std::string text;
  TRY(read_value(value, "smtp." + key, "a text", text));
  if (key == "url") {
    smtp.url = text;
    return text.starts_with("smtp://") || text.starts_with("smtps://")
               ? absl::OkStatus()
               : at(value, "smtp.url", "smtp://HOST:PORT or smtps://HOST:PORT");
  }
  if (key == "from") {
    smtp.from = text;
    return text.find('@') != std::string::npos && text.find_first_of(" \r\n<>") == std::string::npos
               ? absl::OkStatus()
               : at(value, "smtp.from", "an e-mail address");
  }
  if (key == "user") {
    smtp.user = text;
    return absl::OkStatus();
  }
  if (key == "password_file") {
    TRY(const std::string password, base::system_files().read(directory / text, kFileBytesMax));
    smtp.password = std::string(base::trim(password));
    return absl::OkStatus();
  }
  return unknown_key(name, key, kKnown);
}

absl::Status read_smtp(const YAML::Node& smtp, const std::filesystem::path& directory,
                       Config& config) {
  if (!smtp.IsMap()) {
    return at(smtp, "smtp", "a map of url, from, user, password_file");
  }
  std::set<std::string> seen;
  for (const auto& entry : smtp) {
    TRY(const std::string key, key_of(entry.first, seen));
    TRY(read_smtp_key(key, entry.first, entry.second, directory, config.smtp));
  }
  return config.smtp.url.empty() || config.smtp.from.empty() ? at(smtp, "smtp", "url and from")
                                                             : absl::OkStatus();
}

absl::Status read_key(const std::string& key, const YAML::Node& name, const YAML::Node& value,
                      const std::filesystem::path& directory, Config& config) {
  static const std::vector<std::string> kKnown = {
      "listen", "token_file", "host_names", "http_threads",      "jobs",
      "log",    "upload_max", "smtp",       "allow_private_urls"};
  if (key == "listen") {
    TRY(read_value(value, key, "HOST:PORT", config.listen));
    return base::annotate(http::check_listen(config.listen),
                          fmt::format("line {}, listen", value.Mark().line + 1));
  }
  if (key == "token_file") {
    return read_token(value, directory, config);
  }
  if (key == "host_names") {
    return read_value(value, key, "a list of names", config.host_names);
  }
  if (key == "http_threads") {
    TRY(read_value(value, key, "a whole number", config.http_threads));
    return config.http_threads >= 1 && config.http_threads <= kHttpThreadsMax
               ? absl::OkStatus()
               : at(value, key, fmt::format("a number from 1 to {}", kHttpThreadsMax));
  }
  if (key == "jobs") {
    return read_jobs(value, config);
  }
  if (key == "log") {
    return read_log(value, config);
  }
  if (key == "upload_max") {
    return read_size(value, key, kUploadBytesMin, config.limits.upload_bytes);
  }
  if (key == "allow_private_urls") {
    return read_value(value, key, "true or false", config.allow_private_urls);
  }
  if (key == "smtp") {
    return read_smtp(value, directory, config);
  }
  return unknown_key(name, key, kKnown);
}

}  // namespace

absl::StatusOr<Config> parse_config(std::string_view yaml, const std::filesystem::path& directory) {
  Config config;
  try {
    const YAML::Node document = YAML::Load(std::string(yaml));
    if (document.IsNull()) {
      return config;
    }
    if (!document.IsMap()) {
      return base::invalid("the configuration is not a map of keys",
                           "for example: listen: 127.0.0.1:7040");
    }
    std::set<std::string> seen;
    for (const auto& entry : document) {
      TRY(const std::string key, key_of(entry.first, seen));
      TRY(read_key(key, entry.first, entry.second, directory, config));
    }
    return config;
  } catch (const YAML::Exception& error) {
    return base::invalid(
        fmt::format("line {}: the configuration is not YAML: {}", error.mark.line + 1, error.msg));
  }
}

absl::StatusOr<Config> read_config(const std::filesystem::path& file) {
  TRY(const std::string text, base::system_files().read(file, kFileBytesMax));
  absl::StatusOr<Config> config = parse_config(text, file.parent_path());
  if (!config.ok()) {
    return base::annotate(config.status(), file.string());
  }
  return config;
}

absl::Status check_exposure(const Config& config) {
  TRY(http::check_listen(config.listen));
  const std::string host = config.listen.substr(0, config.listen.rfind(':'));
  const bool loopback = host == "localhost" || host == "[::1]" || host.starts_with("127.");
  if (loopback || !config.token.empty()) {
    return absl::OkStatus();
  }
  return base::refused(
      fmt::format("{} can be reached from other machines, and no token is set", config.listen),
      "name a token_file in the configuration, or listen on 127.0.0.1");
}

}  // namespace cromford::main_program
